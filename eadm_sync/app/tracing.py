"""A person's way in from the sources: records, what the quarantine says of them, rows with file and line, filters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from sqlalchemy import Connection, and_, or_, select

from eadm_sync.expression import Clause
from eadm_sync.state import tables


class QuarantineRow(msgspec.Struct, frozen=True):
    """What an import left out of a record; `since` is when it was first seen, ISO text in UTC."""

    source: str
    key: str
    file: str
    line: int
    field: str | None
    reason: str
    since: str


class RecordTrace(msgspec.Struct, frozen=True):
    """A person's record in one source; `absent_since` is the day it was first missing, or None."""

    source: str
    key: str
    absent_since: str | None


class SourceRow(msgspec.Struct, frozen=True):
    """A row of a source as it reads now.

    Attributes:
        source: Name of the source.
        key: Key of its person, masked as keys are.
        role: `people`, `affiliations` or `class_memberships`.
        file: File, as an administrator would type it, or "".
        line: 1-based.
        is_filtered: Whether the mapping's `where` passes it over.
        where: Where that condition is written ("config.yaml:42"), or None where there is none.
        clauses: What each clause of it says of the row.
    """

    source: str
    key: str
    role: str
    file: str
    line: int
    is_filtered: bool
    where: str | None
    clauses: tuple[Clause, ...]


class Found(msgspec.Struct, frozen=True):
    """What the sources hold of somebody now.

    Attributes:
        rows: Their rows.
        failures: Source → why it could not be read.
    """

    rows: tuple[SourceRow, ...]
    failures: Mapping[str, str]


class Stranger(msgspec.Struct, frozen=True):
    """Somebody whom the state does not know, but a source or the quarantine does.

    Attributes:
        name: As they were asked for.
        quarantined: What imports left out of their records.
        found: What the sources hold now.
    """

    name: str
    quarantined: tuple[QuarantineRow, ...]
    found: Found


def records(connection: Connection, person_id: str) -> tuple[RecordTrace, ...]:
    """A person's source records."""
    columns = tables.source_records.c
    query = select(columns.source, columns.key, columns.absent_since).where(columns.person_id == person_id)
    return tuple(RecordTrace(*row) for row in connection.execute(query.order_by(columns.source, columns.key)))


def quarantined(connection: Connection, places: Iterable[tuple[str, str]]) -> tuple[QuarantineRow, ...]:
    """What the quarantine says of some keys: (source, key)."""
    columns = tables.quarantine.c
    query = select(
        columns.source, columns.key, columns.file, columns.line, columns.field, columns.reason, columns.since
    )
    wanted = [and_(columns.source == source, columns.key == key) for source, key in places]
    if not wanted:
        return ()
    rows = connection.execute(query.where(or_(*wanted)).order_by(columns.source, columns.file, columns.line))
    return tuple(QuarantineRow(*row) for row in rows)
