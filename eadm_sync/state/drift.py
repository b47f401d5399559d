"""Drift that is left alone: what somebody changed in a target by hand, until somebody decides, or for good.

Known state holds what the target holds, as always; what stands here is what no plan puts back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select

from eadm_sync.model import Sealed
from eadm_sync.state import bulk, tables

Value = str | bool | int | list[str] | Sealed | None
"""As `state.known.Attributes` holds it; of sensitive values there are hashes only."""

Place = tuple[str, str, str, str]
"""(target, object key, what, name): what a row is about."""

ATTRIBUTES = "attributes"
CONTAINER = "container"
ENABLED = "enabled"
DISABLED = "disabled"
MISSING = "missing"
UNEXPECTED = "unexpected"
ROLE = "role"
"""What can be otherwise than it was left."""


IN_BIN = "in the recycle bin"
"""What is present of an account that is missing, where its target can give it back."""


def aspect(what: str, name: str) -> str:
    """What of an object is left alone: "attributes.title", "container"."""
    return f"{what}.{name}" if name else what


class LeftRow(msgspec.Struct, frozen=True):
    """One thing that is otherwise than it was left, and stays so.

    Attributes:
        id: Its number.
        target: Name of the target.
        kind: Account, group, membership, nesting or licence.
        object: Its key, as the export queue has it.
        what: attributes, container, enabled, disabled, missing, unexpected, role.
        name: The attribute, or "".
        person: Whose it is; None of groups.
        group: Key of the group that it is, or that is in another; None of what is a person's.
        former: What was known before.
        present: What the target holds.
        found_at: ISO text in UTC.
        accepted_at: When it was accepted for good; None: somebody has to decide.
        accepted_by: By whom.
        reason: Why.
    """

    id: int
    target: str
    kind: str
    object: str
    what: str
    name: str
    person: str | None
    group: str | None
    former: Value
    present: Value
    found_at: str
    accepted_at: str | None = None
    accepted_by: str | None = None
    reason: str | None = None

    @property
    def place(self) -> Place:
        """What it is about."""
        return self.target, self.object, self.what, self.name

    @property
    def aspect(self) -> str:
        """What of the object it is about."""
        return aspect(self.what, self.name)


def rows(connection: Connection, *, target: str | None = None, people: Collection[str] | None = None) -> list[LeftRow]:
    """All rows by number, or those of one target, or of some people."""
    columns = tables.drift.c
    query = select(tables.drift).order_by(columns.id)
    if target is not None:
        query = query.where(columns.target == target)
    if people is not None:
        query = query.where(columns.person_id.in_(people))
    return [_row(each) for each in connection.execute(query)]


def of_groups(connection: Connection, keys: Collection[str] | None = None) -> dict[tuple[str, str], frozenset[str]]:
    """(target, key) → what of a group, and of its places in others, is left alone."""
    columns = tables.drift.c
    query = select(columns.target, columns.group_key, columns.kind, columns.object, columns.what, columns.name)
    query = query.where(columns.group_key.is_not(None))
    if keys is not None:
        query = query.where(columns.group_key.in_(keys))
    found: dict[tuple[str, str], set[str]] = {}
    for target, key, kind, object_key, what, name in connection.execute(query):
        outer = object_key.removeprefix(f"nesting:{key}:") if kind == "nesting" else None
        found.setdefault((target, key), set()).add(aspect(what, name) if outer is None else aspect("nesting", outer))
    return {group: frozenset(aspects) for group, aspects in found.items()}


def add(connection: Connection, found: Iterable[LeftRow]) -> None:
    """Adds rows, whose numbers do not count; what is there already about the same is replaced."""
    kept = list(found)
    remove(connection, (row.place for row in kept))
    names = [column.name for column in tables.drift.columns if column.name != "id"]
    bulk.insert(connection, tables.drift, names, map(_values, kept))


def remove(connection: Connection, places: Iterable[Place]) -> None:
    """Takes rows out."""
    bulk.delete(connection, tables.drift, ("target", "object", "what", "name"), places)


def accept(connection: Connection, ids: Sequence[int], by: str, at: str, reason: str) -> None:
    """Notes that rows stay as they are for good."""
    columns = ("accepted_at", "accepted_by", "reason")
    bulk.update(connection, tables.drift, columns, ("id",), ((at, by, reason, number) for number in ids))


def _row(row: Row[Any]) -> LeftRow:
    return LeftRow(
        id=row.id,
        target=row.target,
        kind=row.kind,
        object=row.object,
        what=row.what,
        name=row.name,
        person=row.person_id,
        group=row.group_key,
        former=_decode(row.former),
        present=_decode(row.present),
        found_at=row.found_at,
        accepted_at=row.accepted_at,
        accepted_by=row.accepted_by,
        reason=row.reason,
    )


def _values(row: LeftRow) -> tuple[object, ...]:
    return (
        row.target,
        row.object,
        row.what,
        row.name,
        row.kind,
        row.person,
        row.group,
        _encode(_hashed(row.former)),
        _encode(_hashed(row.present)),
        row.found_at,
        row.accepted_at,
        row.accepted_by,
        row.reason,
    )


def _hashed(value: Value) -> Value:
    """A sealed value without what could be opened, so that it need not be sealed anew when keys change."""
    return Sealed(b"", value.digest) if isinstance(value, Sealed) else value


_encode = msgspec.msgpack.Encoder().encode
_decode: Callable[[bytes], Value] = msgspec.msgpack.Decoder(Value).decode
