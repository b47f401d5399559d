"""A target that is a directory in one SQLite file; `embedded` and `file` add what sets them apart."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from os import W_OK, access
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

import msgspec

from connectors.contract import (
    Capabilities,
    Kind,
    LicenceStock,
    Operation,
    Outcome,
    RemoteObject,
    ResumeToken,
    Value,
)
from connectors.directory import rows
from connectors.directory.batch import Batch, Effect, NewAnchor
from connectors.directory.cleaning import check_name, equal, folded_values
from connectors.directory.schema import open_existing, open_for_reading, open_for_writing, transaction, translated
from connectors.directory.settings import Profile
from connectors.directory.working_set import WorkingSet, index_rows
from connectors.errors import AuthenticationFailed, Rejected, Stale


def random_anchor(_: int) -> str:
    """A UUID: an anchor that no other directory has given or will give."""
    return str(uuid4())


class DirectoryTarget:
    """`connectors.contract.Target` on a SQLite file. Outcomes are yielded once they would survive a loss of power.

    What the contract leaves to the target: an account in the recycle bin has let go of its unique values, its
    memberships and its licences; RESTORE brings none of the last two back. Deleting a group ends its memberships and
    its nestings. A nesting that would put a group into itself, by whatever way, is rejected.
    One account is in one group at most once; CREATE in another role changes the role. Containers are made on demand.
    """

    _recording = False
    """Whether `_record` wants to know what a batch changed."""

    def __init__(self, path: Path, profile: Profile, new_anchor: NewAnchor = random_anchor) -> None:
        self._path = path
        self._profile = profile
        self._new_anchor = new_anchor
        self._writing: sqlite3.Connection | None = None
        self._searching: sqlite3.Connection | None = None

    @property
    def capabilities(self) -> Capabilities:
        """What it can do; known without opening the file."""
        return self._profile.capabilities

    def check(self) -> None:
        """Opens the file, or finds that it could be made; leaves nothing behind.

        Raises:
            AuthenticationFailed: The file or its folder may not be written.
            Unavailable: The file is no directory, damaged, or locked.
        """
        with translated(self._path):
            open_for_reading(self._path).close()
            nearest = next(place for place in (self._path, *self._path.resolve().parents) if place.exists())
            if not access(nearest, W_OK):
                raise AuthenticationFailed(f"no right to write {nearest}")

    def read(
        self, kind: Kind, since: ResumeToken | None = None, attributes: Collection[str] | None = None
    ) -> Iterator[RemoteObject | ResumeToken]:
        """As the contract says; a snapshot, whatever is written meanwhile.

        Raises:
            Stale: The token is of another file, or no token.
            Unavailable, AuthenticationFailed: The file cannot be read.
        """
        with translated(self._path), closing(open_for_reading(self._path)) as connection:
            connection.execute("BEGIN")
            identity, change = rows.position(connection)
            after = None if since is None else _change_of(since, identity, change)
            found = rows.read(connection, kind, after)
            yield from found if attributes is None else (self._narrowed(each, attributes) for each in found)
            yield ResumeToken(f"{identity}:{change}")

    def find(self, kind: Kind, attributes: Mapping[str, Value]) -> Sequence[RemoteObject]:
        """As the contract says; by index where a unique or indexed attribute is named, else by reading all.

        Raises:
            Rejected: The kind has no attributes, there is no such attribute, or none is named.
            Unavailable, AuthenticationFailed: The file cannot be read.
        """
        if kind not in self._profile.rules or not attributes:
            raise Rejected("a search needs accounts or groups, and an attribute")
        for name in attributes:
            check_name(name, self._profile.rules[kind])
        with translated(self._path):
            self._searching = self._searching or open_existing(self._path)
            if self._searching is None:
                return []
            return [
                candidate
                for candidate in self._candidates(self._searching, kind, attributes)
                if all(equal(candidate.attributes.get(name), value) for name, value in attributes.items())
            ]

    def licences(self) -> Sequence[LicenceStock]:
        """Seats by product: those that are configured, and those that are in use."""
        if Kind.LICENCE not in self.capabilities.kinds:
            return ()
        with translated(self._path), closing(open_for_reading(self._path)) as connection:
            used = rows.licences_in_use(connection)
        seats = self._profile.seats
        return [LicenceStock(sku, seats.get(sku), used.get(sku, 0)) for sku in sorted({*seats, *used})]

    def apply(self, operations: Sequence[Operation]) -> Iterator[Outcome]:
        """As the contract says; one transaction.

        Raises:
            Unavailable, AuthenticationFailed: Nothing of the batch was done.
            ValueError: The batch is longer than `batch_size`.
        """
        with self._transaction() as connection:
            outcomes = self._carry_out(connection, operations)
        yield from outcomes

    def close(self) -> None:
        """Lets go of the file; safe to call twice."""
        for connection in (self._searching, self._writing):
            if connection:
                connection.close()
        self._searching = self._writing = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _narrowed(self, found: RemoteObject, attributes: Collection[str]) -> RemoteObject:
        """With no attributes but these, and its name."""
        if found.kind not in self._profile.rules:
            return found
        name = self.capabilities.account_name if found.kind is Kind.ACCOUNT else self.capabilities.group_name
        kept = {key: value for key, value in found.attributes.items() if key in attributes or key == name}
        return msgspec.structs.replace(found, attributes=kept)

    # ------------------------------------------------------------ for the targets that stand on it

    def _connection(self) -> sqlite3.Connection:
        """The connection that writes, opened when first needed."""
        if self._writing is None:
            self._writing = open_for_writing(self._path)
            if not self._is_indexed(self._writing):
                with transaction(self._writing):
                    self._index(self._writing)
        return self._writing

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction on it, with errors in the contract's words."""
        with translated(self._path):
            connection = self._connection()
            with transaction(connection):
                yield connection

    def _carry_out(self, connection: sqlite3.Connection, operations: Sequence[Operation]) -> list[Outcome]:
        """Does the operations within the caller's transaction."""
        if len(operations) > self.capabilities.batch_size:
            raise ValueError(f"{len(operations)} operations in a batch of at most {self.capabilities.batch_size}")
        work = WorkingSet(connection, self._profile.rules)
        batch = Batch(work, self._profile, self._new_anchor, recording=self._recording)
        outcomes = batch.run(operations)
        _, change = rows.position(connection)
        if work.save(change + 1):
            self._record(connection, change + 1, batch.effects)
        return outcomes

    def _record(self, connection: sqlite3.Connection, change: int, effects: Sequence[Effect]) -> None:
        """Hook: what a batch that changed something changed, within its transaction."""

    # ------------------------------------------------------------ the index of values

    def _index_definition(self) -> str:
        by_kind = {str(kind): sorted(rules.indexed) for kind, rules in self._profile.rules.items()}
        return msgspec.json.encode(by_kind, order="sorted").decode()

    def _is_indexed(self, connection: sqlite3.Connection) -> bool:
        found = connection.execute("SELECT value FROM meta WHERE key = 'indexed'").fetchone()
        return found is not None and found[0] == self._index_definition()

    def _index(self, connection: sqlite3.Connection) -> None:
        """Builds the index of values anew where the settings that define it have changed."""
        connection.execute("DELETE FROM value")
        for entry in rows.live_entries(connection):
            connection.executemany(
                "INSERT INTO value VALUES (?, ?, ?, ?)", index_rows(self._profile.rules, entry, entry.attributes)
            )
        connection.execute("REPLACE INTO meta VALUES ('indexed', ?)", (self._index_definition(),))

    def _candidates(
        self, connection: sqlite3.Connection, kind: Kind, attributes: Mapping[str, Value]
    ) -> Iterable[RemoteObject]:
        """Every live object that may fit: those with the first indexed value, or all."""
        indexed = self._profile.rules[kind].indexed if self._is_indexed(connection) else ()
        for name in indexed:
            values = list(folded_values(attributes.get(name)))
            if values:
                return rows.holding(connection, kind, name, values[0])
        return rows.live(connection, kind)


def _change_of(token: ResumeToken, identity: str, newest: int) -> int:
    """The change number a token stands for."""
    directory, _, number = token.value.rpartition(":")
    if directory != identity or not number.isdecimal() or int(number) > newest:
        raise Stale("the token is not of this directory")
    return int(number)
