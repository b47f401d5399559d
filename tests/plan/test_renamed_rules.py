"""Known state names the rule that gives something now, and the version since when it does."""

from __future__ import annotations

from sqlalchemy import Table, select

from eadm_sync.app.context import open_context
from eadm_sync.state import tables

from .conftest import Office

RULES = """
accounts: [{rule: %(a)s, target: ad, attributes: {name: "{{ person.id }}"}}]
groups:
  - {rule: %(g)s, target: ad, name: "U-{{ affiliation.unit.code }}", member_of: Alle}
  - {rule: %(h)s, target: ad, for_each: person, name: Alle}
licences: [{rule: %(l)s, target: ad, sku: A3}]
"""
OLD = RULES % {"a": "a1", "g": "g1", "h": "h1", "l": "l1"}
NEW = RULES % {"a": "a2", "g": "g2", "h": "h2", "l": "l2"}
KARI = "1;Kari;Li;employee;11"
TABLES = (
    tables.known_accounts,
    tables.known_groups,
    tables.known_memberships,
    tables.known_nestings,
    tables.known_licences,
)


def given_by(office: Office) -> dict[str, set[tuple[str, str]]]:
    """(rule, version) of all that is known, by table."""
    context = open_context(office.folder / "config.yaml", office.clock)

    def rows(table: Table) -> set[tuple[str, str]]:
        with context.reading() as database, database.read() as connection:
            return {(row.rule, row.ruleset_version) for row in connection.execute(select(table)).all()}

    return {table.name: rows(table) for table in TABLES}


def version(office: Office) -> str:
    """The ruleset's version."""
    return open_context(office.folder / "config.yaml", office.clock).ruleset.version


def test_what_is_given_keeps_the_rule_and_its_version(office: Office):
    """Accounts, groups, memberships, nestings and licences; another version that says the same changes nothing."""
    office.rules(OLD).people(KARI).sync()
    first = version(office)
    expected = {
        "known_accounts": {("r/a1", first)},
        "known_groups": {("r/g1", first), ("r/h1", first)},
        "known_memberships": {("r/g1", first), ("r/h1", first)},
        "known_nestings": {("r/g1", first)},
        "known_licences": {("r/l1", first)},
    }
    assert given_by(office) == expected

    office.rules(OLD + "\nconditions: {never_named: affiliation.kind == 'employee'}\n").sync()

    assert version(office) != first
    assert given_by(office) == expected


def test_a_rule_by_another_name_is_no_change_and_is_known(office: Office):
    """No plan, no operation to the target; whoever asks is told the rule that holds."""
    office.rules(OLD).people(KARI).sync()

    report = office.rules(NEW).sync()

    assert (office.lines, report.enqueued) == ([], 0)
    now = version(office)
    assert given_by(office) == {
        "known_accounts": {("r/a2", now)},
        "known_groups": {("r/g2", now), ("r/h2", now)},
        "known_memberships": {("r/g2", now), ("r/h2", now)},
        "known_nestings": {("r/g2", now)},
        "known_licences": {("r/l2", now)},
    }


def test_a_plan_that_is_declined_writes_no_rule_down(office: Office):
    """The rename is accepted with the plan, or not at all."""
    office.rules(OLD).people(KARI).sync()
    before = given_by(office)
    office.rules(NEW)
    office._agree = lambda _made: False  # type: ignore[method-assign]

    office.sync()

    assert given_by(office) == before
