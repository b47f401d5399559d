"""First passwords that are kept: sealed, one for each person, until their first use or their last day.

A row's value is encrypted together with whose it is, so that nobody can put one person's password into another's row.
There is no keyed hash of it: that two people have the same password must not show. Where a value is destroyed, the row
stays and says when that was.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, select

from eadm_sync.errors import StateError
from eadm_sync.state import bulk, tables
from eadm_sync.state.crypto import Vault

AUDITED = "password"
"""Kind of the audit's lines about passwords."""

_PURPOSE = b"first password"
_AT_ONCE = 500

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[str, str]).decode


class End(StrEnum):
    """Why a password is not kept any more."""

    USED = "used"
    EXPIRED = "expired"
    REPLACED = "replaced"
    REFUSED = "refused"
    DESTROYED = "destroyed"


class Secret(msgspec.Struct, frozen=True):
    """A first password in clear; what prints it shows nothing.

    Attributes:
        value: The password.
    """

    value: str

    def __repr__(self) -> str:
        return "Secret(***)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Shows as little where Rich prints it."""
        return [("value", "***")]


class Kept(msgspec.Struct, frozen=True):
    """What is known of somebody's first password, besides itself. Moments are ISO text in UTC.

    Attributes:
        person: Id of whose it is.
        policy: Name of the policy that it was made by.
        made_at: When it was made.
        run: Id of the run whose change it was made for, or None.
        expires_at: When it is destroyed at the latest.
        sent_at: When a target first took it, or None.
        shown_at: When somebody first read it, or None.
        ended_at: When it was destroyed, or None.
        end: Why it was (an `End`), or None.
    """

    person: str
    policy: str
    made_at: str
    run: str | None
    expires_at: str
    sent_at: str | None
    shown_at: str | None
    ended_at: str | None
    end: str | None


_KEPT = ("person_id", "policy", "made_at", "run_id", "expires_at", "sent_at", "shown_at", "ended_at", "end")

_INSERT = (
    "INSERT INTO passwords (person_id, policy, sealed, made_at, run_id, expires_at) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (person_id) DO UPDATE SET policy = excluded.policy, sealed = excluded.sealed, "
    "made_at = excluded.made_at, run_id = excluded.run_id, expires_at = excluded.expires_at, sent_at = NULL, "
    'shown_at = NULL, ended_at = NULL, "end" = NULL '
    "WHERE passwords.sealed IS NULL OR passwords.expires_at <= excluded.made_at"
)


def seal(vault: Vault, person_id: str, secret: Secret) -> bytes:
    """The password as it is stored."""
    return vault.encrypt(_encode((person_id, secret.value)), _PURPOSE)


def unseal(vault: Vault, person_id: str, sealed: bytes) -> Secret:
    """The password that a row holds.

    Raises:
        StateError: It cannot be opened, or is another person's.
    """
    owner, value = _decode(vault.decrypt(sealed, _PURPOSE))
    if owner != person_id:
        raise StateError("a stored password is not that of the person it stands with: somebody has moved it")
    return Secret(value)


def resealed(sealed: bytes, vault: Vault) -> bytes:
    """The stored password under the vault's current key; itself where it is so already."""
    return sealed if vault.is_current(sealed) else vault.encrypt(vault.decrypt(sealed, _PURPOSE), _PURPOSE)


def load_passwords(connection: Connection, vault: Vault, people: Iterable[str], now: datetime) -> dict[str, Secret]:
    """The passwords of those people who have one that is not over, by id."""
    columns = tables.passwords.c
    found: dict[str, Secret] = {}
    for portion in _portions(people):
        query = select(columns.person_id, columns.sealed).where(columns.person_id.in_(portion), is_kept(now))
        found |= {row.person_id: unseal(vault, row.person_id, row.sealed) for row in connection.execute(query)}
    return found


def load_kept(connection: Connection, people: Iterable[str]) -> dict[str, Kept]:
    """What is known of the passwords of those people who ever had one, by id."""
    table = tables.passwords.c
    found: dict[str, Kept] = {}
    for portion in _portions(people):
        query = select(*(table[name] for name in _KEPT)).where(table.person_id.in_(portion))
        found |= {row.person_id: Kept(*row) for row in connection.execute(query)}
    return found


def is_kept(now: datetime) -> ColumnElement[bool]:
    """The condition that a row holds a password that is not over."""
    columns = tables.passwords.c
    return and_(columns.sealed.is_not(None), columns.expires_at > now.isoformat())


def is_over(now: datetime) -> ColumnElement[bool]:
    """The condition that a row holds a password whose last day is over."""
    columns = tables.passwords.c
    return and_(columns.sealed.is_not(None), columns.expires_at <= now.isoformat())


NewPassword = tuple[str, str, Secret, str | None]
"""(person's id, policy, password, id of the run)"""


def keep_or_read(
    connection: Connection, vault: Vault, made: Sequence[NewPassword], now: datetime, expires_at: datetime
) -> dict[str, Secret]:
    """Keeps new passwords; whoever has one already keeps it, also where another process made it just now.

    Returns the passwords that count, by person. Rows are taken in the order of the people's ids, so that two targets
    that are delivered to at one moment do not wait for each other for ever.
    """
    rows = (
        (person, policy, seal(vault, person, secret), now.isoformat(), run, expires_at.isoformat())
        for person, policy, secret, run in sorted(made, key=lambda one: one[0])
    )
    bulk.execute_many(connection, _INSERT, rows)
    return load_passwords(connection, vault, [person for person, _, _, _ in made], now)


def note_sent(connection: Connection, people: Iterable[str], now: datetime) -> None:
    """That a target has taken the passwords of these people."""
    _note(connection, "sent_at", people, now)


def note_shown(connection: Connection, people: Iterable[str], now: datetime) -> None:
    """That somebody has read the passwords of these people."""
    _note(connection, "shown_at", people, now)


def _note(connection: Connection, column: str, people: Iterable[str], now: datetime) -> None:
    statement = f"UPDATE passwords SET {column} = ? WHERE person_id = ? AND {column} IS NULL"  # noqa: S608 - own names
    bulk.execute_many(connection, statement, ((now.isoformat(), person) for person in sorted({*people})))


def end_passwords(
    connection: Connection,
    people: Iterable[str],
    end: End,
    now: datetime,
    condition: ColumnElement[bool] | None = None,
) -> list[str]:
    """Destroys the passwords that some people have, those of them for whom a condition holds; returns whose it was."""
    overwrite_deleted(connection)
    table, columns = tables.passwords, tables.passwords.c
    ended: list[str] = []
    for portion in _portions(people):
        chosen = and_(columns.person_id.in_(portion), columns.sealed.is_not(None))
        query = select(columns.person_id).where(chosen if condition is None else and_(chosen, condition))
        mine = list(connection.scalars(query.order_by(columns.person_id).with_for_update()))
        gone = {"sealed": None, "ended_at": now.isoformat(), "end": str(end)}
        connection.execute(table.update().where(columns.person_id.in_(mine)).values(gone))
        ended += mine
    return ended


def overwrite_deleted(connection: Connection) -> None:
    """Has SQLite overwrite what is deleted, which is only unlinked else."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete=ON")


def _portions(people: Iterable[str]) -> Iterable[list[str]]:
    every = sorted({*people})
    return (every[begin : begin + _AT_ONCE] for begin in range(0, len(every), _AT_ONCE))
