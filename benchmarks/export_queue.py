"""What the export queue costs, against a bare table in the same run on the same database.

    python -m benchmarks.export_queue                       SQLite and PostgreSQL, 400 000 items; takes a while
    python -m benchmarks.export_queue --items 20000 --growth 0 postgresql

SQLite is a file with synchronous=FULL, PostgreSQL a server of the benchmark's own with the settings it comes with.

Enqueue: items with two prerequisites each (a membership waits for its account and its group), against a bulk insert of
the very same rows into the same tables without the queue; on PostgreSQL that is COPY. Drain: a handler that does
nothing, batches of 100, items without and with prerequisites, one worker and several processes, against a table that
is only claimed from and marked done, by as many. Growth: 10 000 items beside few and many finished and waiting ones.
Peers: the same payload, one item after another as they do it; they know no dependencies.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.queue_peers import PEERS
from exportqueue import Item, NewItem, Queue, Result, Verdict, VerdictKind, Worker, define
from exportqueue.database import database_of
from tests.postgresql import start_new, what_is_missing

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
    # Four processes that do nothing but write starve one of them for seconds: SQLite's lock is not a fair one.
    engine = sa.create_engine(f"sqlite:///{Path(folder) / 'queue.db'}", connect_args={"timeout": 60})

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
    fill_bare(engine, count)
    return timed(lambda: empty_bare(engine))


def fill_bare(engine: sa.Engine, count: int) -> None:
    """Puts items into the bare table."""
    with engine.begin() as conn:
        database_of(conn).insert(conn, BARE, ("id", "state", "payload"), [(n, "ready", PAYLOAD) for n in range(count)])
        database_of(conn).analyse(conn, BARE)


def empty_bare(engine: sa.Engine) -> None:
    """Claims and finishes everything in the bare table."""
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
    while True:
        with engine.begin() as conn:
            ids = [row[0] for row in conn.execute(claim)]
        if not ids:
            return
        with engine.begin() as conn:
            conn.execute(finish, {"ids": database.pack(ids)})


def worker_of(engine: sa.Engine, queue: Queue) -> Worker:
    """A worker whose handler does nothing."""
    return Worker(engine, queue, "ad", NoHandler(), lambda _: Verdict(VerdictKind.RETRY))


def drain(engine: sa.Engine, queue: Queue) -> tuple[int, float]:
    """Items done and seconds, with one worker."""
    started = time.perf_counter()
    done = worker_of(engine, queue).work().done
    return done, time.perf_counter() - started


def empty_queue(engine: sa.Engine) -> None:
    """Drains the queue beside others: what waits for an item that another worker holds is waited for."""
    queue = Queue(TABLES)
    worker = worker_of(engine, queue)
    while True:
        worker.work()
        with engine.begin() as conn:
            if next(iter(queue.unfinished(conn)), None) is None:
                return
        time.sleep(0.005)


def together(place: Place, work: Callable[[sa.Engine], None], processes: int) -> float:
    """Seconds from the start of some processes, all ready, until the last one has done its work."""
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(processes + 1)
    crew = [context.Process(target=_take_part, args=(place, work, start)) for _ in range(processes)]
    for process in crew:
        process.start()
    start.wait()
    seconds = timed(lambda: [process.join() for process in crew])
    if any(process.exitcode for process in crew):
        sys.exit("a process failed")
    return seconds


def _take_part(place: Place, work: Callable[[sa.Engine], None], start: Any) -> None:
    engine = open_engine(place.url, place.folder)
    with engine.connect():
        start.wait()
    work(engine)


def reset(engine: sa.Engine) -> None:
    """Empty tables, as new."""
    METADATA.drop_all(engine)
    METADATA.create_all(engine)


def report(what: str, count: int, seconds: float, floor: float | None = None) -> None:
    """One line of figures."""
    ratio = "" if floor is None else f"  {floor / seconds:5.2f} of the floor"
    print(
        f"{what:<46}{count:>9,} items {count / seconds:>10,.0f}/s {seconds / count * 1e6:>8.1f} µs{ratio}", flush=True
    )


@dataclass(frozen=True)
class Place:
    """Where a queue is measured.

    Attributes:
        kind: "sqlite" or "postgresql".
        url: "sqlite", or the server's.
        folder: For what is stored in files.
    """

    kind: str
    url: str
    folder: str


@contextmanager
def place_of(kind: str) -> Iterator[Place]:
    """A database of the benchmark's own."""
    with tempfile.TemporaryDirectory() as folder:
        if kind == "sqlite":
            yield Place(kind, kind, folder)
            return
        if missing := what_is_missing():
            sys.exit(missing)
        server = start_new(settings=())
        try:
            yield Place(kind, server.url, folder)
        finally:
            server.remove()


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", default=["sqlite", "postgresql"], metavar="sqlite|postgresql")
    parser.add_argument("--items", type=int, default=400_000)
    parser.add_argument(
        "--growth", type=int, default=1_000_000, help="finished items beside the drained ones; half as many wait"
    )
    parser.add_argument("--processes", type=int, nargs="*", default=[4], help="how many deliver together")
    parser.add_argument("--peer-items", type=int, default=2_000)
    options = parser.parse_args()
    for kind in options.kinds:
        with place_of(kind) as place:
            engine = open_engine(place.url, place.folder)
            measure_enqueue(engine, options.items)
            for what, some in SHAPES.items():
                measure_drain(place, engine, what, list(some(options.items)), options.processes)
            if options.growth:
                measure_growth(engine, (10_000, options.growth))
            engine.dispose()
            measure_peers(place, options.peer_items)


def alike(count: int) -> Iterator[NewItem]:
    """Items that wait for nothing."""
    return (_item(f"account/{n}", f"p{n}") for n in range(count))


SHAPES: dict[str, Callable[[int], Iterator[NewItem]]] = {"no prerequisites": alike, "two prerequisites": items}


def fill(engine: sa.Engine, made: Sequence[NewItem]) -> float:
    """Seconds to enqueue items into emptied tables."""
    reset(engine)

    def enqueue() -> None:
        with engine.begin() as conn:
            Queue(TABLES).enqueue(conn, made, plan_id="plan", run_id="run")

    return timed(enqueue)


def measure_enqueue(engine: sa.Engine, count: int) -> None:
    """The queue against the same rows without it."""
    made = list(items(count))
    fill(engine, made)  # whoever comes first pays for new files: a log that is used again takes half the time
    filled = fill(engine, made)
    bare = bare_insert(engine)
    report(f"{engine.dialect.name}: bare bulk insert of the same rows", len(made), bare)
    report("enqueue, two prerequisites", len(made), filled, bare)


def measure_drain(
    place: Place, engine: sa.Engine, what: str, made: Sequence[NewItem], processes: Sequence[int]
) -> None:
    """One worker in this process, then several processes, each against as many on the bare table."""
    fill(engine, made)
    floor = bare_drain(engine, len(made))
    report("bare table drained", len(made), floor)
    done, seconds = drain(engine, Queue(TABLES))
    report(f"drain, {what}", done, seconds, floor * done / len(made))
    for number in processes:
        fill(engine, made)
        fill_bare(engine, len(made))
        floor = together(place, empty_bare, number)
        report(f"bare table drained by {number}", len(made), floor)
        report(f"drain by {number}, {what}", len(made), together(place, empty_queue, number), floor)


def measure_growth(engine: sa.Engine, sizes: Sequence[int]) -> None:
    """Enqueue and drain of 10 000 items beside ever more finished and waiting ones."""
    queue = Queue(TABLES)
    for size in sizes:
        reset(engine)
        with engine.begin() as conn:
            queue.enqueue(conn, items(size, "old/"))
            conn.execute(sa.update(TABLES.items).values(state="done", finished_at=1))
            queue.enqueue(conn, [_item("blocker", "b")])
            queue.enqueue(conn, (_item(f"waiting/{n}", f"w{n}", ("blocker",)) for n in range(size // 2)))
            conn.execute(sa.update(TABLES.items).where(sa.text("object_key = 'blocker'")).values(state="dead"))
        tidy(engine)
        fresh = list(items(10_000))

        def enqueue(fresh: list[NewItem] = fresh) -> None:
            with engine.begin() as conn:
                queue.enqueue(conn, fresh)

        report(f"enqueue beside {size:,} done, half waiting", len(fresh), timed(enqueue))
        done, seconds = drain(engine, queue)
        report(f"drain beside {size:,} done, half waiting", done, seconds)


def tidy(engine: sa.Engine) -> None:
    """What autovacuum does of itself within minutes of such a change."""
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.exec_driver_sql("VACUUM ANALYZE")


def measure_peers(place: Place, count: int) -> None:
    """Other queues on the same kind of database; who is not installed is left out."""
    for peer in PEERS:
        if peer.kind != place.kind:
            continue
        try:
            seconds = peer.run(place.url, Path(place.folder), PAYLOAD, count)
        except ImportError as error:
            print(f"{peer.name} is not installed ({error}): pip install --group bench")
        else:
            report(f"{peer.name}: in", count, seconds.enqueued)
            report(f"{peer.name}: out", count, seconds.drained)


if __name__ == "__main__":
    main()
