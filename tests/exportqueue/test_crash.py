"""Workers that are killed outright, as real processes."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from exportqueue import NewItem, Queue, State

from .conftest import METADATA, TABLES, sqlite_engine

SCRIPT = Path(__file__).with_name("crash_worker.py")
OBJECTS, VERSIONS, KILLS = 40, 5, 6


def items() -> list[NewItem]:
    """Every object needs the one before it to exist, and each of its versions the version before."""
    return [
        NewItem(
            "ad",
            f"o{n}",
            "set",
            f"{version} {f'o{n - 1}' if n else ''}".encode(),
            "version/1",
            "p",
            after=(f"o{n - 1}",) if n and version == 1 else (),
        )
        for version in range(1, VERSIONS + 1)
        for n in range(OBJECTS)
    ]


def start(url: str, target: Path) -> subprocess.Popen[bytes]:
    """A worker process."""
    path = os.pathsep.join([str(SCRIPT.parents[2]), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen([sys.executable, str(SCRIPT), url, str(target)], env={**os.environ, "PYTHONPATH": path})


def unfinished(engine: sa.Engine) -> int:
    """How many items are not done."""
    with engine.connect() as conn:
        return sum(1 for _ in Queue(TABLES).unfinished(conn))


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path):
    """A database and its URL."""
    if request.param == "sqlite":
        engine = sqlite_engine(tmp_path / "queue.db")
        METADATA.create_all(engine)
        yield engine, f"sqlite:///{tmp_path / 'queue.db'}"
    else:
        url = request.getfixturevalue("postgresql_url")
        engine = sa.create_engine(url)
        METADATA.create_all(engine)
        yield engine, url
    engine.dispose()


def test_killed_workers_lose_and_double_nothing(place: tuple[sa.Engine, str], tmp_path: Path):
    """Two workers, killed at random moments: every effect exactly once at the target, in order, and all recorded."""
    engine, url = place
    target = tmp_path / "target.db"
    with sqlite3.connect(target) as connection:
        connection.executescript(
            "PRAGMA journal_mode = WAL; CREATE TABLE object (key PRIMARY KEY, version);"
            "CREATE TABLE effect (key, version); CREATE TABLE fault (what);"
        )
    with engine.begin() as conn:
        conn.execute(sa.text("CREATE TABLE recorded (items INTEGER)"))
        conn.execute(sa.text("INSERT INTO recorded VALUES (0)"))
        Queue(TABLES).enqueue(conn, items())
    chance = random.Random(7)
    workers = [start(url, target) for _ in range(2)]
    try:
        kills, deadline = 0, time.monotonic() + 60
        while unfinished(engine):
            assert time.monotonic() < deadline, "the queue does not drain"
            time.sleep(chance.uniform(0.2, 0.6))
            if kills < KILLS:
                victim = chance.randrange(2)
                workers[victim].kill()
                workers[victim].wait()
                workers[victim] = start(url, target)
                kills += 1
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    with sqlite3.connect(target) as connection:
        faults = connection.execute("SELECT what FROM fault").fetchall()
        effects = connection.execute("SELECT key, version FROM effect").fetchall()
    connection.close()
    with engine.connect() as conn:
        recorded = conn.execute(sa.text("SELECT items FROM recorded")).scalar_one()
        states = {item.state for item in Queue(TABLES).list(conn, limit=1000)}
    assert faults == []
    assert sorted(effects) == sorted((f"o{n}", v) for n in range(OBJECTS) for v in range(1, VERSIONS + 1))
    assert recorded == OBJECTS * VERSIONS
    assert states == {State.DONE}
    assert kills >= 2
