"""Owners, attributes and containers of groups, from the rule to the target and back."""

from __future__ import annotations

from connectors.contract import Kind

from .conftest import Office

RULES = """
accounts: [{rule: all, target: ad, attributes: {name: "{{ person.id }}"}}]
groups:
  - rule: owners
    target: ad
    for_each: unit_path
    when: unit.manager.id == person.id
    name: "U-{{ unit.code }}"
    role: owner
  - rule: members
    target: ad
    name: "U-{{ affiliation.unit.code }}"
    container: "OU={{ affiliation.unit.parent.name | dn }}"
    attributes: {info: "{{ affiliation.unit.name }}"}
"""
KARI, OLA = "1;Kari;Li;employee;11", "2;Ola;Li;employee;11"


def roles(office: Office) -> dict[str | None, str]:
    """Person → role in the only group."""
    owners = {one.anchor: one.owner for one in office.objects(Kind.ACCOUNT)}
    return {owners[one.account or ""]: one.role for one in office.objects(Kind.MEMBERSHIP)}


def test_a_manager_owns_the_group_of_the_unit(office: Office):
    """Where two rules give the same place, the first counts; the group is what both say of it."""
    office.rules(RULES).people(KARI, OLA).sync()

    (group,) = office.objects(Kind.GROUP)
    assert (group.attributes, group.container) == ({"name": "U-11", "info": "Skole"}, "OU=Kommune")
    assert roles(office) == {"hr:1": "member", "hr:2": "owner"}
    assert office.sync().enqueued == 0


def test_a_new_manager_takes_the_ownership_over(office: Office):
    """The former one becomes a member; the group stays the same object."""
    office.rules(RULES).people(KARI, OLA).sync()
    (before,) = office.objects(Kind.GROUP)
    units = office.folder / "units.csv"
    units.write_text(units.read_text("utf-8").replace("11;Skole;1;2", "11;Skole;1;1"), encoding="utf-8")

    office.sync()

    assert roles(office) == {"hr:1": "owner", "hr:2": "member"}
    assert [one.anchor for one in office.objects(Kind.GROUP)] == [before.anchor]


def test_a_renamed_and_moved_unit_changes_attributes_and_container(office: Office):
    """As one change of the group."""
    office.rules(RULES).people(KARI, OLA).sync()
    units = office.folder / "units.csv"
    units.write_text(units.read_text("utf-8").replace("11;Skole;1;2", "11;Skolen;12;2"), encoding="utf-8")

    office.sync()

    (group,) = office.objects(Kind.GROUP)
    assert (group.attributes["info"], group.container) == ("Skolen", "OU=Teknisk")
    assert office.lines == [("group:u-11", "ad", "group", "update")]
