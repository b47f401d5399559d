from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from eadm_sync.app.context import complete_metadata
from eadm_sync.app.runs import recorded
from eadm_sync.clock import FixedClock
from eadm_sync.errors import StateBusy
from eadm_sync.state import tables
from eadm_sync.state.database import Database, open_for_reading

CONTEXT: Any = SimpleNamespace(clock=FixedClock(datetime(2026, 8, 17, 4, tzinfo=UTC)), actor="kari")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty state."""
    with open_for_reading("sqlite:///nothing.db", tmp_path, complete_metadata) as opened:
        yield opened


def _rows(database: Database) -> list[Any]:
    with database.read() as connection:
        return list(connection.execute(select(tables.runs)))


def test_a_run_is_in_the_book_from_its_beginning(database: Database):
    """One that crashed is seen to have begun; one that ended, how."""
    with recorded(CONTEXT, database, "sync") as run:
        (during,) = _rows(database)
        run.report["enqueued"] = 3
    (after,) = _rows(database)

    assert (during.status, during.command, during.actor, during.finished_at) == ("running", "sync", "kari", None)
    assert (after.status, after.finished_at) == ("done", "2026-08-17T04:00:00+00:00")
    content = msgspec.json.decode(after.report)
    assert content.pop("text").startswith(f"sync {run.id}: done\n")
    assert content == {"enqueued": 3}


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (StateBusy("process 7"), "failed", "another run is at work: process 7"),
        # words of others could hold anything
        (ValueError("Kari Nordmann"), "failed", "ValueError"),
        (KeyboardInterrupt(), "interrupted", "KeyboardInterrupt"),
    ],
)
def test_a_run_that_ends_in_an_error_says_so(database: Database, error: BaseException, status: str, told: str):
    """The error goes on; the book has it in our own words, or by its kind only."""
    with pytest.raises(type(error)), recorded(CONTEXT, database, "sync"):
        raise error

    (row,) = _rows(database)
    assert row.status == status
    content = msgspec.json.decode(row.report)
    assert f"failed: {told}\n" in content.pop("text")
    assert content == {"error": told}


def test_runs_of_one_second_have_ids_of_their_own(database: Database):
    """All of them sort by time."""
    for _ in range(50):
        with recorded(CONTEXT, database, "sync"):
            pass

    ids = {row.id for row in _rows(database)}
    assert len(ids) == 50
    assert all(run_id.startswith("20260817T040000-") for run_id in ids)
