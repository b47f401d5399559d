"""Named locks that hold across processes and machines, and end with whoever holds them.

PostgreSQL: advisory locks, each on a session of its own (a pooler in front of the database has to keep sessions apart:
"session" mode). SQLite: locks of the operating system on files beside the database.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from pathlib import Path
from typing import IO, Protocol

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

_KEEP_ALIVE = ("tcp_keepalives_idle = 5", "tcp_keepalives_interval = 5", "tcp_keepalives_count = 3")
"""How the server finds out in 20 seconds that a machine has vanished; its own default is more than two hours."""


class Lock(Protocol):
    """A lock that was got."""

    def is_held(self) -> bool:
        """Whether it is still ours. A connection that was lost has lost it for good."""
        ...

    def release(self) -> None:
        """Lets go; safe to call twice, and after it was lost."""
        ...


def try_lock(engine: Engine, name: str, holder: str = "") -> Lock | None:
    """The lock of this name if nobody holds it, in this process or another; None otherwise.

    Args:
        engine: Of the database that the lock belongs to.
        name: Letters, digits, `-` and `_`.
        holder: Told by `holder_of` to whoever comes in vain, where the database is SQLite.

    Raises:
        DBAPIError: The database cannot be reached.
        OSError: The lock's file cannot be opened.
    """
    if engine.dialect.name == "postgresql":
        return _advisory_lock(engine, name)
    path = _file(engine, name)
    return _NoLock() if path is None else _file_lock(path, holder)


def holder_of(engine: Engine, name: str) -> str | None:
    """Who holds a lock, in the holder's words, or None where that is not known."""
    path = _file(engine, name) if engine.dialect.name == "sqlite" else None
    try:
        return path.read_text(encoding="utf-8").strip() or None if path is not None else None
    except OSError:
        return None


class _NoLock:
    """Of a database in memory, which has no other user."""

    def is_held(self) -> bool:
        return True

    def release(self) -> None:
        pass


# ---------------------------------------------------------------- PostgreSQL


class _AdvisoryLock:
    def __init__(self, connection: Connection) -> None:
        self._connection: Connection | None = connection

    def is_held(self) -> bool:
        if self._connection is None:
            return False
        try:
            self._connection.execute(text("SELECT 1"))
        except SQLAlchemyError:
            self.release()
            return False
        return True

    def release(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            # The server ends a session some moments after its client has left: whoever comes next would find it locked.
            with contextlib.suppress(SQLAlchemyError):
                connection.execute(text("SELECT pg_advisory_unlock_all()"))
            _end(connection)


def _advisory_lock(engine: Engine, name: str) -> _AdvisoryLock | None:
    connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    try:
        connection.detach()  # ended with the lock: a session that goes back to a pool would keep what it holds
        for setting in _KEEP_ALIVE:
            connection.execute(text(f"SET {setting}"))
        got = connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _key(name)})
    except BaseException:
        _end(connection)
        raise
    if got:
        return _AdvisoryLock(connection)
    _end(connection)
    return None


def _end(connection: Connection) -> None:
    """Ends a session, and with it its locks, whatever state it is in."""
    with contextlib.suppress(SQLAlchemyError):
        connection.close()  # not `invalidate`, which lets go of a detached session without ending it


def _key(name: str) -> int:
    digest = hashlib.blake2b(f"eadm-sync/{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


# ---------------------------------------------------------------- files


class _FileLock:
    def __init__(self, handle: IO[str]) -> None:
        self._handle = handle

    def is_held(self) -> bool:
        return not self._handle.closed

    def release(self) -> None:
        self._handle.close()


def _file(engine: Engine, name: str) -> Path | None:
    """The file that stands for a lock, or None for a database in memory."""
    database = engine.url.database
    return None if database in {None, "", ":memory:"} else Path(f"{database}.{name}.lock")


def _file_lock(path: Path, holder: str) -> _FileLock | None:
    handle = os.fdopen(_open_private(path), "a+", encoding="utf-8")
    if not _try_lock(handle.fileno()):
        handle.close()
        return None
    handle.truncate(0)
    handle.write(holder)
    handle.flush()
    return _FileLock(handle)


def _open_private(path: Path) -> int:
    """Opens a file that is only its owner's: whoever can open it, if only to read, can lock it and keep all others out.

    What root makes belongs to the folder's owner, as with SQLite's own files: one command by hand must not keep the
    daemon from its locks.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    if sys.platform != "win32" and os.geteuid() == 0:
        owner = path.parent.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


if sys.platform == "win32":
    import msvcrt

    _LOCKED_BYTE = 0x7FFF_FFFF  # far behind the holder's words, so that others can read them

    def _try_lock(descriptor: int) -> bool:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
