"""The file of a directory: its tables, how it is opened, and how SQLite's errors are told."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from connectors.errors import AuthenticationFailed, Unavailable

VERSION = 2
_WITHOUT_NESTING = 1
"""The version before; `open_for_writing` brings it up to date, readers take it as it is."""

LIVE, RECYCLED, GONE = 0, 1, 2
"""States of an object. live -> recycled -> gone, recycled -> live, live -> gone; a gone one stays gone."""

BUSY_TIMEOUT_SECONDS = 30.0  # longer than a file target needs to render a hundred thousand accounts

# Every row carries the number of the batch that last changed it, so that `read(since=...)` is one comparison.
# Rows of what is gone are kept: without them an incremental read could not tell of it.
_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE object (
  id INTEGER PRIMARY KEY, anchor TEXT NOT NULL, kind TEXT NOT NULL, owner TEXT, operation TEXT NOT NULL,
  container TEXT, enabled INTEGER, state INTEGER NOT NULL, change INTEGER NOT NULL, attributes TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX object_anchor ON object (anchor);
CREATE UNIQUE INDEX object_owner ON object (owner, kind) WHERE state = 0 AND owner IS NOT NULL;
CREATE INDEX object_operation ON object (operation) WHERE state = 0;
CREATE INDEX object_change ON object (change);
CREATE TABLE value (
  kind TEXT NOT NULL, attribute TEXT NOT NULL, value TEXT NOT NULL, object INTEGER NOT NULL,
  PRIMARY KEY (kind, attribute, value, object)
) STRICT, WITHOUT ROWID;
CREATE TABLE membership (
  group_id INTEGER NOT NULL, account_id INTEGER NOT NULL, role TEXT NOT NULL, gone INTEGER NOT NULL,
  change INTEGER NOT NULL, PRIMARY KEY (group_id, account_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX membership_account ON membership (account_id);
CREATE TABLE licence (
  account_id INTEGER NOT NULL, sku TEXT NOT NULL, gone INTEGER NOT NULL, change INTEGER NOT NULL,
  PRIMARY KEY (account_id, sku)
) STRICT, WITHOUT ROWID;
CREATE INDEX licence_sku ON licence (sku) WHERE gone = 0;
"""
_NESTING = """
CREATE TABLE nesting (
  group_id INTEGER NOT NULL, member_id INTEGER NOT NULL, gone INTEGER NOT NULL, change INTEGER NOT NULL,
  PRIMARY KEY (group_id, member_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX nesting_member ON nesting (member_id);
"""


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Tells SQLite's and the file system's errors in the contract's words.

    Raises:
        AuthenticationFailed: The file or its folder may not be written.
        Unavailable: Anything else: locked, full, damaged.
    """
    try:
        yield
    except PermissionError as error:
        raise AuthenticationFailed(f"no right to write {error.filename or path}") from error
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
            raise AuthenticationFailed(f"no right to write {path}") from error
        raise Unavailable(f"{path}: {error}") from error
    except (sqlite3.Error, OSError) as error:
        raise Unavailable(f"{path}: {error}") from error


def open_for_writing(path: Path) -> sqlite3.Connection:
    """The directory at `path`, made with its folder if it is not there. A commit survives a loss of power.

    Raises:
        Unavailable, AuthenticationFailed: As `translated`; also where the file is something else.
    """
    with translated(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = _connect(path, "rwc")
        try:
            _is_directory(connection, path)  # refuses another's file before the next line changes it
            _write_ahead(connection)
            connection.execute("PRAGMA synchronous = FULL")
            with transaction(connection):
                if not _is_directory(connection, path):
                    create_tables(connection)
                elif not has_nestings(connection):
                    _lay_out(connection, _NESTING)
        except BaseException:
            connection.close()
            raise
        return connection


def open_existing(path: Path) -> sqlite3.Connection | None:
    """The directory at `path` for reading, or None where there is none yet.

    Raises:
        Unavailable, AuthenticationFailed: As `open_for_writing`.
    """
    with translated(path):
        if not path.exists():
            return None
        connection = _connect(path, "rw")
        try:
            if _is_directory(connection, path):
                return connection
        except BaseException:
            connection.close()
            raise
        connection.close()
        return None


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Likewise, or an empty directory in memory where there is none yet: a dry run leaves no file behind."""
    connection = open_existing(path)
    if connection is None:
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        create_tables(connection)
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; other writers wait from the first statement on, so that none fails half-way."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def create_tables(connection: sqlite3.Connection) -> None:
    """Lays out an empty directory with an identity of its own, by which resume tokens are known."""
    _lay_out(connection, _TABLES + _NESTING)
    connection.executemany("INSERT INTO meta VALUES (?, ?)", [("directory", str(uuid4())), ("change", 0)])


def has_nestings(connection: sqlite3.Connection) -> bool:
    """Whether the file has a table for groups in groups; one of the version before does not."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version != _WITHOUT_NESTING


def _lay_out(connection: sqlite3.Connection, tables: str) -> None:
    for statement in tables.split(";"):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    # One thread at a time is the contract's promise; it need not always be the same one.
    return sqlite3.connect(
        f"{path.resolve().as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_TIMEOUT_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Lets readers and a writer work side by side; the file remembers it.

    The change needs the file to itself, and SQLite does not wait for that: two processes that open a new file at once
    would meet here.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _is_directory(connection: sqlite3.Connection, path: Path) -> bool:
    """True for a directory, False for an empty file; anything else is not touched."""
    # Both are of one moment: between two readings another process may have made the directory.
    version, tables = connection.execute(
        "SELECT user_version, (SELECT count(*) FROM sqlite_master) FROM pragma_user_version"
    ).fetchone()
    if version in (VERSION, _WITHOUT_NESTING):
        return True
    if version or tables:
        raise Unavailable(f"{path} is not a directory that this version can use")
    return False
