"""Workers that are killed outright, as real processes, and a database that crashes under them.

CRASH_ITEMS=10000 makes a long run of it (`make crash`).
"""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest
import sqlalchemy as sa

from exportqueue import NewItem, Queue, State

from .conftest import METADATA, TABLES, Server
from .engines import sqlite_engine

SCRIPT = Path(__file__).with_name("crash_worker.py")
VERSIONS = 5
OBJECTS = int(os.environ.get("CRASH_ITEMS", "1500")) // VERSIONS
KILL_SECONDS = 1.0
STUCK_SECONDS = 90
"""Without a single item done for so long, the queue does not drain: workers need seconds to start on a busy machine."""


def items() -> list[NewItem]:
    """Objects in a tree: each needs its parent to exist, and each of its versions the version before."""
    made = []
    for version in range(1, VERSIONS + 1):
        for n in range(OBJECTS):
            parents = (f"o{(n - 1) // 2}",) if n and version == 1 else ()
            payload = " ".join([str(version), *parents]).encode()
            made.append(NewItem("ad", f"o{n}", "set", payload, "version/1", "p", after=parents))
    return made


@dataclass
class Place:
    """A database, and how to make it crash; None where it is no process of its own."""

    engine: sa.Engine
    url: str
    workers: int
    crash: Callable[[], None] | None


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A database with the queue's tables and a count of what was recorded."""
    if request.param == "sqlite":
        engine = sqlite_engine(tmp_path / "queue.db")
        made = Place(engine, f"sqlite:///{tmp_path / 'queue.db'}", workers=2, crash=None)
    else:
        server: Server = request.getfixturevalue("lone_postgresql")
        engine = sa.create_engine(server.url)

        def crash() -> None:
            server.stop()
            server.start()

        made = Place(engine, server.url, workers=4, crash=crash)
    METADATA.create_all(engine)
    with engine.begin() as conn:
        conn.execute(sa.text("CREATE TABLE recorded (items INTEGER)"))
        conn.execute(sa.text("INSERT INTO recorded VALUES (0)"))
        Queue(TABLES).enqueue(conn, items())
    yield made
    engine.dispose()


@dataclass
class Crew:
    """Worker processes, some of which are killed now and then."""

    place: Place
    target: Path
    chance: random.Random = field(default_factory=lambda: random.Random(7))
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    kills: int = 0

    def __enter__(self) -> Self:
        self.workers = [self._start() for _ in range(self.place.workers)]
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.kill()
            worker.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        path = os.pathsep.join([str(SCRIPT.parents[2]), os.environ.get("PYTHONPATH", "")])
        command = [sys.executable, str(SCRIPT), self.place.url, str(self.target)]
        return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path})

    def kill_one(self) -> None:
        """Kills any of them outright and starts another one."""
        victim = self.chance.randrange(len(self.workers))
        self.workers[victim].kill()
        self.workers[victim].wait()
        self.workers[victim] = self._start()
        self.kills += 1

    def all_live(self) -> bool:
        """Whether none has ended of itself."""
        return all(worker.poll() is None for worker in self.workers)


def unfinished(engine: sa.Engine) -> int:
    """How many items are not done."""
    with engine.connect() as conn:
        return sum(1 for _ in Queue(TABLES).unfinished(conn))


def recorded(engine: sa.Engine) -> int:
    """How many items handlers have recorded."""
    with engine.connect() as conn:
        return int(conn.execute(sa.text("SELECT items FROM recorded")).scalar_one())


def work_through_crashes(place: Place, crew: Crew) -> None:
    """Kills a worker every second in which anything got done, and the database once half-way."""
    left, killed, moved = unfinished(place.engine), time.monotonic(), time.monotonic()
    half = left // 2
    crash = place.crash
    while left:
        time.sleep(0.1)
        assert crew.all_live(), "a worker has ended of itself"
        assert time.monotonic() - moved < STUCK_SECONDS, f"{left} items left, and none moves"
        if crash is not None and left < half:
            crash()
            place.engine.dispose()
            crash = None
        before, left = left, unfinished(place.engine)
        if left < before:
            moved = time.monotonic()
        if moved > killed and time.monotonic() - killed > KILL_SECONDS:
            crew.kill_one()
            killed = time.monotonic()
    assert crash is None, "it was over before the database could crash"


@pytest.mark.timeout(1800)
def test_crashes_lose_and_double_nothing(place: Place, tmp_path: Path):
    """Workers and database killed at random: every effect exactly once at the target, in order, and all recorded."""
    target = tmp_path / "target.db"
    with sqlite3.connect(target) as connection:
        connection.executescript(
            "PRAGMA journal_mode = WAL; CREATE TABLE object (key PRIMARY KEY, version);"
            "CREATE TABLE effect (key, version); CREATE TABLE fault (what);"
        )
    with Crew(place, target) as crew:
        work_through_crashes(place, crew)
    with sqlite3.connect(target) as connection:
        faults = connection.execute("SELECT what FROM fault").fetchall()
        effects = connection.execute("SELECT key, version FROM effect").fetchall()
    connection.close()
    with place.engine.connect() as conn:
        states = {item.state for item in Queue(TABLES).list(conn, limit=100_000)}
    assert faults == []
    assert sorted(effects) == sorted((f"o{n}", v) for n in range(OBJECTS) for v in range(1, VERSIONS + 1))
    assert recorded(place.engine) == OBJECTS * VERSIONS
    assert states == {State.DONE}
    assert crew.kills >= 2
