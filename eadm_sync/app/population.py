"""The people and the organisation as the last accepted import left them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, Table, func, select

from eadm_sync.app.context import Context
from eadm_sync.model import ClassGroup, Person, Unit
from eadm_sync.ruleset import Organisation
from eadm_sync.state import tables

_CHUNK = 1_000
"""People fetched at once: some MiB, and few enough round trips."""

_decode_person = msgspec.msgpack.Decoder(Person).decode
_decode_unit = msgspec.msgpack.Decoder(Unit).decode
_decode_class_group = msgspec.msgpack.Decoder(ClassGroup).decode


def stored_person(connection: Connection, person_id: str) -> Person:
    """One person, who must be there."""
    columns = tables.people.c
    return _decode_person(connection.execute(select(columns.data).where(columns.id == person_id)).scalar_one())


def count_people(connection: Connection) -> int:
    """How many people there are."""
    return connection.scalar(select(func.count()).select_from(tables.people)) or 0


def stored_people(
    connection: Connection, after: str | None = None, until: str | None = None
) -> Iterator[tuple[Person, ...]]:
    """Everybody by id, streaming, in portions; only ids above `after` and up to `until` where given."""
    columns = tables.people.c
    query = select(columns.data).order_by(columns.id)
    if after is not None:
        query = query.where(columns.id > after)
    if until is not None:
        query = query.where(columns.id <= until)
    rows = connection.execute(query.execution_options(yield_per=_CHUNK))
    for portion in rows.scalars().partitions(_CHUNK):
        yield tuple(map(_decode_person, portion))


def people_named(connection: Connection, names: Collection[str]) -> frozenset[str]:
    """Ids of those who have all these identifiers."""
    columns = tables.identifiers.c
    held = [
        frozenset(connection.scalars(select(columns.person_id).where(columns.name == name))) for name in sorted(names)
    ]
    return frozenset.intersection(*held)


def middle_person(connection: Connection) -> str | None:
    """The id that parts everybody into two halves; None where there is nobody."""
    columns = tables.people.c
    half = max((count_people(connection) - 1) // 2, 0)
    middle: str | None = connection.scalar(select(columns.id).order_by(columns.id).offset(half).limit(1))
    return middle


def stored_units(
    context: Context, connection: Connection
) -> tuple[dict[str, Unit], dict[str, ClassGroup], dict[str, Person]]:
    """Units by code, class groups by code, and those who manage a unit by id; by precedence of the sources."""
    units: dict[str, Unit] = {}
    class_groups: dict[str, ClassGroup] = {}
    for source in context.loaded.settings.sources:
        for row in connection.execute(_nodes(tables.units, source)):
            units.setdefault(row.code, _decode_unit(row.data))
        for row in connection.execute(_nodes(tables.class_groups, source)):
            class_groups.setdefault(row.code, _decode_class_group(row.data))
    return units, class_groups, _managers(connection, units)


def stored_organisation(context: Context, connection: Connection) -> Organisation:
    """The organisation, resolved."""
    units, class_groups, managers = stored_units(context, connection)
    return Organisation(units.values(), class_groups.values(), managers)


def organisation_around(context: Context, connection: Connection, person: Person) -> Organisation:
    """Of the organisation, what can be read of one person: their units with all above these, and their class groups."""
    sources = list(context.loaded.settings.sources)
    codes = {place.code for affiliation in person.affiliations for place in affiliation.classes}
    class_groups = {
        row.code: _decode_class_group(row.data) for row in _called(connection, tables.class_groups, codes, sources)
    }
    units: dict[str, Unit] = {}
    missing = {affiliation.unit for affiliation in person.affiliations if affiliation.unit}
    missing |= {group.unit for group in class_groups.values() if group.unit}
    seen: set[str] = set()
    while missing:
        seen |= missing
        found = {row.code: _decode_unit(row.data) for row in _called(connection, tables.units, missing, sources)}
        units |= found
        missing = {unit.parent for unit in found.values() if unit.parent} - seen
    return Organisation(units.values(), class_groups.values(), _managers(connection, units))


def _called(connection: Connection, table: Table, codes: Collection[str], sources: list[str]) -> list[Row[Any]]:
    """The nodes with some codes, those of the first sources last, so that they stay."""
    query = select(table.c.source, table.c.code, table.c.data)
    query = query.where(table.c.source.in_(sources), table.c.code.in_(sorted(codes)))
    return sorted(connection.execute(query), key=lambda row: -sources.index(row.source)) if codes else []


def _managers(connection: Connection, units: dict[str, Unit]) -> dict[str, Person]:
    ids = sorted({unit.manager for unit in units.values() if unit.manager})
    columns = tables.people.c
    found: dict[str, Person] = {}
    for start in range(0, len(ids), _CHUNK):
        rows = connection.execute(select(columns.id, columns.data).where(columns.id.in_(ids[start : start + _CHUNK])))
        found |= {person_id: _decode_person(data) for person_id, data in rows}
    return found


def _nodes(table: Table, source: str) -> Select[Any]:
    """What one source has of a table of nodes."""
    return select(table.c.code, table.c.data).where(table.c.source == source)
