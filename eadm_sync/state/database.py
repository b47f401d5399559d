"""Opens the state database: for writing (migrating it first), for reading only, or in memory where there is none."""

from __future__ import annotations

import contextlib
import getpass
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, Engine, MetaData, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from eadm_sync.errors import StateBusy, StateError
from eadm_sync.state.locks import Lock, holder_of, try_lock

REVISION = "0004"
"""The newest migration; a test keeps it true."""

_BUSY_TIMEOUT_MS = 60_000  # another process may be inside one large commit

_WRITING_CACHE = -32 * 1024
"""SQLite's pages in memory, as it counts them (KiB below zero): the indexes of a mid-sized town stay there."""

_READING_CACHE = -8 * 1024
"""Likewise where a transaction reads: what is read is read once."""

_NOTICE_ABSENCE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 30_000}
"""How libpq finds out within half a minute that the server's machine has vanished, where Linux would wait for hours."""


class Database:
    """The state database.

    Attributes:
        engine: For the queue and for whoever needs a connection of their own; transactions begin as writers.
        exists: False when nothing has been stored yet and this is an empty stand-in in memory.
    """

    def __init__(self, engine: Engine, *, exists: bool = True) -> None:
        self.engine = engine
        self.exists = exists

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view of the state; any attempt to write through it fails.

        Raises:
            StateError: The database fails.
        """
        with (
            _as_state_error(),
            self.engine.connect().execution_options(eadm_read_only=True) as connection,
            connection.begin(),
        ):
            yield connection

    def check_version(self) -> None:
        """Nothing, if the database answers and is of this program's version.

        Raises:
            StateError: It does not, or is not.
        """
        revision = _revision(self.engine)
        if revision != REVISION:
            raise StateError(_other_version(revision))

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction; commits at its end, rolls back on an exception.

        Raises:
            StateError: The database fails: the disk is full, somebody else holds it for too long.
        """
        with _as_state_error(), self.engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def run_lock(self) -> Iterator[Lock]:
        """Keeps every other planning run out while it is held; a crashed holder lets go by itself.

        Raises:
            StateBusy: Somebody else holds it.
            StateError: The database cannot be reached.
        """
        me = f"process {os.getpid()} ({' '.join(sys.argv[1:2]) or 'eadm-sync'})"
        lock = self.try_lock(_RUN, me)
        if lock is None:
            raise StateBusy(holder_of(self.engine, _RUN) or "a process on this database")
        try:
            yield lock
        finally:
            lock.release()

    def try_lock(self, name: str, holder: str = "") -> Lock | None:
        """A lock that holds across processes and machines, or None where somebody has it (see `locks`).

        Raises:
            StateError: The database cannot be reached, or the lock's file cannot be opened.
        """
        try:
            with _as_state_error():
                return try_lock(self.engine, name, holder)
        except OSError as error:
            who = getpass.getuser()
            raise StateError(f"{who} cannot use the lock {error.filename}: {error.strerror}") from error

    def close(self) -> None:
        """Lets go of all connections."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextlib.contextmanager
def _as_state_error() -> Iterator[None]:
    """The driver's errors in our words; the statement and its parameters are left out, since they hold people."""
    try:
        yield
    except DBAPIError as error:
        raise StateError(f"the state database failed: {error.orig}") from error


_RUN = "run"
"""Name of the lock of planning runs: one at a time per database."""


def open_for_reading(url: str, base_dir: Path, metadata: Callable[[], MetaData]) -> Database:
    """The state as it is, or an empty one in memory, of the tables that `metadata` makes, where there is none yet.

    Writes nothing.

    Raises:
        StateError: It cannot be opened, or a newer or older version of the program made it.
    """
    parsed = _resolve(url, base_dir)
    if _is_sqlite(parsed) and _is_empty(Path(str(parsed.database))):
        database = Database(_sqlite_engine(make_url("sqlite://")), exists=False)
        metadata().create_all(database.engine)
        return database
    database = Database(_engine(parsed))
    revision = _revision(database.engine)
    if revision is None and not _is_sqlite(parsed):
        database.close()
        database = Database(_sqlite_engine(make_url("sqlite://")), exists=False)
        metadata().create_all(database.engine)
        return database
    if revision != REVISION:
        database.close()
        raise StateError(_other_version(revision))
    return database


def open_for_writing(url: str, base_dir: Path) -> Database:
    """The state, created or migrated to the newest version first.

    Raises:
        StateError: It cannot be opened, or a newer version of the program made it.
    """
    parsed = _resolve(url, base_dir)
    if _is_sqlite(parsed):
        _make_private(Path(str(parsed.database)))
    database = Database(_engine(parsed))
    revision = _revision(database.engine)
    if revision is not None and revision > REVISION:
        database.close()
        raise StateError(_other_version(revision))
    if revision != REVISION:
        migrate(database.engine)
    return database


def _other_version(revision: str | None) -> str:
    """What to say of a state of another version; revisions sort by age."""
    found = f"the state database is of version {revision or 'none'}, this program needs {REVISION}"
    if revision is not None and revision > REVISION:
        return f"{found}: a newer eadm-sync made it, use that one. Nothing was done"
    return f"{found}: run 'eadm-sync migrate' (it keeps everything)"


def _is_empty(file: Path) -> bool:
    """Whether a database file is not there, or was cut off before anything was written to it."""
    return not file.exists() or not file.stat().st_size


def _make_private(file: Path) -> None:
    """Makes a database file that only its owner can read, and its folder likewise; what is there stays as it is.

    Raises:
        StateError: The folder cannot be written.
    """
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600, exist_ok=True)  # SQLite gives its -wal and -shm files the mode of the database
    except OSError as error:
        raise StateError(f"the state database {file} cannot be made: {error.strerror}") from error
    if fault := _fault_of(file):
        raise StateError(fault)


def _fault_of(file: Path) -> str | None:
    """Why this user cannot work with a database file, in words that help more than SQLite's; None where they can."""
    for path in (file, file.parent):
        if path.exists() and not os.access(path, os.R_OK | os.W_OK):
            log = "; SQLite keeps its log there" if path.is_dir() else ""
            return f"the state database {file}: {getpass.getuser()} cannot write {path}{log}"
    return None


def migrate(engine: Engine) -> None:
    """Brings the schema to `REVISION`; does nothing where it already is.

    Raises:
        StateError: The database was made by a newer version.
    """
    from alembic import command  # noqa: PLC0415 - 0.2 s that a start without migration does not pay
    from alembic.config import Config  # noqa: PLC0415 - as above
    from alembic.util import CommandError  # noqa: PLC0415 - as above

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, REVISION)
    except CommandError as error:
        raise StateError(f"the state database cannot be migrated to version {REVISION}: {error}") from error


def _revision(engine: Engine) -> str | None:
    try:
        with engine.connect().execution_options(eadm_read_only=True) as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
            return revision
    except DBAPIError as error:
        file = Path(str(engine.url.database)) if _is_sqlite(engine.url) else None
        fault = _fault_of(file) if file is not None else None
        raise StateError(fault or f"the state database cannot be opened: {error.orig}") from error


def _resolve(url: str, base_dir: Path) -> URL:
    """The URL with a relative SQLite path made absolute against the configuration's folder."""
    parsed = make_url(url)
    if _is_sqlite(parsed) and parsed.database:
        parsed = parsed.set(database=str(base_dir / parsed.database))
    return parsed


def _is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _engine(url: URL) -> Engine:
    if _is_sqlite(url):
        return _sqlite_engine(url)
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    options = {"pool_size": 0, "connect_args": _NOTICE_ABSENCE}
    engine = create_engine(url, hide_parameters=True, **options)  # errors end up in logs, and parameters hold people

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get("eadm_read_only"):
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

    return engine


def _sqlite_engine(url: URL) -> Engine:
    """SQLite with write-ahead log, full durability, and transactions that begin when we say so."""
    options: dict[str, Any] = {"pool_size": 0} if url.database else {"poolclass": StaticPool}
    engine = create_engine(url, hide_parameters=True, connect_args={"check_same_thread": False}, **options)

    @event.listens_for(engine, "connect")
    def connect(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA temp_store=MEMORY")

    @event.listens_for(engine, "invalidate")
    def invalidate(connection: sqlite3.Connection | None, _record: object, _error: object) -> None:
        # Ctrl-C inside a statement: SQLite would keep the transaction, and its lock, as long as anything (a traceback)
        # still refers to the cursor, and the run could not even be written down as interrupted.
        if connection is not None:
            connection.rollback()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        read_only = bool(connection.get_execution_options().get("eadm_read_only"))
        connection.exec_driver_sql(f"PRAGMA query_only={'ON' if read_only else 'OFF'}")
        connection.exec_driver_sql(f"PRAGMA cache_size={_READING_CACHE if read_only else _WRITING_CACHE}")
        # A reader that turned writer half-way could meet a lock it cannot wait for, so writers say so at once.
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine
