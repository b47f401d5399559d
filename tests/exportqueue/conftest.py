"""Queues of every kind for the tests: in memory, on SQLite and on PostgreSQL."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from exportqueue import MemoryQueue, Queue, define
from tests.exportqueue.engines import sqlite_engine
from tests.postgresql import Server

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


@pytest.fixture(scope="session")
def postgresql_engine(postgresql: Server) -> Iterator[sa.Engine]:
    """An engine on a database of this process, with the queue's tables."""
    with postgresql.database() as url:
        engine = sa.create_engine(url)
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
