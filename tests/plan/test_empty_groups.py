"""What becomes of a group that nobody is in any more: it is kept, or deleted by the run after the last one left."""

from __future__ import annotations

import pytest

from connectors.contract import Kind

from .conftest import Office

RULES = """
accounts: [{rule: all, target: ad, attributes: {name: "{{ person.id }}"}}]
groups:
  - {rule: gone, target: ad, name: "G-{{ affiliation.unit.code }}", when_empty: delete}
  - {rule: kept, target: ad, name: "K-{{ affiliation.unit.code }}"}
"""
DELETED = ("group:g-11", "ad", "group", "delete")


def groups(office: Office) -> set[object]:
    """Names of the groups in the target."""
    return {one.attributes["name"] for one in office.objects(Kind.GROUP)}


@pytest.fixture
def emptied(office: Office) -> Office:
    """An office in which the only one at the school has gone to another unit."""
    office.rules(RULES).people("1;Kari;Li;employee;11", "2;Ola;Li;employee;12").sync()
    office.people("1;Kari;Li;employee;12", "2;Ola;Li;employee;12").sync()
    return office


def test_a_group_is_deleted_by_the_run_after_the_last_member_left(emptied: Office):
    """First the member goes; when that is known, the group. Then there is nothing left to do."""
    assert DELETED not in emptied.lines
    assert groups(emptied) == {"G-11", "K-11", "G-12", "K-12"}

    emptied.sync()

    assert emptied.lines == [DELETED]
    assert groups(emptied) == {"K-11", "G-12", "K-12"}
    assert emptied.sync().enqueued == 0


def test_a_deleted_group_is_made_anew_for_the_next_member(emptied: Office):
    """It is another object with the same name."""
    emptied.sync()

    emptied.people("1;Kari;Li;employee;11", "2;Ola;Li;employee;12").sync()

    assert ("group:g-11", "ad", "group", "create") in emptied.lines
    assert ("G-11", "hr:1") in emptied.members()


def test_a_deletion_that_waits_is_dropped_when_somebody_comes(emptied: Office):
    """What was planned yesterday and not delivered does not take the group from under today's member."""
    emptied.sync(deliver=False)
    assert emptied.lines == [DELETED]

    report = emptied.people("1;Kari;Li;employee;11", "2;Ola;Li;employee;12").sync()

    assert (report.superseded, report.is_complete) == (1, True)
    assert ("G-11", "hr:1") in emptied.members()


def test_a_group_that_somebody_is_on_the_way_to_stays(office: Office):
    """A membership in the queue is a member to come, though nobody looks at its person again."""
    office.rules(RULES).people("1;Kari;Li;employee;11").sync(deliver=False)
    office.sync(deliver=False)

    assert office.sync().is_complete
    assert groups(office) == {"G-11", "K-11"}


def test_many_deletions_at_once_are_held(emptied: Office):
    """The brake on groups counts them as any other deletion."""
    path = emptied.folder / "config.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("    account:\n", "    group: {delete: {max: 0}}\n    account:\n"), encoding="utf-8")

    emptied.sync()

    assert [hold.name for hold in emptied.holds] == ["ad.group.delete"]
    assert emptied.held == [DELETED]
    assert "G-11" in groups(emptied)


def test_managers_of_a_unit_are_a_group(office: Office):
    """Who manages a unit is in its group of managers, also from a unit below."""
    office.rules("""
    accounts: [{rule: all, target: ad, attributes: {name: "{{ person.id }}"}}]
    groups:
      - rule: managers
        target: ad
        for_each: unit_path
        when: unit.manager.id == person.id
        name: "LEDERE-{{ unit.code }}"
    """)

    office.people("1;Kari;Li;employee;11", "2;Ola;Li;employee;11").sync()

    assert office.members() == {("LEDERE-11", "hr:2")}
