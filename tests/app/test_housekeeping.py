from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Table, func, select

from eadm_sync.app import housekeeping
from eadm_sync.app.context import Context, complete_metadata
from eadm_sync.app.housekeeping import HousekeepingReport, housekeep, preview
from eadm_sync.app.reporting import report_of
from eadm_sync.app.status import status
from eadm_sync.state import tables

from .conftest import Place

ITEMS = complete_metadata().tables["queue_items"]
EDGES = complete_metadata().tables["queue_prerequisites"]


def count(context: Context, table: Table) -> int:
    """Rows of a table."""
    with context.reading() as database, database.read() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0


def add(context: Context, table: Table, *rows: dict[str, Any]) -> None:
    """Puts rows in."""
    with context.writing() as database, database.write() as connection:
        connection.execute(table.insert(), list(rows))


@pytest.fixture(params=["sqlite", "postgresql"])
def town(request: pytest.FixtureRequest, place: Place) -> Place:
    """A town after its first run, with everything delivered; on either database."""
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql_url")
        config = place.folder / "config.yaml"
        text = config.read_text(encoding="utf-8")
        config.write_text(text.replace("sqlite:///var/eadm-sync.db", url), encoding="utf-8")
        for target in (place.folder / "var").glob("*.db*"):
            target.unlink()
        place.sync(deliver=True)
    return place


@pytest.mark.parametrize(
    ("days", "goes"),
    [
        (29, False),
        # keep_finished_days is 30
        (31, True),
    ],
)
def test_finished_items_go_when_they_are_old(town: Place, monkeypatch: pytest.MonkeyPatch, days: int, goes: bool):
    """They are kept for as long as configured, and then all of them go, with what they waited for."""
    monkeypatch.setattr(housekeeping, "_ROWS_AT_ONCE", 70)
    finished = count(town.context, ITEMS)
    assert finished > 210  # so that it takes several portions
    town.clock.moment += timedelta(days=days)

    report = housekeep(town.context)

    assert report.items == (finished if goes else 0)
    assert count(town.context, ITEMS) == (0 if goes else finished)
    assert (count(town.context, EDGES) == 0) is goes


def test_what_is_unfinished_stays_however_old(place: Place):
    """A change on its way is never old."""
    with place.context.writing() as database, database.write() as connection:
        connection.execute(ITEMS.update().values(state="dead", finished_at=None))
    place.clock.moment += timedelta(days=5_000)

    assert housekeep(place.context).items == 0


def test_the_audit_and_what_is_known_are_never_shortened(town: Place):
    """Who has what, who changed it, and with which rules, is there after ten years; that passwords end is added."""
    kept = (
        *(tables.audit, tables.people, tables.source_records, tables.identifiers, tables.ruleset_versions),
        *(tables.known_accounts, tables.known_groups, tables.known_memberships, tables.known_licences),
    )
    before = {table.name: count(town.context, table) for table in kept}
    before["audit"] += count(town.context, tables.passwords)
    town.clock.moment += timedelta(days=3_650)

    housekeep(town.context)

    assert {table.name: count(town.context, table) for table in kept} == before


def test_old_runs_go_but_for_the_latest_of_each_command(place: Place):
    """What `status` and `report` speak of stays; so do plans that gave somebody something."""
    for _ in range(3):
        place.sync()
    assert count(place.context, tables.runs) == 4
    assert count(place.context, tables.plans) == 4
    place.clock.moment += timedelta(days=401)

    report = housekeep(place.context)

    assert (report.runs, report.plans) == (3, 2)  # of the plans, the first gave, and the last is the last
    assert count(place.context, tables.plans) == 2
    found = status(place.context)
    assert found.last is not None
    assert found.last.planned_by is not None


def test_dead_daemons_and_answered_requests_go(place: Place):
    """Living daemons and requests that wait stay."""
    now = place.clock.moment
    row = {"role": "worker", "version": "1", "started_at": now.isoformat()}
    add(
        place.context,
        tables.daemons,
        {"name": "alive", "seen_at": (now - timedelta(hours=23)).isoformat(), **row},
        {"name": "gone", "seen_at": (now - timedelta(hours=25)).isoformat(), **row},
    )
    old = (now - timedelta(days=40)).isoformat()
    add(
        place.context,
        tables.job_requests,
        {"job": "nightly", "requested_at": old, "actor": "kari", "finished_at": old},
        {"job": "nightly", "requested_at": old, "actor": "kari", "finished_at": None},
    )

    report = housekeep(place.context)

    assert (report.daemons, report.requests) == (1, 1)
    assert (count(place.context, tables.daemons), count(place.context, tables.job_requests)) == (1, 1)


def test_a_preview_tells_what_would_go_and_leaves_it(town: Place):
    """The figures are those of what follows."""
    town.clock.moment += timedelta(days=500)
    before = count(town.context, ITEMS)

    told = preview(town.context)

    assert count(town.context, ITEMS) == before
    assert told.total > 0
    done = housekeep(town.context)
    assert (told.items, told.runs, told.plans) == (done.items, done.runs, done.plans)
    assert preview(town.context).total == 0


def test_what_was_removed_stands_in_the_book_of_runs(place: Place):
    """Whoever misses something learns where it went."""
    place.clock.moment += timedelta(days=31)
    report = housekeep(place.context)

    found = report_of(place.context)

    assert found.command == "housekeeping"
    assert found.removed["items"] == report.items > 0


def test_the_write_ahead_log_is_emptied_where_nobody_reads(place: Place):
    """An embedded state does not keep a log as long as its longest day."""
    log = place.folder / "var" / "eadm-sync.db-wal"
    with place.context.writing() as kept, kept.read() as reader:  # keeps the log from going with its last user
        reader.execute(select(tables.meta)).all()
        place.sync()
        held = housekeep(place.context)
        assert log.stat().st_size > 20_000
    with place.context.writing() as kept:
        with kept.read() as reader:
            reader.execute(select(tables.meta)).all()
        let_go = housekeep(place.context)
        assert log.stat().st_size < 20_000  # what was written since: how the run ended

    assert (held.truncated, let_go.truncated) == (False, True)


@pytest.mark.parametrize("look", [preview, housekeep])
def test_an_empty_state_has_nothing_to_remove(tmp_path: Any, look: Callable[[Context], HousekeepingReport]):
    """The first night is like every other."""
    from eadm_sync.app.context import open_context  # noqa: PLC0415 - this test only
    from eadm_sync.app.starting import start  # noqa: PLC0415 - as above
    from eadm_sync.clock import SystemClock  # noqa: PLC0415 - as above

    start(tmp_path)

    assert look(open_context(tmp_path / "config.yaml", SystemClock())).total == 0
