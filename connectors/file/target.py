"""The target `file`: a directory as a journal, and files made from it.

An outcome is reported once the journal holds it; the journal is what counts. `full`: the files follow it, at most
`render_delay_seconds` later, at the latest when the target is closed. `changes`: the file of a batch is in the journal
too until it is in the folder, so that a crash loses none; after a crash between the two, a file may appear a second
time under its old number.

If a process was killed before its files were made, the next `apply`, even of nothing, makes them.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from hashlib import sha256
from pathlib import Path
from threading import Timer

from connectors.contract import Kind, Operation, Outcome
from connectors.directory.batch import Effect
from connectors.directory.rows import position
from connectors.directory.schema import open_for_writing, transaction, translated
from connectors.directory.settings import Profile
from connectors.directory.target import DirectoryTarget
from connectors.errors import ConnectorError, Unavailable
from connectors.file.ldif import ATTRIBUTE_NAME, Ldif
from connectors.file.options import FileOptions
from connectors.file.publishing import replace
from connectors.file.rendering import Rendering
from connectors.file.tabular import Csv, JsonLines

JOURNAL = ".eadm-file.db"
_RENDERINGS: dict[str, type[Csv | JsonLines | Ldif]] = {"csv": Csv, "jsonl": JsonLines, "ldif": Ldif}
_COLUMN_NAME = re.compile(r'[^"\\\x00-\x1f]+')  # what can stand in a header, and in a JSON path of SQLite's


class FileTarget(DirectoryTarget):
    """`connectors.contract.Target` that leaves files in a folder."""

    def __init__(self, folder: Path, options: FileOptions) -> None:
        super().__init__(folder / JOURNAL, _profile(options))
        self._folder = folder
        self._options = options
        self._rendering: Rendering = _RENDERINGS[options.format](options)
        self._recording = options.mode == "changes"
        self._timer: Timer | None = None
        self._used = False

    def check(self) -> None:
        """As `DirectoryTarget.check`.

        Raises:
            Unavailable: Also where there are files without the journal they were made from.
        """
        self._refuse_orphans()
        super().check()

    def apply(self, operations: Sequence[Operation]) -> Iterator[Outcome]:
        """As the contract says; files that a killed process owed are made too.

        Raises:
            Unavailable, AuthenticationFailed: The batch is in the journal or it is not; repeating it is safe.
            ValueError: The batch is longer than `batch_size`.
        """
        self._refuse_orphans()
        self._used = True
        outcomes = list(super().apply(operations))
        if self._options.mode == "changes":
            self._publish(self._connection())
        elif self._timer is None and self._mark(self._connection()):
            self._timer = Timer(self._options.render_delay_seconds, self._publish_later)
            self._timer.daemon = True  # the journal holds everything: nothing is lost if the process ends first
            self._timer.start()
        yield from outcomes

    def close(self) -> None:
        """Makes the files that are still owed, and lets go of the journal; safe to call twice.

        Raises:
            Unavailable, AuthenticationFailed: The files could not be written.
        """
        timer, self._timer = self._timer, None
        if timer:
            timer.cancel()
            timer.join()
        try:
            if self._used:
                self._used = False
                self._publish(self._connection())
        finally:
            super().close()

    # ------------------------------------------------------------ the journal

    def _connection(self) -> sqlite3.Connection:
        fresh = self._writing is None
        connection = super()._connection()
        if fresh:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS outbox (number INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT)"
            )
        return connection

    def _record(self, connection: sqlite3.Connection, _: int, effects: Sequence[Effect]) -> None:
        if effects:
            text = "".join(self._rendering.changes(connection, effects))
            connection.execute("INSERT INTO outbox (text) VALUES (?)", (text,))

    def _refuse_orphans(self) -> None:
        """Refuses to replace full files by ones that hold only what is new, as a lost journal would have it."""
        if self._options.mode == "full" and not self._path.exists():
            for name in self._rendering.names():
                if (file := self._file(name)).exists():
                    raise Unavailable(f"{file} is there, but not the journal {self._path} it was made from")

    # ------------------------------------------------------------ the files

    def _publish_later(self) -> None:
        """What the timer does, on a connection of its own; where it fails, the next `apply` or `close` tells."""
        with suppress(ConnectorError), translated(self._path), closing(open_for_writing(self._path)) as connection:
            self._publish(connection)
        self._timer = None

    def _publish(self, connection: sqlite3.Connection) -> None:
        """Makes the files that are owed.

        Within a write transaction, so that of two processes none puts an older file over a newer one.
        """
        with translated(self._path), transaction(connection):
            if self._options.mode == "changes":
                self._publish_changes(connection)
            elif mark := self._mark(connection):
                for name in self._rendering.names():
                    replace(self._file(name), self._rendering.snapshot(connection, name), self._rendering.encoding)
                connection.execute("REPLACE INTO meta VALUES ('rendered', ?)", (mark,))

    def _publish_changes(self, connection: sqlite3.Connection) -> None:
        for number, text in connection.execute("SELECT number, text FROM outbox ORDER BY number").fetchall():
            replace(self._file(f"changes-{number:06}"), [text], self._rendering.encoding)
            connection.execute("DELETE FROM outbox WHERE number = ?", (number,))

    def _mark(self, connection: sqlite3.Connection) -> str | None:
        """What says that the files are made from this state with these settings; None where it already stands."""
        settings = sha256(self._options.model_dump_json().encode()).hexdigest()
        mark = f"{position(connection)[1]} {settings}"
        found = connection.execute("SELECT value FROM meta WHERE key = 'rendered'").fetchone()
        return None if found and found[0] == mark else mark

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}{self._rendering.suffix}"


def _profile(options: FileOptions) -> Profile:
    """LDIF has no licences, and takes only what is the name of an LDAP attribute."""
    ldif = options.format == "ldif"
    kinds = frozenset(Kind) - {Kind.SCRIPT, *({Kind.LICENCE} if ldif else ())}
    default = (options.default_container or options.base_dn) if ldif else options.default_container
    return Profile(
        capabilities=options.capabilities(kinds=kinds),
        seats=options.seats,
        default_container=default if options.containers else None,
        indexed=options.indexed,
        names=ATTRIBUTE_NAME if ldif else _COLUMN_NAME,
        encoding=options.encoding if options.format == "csv" else "utf-8",
    )
