from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, text

from eadm_sync.app.context import complete_metadata
from eadm_sync.app.status import status
from eadm_sync.app.triggering import ALIVE_SECONDS, beat
from eadm_sync.daemon.metrics import facts
from eadm_sync.state import tables

from .conftest import Place

CIRCUITS = complete_metadata().tables["queue_circuits"]


def add(place: Place, table: Any, **row: object) -> None:
    """Puts a row in."""
    with place.context.writing() as database, database.write() as connection:
        connection.execute(table.insert(), row)


def test_daemons_are_told_from_those_that_died(place: Place):
    """A recent sign of life, and who leads."""
    now = place.clock.moment
    row = {"version": "0.1", "started_at": now.isoformat()}
    add(
        place,
        tables.daemons,
        name="a:1",
        role="leader",
        seen_at=(now - timedelta(seconds=ALIVE_SECONDS)).isoformat(),
        **row,
    )
    late = now - timedelta(seconds=ALIVE_SECONDS + 1)
    add(place, tables.daemons, name="b:2", role="standby", seen_at=late.isoformat(), **row)

    assert [(one.name, one.role, one.is_alive) for one in status(place.context).daemons] == [
        ("a:1", "leader", True),
        ("b:2", "standby", False),
    ]


def test_only_one_daemon_is_told_to_lead(place: Place):
    """One that died leading would be told to lead, beside its heir, until it is taken for dead."""
    now = place.clock.moment
    with place.context.writing() as database, database.write() as connection:
        for name, role in (("a:1", "leader"), ("b:2", "standby"), ("b:2", "leader")):
            beat(connection, name, role=role, version="0.1", started_at=now, now=now)

    assert [(one.name, one.role) for one in status(place.context).daemons] == [("a:1", "standby"), ("b:2", "leader")]


def test_a_target_that_is_away_is_told(place: Place):
    """Since when, and when it is asked again."""
    add(place, CIRCUITS, target="ad", opened_at=1_000_000, probe_at=61_000_000, failures=3, error="Unavailable: down")

    (away,) = status(place.context).away

    assert (away.target, away.failures, away.error) == ("ad", 3, "Unavailable: down")
    assert (away.opened_at.isoformat(), away.probe_at.isoformat()) == (
        "1970-01-01T00:00:01+00:00",
        "1970-01-01T00:01:01+00:00",
    )


@pytest.fixture
def statements(place: Place) -> Iterator[list[str]]:
    """Every statement that `status` runs, with its parameters put in."""
    with place.context.reading() as database:
        seen: list[str] = []

        def note(_conn: Any, _cursor: Any, statement: str, _parameters: Any, *_: Any) -> None:
            seen.append(statement)

        engine = type(database.engine)
        event.listen(engine, "before_cursor_execute", note)
        try:
            yield seen
        finally:
            event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize("table", ["people", "source_records", "known_accounts"])
def test_wide_rows_are_counted_by_indexes_only(place: Place, statements: list[str], table: str):
    """On a hundred thousand people a scan of whole rows takes seconds."""
    status(place.context)
    mine = [one for one in statements if f"FROM {table} " in one.replace("\n", " ") + " " and "count(" in one]
    assert mine

    with place.context.reading() as database, database.read() as connection:
        for statement in mine:
            steps = [row.detail for row in connection.execute(text(f"EXPLAIN QUERY PLAN {statement}"))]
            looks = [step for step in steps if step.startswith(("SCAN", "SEARCH"))]
            assert looks
            assert all("USING COVERING INDEX" in look for look in looks), f"{statement}: {steps}"


def test_both_databases_say_the_same(place: Place, postgresql_url: str):
    """Counts and metrics are read from PostgreSQL as from SQLite."""
    here = status(place.context)
    config = place.folder / "config.yaml"
    moved = config.read_text(encoding="utf-8").replace("sqlite:///var/eadm-sync.db", postgresql_url)
    config.write_text(moved, encoding="utf-8")
    for target in (place.folder / "var").glob("*.db*"):
        target.unlink()
    place.sync(deliver=True)

    there = status(place.context)

    assert (there.people, there.accounts, there.absent) == (here.people, here.accounts, here.absent)
    with place.context.writing() as database, database.read() as connection:
        found = facts(place.context, connection)
        assert found.status.people == here.people
        assert sum(found.confirmed.values()) > here.people
        database.check_version()
