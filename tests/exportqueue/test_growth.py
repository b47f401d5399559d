"""What grows with the queue, and what must not."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from exportqueue import NewItem, Queue

from .conftest import METADATA, TABLES, HandClock
from .engines import sqlite_engine


def new(key: str, *after: str) -> NewItem:
    """An item of a person who is named as its object."""
    return NewItem("ad", key, "update", b"", "change/1", key, after=after)


@pytest.fixture
def plans(tmp_path: Path):
    """A queue on SQLite, and how each statement so far has read its tables."""
    engine = sqlite_engine(tmp_path / "queue.db")
    METADATA.create_all(engine)
    plans: list[tuple[str, str]] = []

    @sa.event.listens_for(engine, "before_cursor_execute")
    def _explain(_conn: Any, cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE", "INSERT", "WITH")) and not many:
            explained = cursor.connection.cursor().execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans.extend((statement, step[3]) for step in explained)

    yield engine, plans
    engine.dispose()


def test_no_step_reads_a_whole_table(plans: tuple[sa.Engine, list[tuple[str, str]]]):
    """Whatever deliveries, plans, operators and housekeeping do is a look-up by index, however much there is."""
    engine, steps = plans
    clock = HandClock()
    queue = Queue(TABLES, clock)
    with engine.begin() as conn:
        queue.enqueue(conn, [new("a"), new("b", "a"), new("c", "b"), new("d"), new("e")])
        first, second, third = queue.claim(conn, "ad", limit=3, lease_seconds=60, worker="w")
        queue.extend(conn, [first], 90)
        queue.bury(conn, second, ValueError("x"))
        queue.resurrect(conn, [second.id])
        queue.retry(conn, third, ValueError("x"), clock())
        queue.finish(conn, [first])
        queue.drop(conn, [third.id], "x")
        queue.supersede(conn, ["b"])
        list(queue.unfinished(conn, ["c"]))
        queue.outlook(conn, "ad")
        clock.forward(1)
        queue.recover(conn, "ad")
        assert queue.purge(conn, clock() + timedelta(seconds=1), limit=2) == 2
    assert [step for step in steps if step[1].startswith("SCAN queue_")] == []
    assert any("ix_queue_items_due" in step for _, step in steps)
    assert any("ix_queue_items_finished" in step for _, step in steps)


def test_millions_are_counted_without_looking_one_up(plans: tuple[sa.Engine, list[tuple[str, str]]]):
    """Statistics go through indexes, and SQLite sorts nothing for them: it would do so in memory."""
    engine, steps = plans
    queue = Queue(TABLES, HandClock())
    with engine.begin() as conn:
        queue.enqueue(conn, [new("a"), new("b", "a"), new("c")])
        steps.clear()
        (found,) = queue.stats(conn, finished=False)

    counting = [step for statement, step in steps if "'unfinished' AS place" in statement]
    assert (found.ready, found.waiting) == (2, 1)
    assert sum("SCAN queue_items USING INDEX" in step for step in counting) == 5
    assert [step for step in counting if "TEMP B-TREE" in step or step == "SCAN queue_items"] == []


def test_a_purge_leaves_nothing_behind(postgresql_engine: sa.Engine, clock: HandClock):
    """What waited for a purged item goes on; when it is purged itself, no trace of either is left."""
    queue = Queue(TABLES, clock)
    with postgresql_engine.begin() as conn:
        for table in METADATA.sorted_tables:
            conn.execute(sa.delete(table))
        queue.enqueue(conn, [new("a"), new("b", "a")])
        queue.finish(conn, queue.claim(conn, "ad", limit=1, lease_seconds=60, worker="w"))
        clock.forward(1)
        assert queue.purge(conn, clock(), limit=10) == 1
        (left,) = queue.claim(conn, "ad", limit=10, lease_seconds=60, worker="w")
        assert queue.prerequisites(conn, left.id) == []
        assert queue.finish(conn, [left]) == {left.id}
        clock.forward(1)
        assert queue.purge(conn, clock(), limit=10) == 1
        assert conn.execute(sa.select(TABLES.prerequisites)).all() == []
        assert conn.execute(sa.select(TABLES.items)).all() == []


def test_housekeeping_keeps_nobody_waiting(postgresql_engine: sa.Engine, clock: HandClock):
    """While a purge is under way, others enqueue, claim and finish."""
    queue = Queue(TABLES, clock)
    with postgresql_engine.begin() as conn:
        for table in METADATA.sorted_tables:
            conn.execute(sa.delete(table))
        queue.enqueue(conn, [new("a"), new("b", "a"), new("c", "b")])
        queue.finish(conn, queue.claim(conn, "ad", limit=1, lease_seconds=60, worker="w"))
    clock.forward(1)
    with postgresql_engine.begin() as housekeeping:
        assert queue.purge(housekeeping, clock(), limit=10) == 1
        with postgresql_engine.begin() as conn:
            conn.execute(sa.text("SET LOCAL lock_timeout = '3s'"))
            queue.enqueue(conn, [new("d", "b")])
            batch = queue.claim(conn, "ad", limit=1, lease_seconds=60, worker="w")
            assert queue.finish(conn, batch) == {batch[0].id}
            ready = queue.claim(conn, "ad", limit=9, lease_seconds=60, worker="w")
    assert [item.object_key for item in ready] == ["c", "d"]
