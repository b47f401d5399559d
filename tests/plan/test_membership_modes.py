"""Who stays in a group when the rule no longer holds: nobody (`exact`), or whoever was there (`add-only`)."""

from __future__ import annotations

from .conftest import Office

RULES = """
accounts:
  - {rule: all, target: ad, when: affiliation.kind != 'guest', attributes: {name: "{{ person.id }}"}}
groups:
  - {rule: now, target: ad, name: NOW, when: affiliation.kind == 'teacher'}
  - {rule: once, target: ad, name: ONCE, when: affiliation.kind == 'teacher', mode: add-only}
"""


def test_add_only_keeps_what_the_rule_once_gave(office: Office):
    """Who no longer teaches leaves the exact group and stays in the other, and nothing is left to do."""
    office.rules(RULES).people("1;Kari;Li;teacher", "2;Ola;Li;teacher").sync()

    office.people("1;Kari;Li;employee", "2;Ola;Li;teacher").sync()

    assert office.lines == [("hr:1", "ad", "membership", "delete", "now")]
    assert office.members() == {("NOW", "hr:2"), ("ONCE", "hr:1"), ("ONCE", "hr:2")}
    office.sync()
    assert office.lines == []


def test_who_loses_the_account_leaves_every_group(office: Office):
    """What a leaver once had is not there to be found when they come back."""
    office.rules(RULES).people("1;Kari;Li;teacher", "2;Ola;Li;teacher").sync()

    office.people("1;Kari;Li;guest", "2;Ola;Li;teacher").sync()

    assert office.members() == {("NOW", "hr:2"), ("ONCE", "hr:2")}


def test_a_rule_made_exact_takes_out_who_does_not_belong(office: Office):
    """The mode is that of today's ruleset, not that of the day on which somebody came in."""
    office.rules(RULES).people("1;Kari;Li;teacher", "2;Ola;Li;teacher").sync()
    office.people("1;Kari;Li;employee", "2;Ola;Li;teacher").sync()

    office.rules(RULES.replace("add-only", "exact")).sync()

    assert office.lines == [("hr:1", "ad", "membership", "delete", "once")]
