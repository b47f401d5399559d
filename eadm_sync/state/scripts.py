"""What programs were run after changes to accounts, and what is still owed, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import msgspec
from sqlalchemy import Connection, select

from eadm_sync.errors import StateError
from eadm_sync.model import Sealed
from eadm_sync.state import bulk, tables
from eadm_sync.state.crypto import Vault

Key = tuple[str, str, str]
"""(person id, target, name of the script)"""

OUTPUT = "script_output"
OWED = "script_owed"
"""What sealed values are sealed for; their names in the rows, too, as `app.rekeying` needs it."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[str, Sealed]).decode


class Opener(Protocol):
    """What opens sealed values (`eadm_sync.state.crypto.Vault`)."""

    def open(self, sealed: Sealed, kind: str) -> str:
        """The plain value."""
        ...


class Outcome(msgspec.Struct, frozen=True):
    """What came of one run of a program.

    Attributes:
        code: Its exit code; below 0 the signal that ended it.
        output: The end of what it said. May hold people's data.
        at: When it ended, ISO text in UTC.
    """

    code: int
    output: str
    at: str

    def __repr__(self) -> str:
        return f"Outcome(code={self.code})"


class KnownScript(msgspec.Struct, frozen=True):
    """What is known of one script of one account.

    Attributes:
        rule: Rule that asked for it last.
        owed: What is still to be run, as `plan.scripts` writes it; None where nothing is.
        outcome: What came of it last, or None where it was never run.
    """

    rule: str
    owed: str | None = None
    outcome: Outcome | None = None


def load_scripts(
    connection: Connection, vault: Opener, person_ids: Sequence[str]
) -> dict[str, dict[tuple[str, str], KnownScript]]:
    """Person id → (target, name) → what is known of it; for some thousand people at a time.

    Raises:
        StateError: A row cannot be opened.
    """
    columns = tables.known_scripts.c
    found: dict[str, dict[tuple[str, str], KnownScript]] = {}
    for row in connection.execute(select(tables.known_scripts).where(columns.person_id.in_(person_ids))):
        owed = None if row.owed is None else vault.open(_sealed(row.owed, OWED), OWED)
        outcome = None
        if row.ran_at is not None:
            said = "" if row.output is None else vault.open(_sealed(row.output, OUTPUT), OUTPUT)
            outcome = Outcome(row.exit_code, said, row.ran_at)
        found.setdefault(row.person_id, {})[row.target, row.name] = KnownScript(row.rule, owed, outcome)
    return found


def note_owed(connection: Connection, vault: Vault, rows: Iterable[tuple[Key, str, str, int]]) -> None:
    """Writes down what is to be run since an account's change came through: (key, rule, what, the change's item)."""
    columns = ("person_id", "target", "name", "rule", "owed", "owed_by")
    values = ((*key, rule, _row(vault, OWED, owed), item) for key, rule, owed, item in rows)
    bulk.upsert(connection, tables.known_scripts, columns, values)


def note_ended(connection: Connection, vault: Vault, rows: Iterable[tuple[Key, str, int, Outcome]]) -> None:
    """Writes down what came of programs, and which item had them run: (key, rule, item, outcome)."""
    columns = ("person_id", "target", "name", "rule", "item", "exit_code", "output", "ran_at")
    values = (
        (*key, rule, item, outcome.code, _row(vault, OUTPUT, outcome.output), outcome.at)
        for key, rule, item, outcome in rows
    )
    bulk.upsert(connection, tables.known_scripts, columns, values)


def settle_owed(connection: Connection, rows: Iterable[tuple[Key, int]]) -> None:
    """Notes that what was owed was done by an item, unless a later change has come to owe more: (key, item)."""
    bulk.execute_many(connection, _SETTLE, ((*key, item) for key, item in rows))


_SETTLE = (
    "UPDATE known_scripts SET owed = NULL, owed_by = NULL "
    "WHERE person_id = ? AND target = ? AND name = ? AND (owed_by IS NULL OR owed_by < ?)"
)


def forget_scripts(connection: Connection, accounts: Iterable[tuple[str, str]]) -> None:
    """Forgets the scripts of accounts that are gone: (person id, target)."""
    bulk.delete(connection, tables.known_scripts, ("person_id", "target"), accounts)


def forget_ended(connection: Connection, keys: Iterable[Key]) -> None:
    """Forgets scripts that were run for accounts that are gone: nothing can be owed to these any more."""
    bulk.delete(connection, tables.known_scripts, ("person_id", "target", "name"), keys)


def ended_items(connection: Connection, target: str, items: Sequence[tuple[str, int]]) -> Mapping[int, Outcome]:
    """Those of some items, given as (person id, item), that ended well before and were not recorded; by item.

    What they said is left out: it is in the state already.
    """
    columns = tables.known_scripts.c
    query = select(columns.item, columns.exit_code, columns.ran_at).where(
        columns.target == target,
        columns.person_id.in_({person for person, _ in items}),
        columns.item.in_({item for _, item in items}),
        columns.exit_code == 0,
    )
    return {row.item: Outcome(row.exit_code, "", row.ran_at) for row in connection.execute(query)}


def _row(vault: Vault, kind: str, text: str) -> bytes:
    return _encode({kind: vault.seal(text, kind)})


def _sealed(data: bytes, kind: str) -> Sealed:
    found = _decode(data).get(kind)
    if found is None:
        raise StateError("a row of known_scripts is not as this program writes it")
    return found
