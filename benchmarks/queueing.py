"""One figure of the export queue, in a process of its own, on a SQLite file with full durability.

    python -m benchmarks.queueing insert|enqueue|bare-drain|drain ITEMS

Prints the seconds that the work itself took, without its preparation, as JSON. What the figures mean stands in
`benchmarks.export_queue`, whose parts these are.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable

import sqlalchemy as sa

from benchmarks.export_queue import TABLES, bare_drain, bare_insert, drain, items, open_engine, reset
from exportqueue import Queue


def main() -> None:
    """Measures and prints."""
    what, count = sys.argv[1], int(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine("sqlite", folder)
        reset(engine)
        seconds = _WORK[what](engine, count)
        engine.dispose()
    print(json.dumps({"seconds": seconds}))


def enqueue(engine: sa.Engine, count: int) -> float:
    """Items with two prerequisites each, in one transaction."""
    made = list(items(count))
    started = time.perf_counter()
    with engine.begin() as conn:
        Queue(TABLES).enqueue(conn, made, plan_id="plan", run_id="run")
    return time.perf_counter() - started


def insert(engine: sa.Engine, count: int) -> float:
    """The rows that `enqueue` leaves, inserted without the queue."""
    enqueue(engine, count)
    return bare_insert(engine)


def drained(engine: sa.Engine, count: int) -> float:
    """A worker whose handler does nothing."""
    enqueue(engine, count)
    done, seconds = drain(engine, Queue(TABLES))
    if done < count * 0.99:  # items() rounds the number down to whole accounts
        sys.exit(f"only {done} of {count} items were done")
    return seconds


_WORK: dict[str, Callable[[sa.Engine, int], float]] = {
    "insert": insert,
    "enqueue": enqueue,
    "bare-drain": bare_drain,
    "drain": drained,
}

if __name__ == "__main__":
    main()
