"""What tests of every part may need: a PostgreSQL that the run starts itself."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.postgresql import Server, shared, start_new, what_is_missing


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The run's PostgreSQL server, shared by all its processes: leave it running, and alone but for your database."""
    if missing := what_is_missing():
        pytest.skip(missing)
    base = tmp_path_factory.getbasetemp()
    with shared(base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) as server:
        yield server


@pytest.fixture
def postgresql_url(postgresql: Server) -> Iterator[str]:
    """An empty PostgreSQL database of the test's own, as SQLAlchemy's URL."""
    with postgresql.database() as url:
        yield url


@pytest.fixture
def lone_postgresql() -> Iterator[Server]:
    """A PostgreSQL server of the test's own, which it may stop and start."""
    if missing := what_is_missing():
        pytest.skip(missing)
    server = start_new()
    try:
        yield server
    finally:
        server.remove()
