"""Groups in groups: made behind both, ended when no rule asks for them, and never in a circle."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from connectors.contract import Kind
from eadm_sync.app.context import open_context
from eadm_sync.errors import ConfigError
from eadm_sync.state.tables import known_nestings

from .conftest import Office

ACCOUNTS = """
accounts: [{rule: all, target: ad, attributes: {name: "{{ person.id }}"}}]
groups:
"""
BY_UNIT = '  - {rule: unit, target: ad, name: "U-{{ affiliation.unit.code }}"%s}\n'
ALL = "  - {rule: everybody, target: ad, for_each: person, name: Alle%s}\n"
TREE = '  - {rule: tree, target: ad, for_each: unit_path, nested: true, name: "T-{{ unit.code }}"%s}\n'
IN_ALL = ", member_of: ALLE"
KARI, OLA, PER = "1;Kari;Li;employee;11", "2;Ola;Li;employee;12", "3;Per;Bø;employee;1"


def nestings(office: Office) -> set[tuple[object, object]]:
    """(name of the group, name of the group in it) of every nesting in the target."""
    names = {one.anchor: one.attributes["name"] for one in office.objects(Kind.GROUP)}
    return {(names[one.group or ""], names[one.member or ""]) for one in office.objects(Kind.NESTING)}


def test_groups_are_put_into_the_group_that_a_rule_names(office: Office):
    """By its name in whatever case; both are made first, in one run, and then there is nothing left to do."""
    office.rules(ACCOUNTS + BY_UNIT % IN_ALL + ALL % "").people(KARI, OLA)

    report = office.sync()

    assert report.is_complete
    assert nestings(office) == {("Alle", "U-11"), ("Alle", "U-12")}
    assert ("group:u-11", "ad", "nesting", "create", "alle") in office.lines
    assert office.sync().enqueued == 0


def test_a_nesting_that_no_rule_asks_for_any_more_is_ended(office: Office):
    """The groups and their members stay."""
    office.rules(ACCOUNTS + BY_UNIT % IN_ALL + ALL % "").people(KARI).sync()

    office.rules(ACCOUNTS + BY_UNIT % "" + ALL % "").sync()

    assert office.lines == [("group:u-11", "ad", "nesting", "delete", "alle")]
    assert nestings(office) == set()
    assert office.members() == {("U-11", "hr:1"), ("Alle", "hr:1")}
    assert office.sync().enqueued == 0


def test_an_empty_group_leaves_the_groups_that_its_rule_no_longer_names(office: Office):
    """Also where nobody is in it with whom it would be looked at."""
    office.rules(ACCOUNTS + BY_UNIT % IN_ALL + ALL % "").people(KARI, OLA).sync()
    office.people("1;Kari;Li;employee;12", OLA).sync()
    assert nestings(office) == {("Alle", "U-11"), ("Alle", "U-12")}

    office.rules(ACCOUNTS + ALL % "").sync()
    office.sync()

    assert nestings(office) == set()


def test_a_unit_without_people_of_its_own_is_a_step_of_the_tree(office: Office):
    """People are in the group of their own unit only; that is in the next one, up to the top."""
    office.rules(ACCOUNTS + TREE % "").people(KARI, OLA).sync()

    assert office.members() == {("T-11", "hr:1"), ("T-12", "hr:2")}
    assert nestings(office) == {("T-1", "T-11"), ("T-1", "T-12")}
    office.people(KARI, OLA, PER).sync()
    assert office.members() == {("T-11", "hr:1"), ("T-12", "hr:2"), ("T-1", "hr:3")}


def test_a_unit_that_moves_takes_its_group_along(office: Office):
    """Out of one group and into the other in one run."""
    office.rules(ACCOUNTS + TREE % "").people(KARI, OLA).sync()
    units = office.folder / "units.csv"
    units.write_text(units.read_text("utf-8").replace("11;Skole;1;2", "11;Skole;12;2"), encoding="utf-8")

    office.sync()

    assert nestings(office) == {("T-12", "T-11"), ("T-1", "T-12")}
    assert office.sync().enqueued == 0


def test_a_group_that_groups_are_in_is_not_empty(office: Office):
    """`when_empty: delete` goes from the leaves upwards, one step a run; nesting goes before its group."""
    office.rules(ACCOUNTS + TREE % ", when_empty: delete").people(KARI, OLA).sync()
    office.people(OLA).sync()
    office.sync()
    leaf_gone = list(office.lines)
    office.sync()

    assert leaf_gone == [("group:t-11", "ad", "nesting", "delete", "t-1"), ("group:t-11", "ad", "group", "delete")]
    assert nestings(office) == {("T-1", "T-12")}
    assert {one.attributes["name"] for one in office.objects(Kind.GROUP)} == {"T-1", "T-12"}


def test_a_group_that_no_rule_gives_is_reported_and_the_rest_goes_on(office: Office):
    """The name fits a rule's pattern, so that only a run can tell."""
    above = ', member_of: "U-{{ affiliation.unit.parent.code }}"'
    office.rules(ACCOUNTS + BY_UNIT % above).people(KARI)

    office.sync()

    assert "shall be in the group 'U-1', which no rule gives to anybody (rule r/unit)" in office.problems["hr:1"]
    assert office.members() == {("U-11", "hr:1")}
    office.people(KARI, PER).sync()
    assert (office.problems, nestings(office)) == ({}, {("U-1", "U-11")})


def test_the_topmost_unit_is_in_no_group(office: Office):
    """An entry in which something is missing is left out and not reported."""
    above = ', member_of: ["U-{{ affiliation.unit.parent.code }}"]'
    office.rules(ACCOUNTS + BY_UNIT % above).people(KARI, PER).sync()

    assert (office.problems, nestings(office)) == ({}, {("U-1", "U-11")})


def test_no_group_gets_into_itself(office: Office):
    """Of a circle, the nesting that would close it is left out and reported."""
    circle = BY_UNIT % IN_ALL + ALL % ', member_of: "U-11"'
    office.rules(ACCOUNTS + circle).people(KARI).sync()

    assert nestings(office) == {("U-11", "Alle")}
    assert "'alle' shall be in the group" not in office.problems["hr:1"]
    assert "and would be in itself" in office.problems["hr:1"]


def test_what_one_rule_says_of_a_group_is_not_undone_by_another_that_gives_it_too(office: Office):
    """Whoever of the two rules' people is looked at, in whatever order."""
    rules = (
        BY_UNIT % f"{IN_ALL}, when: person.family_name == 'Bø', attributes: {{info: Bø}}"
        + (BY_UNIT % ", when: person.family_name != 'Bø', attributes: {mail: m}").replace("rule: unit", "rule: others")
        + ALL % ""
    )
    office.rules(ACCOUNTS + rules).people(KARI, "3;Per;Bø;employee;11").sync()
    (group,) = [one for one in office.objects(Kind.GROUP) if one.attributes["name"] == "U-11"]
    assert group.attributes == {"name": "U-11", "info": "Bø", "mail": "m"}

    for people in (
        ("1;Karin;Li;employee;11", "3;Per;Bø;employee;11"),
        ("1;Karin;Li;employee;11", "3;Pål;Bø;employee;11"),
    ):
        office.people(*people).sync()
        assert [line for line in office.lines if line[0] == "group:u-11"] == []
    assert nestings(office) == {("Alle", "U-11")}


@pytest.mark.parametrize("noted_for", ["others", "unit"])  # the second: a state of an older program
def test_a_nesting_that_a_later_rule_says_is_not_undone_by_the_first(office: Office, noted_for: str):
    """It is noted for the rule that says it, so that looking at the people of the other alone does not end it."""
    first = BY_UNIT % ", when: person.family_name == 'Bø'"
    others = (BY_UNIT % f"{IN_ALL}, when: person.family_name != 'Bø'").replace("rule: unit", "rule: others")
    office.rules(ACCOUNTS + first + others + ALL % "").people(KARI, "3;Per;Bø;employee;11").sync()
    with open_context(office.folder / "config.yaml", office.clock).writing() as state, state.write() as connection:
        assert connection.scalars(select(known_nestings.c.rule)).all() == ["r/others"]
        connection.execute(update(known_nestings).values(rule=f"r/{noted_for}"))

    office.people(KARI, "3;Pål;Bø;employee;11").sync()

    assert [line for line in office.lines if "nesting" in line] == []
    assert nestings(office) == {("Alle", "U-11")}


def test_many_ends_of_nestings_at_once_are_held(office: Office):
    """The brake on nestings counts them by itself; released, they go."""
    office.configure("ad", brake={"nesting": {"delete": {"max": 0}}})
    office.rules(ACCOUNTS + BY_UNIT % IN_ALL + ALL % "").people(KARI).sync()

    office.rules(ACCOUNTS + BY_UNIT % "" + ALL % "").sync()
    assert [hold.name for hold in office.holds] == ["ad.nesting.delete"]
    assert nestings(office) == {("Alle", "U-11")}

    office.sync(released=frozenset({"ad.nesting.delete"}), reason="meant")
    assert nestings(office) == set()


def test_a_nesting_is_held_with_the_creation_of_either_group(office: Office):
    """It would only fail without them."""
    office.configure("ad", brake={"group": {"create": {"max": 1}}})
    office.rules(ACCOUNTS + BY_UNIT % IN_ALL + ALL % "").people(KARI).sync()

    assert ("group:u-11", "ad", "nesting", "create", "alle") in office.held
    assert office.lines == [("hr:1", "ad", "account", "create")]


def test_nestings_in_the_queue_are_neither_doubled_nor_lost(office: Office):
    """Planned, not delivered, planned again: once each in the end."""
    office.rules(ACCOUNTS + BY_UNIT % IN_ALL + ALL % "").people(KARI).sync(deliver=False)
    office.people(KARI, OLA).sync(deliver=False)

    assert office.sync().is_complete
    assert nestings(office) == {("Alle", "U-11"), ("Alle", "U-12")}


def test_a_target_without_nesting_is_an_error_that_names_the_rule(office: Office):
    """What it cannot do is said when the rules are loaded, not when they are delivered."""
    office.configure("ad", nesting=False)
    office.rules(ACCOUNTS + BY_UNIT % IN_ALL + ALL % "").people(KARI)

    with pytest.raises(ConfigError, match=r"rules\.yaml:5.*the target 'ad' cannot have groups in groups"):
        office.sync()
