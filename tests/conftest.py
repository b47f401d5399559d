"""What tests of every part may need: a PostgreSQL and an Active Directory that the run starts itself."""

from __future__ import annotations

import gc
import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import create_engine

from eadm_sync import ruleset
from eadm_sync.state import database
from tests import prepared, samba
from tests.postgresql import Server, shared, start_new, what_is_missing

if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
    # The hundreds of processes that tests start would each compile the whole program anew: a third of a second.
    os.environ.setdefault("PYTHONPYCACHEPREFIX", str(Path(__file__).parents[1] / ".pytest_cache" / "bytecode"))
    sys.dont_write_bytecode, sys.pycache_prefix = False, os.environ["PYTHONPYCACHEPREFIX"]

MEMORY = Path("/dev/shm")  # noqa: S108 - pytest makes a folder there that only its user can enter
ENOUGH_BYTES = 4 << 30  # a whole run has a few hundred megabytes at a time

if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ENOUGH_BYTES:
    # Tests kill processes, not machines: waiting for a disk at each of their commits would prove nothing.
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))

# How long an example takes, or to think one up, says only what else the machine does.
# The same examples in every run: others are looked for by `make fuzz`, not by whoever lands something else.
settings.register_profile(
    "busy",
    deadline=None,
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("busy")


def pytest_collection_finish() -> None:
    """Leaves thousands of tests and modules out of every later garbage collection: a fifth of a worker's time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def _migrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """A state that was migrated from nothing."""
    database.open_for_writing("sqlite:///state.db", folder := tmp_path_factory.mktemp("migrated")).close()
    connection = sqlite3.connect(folder / "state.db", check_same_thread=False)
    yield connection
    connection.close()


@pytest.fixture(scope="session", autouse=True)
def prepared_once(_migrated: sqlite3.Connection) -> Iterator[prepared.Migrate]:
    """Has new SQLite states begin as copies, and rules that nobody edited compiled once; yields what migrates.

    Migrating is told in tests/state, which undoes this, loading in tests/ruleset, which calls what it tests; and both
    by all that runs on PostgreSQL or as a program.
    """
    migrate = database.migrate
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "migrate", prepared.copying(_migrated, migrate))
        patch.setattr(database, "create_engine", prepared.remembering(create_engine))
        patch.setattr(ruleset, "load_ruleset", prepared.Rules(ruleset.load_ruleset))
        yield migrate


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


@pytest.fixture(scope="session")
def domain_controller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[samba.DomainController]:
    """The run's Active Directory domain controller, shared by all its processes: leave it running.

    Work in containers of your own (`new_container`); names of accounts and groups are unique in the whole domain.
    """
    if missing := samba.what_is_missing():
        pytest.skip(missing)
    base = tmp_path_factory.getbasetemp()
    with samba.shared(base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) as controller:
        yield controller


@pytest.fixture
def lone_domain_controller() -> Iterator[samba.DomainController]:
    """A domain controller of the test's own, which it may stop and start."""
    if missing := samba.what_is_missing():
        pytest.skip(missing)
    controller = samba.start_new()
    try:
        yield controller
    finally:
        controller.remove()
