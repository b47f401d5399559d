"""Rules that begin and end: both days included, and everybody is looked at when one does."""

from __future__ import annotations

from datetime import date

from .conftest import Office

RULES = """
accounts:
  - {rule: all, target: ad, attributes: {name: "{{ person.id }}"}}
  - rule: summer
    target: ad
    from: 2026-08-20
    until: 2026-08-22
    attributes: {note: summer}
  - {rule: always, target: ad, attributes: {note: ""}}
groups:
  - {rule: course, target: ad, name: COURSE, from: 2026-08-20, until: 2026-08-22}
licences:
  - {rule: trial, target: ad, sku: TRIAL, exclusive: x, until: 2026-08-19}
  - {rule: full, target: ad, sku: FULL, exclusive: x}
"""


def test_rules_begin_and_end_on_their_days(office: Office):
    """The first day and the last one count; the day behind it everything is as if the rule were not there."""
    office.rules(RULES).people("1;Kari;Li;employee")
    begun = [("hr:1", "ad", "account", "update"), ("hr:1", "ad", "membership", "create", "course")]
    ended = [("hr:1", "ad", "account", "update"), ("hr:1", "ad", "membership", "delete", "course")]
    swapped = [("hr:1", "ad", "licence", "create", "FULL"), ("hr:1", "ad", "licence", "delete", "TRIAL")]
    seen: dict[int, tuple[int, list[tuple[str, ...]]]] = {}

    for day in (19, 20, 21, 22, 23, 24):
        office.on(date(2026, 8, day)).sync()
        seen[day] = (office.evaluated, [line for line in office.lines if line[0] == "hr:1"])

    assert seen[19][1] == [("hr:1", "ad", "account", "create"), ("hr:1", "ad", "licence", "create", "TRIAL")]
    assert seen[20] == (1, [*begun, *swapped])
    assert seen[21] == seen[22] == (0, [])
    assert seen[23] == (1, ended)
    assert seen[24] == (0, [])


def test_a_run_that_comes_late_makes_good_for_the_days_between(office: Office):
    """A rule that began while nothing ran counts at the next run."""
    office.rules(RULES).people("1;Kari;Li;employee").on(date(2026, 8, 1)).sync()

    office.on(date(2026, 8, 21)).sync()

    assert office.members() == {("COURSE", "hr:1")}
    office.on(date(2026, 9, 30)).sync()
    assert office.members() == set()
