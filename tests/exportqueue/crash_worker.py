"""A worker process for the crash test: delivers to a target that is a SQLite file, until it is killed.

    python crash_worker.py QUEUE_URL TARGET_FILE

The target knows the latest version of each object. It takes a version again as a success, and notes as a fault every
version that comes before its predecessor, or before the object it needs.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import sqlalchemy as sa

from exportqueue import Item, Queue, Result, RetryPolicy, Verdict, VerdictKind, Worker, define
from tests.exportqueue.engines import sqlite_engine


class Target:
    """Applies items to the file."""

    def __init__(self, path: str) -> None:
        self.connection = sqlite3.connect(path, timeout=30, isolation_level=None)
        self.connection.execute("PRAGMA synchronous = OFF")  # it is processes that crash here, not the machine

    def deliver(self, items: Sequence[Item]) -> Iterator[Result]:
        """Each item sets its object to the version in its payload; a short pause invites a crash."""
        for item in items:
            version, _, needed = item.payload.decode().partition(" ")
            self.apply(item.object_key, int(version), needed)
            time.sleep(0.004)
            yield Result(item.id)

    def apply(self, key: str, version: int, needed: str) -> None:
        """Idempotent: a version that is there already, or overtaken, changes nothing."""
        self.connection.execute("BEGIN IMMEDIATE")
        now = self.version(key)
        if version == now + 1 and (not needed or self.version(needed)):
            self.connection.execute("INSERT OR REPLACE INTO object VALUES (?, ?)", (key, version))
            self.connection.execute("INSERT INTO effect VALUES (?, ?)", (key, version))
        elif version > now:
            self.connection.execute("INSERT INTO fault VALUES (?)", (f"{key}: {version} after {now}, needs {needed}",))
        self.connection.execute("COMMIT")

    def version(self, key: str) -> int:
        """The latest version of an object; 0 if there is none."""
        row = self.connection.execute("SELECT version FROM object WHERE key = ?", (key,)).fetchone()
        return int(row[0]) if row else 0

    def record(self, conn: sa.Connection, results: Sequence[Result]) -> None:
        """Counts what was recorded, in the queue's transaction."""
        conn.execute(sa.text("UPDATE recorded SET items = items + :count"), {"count": len(results)})


def main() -> None:
    """Works until killed."""
    url, path = sys.argv[1:]
    engine = sqlite_engine(Path(url.removeprefix("sqlite:///"))) if url.startswith("sqlite") else sa.create_engine(url)
    queue = Queue(define(sa.MetaData()))
    worker = Worker(
        engine,
        queue,
        "ad",
        Target(path),
        lambda _: Verdict(VerdictKind.RETRY),
        policy=RetryPolicy(max_attempts=1000),  # any item may be in hand whenever a worker is killed
        batch_size=10,
        lease_seconds=1.0,
        idle_seconds=0.05,
    )
    worker.run(lambda: False)


if __name__ == "__main__":
    main()
