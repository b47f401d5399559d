"""One figure of the export queue, in a process of its own, on a database of its own with full durability.

    python -m benchmarks.queueing sqlite|postgresql insert|enqueue|bare-drain|drain ITEMS
    python -m benchmarks.queueing sqlite|postgresql peer-in|peer-out ITEMS PEER

Prints the seconds that the work itself took, without its preparation, as JSON. What the figures mean stands in
`benchmarks.export_queue`, whose parts these are.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from benchmarks.export_queue import (
    PAYLOAD,
    TABLES,
    Place,
    bare_drain,
    bare_insert,
    drain,
    items,
    open_engine,
    place_of,
    reset,
)
from benchmarks.queue_peers import PEERS
from exportqueue import Queue


def main() -> None:
    """Measures and prints."""
    kind, what, count, *peer = sys.argv[1:]
    with place_of(kind) as place:
        if peer:
            seconds = by_peer(place, peer[0], what, int(count))
        else:
            engine = open_engine(place.url, place.folder)
            reset(engine)
            seconds = _WORK[what](engine, int(count))
            engine.dispose()
    print(json.dumps({"seconds": seconds}))


def by_peer(place: Place, name: str, what: str, count: int) -> float:
    """What another queue needs to take in items, or to give them out."""
    peer = next(each for each in PEERS if each.name == name)
    spent = peer.run(place.url, Path(place.folder), PAYLOAD, count)
    return spent.enqueued if what == "peer-in" else spent.drained


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
