"""What the export queue costs, against a bare table in the same run on the same database.

    python benchmarks/export_queue.py --items 100000 sqlite
    python benchmarks/export_queue.py --items 100000 postgresql+psycopg://user@host/database

Enqueue: items with two prerequisites each (a membership waits for its account and its group), against a bulk insert of
the very same rows into the same tables without the queue. Drain: a handler that does nothing, batches of 100,
against a table that is only claimed from and marked done. Growth: the drain again with many finished and many
waiting items in the table.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from exportqueue import Item, NewItem, Queue, Result, Verdict, VerdictKind, Worker, define
from exportqueue.database import database_of

PAYLOAD = b'{"attributes":{"displayName":"Kari Nordmann","title":"Laerer","mail":"kari.nordmann@example.org"}}' * 3
METADATA = sa.MetaData()
TABLES = define(METADATA)
BARE = sa.Table(
    "bare_queue",
    METADATA,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Index(
        "ix_bare_ready", "id", sqlite_where=sa.text("state = 'ready'"), postgresql_where=sa.text("state = 'ready'")
    ),
)


class NoHandler:
    """Does nothing, well."""

    def deliver(self, items: Sequence[Item]) -> Iterator[Result]:
        """Calls every item done."""
        for item in items:
            yield Result(item.id)

    def record(self, conn: sa.Connection, results: Sequence[Result]) -> None:
        """Records nothing."""


def items(count: int, prefix: str = "") -> Iterator[NewItem]:
    """Accounts, each with three memberships in one of a few hundred groups."""
    groups = max(1, count // 400)
    for n in range(groups):
        yield _item(f"{prefix}group/{n}", f"{prefix}g{n}")
    for n in range((count - groups) // 4):
        account = f"{prefix}account/{n}"
        yield _item(account, f"{prefix}p{n}")
        for m in range(3):
            group = f"{prefix}group/{(n + m) % groups}"
            yield _item(f"{account}/{m}", f"{prefix}p{n}", (account, group))


def _item(key: str, subject: str, after: tuple[str, ...] = ()) -> NewItem:
    return NewItem("ad", key, "create", PAYLOAD, "change/1", subject, after)


def timed(work: Callable[[], object]) -> float:
    """Seconds that some work takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def open_engine(url: str, folder: str) -> sa.Engine:
    """An engine with the durability of the real thing: SQLite with synchronous=FULL, PostgreSQL as it is set up."""
    if url != "sqlite":
        return sa.create_engine(url)
    engine = sa.create_engine(f"sqlite:///{Path(folder) / 'queue.db'}")

    @sa.event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")

    @sa.event.listens_for(engine, "begin")
    def _begun(conn: sa.Connection) -> None:
        conn.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def bare_insert(engine: sa.Engine) -> float:
    """Seconds to insert the rows that the queue holds now into the same tables, emptied."""
    tables = (TABLES.items, TABLES.prerequisites)
    with engine.begin() as conn:
        rows = [[tuple(row) for row in conn.execute(sa.select(table))] for table in tables]
        for table in tables:
            conn.execute(sa.delete(table))
    reset(engine)

    def insert() -> None:
        with engine.begin() as conn:
            for table, content in zip(tables, rows, strict=True):
                names = [column.name for column in table.columns]
                for start in range(0, len(content), 1000):
                    database_of(conn).insert(conn, table, names, content[start : start + 1000])

    return timed(insert)


def bare_drain(engine: sa.Engine, count: int) -> float:
    """Seconds to claim and finish items in a table without order, leases or dependencies."""
    with engine.begin() as conn:
        database_of(conn).insert(conn, BARE, ("id", "state", "payload"), [(n, "ready", PAYLOAD) for n in range(count)])
    with engine.connect() as conn:
        database = database_of(conn)
    picked = (
        sa.select(BARE.c.id)
        .where(sa.text("state = 'ready'"))
        .order_by(BARE.c.id)
        .limit(100)
        .with_for_update(skip_locked=True)
    )
    claim = sa.update(BARE).where(database.within(BARE.c.id, picked)).values(state="running").returning(BARE)
    finish = sa.update(BARE).where(database.among(BARE.c.id, "ids")).values(state="done")

    def drain() -> None:
        while True:
            with engine.begin() as conn:
                ids = [row[0] for row in conn.execute(claim)]
            if not ids:
                return
            with engine.begin() as conn:
                conn.execute(finish, {"ids": database.pack(ids)})

    return timed(drain)


def drain(engine: sa.Engine, queue: Queue, stop_after: int | None = None) -> tuple[int, float]:
    """Items done and seconds, with a handler that does nothing and one worker."""
    done = 0

    def progress(drained: Any) -> None:
        nonlocal done
        done = drained.done

    worker = Worker(engine, queue, "ad", NoHandler(), lambda _: Verdict(VerdictKind.RETRY))
    seconds = timed(lambda: worker.work(lambda: stop_after is not None and done >= stop_after, progress))
    return done, seconds


def reset(engine: sa.Engine) -> None:
    """Empty tables, as new."""
    METADATA.drop_all(engine)
    METADATA.create_all(engine)


def report(what: str, count: int, seconds: float, floor: float | None = None) -> None:
    """One line of figures."""
    ratio = "" if floor is None else f"  {floor / seconds:5.2f} of the floor"
    print(f"{what:<34}{count:>9} items {count / seconds:>10,.0f}/s {seconds / count * 1e6:>8.1f} µs{ratio}", flush=True)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", nargs="?", default="sqlite")
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument(
        "--growth", type=int, default=1_000_000, help="finished and waiting items beside the drained ones"
    )
    options = parser.parse_args()
    sqlite = options.url == "sqlite"
    place: AbstractContextManager[str] = tempfile.TemporaryDirectory() if sqlite else nullcontext("")
    with place as folder:
        engine = open_engine(options.url, folder)
        measure(engine, options.items, options.growth)
        engine.dispose()


def measure(engine: sa.Engine, count: int, growth: int) -> None:
    """All figures for one database."""
    queue = Queue(TABLES)
    reset(engine)
    made = list(items(count))

    def enqueue() -> None:
        with engine.begin() as conn:
            queue.enqueue(conn, made, plan_id="plan", run_id="run")

    filled = timed(enqueue)
    bare = bare_insert(engine)
    report("bare bulk insert of the same rows", len(made), bare)
    report("enqueue", len(made), filled, bare)
    floor = bare_drain(engine, len(made))
    report("bare table drained", len(made), floor)
    done, seconds = drain(engine, queue)
    report("drain", done, seconds, floor * done / len(made))
    if growth:
        measure_growth(engine, queue, growth)


def measure_growth(engine: sa.Engine, queue: Queue, growth: int) -> None:
    """The drain of 10 000 items beside ever more finished and waiting ones."""
    for finished in (0, growth):
        reset(engine)
        with engine.begin() as conn:
            queue.enqueue(conn, items(finished, "old/"))
            conn.execute(sa.update(TABLES.items).values(state="done", finished_at=1))
            queue.enqueue(conn, [_item("blocker", "b")])
            conn.execute(sa.update(TABLES.items).where(sa.text("state = 'ready'")).values(priority=1))
            queue.enqueue(conn, (_item(f"waiting/{n}", f"w{n}", ("blocker",)) for n in range(finished // 2)))
            conn.execute(sa.update(TABLES.items).where(sa.text("object_key = 'blocker'")).values(state="dead"))
        fresh = list(items(10_000))

        def enqueue(fresh: list[NewItem] = fresh) -> None:
            with engine.begin() as conn:
                queue.enqueue(conn, fresh)

        report(f"enqueue beside {finished:,}", len(fresh), timed(enqueue))
        done, seconds = drain(engine, queue)
        report(f"drain beside {finished:,}", done, seconds)


if __name__ == "__main__":
    main()
