"""Other queues in Python, set up with the durability of ours: what they take in and give out, one item at a time.

They are imported when they are measured, so that none has to be installed: `pip install --group bench`.
"""

# ruff: noqa: PLC0415 - see above

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class Seconds(NamedTuple):
    """How long it took to enqueue some items, and to take and acknowledge them all."""

    enqueued: float
    drained: float


@dataclass(frozen=True)
class Peer:
    """Another queue.

    Attributes:
        name: Its name, and what was set.
        kind: "sqlite" or "postgresql".
        run: Measures it: URL, an empty folder, a payload and how many items.
    """

    name: str
    kind: str
    run: Callable[[str, Path, bytes, int], Seconds]


def huey(_url: str, folder: Path, payload: bytes, count: int) -> Seconds:
    """Each item a commit; taken by deleting it, so that a worker that is killed loses it."""
    from huey import SqliteHuey

    queue = SqliteHuey(filename=str(folder / "huey.db"), fsync=True, results=False)
    task = queue.task()(_nothing)
    started = time.perf_counter()
    for _ in range(count):
        task(payload)
    filled = time.perf_counter()
    while (taken := queue.dequeue()) is not None:
        queue.execute(taken)
    return Seconds(filled - started, time.perf_counter() - filled)


def persist_queue(_url: str, folder: Path, payload: bytes, count: int) -> Seconds:
    """Each item a commit, and another one for its acknowledgement."""
    from persistqueue import Empty, SQLiteAckQueue

    queue = SQLiteAckQueue(str(folder / "persist"))
    started = time.perf_counter()
    for _ in range(count):
        queue.put(payload)
    filled = time.perf_counter()
    try:
        while True:
            queue.ack(queue.get(block=False))
    except Empty:
        return Seconds(filled - started, time.perf_counter() - filled)


def procrastinate(url: str, _folder: Path, payload: bytes, count: int) -> Seconds:
    """Deferred in one batch, then one worker that takes one item at a time."""
    from procrastinate import App, PsycopgConnector

    app = App(connector=PsycopgConnector(conninfo=url.replace("+psycopg", "")))
    task = app.task(name="nothing")(_nothing)
    with app.open():
        app.schema_manager.apply_schema()
        started = time.perf_counter()
        task.batch_defer(*({"payload": payload.decode()} for _ in range(count)))
        filled = time.perf_counter()
    app.run_worker(wait=False, listen_notify=False, install_signal_handlers=False)
    return Seconds(filled - started, time.perf_counter() - filled)


def _nothing(payload: object) -> None:
    """What every item does."""


PEERS = (
    Peer("huey, fsync", "sqlite", huey),
    Peer("persist-queue, synchronous=FULL", "sqlite", persist_queue),
    Peer("procrastinate, batch", "postgresql", procrastinate),
)
