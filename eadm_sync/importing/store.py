"""What an import reads from the state database and writes to it.

Bulk work goes through driver tuples: Core's dictionaries take twice as long for a first import.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import cached_property
from itertools import islice
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, select

from eadm_sync.importing.organisation import Organisation
from eadm_sync.importing.reading import Former
from eadm_sync.importing.records import Quarantined, SourcePerson, decode_person
from eadm_sync.model import ClassGroup, Person, Unit
from eadm_sync.state import bulk, tables

CHUNK = 500
"""Ids in one query: SQLite takes 999 parameters in its oldest builds."""

_BATCH = 5_000  # rows taken from the driver at once: a few MiB
_encode = msgspec.msgpack.Encoder().encode
_decode_unit = msgspec.msgpack.Decoder(Unit).decode
_decode_class_group = msgspec.msgpack.Decoder(ClassGroup).decode


class StoredRecord(NamedTuple):
    """A source record as it is stored."""

    person_id: str
    source: str
    key: str
    data: bytes
    absent_since: date | None


class Claim(NamedTuple):
    """A stored record that holds a link: whose record has this digest."""

    digest: bytes
    source: str
    key: str
    person_id: str


def chunks(items: Iterable[Any], size: int = CHUNK) -> Iterator[list[Any]]:
    """The items in lists of at most `size`."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


class ImportStore:
    """The importing tables, read through one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def former(self, source: str) -> Former:
        """What is stored of a source's people."""
        record = tables.source_records.c
        present = select(record.key, record.hash).where(record.source == source, record.absent_since.is_(None))
        absent = select(record.key).where(record.source == source, record.absent_since.is_not(None))
        hashes: dict[str, bytes | int] = {}
        for rows in self._connection.execute(present).partitions(_BATCH):
            hashes.update(map(tuple, rows))
        return Former(hashes, set(self._connection.execute(absent).scalars()), lambda keys: self.people(source, keys))

    def people(self, source: str, keys: Sequence[str]) -> dict[str, SourcePerson]:
        """The records of one source with these keys (at most some hundreds); unknown ones are left out."""
        record = tables.source_records.c
        rows = self._connection.execute(
            select(record.key, record.data).where(record.source == source, record.key.in_(keys))
        )
        return {key: decode_person(data) for key, data in rows}

    def elsewhere(self, source: str) -> dict[str, str]:
        """Key → person id, of the records whose person is not named after them."""
        record = tables.source_records.c
        rows = self._connection.execute(
            select(record.key, record.person_id).where(
                record.source == source, record.person_id != record.source + ":" + record.key
            )
        )
        return {key: person_id for key, person_id in rows}  # noqa: C416 - rows are no pairs to the type checker

    def records_of(self, person_ids: Sequence[str]) -> dict[str, list[StoredRecord]]:
        """All records of these people (at most some hundreds), present and absent; people without are left out."""
        if self._is_empty:  # in a first import, which would ask for each new record that joins another
            return {}
        record = tables.source_records.c
        rows = self._connection.execute(
            select(record.person_id, record.source, record.key, record.data, record.absent_since).where(
                record.person_id.in_(person_ids)
            )
        )
        found: dict[str, list[StoredRecord]] = {}
        for person_id, source, key, data, absent in rows:
            since = date.fromisoformat(absent) if absent else None
            found.setdefault(person_id, []).append(StoredRecord(person_id, source, key, data, since))
        return found

    @cached_property
    def _is_empty(self) -> bool:
        return self._connection.execute(select(tables.source_records.c.key).limit(1)).first() is None

    def present(self) -> Iterator[tuple[str, str, bytes]]:
        """(source, key, data) of every present record, streaming."""
        record = tables.source_records.c
        query = select(record.source, record.key, record.data).where(record.absent_since.is_(None))
        for row in self._connection.execute(query, execution_options={"yield_per": 1_000}):
            yield row[0], row[1], row[2]

    def has_links(self) -> bool:
        """Whether any record is stored that has links."""
        return self._connection.execute(select(tables.link_keys.c.kind).limit(1)).first() is not None

    def claims(self, digests: Iterable[bytes]) -> Iterator[Claim]:
        """The stored records that have any of these links."""
        link, record = tables.link_keys.c, tables.source_records.c
        for chunk in chunks(digests):
            query = (
                select(link.digest, link.source, link.key, record.person_id)
                .join_from(
                    tables.link_keys,
                    tables.source_records,
                    (link.source == record.source) & (link.key == record.key),
                )
                .where(link.kind.in_(_LINK_KINDS), link.digest.in_(chunk))
            )
            for row in self._connection.execute(query):
                yield Claim(*row)

    def person_of(self, source: str, key: str) -> str | None:
        """Id of the person of a stored record, None where there is no such record."""
        record = tables.source_records.c
        found: str | None = self._connection.scalar(
            select(record.person_id).where(record.source == source, record.key == key)
        )
        return found

    def links_of(self, source: str, key: str) -> list[tuple[str, bytes]]:
        """(kind, digest) of each link of a stored record."""
        link = tables.link_keys.c
        rows = self._connection.execute(select(link.kind, link.digest).where(link.source == source, link.key == key))
        return [(kind, digest) for kind, digest in rows]

    def organisation(self, source: str) -> Organisation:
        """Units and class groups as stored of one source."""
        unit, group = tables.units.c, tables.class_groups.c
        units = self._connection.execute(select(unit.code, unit.data).where(unit.source == source))
        groups = self._connection.execute(select(group.code, group.data).where(group.source == source))
        return Organisation(
            {code: _decode_unit(data) for code, data in units},
            {code: _decode_class_group(data) for code, data in groups},
        )

    def quarantined(self) -> list[tuple[Quarantined, str]]:
        """All that is in quarantine, with the moment each was first seen."""
        row = tables.quarantine.c
        names = [row[name] for name in Quarantined.__struct_fields__]
        found = self._connection.execute(select(*names, row.since).order_by(row.id))
        return [(Quarantined(*values), since) for *values, since in found]


_LINK_KINDS = ("national_id", "employee_number", "username", "email")


class ImportWriter:
    """Writes an import, within the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def _many(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        bulk.execute_many(self._connection, statement, rows)

    def records(self, rows: Iterable[tuple[str, str, bytes, str, bytes]]) -> None:
        """Upserts (source, key, hash, person id, data); a record that is known keeps its person and is present."""
        self._many(
            "INSERT INTO source_records (source, key, hash, person_id, data) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (source, key) DO UPDATE SET hash = excluded.hash, data = excluded.data, absent_since = NULL",
            rows,
        )

    def absent(self, source: str, keys: Iterable[str], day: date) -> None:
        """Notes that records have been missing since a day."""
        self._many(
            "UPDATE source_records SET absent_since = ? WHERE source = ? AND key = ? AND absent_since IS NULL",
            ((day.isoformat(), source, key) for key in keys),
        )

    def links(self, source: str, known: Iterable[str], rows: Iterable[tuple[str, bytes, str, str]]) -> None:
        """Replaces the links of known records, and adds those of new ones: (kind, digest, source, key)."""
        self._many("DELETE FROM link_keys WHERE source = ? AND key = ?", ((source, key) for key in known))
        self._many("INSERT INTO link_keys (kind, digest, source, key) VALUES (?, ?, ?, ?)", rows)

    def people(self, people: Iterable[Person], due: Mapping[str, date | None]) -> None:
        """Upserts people; whether they are `pending` is left to those who plan."""
        self._many(
            "INSERT INTO people (id, name, data, due, pending) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET name = excluded.name, data = excluded.data, due = excluded.due",
            (
                (
                    person.id,
                    f"{person.given_name} {person.family_name}".strip(),
                    _encode(person),
                    _iso(due.get(person.id)),
                    False,
                )
                for person in people
            ),
        )

    def due(self, due: Iterable[tuple[str, date | None]]) -> None:
        """Sets the next day on which something can change, for people who are otherwise as they were."""
        self._many("UPDATE people SET due = ? WHERE id = ?", ((_iso(day), person_id) for person_id, day in due))

    def nodes(
        self, table: str, source: str, now: Mapping[str, Unit | ClassGroup], before: Mapping[str, Unit | ClassGroup]
    ) -> None:
        """Brings a source's stored units or class groups (`table`) from what they were to what they are."""
        self._many(
            f"DELETE FROM {table} WHERE source = ? AND code = ?",  # noqa: S608 - one of our two tables
            ((source, code) for code in sorted(before.keys() - now.keys())),
        )
        self._many(
            f"INSERT INTO {table} (source, code, data) VALUES (?, ?, ?) "  # noqa: S608 - as above
            "ON CONFLICT (source, code) DO UPDATE SET data = excluded.data",
            ((source, code, _encode(node)) for code, node in now.items() if before.get(code) != node),
        )

    def quarantine(self, sources: Iterable[str], rows: Iterable[tuple[Quarantined, str]]) -> None:
        """Replaces what is in quarantine of these sources; each with the moment it was first seen."""
        self._many("DELETE FROM quarantine WHERE source = ?", ((source,) for source in sources))
        names = ", ".join(Quarantined.__struct_fields__)
        self._many(
            f"INSERT INTO quarantine ({names}, since) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - our own names
            ((*msgspec.structs.astuple(row), since) for row, since in rows),
        )


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None
