"""What the work costs when written by hand: the floors that our figures are divided by.

    python -m benchmarks.floors unchanged FOLDER DATABASE   the least that finding out "nothing changed" takes
    python -m benchmarks.floors plan FOLDER                 the same rules by hand, over everybody
    python -m benchmarks.floors insert FOLDER DATABASE...   that, and bulk inserts of the rows of finished databases
    python -m benchmarks.floors remember FOLDER DATABASE    writes the hashes that `unchanged` compares with

`insert` prints the seconds it took as JSON, since reading the rows that it inserts does not count.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from functools import partial
from hashlib import blake2b
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from benchmarks.by_hand import Rules
from benchmarks.records import Human, read_groups, read_humans, read_units
from benchmarks.town import SOURCES

QUEUE_TABLES = "queue_"
"""Prefix of the tables that no floor fills: the same work could be done without a queue, only not safely."""

_CHUNK = 10_000


def unchanged(folder: str, database: str) -> None:
    """Reads everything, hashes everybody, compares with the hashes of last time."""
    with closing(sqlite3.connect(database)) as connection:
        before = dict(connection.execute("SELECT id, digest FROM people"))
    changed = [human for human in read_humans(Path(folder) / SOURCES) if before.get(human.id) != human.digest]
    if changed:
        sys.exit(f"{len(changed)} people differ from what is remembered")


def remember(folder: str, database: str) -> None:
    """Writes everybody's hash into a new database."""
    humans = read_humans(Path(folder) / SOURCES)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE people (id TEXT PRIMARY KEY, digest BLOB NOT NULL)")
        connection.executemany("INSERT INTO people VALUES (?, ?)", ((human.id, human.digest) for human in humans))


def plan(folder: str) -> None:
    """Evaluates everybody, and hashes what each shall have."""
    rules, humans = by_hand(Path(folder))
    encode = msgspec.msgpack.encode
    for human in humans:
        given = rules.apply(human)
        if given is not None:
            blake2b(encode((given.accounts, list(given.memberships.items()), given.licence)), digest_size=16).digest()


def by_hand(folder: Path) -> tuple[Rules, list[Human]]:
    """The rules and everybody they apply to, in order."""
    sources = folder / SOURCES
    today = datetime.now(ZoneInfo("Europe/Oslo")).date()
    jobs = folder / "rulesets" / "tables" / "jobs.csv"
    return Rules(read_units(sources), read_groups(sources), jobs, today), read_humans(sources)


def insert(folder: str, *databases: str) -> None:
    """Evaluates everybody, then writes the rows of finished databases into new ones of the same form."""
    started = time.perf_counter()
    plan(folder)
    seconds = time.perf_counter() - started
    for database in databases:
        copy = Path(database).with_suffix(".copy")
        copy.unlink(missing_ok=True)
        seconds += copied(database, copy)
        copy.unlink()
    print(json.dumps({"seconds": seconds}))


def copied(database: str, copy: Path) -> float:
    """Seconds that inserting a database's rows into an empty one takes: one transaction, as durable as ours."""
    with (
        closing(sqlite3.connect(database)) as source,
        closing(sqlite3.connect(copy, isolation_level=None)) as target,
    ):
        target.execute("PRAGMA journal_mode = WAL")
        target.execute("PRAGMA synchronous = FULL")
        target.execute("PRAGMA cache_size = -32768")
        made = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
        for (statement,) in source.execute(made).fetchall():
            target.execute(statement)
        names = [
            name
            for (name,) in source.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if not name.startswith((QUEUE_TABLES, "sqlite_"))
        ]
        target.execute("BEGIN")
        seconds = sum(_filled(source, target, name) for name in names)
        return seconds + _timed(partial(target.execute, "COMMIT"))


def _filled(source: sqlite3.Connection, target: sqlite3.Connection, name: str) -> float:
    rows = source.execute(f"SELECT * FROM {name}")  # noqa: S608 - a name out of the database's own schema
    places = ", ".join("?" * len(rows.description))
    statement = f"INSERT INTO {name} VALUES ({places})"  # noqa: S608 - as above
    seconds = 0.0
    while chunk := rows.fetchmany(_CHUNK):
        seconds += _timed(partial(target.executemany, statement, chunk))
    return seconds


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


WORK: dict[str, Callable[..., None]] = {
    "unchanged": unchanged,
    "remember": remember,
    "plan": plan,
    "insert": insert,
}

if __name__ == "__main__":
    WORK[sys.argv[1]](*sys.argv[2:])
