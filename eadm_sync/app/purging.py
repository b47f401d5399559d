"""Forgets people who are gone for good: everything personal goes, and none of their names is ever given to another.

Somebody is forgotten when every source record of theirs has been missing, and every account deleted, for `purge_days`.
Whoever has an account anywhere, stands in a source, is stopped, or has a change on its way is not touched, whoever
asks. What stays is what nobody can be recognised by: reservations, which are keyed hashes of names, and the audit's
lines without what they told (`state.auditing.forget_details`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta

import msgspec
from sqlalchemy import ColumnElement, Connection, Subquery, and_, exists, func, select

from connectors.contract import Action, Kind
from eadm_sync.app.context import Context
from eadm_sync.app.housekeeping import tidy
from eadm_sync.app.naming import known_name
from eadm_sync.app.runs import recorded
from eadm_sync.clock import today
from eadm_sync.events import get_logger
from eadm_sync.identifiers import reservations_of
from eadm_sync.importing.store import chunks
from eadm_sync.plan.change import password_subject
from eadm_sync.state import bulk, tables
from eadm_sync.state.auditing import AuditEntry, append_audit, forget_details
from eadm_sync.state.database import Database
from eadm_sync.state.doubts import MADE
from exportqueue.tables import IS_FINISHED

log = get_logger(__name__)

COMMAND = "purge"
"""As the book of runs has it."""

HOLD = "purge"
"""What lets more people go than `max_purged` allows."""

_AT_ONCE = 100
"""People in one transaction: some hundredths of a second."""

_encode = msgspec.msgpack.Encoder().encode


class Purgeable(msgspec.Struct, frozen=True):
    """Somebody who is to be forgotten.

    Attributes:
        person: Id.
        name: For people to read.
        gone_since: The day from which nothing of theirs was left: no source record, no account.
        names: How many of their identifiers stay reserved.
    """

    person: str
    name: str
    gone_since: date
    names: int


class PurgeReport(msgspec.Struct, frozen=True):
    """What was forgotten, or would be.

    Attributes:
        due: Who is to be forgotten, by id.
        limit: The most people that may be at once.
        held: Whether there are more: nobody is forgotten then.
        purged: How many were.
        reservations_ended: Names that are free again, since `reserve_days` are over.
    """

    due: tuple[Purgeable, ...] = ()
    limit: int = 0
    held: bool = False
    purged: int = 0
    reservations_ended: int = 0


def preview_purge(context: Context, *, only: str | None = None) -> PurgeReport:
    """What `purge` would do now; changes nothing. Arguments and errors as there."""
    with context.reading() as database, database.read() as connection:
        due = tuple(_due(context, connection, only))
        ended = connection.scalar(select(func.count()).select_from(tables.reservations).where(_is_over(context))) or 0
    limit = context.loaded.settings.housekeeping.max_purged
    return PurgeReport(due, limit, held=len(due) > limit, reservations_ended=ended)


def purge(
    context: Context,
    *,
    only: str | None = None,
    released: frozenset[str] = frozenset(),
    reason: str | None = None,
) -> PurgeReport:
    """Forgets whoever is due, as a run of its own; where nobody is, there is no run.

    Args:
        context: The installation.
        only: Id of one person, who is forgotten before `purge_days` are over; all other conditions hold.
        released: `HOLD`, to let more people go than `max_purged`.
        reason: Why, for the audit.

    Raises:
        NotFound: Another hold is to be released.
        StateBusy: A run is planning: it may be bringing somebody back.
        StateError: The state cannot be used.
    """
    for name in sorted(released):
        known_name("hold", name, {HOLD})
    found = preview_purge(context, only=only)
    if not found.due and not found.reservations_ended:
        return found
    with context.writing() as database, database.run_lock(), recorded(context, database, COMMAND) as run:
        found = preview_purge(context, only=only)
        if found.held and HOLD not in released:
            words = f"{len(found.due)} people would be forgotten; at most {found.limit} may be at once"
            run.report["holds"] = [{"brake": HOLD, "reason": words, "population": 0, "vanished": len(found.due)}]
            return found
        why = reason or ("asked for" if only else "gone for purge_days")
        ended = _end_reservations(context, database)
        portions = chunks((one.person for one in found.due), _AT_ONCE)
        purged = sum(_forget(context, database, ids, only, run_id=run.id, reason=why) for ids in portions)
        tidy(database)  # empties SQLite's write-ahead log, in which what was deleted still stands
        run.report["removed"] = {"people": purged, "reservations": ended}
        log.info("purge.done", people=purged, reservations=ended)
        return msgspec.structs.replace(found, held=False, purged=purged, reservations_ended=ended)


# ---------------------------------------------------------------- who is due


def _due(
    context: Context, connection: Connection, only: str | None, among: Collection[str] | None = None
) -> Iterator[Purgeable]:
    """Everybody who is gone for good, by id, or those `among` some; or one person who is gone, however short."""
    settings = context.loaded.settings
    day = today(context.clock, settings.organisation.zone)
    patience = timedelta(days=0 if only else context.ruleset.lifecycle.purge_days)
    last = day - patience if day - date.min > patience else date.min
    people, missing = tables.people.c, _missing()
    query = (
        select(people.id, people.name, missing.c.since)
        .join_from(tables.people, missing, missing.c.person_id == people.id)
        .where(_is_without_anything(), _is_not_stopped(), missing.c.since <= last.isoformat())
        .order_by(people.id)
    )
    if only is not None:
        query = query.where(people.id == only)
    if among is not None:
        query = query.where(people.id.in_(among))
    for portion in chunks(connection.execute(query)):
        yield from _judged(context, connection, [tuple(row) for row in portion], last)


def purges_until(
    context: Context, connection: Connection, last: date, emptied: Mapping[str, date]
) -> Iterator[tuple[date, str, str]]:
    """(day, id, name) of everybody who will be forgotten up to a day, if every source stays as it is.

    Args:
        context: The installation.
        connection: A connection to the state.
        last: The day.
        emptied: Id → day on which the last account will be gone, of those who have one still.
    """
    patience = timedelta(days=context.ruleset.lifecycle.purge_days)
    first = today(context.clock, context.loaded.settings.organisation.zone)
    people, missing = tables.people.c, _missing()
    query = (
        select(people.id, people.name, missing.c.since, _is_without_anything())
        .join_from(tables.people, missing, missing.c.person_id == people.id)
        .where(_is_not_stopped())
        .order_by(people.id)
    )
    for portion in chunks(connection.execute(query)):
        deleted = _last_deletions(context, connection, [row[0] for row in portion])
        for person, name, absent, has_nothing in portion:
            if has_nothing or person in emptied:
                gone = emptied.get(person) or deleted.get(person, date.min)
                since = max(date.fromisoformat(absent), gone)
                if since <= last - patience:
                    yield max(since + patience, first), person, name


def _missing() -> Subquery:
    """Those of whom every source record is missing, with the day `since` which the last one is."""
    record = tables.source_records.c
    return (
        select(record.person_id, func.max(record.absent_since).label("since"))
        .group_by(record.person_id)
        .having(func.count() == func.count(record.absent_since))
        .subquery()
    )


def _is_without_anything() -> ColumnElement[bool]:
    """The condition on `people` that nothing of theirs is anywhere, and that nobody waits for them."""
    person = tables.people.c.id
    known = (tables.known_accounts, tables.known_memberships, tables.known_licences)
    return and_(
        tables.people.c.pending.is_(False),
        *(~exists().where(table.c.person_id == person) for table in known),
        ~exists().where(tables.doubts.c.person_id == person, tables.doubts.c.aspect == MADE),
    )


def _is_not_stopped() -> ColumnElement[bool]:
    orders = tables.person_orders.c
    return ~exists().where(orders.person_id == tables.people.c.id, orders.kind == "stop")


def _judged(
    context: Context, connection: Connection, portion: Sequence[tuple[str, str, str]], last: date
) -> Iterator[Purgeable]:
    """Those of some (id, name, day of the last absence) who have no change on its way, nor lost an account lately."""
    ids = [person for person, _, _ in portion]
    busy = {item.subject for item in context.queue.unfinished(connection, ids)}
    deleted = _last_deletions(context, connection, ids)
    names = _counted_names(connection, ids)
    for person, name, absent in portion:
        since = max(date.fromisoformat(absent), deleted.get(person, date.min))
        if person not in busy and since <= last:
            yield Purgeable(person, name, since, names.get(person, 0))


def _last_deletions(context: Context, connection: Connection, ids: Sequence[str]) -> dict[str, date]:
    """The local day on which each of these people lost the last account, of those who had one."""
    audit, zone = tables.audit.c, context.loaded.settings.organisation.zone
    query = (
        select(audit.person_id, func.max(audit.at))
        .where(audit.person_id.in_(ids), audit.kind == str(Kind.ACCOUNT), audit.action == str(Action.DELETE))
        .group_by(audit.person_id)
    )
    return {person: datetime.fromisoformat(at).astimezone(zone).date() for person, at in connection.execute(query)}


def _counted_names(connection: Connection, ids: Sequence[str]) -> dict[str, int]:
    columns = tables.identifiers.c
    query = select(columns.person_id, func.count()).where(columns.person_id.in_(ids)).group_by(columns.person_id)
    return {person: number for person, number in connection.execute(query)}  # noqa: C416 - rows are no pairs


# ---------------------------------------------------------------- forgetting


def _forget(
    context: Context, database: Database, chosen: Collection[str], only: str | None, *, run_id: str, reason: str
) -> int:
    """Forgets those of some people who still are to be, in one transaction; returns how many."""
    with database.write() as connection:
        if connection.dialect.name == "sqlite":  # overwrites what is deleted, which is only unlinked else
            connection.exec_driver_sql("PRAGMA secure_delete=ON")
        due = list(_due(context, connection, only, chosen))
        ids = [each.person for each in due]
        _reserve_names(context, connection, ids)
        _forget_records(connection, ids)
        for table in _OF_PERSONS:
            bulk.delete(connection, table, ("person_id",), ((person,) for person in ids))
        bulk.delete(connection, tables.people, ("id",), ((person,) for person in ids))
        _forget_items(context, connection, ids)
        for person in ids:
            forget_details(connection, person)
        now = context.clock.now().isoformat()
        append_audit(connection, context.vault, (_entry(context, each, run_id, now, reason) for each in due))
    return len(ids)


_OF_PERSONS = (
    tables.identifiers,
    tables.person_orders,
    tables.recycled_accounts,
    tables.passwords,
    tables.former_values,
    tables.drift,
    tables.correlations,
    tables.known_scripts,
    tables.doubts,
)


def _reserve_names(context: Context, connection: Connection, ids: Collection[str]) -> None:
    """Keeps a keyed hash of every name that the people have or had, for `reserve_days` or for ever."""
    days = context.ruleset.lifecycle.reserve_days
    day = today(context.clock, context.loaded.settings.organisation.zone)
    until = None if days is None or date.max - day < timedelta(days=days) else (day + timedelta(days=days)).isoformat()
    columns = tables.identifiers.c
    rows = connection.execute(select(columns.name, columns.folded).where(columns.person_id.in_(ids))).all()
    digest = context.vault.digest
    hashes = {(name, one) for name, folded in rows for one in reservations_of(name, folded, digest)}
    reserved = ((name, one, until) for name, one in sorted(hashes))
    bulk.upsert(connection, tables.reservations, ("name", "digest", "until"), reserved)


def _forget_records(connection: Connection, ids: Collection[str]) -> None:
    """Source records with their links and what is in quarantine of them."""
    record = tables.source_records.c
    places = [
        tuple(row) for row in connection.execute(select(record.source, record.key).where(record.person_id.in_(ids)))
    ]
    for table in (tables.link_keys, tables.quarantine, tables.source_records):
        bulk.delete(connection, table, ("source", "key"), places)


def _forget_items(context: Context, connection: Connection, ids: Collection[str]) -> None:
    """Finished changes that housekeeping has not removed yet, with what they waited for."""
    items, edges = context.queue.tables.items, context.queue.tables.prerequisites
    subjects = [*ids, *map(password_subject, ids)]
    finished = list(connection.scalars(select(items.c.id).where(IS_FINISHED, items.c.subject.in_(subjects))))
    for portion in chunks(finished):
        connection.execute(edges.delete().where(edges.c.item_id.in_(portion)))
        connection.execute(items.delete().where(items.c.id.in_(portion)))


def _entry(context: Context, one: Purgeable, run_id: str, now: str, reason: str) -> AuditEntry:
    detail = _encode({"reason": reason, "gone_since": one.gone_since.isoformat(), "names_reserved": one.names})
    return AuditEntry(now, run_id, context.actor, None, "person", "purge", f"person:{one.person}", one.person, detail)


# ---------------------------------------------------------------- reservations that end


def _is_over(context: Context) -> ColumnElement[bool]:
    day = today(context.clock, context.loaded.settings.organisation.zone)
    return tables.reservations.c.until < day.isoformat()


def _end_reservations(context: Context, database: Database) -> int:
    """Removes reservations whose last day is over; returns how many."""
    with database.write() as connection:
        return connection.execute(tables.reservations.delete().where(_is_over(context))).rowcount
