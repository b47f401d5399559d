"""What a target may or may not hold: it was asked, no answer came, and the change was superseded or dropped.

Known state holds what was confirmed last. Where it is in doubt, the next plan asks again for what is wanted, whatever
is known; a doubt ends with the target's answer about the same thing. Whether an account is there at all is not asked
for again, but looked for (`app.resolving`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec
from sqlalchemy import Connection, select

from connectors.contract import Kind
from eadm_sync.state import bulk, tables

MADE, GONE = "made", "gone"
"""Aspects: an account may be there though none is known, or may not be there though one is."""

_COLUMNS = ("person_id", "target", "kind", "name", "aspect")


class Doubt(msgspec.Struct, frozen=True, order=True):
    """One thing of a person, or a group's place in another one, that may be otherwise than known.

    Attributes:
        target: Name of the target.
        kind: Account, group, membership, licence or nesting.
        name: Key of the group, of a nesting the outer one; or product; of an account "". Of an account or a group that
            may have been made, what it is called.
        aspect: In what respect: of an account "enabled", "container", "attributes.title" (`drift.aspect`), MADE or
            GONE; of a group MADE; of a membership the role that was asked for; "" of a licence.
    """

    target: str
    kind: Kind
    name: str
    aspect: str


def is_of_existence(doubt: Doubt) -> bool:
    """Whether it is in doubt that an account, or a group, is there at all."""
    return doubt.aspect in (MADE, GONE)


Doubts = dict[str, frozenset[Doubt]]
"""Subject of changes, a person's id or a group as `group_key` has it → what is in doubt of it."""


def load_doubts(connection: Connection, person_ids: Collection[str] | None = None) -> Doubts:
    """What is in doubt of everybody, or of some subjects (at most some thousands at a time); there is seldom any."""
    columns = tables.doubts.c
    query = select(columns.person_id, columns.target, columns.kind, columns.name, columns.aspect)
    if person_ids is not None:
        query = query.where(columns.person_id.in_(person_ids))
    found: dict[str, set[Doubt]] = {}
    for person_id, target, kind, name, aspect in connection.execute(query):
        found.setdefault(person_id, set()).add(Doubt(target, Kind(kind), name, aspect))
    return {person_id: frozenset(doubts) for person_id, doubts in found.items()}


def note_doubts(connection: Connection, doubts: Doubts) -> None:
    """Writes down what is in doubt from now on, beside what was before."""
    bulk.upsert(connection, tables.doubts, _COLUMNS, _rows(doubts.items()))


def end_doubts(connection: Connection, doubts: Doubts) -> None:
    """Strikes out what the targets have answered for."""
    bulk.delete(connection, tables.doubts, _COLUMNS, _rows(doubts.items()))


def _rows(doubts: Iterable[tuple[str, frozenset[Doubt]]]) -> list[tuple[str, ...]]:
    return [(person, one.target, one.kind.value, one.name, one.aspect) for person, found in doubts for one in found]
