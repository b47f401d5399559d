"""Queues of every kind for the tests: in memory, on SQLite, and on a PostgreSQL that the tests start themselves."""

from __future__ import annotations

import glob
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from exportqueue import MemoryQueue, Queue, define

METADATA = sa.MetaData()
TABLES = define(METADATA)


class HandClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 8, 17, 6, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def forward(self, seconds: float) -> None:
        """Moves on; good as a worker's `sleep`."""
        self.moment += timedelta(seconds=seconds)


@dataclass
class Store:
    """A queue of one kind, with its clock and its transactions."""

    queue: Any
    begin: Callable[[], AbstractContextManager[Any]]
    clock: HandClock


def sqlite_engine(path: Path) -> sa.Engine:
    """SQLite as the queue wants it: WAL, and transactions that take the write lock when they begin."""
    engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": 30})

    @sa.event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")

    @sa.event.listens_for(engine, "begin")
    def _begun(conn: sa.Connection) -> None:
        conn.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


@dataclass
class Server:
    """A PostgreSQL server of the tests' own."""

    folder: Path
    port: int
    bin: Path

    @property
    def url(self) -> str:
        """Where to connect."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"

    def run(self, program: str, *arguments: str) -> None:
        """Runs one of the server's programs, as an ordinary user if we are root: it refuses to run as root."""
        command = [str(self.bin / program), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder)

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        log = str(self.folder / "log")
        self.run("pg_ctl", "start", "-w", "-D", str(self.folder / "data"), "-l", log, "-o", options)

    def stop(self) -> None:
        """Stops the server, whoever is connected."""
        self.run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", str(self.folder / "data"))


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A running PostgreSQL server in a temporary folder."""
    binaries = sorted(glob.glob("/usr/lib/postgresql/*/bin/pg_ctl")) or [shutil.which("pg_ctl") or ""]  # noqa: PTH207
    if not binaries[-1]:
        pytest.skip("PostgreSQL is not installed: apt install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="queue-pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    server = Server(folder, free_port(), Path(binaries[-1]).parent)
    try:
        server.run("initdb", "-D", str(folder / "data"), "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8")
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgresql_engine(postgresql: Server) -> Iterator[sa.Engine]:
    """An engine on the server, with the queue's tables."""
    engine = sa.create_engine(postgresql.url)
    METADATA.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def clock() -> HandClock:
    """A clock that stands still."""
    return HandClock()


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    """An engine with empty tables, on each database."""
    if request.param == "sqlite":
        engine = sqlite_engine(tmp_path / "queue.db")
        METADATA.create_all(engine)
        yield engine
        engine.dispose()
    else:
        engine = request.getfixturevalue("postgresql_engine")
        empty(engine)
        yield engine


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: HandClock) -> Iterator[Store]:
    """An empty queue of each kind."""
    if request.param == "memory":
        memory = MemoryQueue(clock)
        yield Store(memory, memory.begin, clock)
    elif request.param == "sqlite":
        engine = sqlite_engine(tmp_path / "queue.db")
        METADATA.create_all(engine)
        yield Store(Queue(TABLES, clock), engine.begin, clock)
        engine.dispose()
    else:
        engine = request.getfixturevalue("postgresql_engine")
        empty(engine)
        yield Store(Queue(TABLES, clock), engine.begin, clock)


def empty(engine: sa.Engine) -> None:
    """Removes everything from the queue's tables."""
    with engine.begin() as conn:
        for table in METADATA.sorted_tables:
            conn.execute(sa.delete(table))


if sys.platform == "win32":
    collect_ignore_glob = ["*crash*"]
