"""Sources that were taken out of the configuration: whom they left behind, and how that is ended.

People whose source is not read any more are neither there nor gone: nothing is told of them, so they keep what they
have. That is right for a night in which a file is missing, and for a source that was renamed by mistake. That a system
is gone for good is for somebody to say: with `forget_source`, its people count as missing from it since today, and end
as everybody does who vanishes.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection

import msgspec
from sqlalchemy import Connection, case, exists, func, select, update

from eadm_sync.app.context import Context
from eadm_sync.app.runs import recorded
from eadm_sync.clock import today
from eadm_sync.delivery.looking_again import look_again
from eadm_sync.errors import NotFound
from eadm_sync.importing.merging import PersonRecord, in_precedence, merge
from eadm_sync.importing.records import decode_person
from eadm_sync.importing.store import ImportStore, ImportWriter, chunks
from eadm_sync.state import tables
from eadm_sync.state.auditing import AuditEntry, append_audit

COMMAND = "sources forget"
"""As the book of runs has it."""

_encode = msgspec.msgpack.Encoder().encode


class LeftSource(msgspec.Struct, frozen=True):
    """A source that is not configured any more.

    Attributes:
        name: As it was called.
        people: How many people it is still believed to have.
        alone: How many of them are in no other source, so that they end with it.
        near: Names of configured sources that are almost the same: perhaps it was only written otherwise.
    """

    name: str
    people: int
    alone: int = 0
    near: tuple[str, ...] = ()


def left_sources(context: Context) -> tuple[LeftSource, ...]:
    """Sources that are not configured any more, and are believed to have people, by name.

    Raises:
        StateError: The state cannot be read.
    """
    with context.reading() as database, database.read() as connection:
        return _left(context, connection)


def forget_source(context: Context, name: str, reason: str) -> LeftSource:
    """Has everybody be missing from a source that is not configured any more, from today on.

    The next run plans what follows from it, and the limits of targets hold what is too much of that: here, nothing is
    changed but what is believed. Where the source comes back, under the same name, so do its people.

    Args:
        context: The installation.
        name: The source.
        reason: Why, for the audit.

    Raises:
        NotFound: No source of this name left anybody behind: it is configured, or it is unknown.
        StateBusy: A run is planning.
        StateError: The state cannot be used.
    """
    with context.writing() as database, database.run_lock(), recorded(context, database, COMMAND) as run:
        with database.write() as connection:
            found = {one.name: one for one in _left(context, connection)}
            if name not in found:
                near = tuple(difflib.get_close_matches(name, found)) or tuple(found)
                raise NotFound("source without configuration", name, near)
            record = tables.source_records.c
            is_theirs = (record.source == name) & record.absent_since.is_(None)
            people = set(connection.scalars(select(record.person_id).where(is_theirs)))
            day = today(context.clock, context.loaded.settings.organisation.zone)
            connection.execute(update(tables.source_records).where(is_theirs).values(absent_since=day.isoformat()))
            connection.execute(tables.quarantine.delete().where(tables.quarantine.c.source == name))
            _store_anew(context, connection, people)
            look_again(connection, people)
            detail = _encode({"reason": reason, "people": len(people)})
            now = context.clock.now().isoformat()
            entry = AuditEntry(now, run.id, context.actor, None, "source", "forget", f"source:{name}", None, detail)
            append_audit(connection, context.vault, [entry])
        run.report["forgotten"] = {"source": name, "people": len(people)}
    return msgspec.structs.replace(found[name], people=len(people))


def _left(context: Context, connection: Connection) -> tuple[LeftSource, ...]:
    record, other = tables.source_records.c, tables.source_records.alias().c
    elsewhere = exists().where(
        other.person_id == record.person_id, other.source != record.source, other.absent_since.is_(None)
    )
    names = list(context.loaded.settings.sources)
    query = (
        select(record.source, func.count(), func.sum(case((elsewhere, 0), else_=1)))
        .where(record.absent_since.is_(None), record.source.not_in(names))
        .group_by(record.source)
        .order_by(record.source)
    )
    return tuple(
        LeftSource(name, people, int(alone), tuple(difflib.get_close_matches(name, names)))
        for name, people, alone in connection.execute(query)
    )


def _store_anew(context: Context, connection: Connection, people: Collection[str]) -> None:
    """Puts people together again from their records as they are now; each is due today."""
    store, writer = ImportStore(connection), ImportWriter(connection)
    names, day = tuple(context.loaded.settings.sources), today(context.clock, context.loaded.settings.organisation.zone)
    for portion in chunks(sorted(people)):
        merged = [
            merge(
                person,
                in_precedence((PersonRecord(decode_person(each.data), each.absent_since) for each in records), names),
            )
            for person, records in store.records_of(portion).items()
        ]
        writer.people(merged, dict.fromkeys(portion, day))
