"""An attribute that we set is cleared when no rule sets it any more; what others set is not ours to touch."""

from __future__ import annotations

from connectors.contract import Action, Kind, Operation
from eadm_sync.app.context import open_context

from .conftest import Office

RULES = """
accounts:
  - {rule: all, target: ad, attributes: {name: "{{ person.id }}"%s}}
  - {rule: more, target: ad, when: affiliation.unit.code == '11', attributes: {office: Skolen}}
groups:
  - {rule: unit, target: ad, name: "U-{{ affiliation.unit.code }}"%s}
"""
FULL = RULES % (", title: Lærer", ", attributes: {info: Enhet, mail: m}, container: Grupper")
LESS = RULES % ("", ", attributes: {mail: m}")


def held(office: Office, kind: Kind) -> dict[str, object]:
    """The attributes of the only object of a kind."""
    (one,) = office.objects(kind)
    return dict(one.attributes)


def test_what_no_rule_sets_any_more_is_cleared(office: Office):
    """The plan shows it as a change, once; the container stays, since an object has to be somewhere."""
    office.rules(FULL).people("1;Kari;Li;employee;11").sync()
    assert held(office, Kind.ACCOUNT) == {"name": "hr:1", "title": "Lærer", "office": "Skolen"}

    office.rules(LESS).sync()

    assert sorted(office.lines) == [("group:u-11", "ad", "group", "update"), ("hr:1", "ad", "account", "update")]
    assert held(office, Kind.ACCOUNT) == {"name": "hr:1", "office": "Skolen"}
    assert held(office, Kind.GROUP) == {"name": "U-11", "mail": "m"}
    assert office.objects(Kind.GROUP)[0].container == "Grupper"
    assert office.sync().enqueued == 0


def test_what_a_rule_that_no_longer_holds_had_added_is_cleared(office: Office):
    """Whoever leaves the school leaves its office too."""
    office.rules(FULL).people("1;Kari;Li;employee;11").sync()

    office.people("1;Kari;Li;employee;12").sync()

    assert held(office, Kind.ACCOUNT) == {"name": "hr:1", "title": "Lærer"}


def test_what_we_never_set_is_not_touched(office: Office):
    """Whatever somebody wrote into the target by hand."""
    office.rules(FULL).people("1;Kari;Li;employee;11").sync()
    (account,) = office.objects(Kind.ACCOUNT)
    with open_context(office.folder / "config.yaml", office.clock).make_target("ad") as target:
        theirs = Operation("x", Kind.ACCOUNT, Action.UPDATE, anchor=account.anchor, attributes={"pager": "1"})
        list(target.apply([theirs]))

    office.rules(LESS).sync()

    assert held(office, Kind.ACCOUNT) == {"name": "hr:1", "office": "Skolen", "pager": "1"}


def test_an_attribute_that_the_target_has_no_more_is_left_alone(office: Office):
    """Clearing it would be refused, today and every day."""
    office.rules(FULL).people("1;Kari;Li;employee;11").sync()

    office.configure("ad", attributes={"office": "str"}, group_attributes={"mail": "str"})
    report = office.rules(LESS).sync()

    assert (office.lines, report.enqueued, office.problems) == ([], 0, {})
