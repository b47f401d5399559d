"""The reference target: a directory, and failures on demand."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from connectors.contract import Action, Kind, Operation, Outcome, RemoteObject, ResumeToken, Value
from connectors.directory.settings import Profile
from connectors.directory.target import DirectoryTarget, random_anchor
from connectors.embedded.faults import write_script
from connectors.embedded.options import EmbeddedOptions
from connectors.errors import Rejected

_REVOCATIONS = """
CREATE TABLE IF NOT EXISTS revocation (anchor TEXT PRIMARY KEY, times INTEGER NOT NULL) STRICT, WITHOUT ROWID
"""

_PASSWORDS = """
CREATE TABLE IF NOT EXISTS password
    (anchor TEXT PRIMARY KEY, times INTEGER NOT NULL, must_change INTEGER NOT NULL, used INTEGER NOT NULL)
    STRICT, WITHOUT ROWID
"""


_UNPROTECTED: tuple[Value, ...] = (None, False, "", "0", "false", [])
"""What an attribute that protects can hold without protecting; 0 is False."""


class Given(NamedTuple):
    """That an account was given a password; nothing is kept of the password itself.

    Attributes:
        times: How often.
        must_change: Whether its owner has to choose another when signing in.
    """

    times: int
    must_change: bool


def counted_anchor(number: int) -> str:
    """An anchor that is the same on every run."""
    return f"object-{number:08}"


class EmbeddedTarget(DirectoryTarget):
    """`connectors.contract.Target` with a recycle bin and, where the settings ask for them, failures."""

    def __init__(self, path: Path, options: EmbeddedOptions, *, sleep: Callable[[float], None] = time.sleep) -> None:
        """`sleep` takes seconds; it is called for `faults.latency_ms` only."""
        profile = Profile(
            capabilities=replace(
                options.capabilities(soft_delete=options.soft_delete),
                passwords=options.passwords,
                password_rules=options.password_rules,
                world_readable=frozenset(options.world_readable),
                refuses_national_ids=options.refuses_national_ids,
            ),
            seats=options.seats,
            default_container=options.default_container if options.containers else None,
            indexed=options.indexed,
        )
        super().__init__(path, profile, counted_anchor if options.anchors == "counted" else random_anchor)
        self._protected_by = options.protected_by
        self._faults = options.faults
        self._sleep = sleep

    def apply(self, operations: Sequence[Operation]) -> Iterator[Outcome]:
        """As the contract says; one transaction. Fails as the settings ask for.

        Raises:
            Unavailable, Throttled, AuthenticationFailed: Outcomes already yielded stand.
            ValueError: The batch is longer than `batch_size`.
        """
        if self._faults.latency_ms:
            self._sleep(self._faults.latency_ms / 1000)
        if not self._faults.fail:
            yield from super().apply(operations)
            return
        with self._transaction() as connection:
            script = write_script(connection, self._faults.fail, operations)
            seen = operations[: script.reach + script.lost]
            sound = [operation for position, operation in enumerate(seen) if position not in script.errors]
            done = iter(self._carry_out(connection, sound))
            outcomes = [
                Outcome(operation.id, script.errors[position]) if position in script.errors else next(done)
                for position, operation in enumerate(seen)
            ]
        yield from outcomes[: script.reach]
        if script.breaks_with:
            raise script.breaks_with

    def read(
        self, kind: Kind, since: ResumeToken | None = None, attributes: Collection[str] | None = None
    ) -> Iterator[RemoteObject | ResumeToken]:
        """As in every directory; tells what is protected by its settings, and whose password was used."""
        used = self._used() if kind is Kind.ACCOUNT and self.capabilities.passwords else frozenset()
        for one in self._read(kind, since, attributes):
            is_used = isinstance(one, RemoteObject) and one.anchor in used
            yield msgspec.structs.replace(one, password_used=True) if is_used else one

    def _read(
        self, kind: Kind, since: ResumeToken | None, attributes: Collection[str] | None
    ) -> Iterator[RemoteObject | ResumeToken]:
        mark = self._protected_by
        if mark is None:
            yield from super().read(kind, since, attributes)
            return
        for one in super().read(kind, since, None if attributes is None else {*attributes, mark}):
            if isinstance(one, RemoteObject) and attributes is not None and mark not in attributes:
                kept = {name: value for name, value in one.attributes.items() if name != mark}
                yield msgspec.structs.replace(self._marked(one), attributes=kept)
            else:
                yield self._marked(one) if isinstance(one, RemoteObject) else one

    def find(self, kind: Kind, attributes: Mapping[str, Value]) -> Sequence[RemoteObject]:
        """As in every directory; what its settings call protected is."""
        return [self._marked(one) for one in super().find(kind, attributes)]

    def _marked(self, one: RemoteObject) -> RemoteObject:
        value = one.attributes.get(self._protected_by or "")
        return one if value in _UNPROTECTED else msgspec.structs.replace(one, protected=True)

    def ended_sessions(self) -> dict[str, int]:
        """Anchor → how often whoever was signed in with that account was signed out; a rehearsal's proof."""
        with self._transaction() as connection:
            connection.execute(_REVOCATIONS)
            return dict(connection.execute("SELECT anchor, times FROM revocation"))

    def sign_in(self, anchor: str) -> None:
        """As the account's owner does for the first time: from now on its password counts as used."""
        with self._transaction() as connection:
            connection.execute(_PASSWORDS)
            connection.execute("UPDATE password SET used = 1 WHERE anchor = ?", (anchor,))

    def _used(self) -> frozenset[str]:
        """Anchors of the accounts whose password was used."""
        if not self._path.exists():
            return frozenset()
        with self._transaction() as connection:
            connection.execute(_PASSWORDS)
            return frozenset(anchor for (anchor,) in connection.execute("SELECT anchor FROM password WHERE used = 1"))

    def given_passwords(self) -> dict[str, Given]:
        """Anchor → that the account was given a password; a rehearsal's proof."""
        with self._transaction() as connection:
            connection.execute(_PASSWORDS)
            rows = connection.execute("SELECT anchor, times, must_change FROM password")
            return {anchor: Given(times, bool(must_change)) for anchor, times, must_change in rows}

    def _carry_out(self, connection: sqlite3.Connection, operations: Sequence[Operation]) -> list[Outcome]:
        """As in every directory, but for weak passwords; keeps in mind whose sessions end, and who got a password."""
        weak = {operation.id: fault for operation in operations if (fault := self._weakness(operation))}
        sound = [operation for operation in operations if operation.id not in weak]
        done = iter(super()._carry_out(connection, sound))
        outcomes = [
            Outcome(one.id, Rejected(f"the password is too weak: {weak[one.id]}", "password"))
            if one.id in weak
            else next(done)
            for one in operations
        ]
        carried_out = [
            (operation, outcome)
            for operation, outcome in zip(operations, outcomes, strict=True)
            if outcome.error is None
        ]
        _note_sessions(connection, carried_out)
        if self.capabilities.passwords:
            _note_passwords(connection, carried_out)
        return outcomes

    def _weakness(self, operation: Operation) -> str | None:
        """Why the operation's password will not do; None where it does, or where there is none to look at."""
        if operation.password is None or not self.capabilities.passwords:
            return None
        names = [str(operation.attributes.get("displayName") or "")]
        account = str(operation.attributes.get(self.capabilities.account_name) or "")
        return self.capabilities.password_rules.fault(operation.password.value, names, account)


_Done = Sequence[tuple[Operation, Outcome]]


def _note_sessions(connection: sqlite3.Connection, carried_out: _Done) -> None:
    ended = [(operation.anchor,) for operation, _ in carried_out if operation.revoke_sessions]
    if ended:
        connection.execute(_REVOCATIONS)
        connection.executemany(
            "INSERT INTO revocation VALUES (?, 1) ON CONFLICT (anchor) DO UPDATE SET times = times + 1", ended
        )


def _note_passwords(connection: sqlite3.Connection, carried_out: _Done) -> None:
    given = [
        (outcome.anchor or operation.anchor, operation.password.must_change)
        for operation, outcome in carried_out
        if operation.password is not None
    ]
    gone = [
        (operation.anchor,)
        for operation, _ in carried_out
        if operation.kind is Kind.ACCOUNT and operation.action is Action.DELETE and operation.permanent
    ]
    if given or gone:
        connection.execute(_PASSWORDS)
        connection.executemany("DELETE FROM password WHERE anchor = ?", gone)
        connection.executemany(
            "INSERT INTO password VALUES (?, 1, ?, 0) ON CONFLICT (anchor) "
            "DO UPDATE SET times = times + 1, must_change = excluded.must_change, used = 0",
            given,
        )
