"""What there is: people, accounts, runs and quarantine as frozen rows. Reads only; sensitive values never leave."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, select

from eadm_sync.app.context import Context
from eadm_sync.app.naming import find_person, known_name
from eadm_sync.clock import today
from eadm_sync.errors import NotFound
from eadm_sync.lifecycle import NO_ORDERS, Stage, standing
from eadm_sync.model import Affiliation, Orders, Person, Sealed
from eadm_sync.state import tables
from eadm_sync.state.known import Attributes
from eadm_sync.state.orders import load_orders

_CHUNK = 500
_decode_person = msgspec.msgpack.Decoder(Person).decode
_decode_attributes = msgspec.msgpack.Decoder(Attributes).decode


class PersonRow(msgspec.Struct, frozen=True):
    """One person in a list.

    Attributes:
        id: The person's id.
        name: Given and family name.
        stage: Lifecycle stage today.
        kinds: Kinds of the affiliations that count today.
        units: Codes of their units.
        accounts: Targets in which the person is known to have an account.
        due: The next day on which time alone can change something, or None.
        pending: Looked at by the next run whatever the sources say.
    """

    id: str
    name: str
    stage: str
    kinds: tuple[str, ...]
    units: tuple[str, ...]
    accounts: tuple[str, ...]
    due: str | None
    pending: bool


class RecordRow(msgspec.Struct, frozen=True):
    """A person's record in one source; `absent_since` is the day it was first missing, or None."""

    source: str
    key: str
    absent_since: str | None


class AccountRow(msgspec.Struct, frozen=True):
    """One account in a list.

    Attributes:
        person: Id of its person.
        name: The person's name, or None where nothing is known of them any more.
        target: Name of the target.
        account: Its name there, or None where the target is not configured any more.
        enabled: Whether it is.
        deactivated_on: The day nothing gave it any more, or None.
        container: Where it is, or None.
        rule: Rule that gave it.
        anchor: The target's own id.
    """

    person: str
    name: str | None
    target: str
    account: str | None
    enabled: bool
    deactivated_on: str | None
    container: str | None
    rule: str
    anchor: str


class MembershipRow(msgspec.Struct, frozen=True):
    """An account's place in a group."""

    target: str
    group: str
    role: str
    rule: str


class LicenceRow(msgspec.Struct, frozen=True):
    """A product that an account has."""

    target: str
    sku: str
    rule: str


class AccountDetail(msgspec.Struct, frozen=True):
    """One account with all that is known of it; `ruleset` is the version that gave it."""

    account: AccountRow
    attributes: dict[str, Any]
    memberships: tuple[MembershipRow, ...]
    licences: tuple[LicenceRow, ...]
    ruleset: str


class PersonDetail(msgspec.Struct, frozen=True):
    """One person with all that is known; `fields` are those a source filled, sensitive ones as '***'."""

    person: PersonRow
    fields: dict[str, str]
    affiliations: tuple[Affiliation, ...]
    records: tuple[RecordRow, ...]
    identifiers: dict[str, str]
    accounts: tuple[AccountDetail, ...]


class RunRow(msgspec.Struct, frozen=True):
    """One run. `status`: running (or crashed), done, incomplete, declined, interrupted, failed."""

    id: str
    command: str
    actor: str
    started_at: str
    finished_at: str | None
    status: str


class QuarantineRow(msgspec.Struct, frozen=True):
    """Something that an import left out; `since` is when it was first seen."""

    id: int
    source: str
    kind: str
    file: str
    line: int
    key: str | None
    field: str | None
    reason: str
    since: str


# ---------------------------------------------------------------- people


def people(context: Context, *, search: str | None = None, stage: Stage | None = None) -> Iterator[PersonRow]:
    """People by id, streaming: those whose name, id or identifier holds `search` (without case), at one stage."""
    with _reading(context) as connection:
        wanted = None if search is None else _owners_of(connection, search.casefold())
        for portion in connection.execute(_people_query()).partitions(_CHUNK):
            matching = [row for row in portion if search is None or _matches(row, search.casefold(), wanted or set())]
            rows = _person_rows(context, connection, matching)
            yield from (row for row in rows if stage is None or row.stage == stage)


def person(context: Context, name: str) -> PersonDetail:
    """One person, by any of the names that `find_person` knows.

    Raises:
        NotFound, AmbiguousName: As `find_person`.
    """
    with _reading(context) as connection:
        person_id = find_person(connection, name)
        stored = connection.execute(_people_query().where(tables.people.c.id == person_id)).all()
        if not stored:
            raise NotFound("person", name)
        one = _decode_person(stored[0].data)
        records, identifiers = tables.source_records.c, tables.identifiers.c
        return PersonDetail(
            person=_person_rows(context, connection, stored)[0],
            fields=_fields(one),
            affiliations=one.affiliations,
            records=tuple(
                RecordRow(*row)
                for row in connection.execute(
                    select(records.source, records.key, records.absent_since)
                    .where(records.person_id == person_id)
                    .order_by(records.source, records.key)
                )
            ),
            identifiers={
                row.name: row.value
                for row in connection.execute(
                    select(identifiers.name, identifiers.value)
                    .where(identifiers.person_id == person_id)
                    .order_by(identifiers.allocated_at)
                )
            },
            accounts=_details(
                context, connection, _accounts_query().where(tables.known_accounts.c.person_id == person_id)
            ),
        )


def _people_query() -> Select[Any]:
    columns = tables.people.c
    return select(columns.id, columns.name, columns.data, columns.due, columns.pending).order_by(columns.id)


def _owners_of(connection: Connection, folded: str) -> set[str]:
    columns = tables.identifiers.c
    return set(connection.scalars(select(columns.person_id).where(columns.folded.contains(folded, autoescape=True))))


def _matches(row: Row[Any], folded: str, owners: set[str]) -> bool:
    return folded in row.name.casefold() or folded in row.id.casefold() or row.id in owners


def _person_rows(context: Context, connection: Connection, rows: Sequence[Row[Any]]) -> list[PersonRow]:
    if not rows:
        return []
    day = today(context.clock, context.loaded.settings.organisation.zone)
    columns = tables.known_accounts.c
    targets: dict[str, list[str]] = {}
    for person_id, target in connection.execute(
        select(columns.person_id, columns.target)
        .where(columns.person_id.in_([row.id for row in rows]))
        .order_by(columns.target)
    ):
        targets.setdefault(person_id, []).append(target)
    orders = load_orders(connection, [row.id for row in rows])
    return [
        _person_row(context, row, tuple(targets.get(row.id, ())), orders.get(row.id, NO_ORDERS), day) for row in rows
    ]


def _person_row(context: Context, row: Row[Any], accounts: tuple[str, ...], orders: Orders, day: date) -> PersonRow:
    stand = standing(_decode_person(row.data), context.ruleset.lifecycle, day, orders)
    return PersonRow(
        id=row.id,
        name=row.name,
        stage=stand.stage,
        kinds=tuple(dict.fromkeys(one.kind for one in stand.counting)),
        units=tuple(dict.fromkeys(one.unit for one in stand.counting if one.unit)),
        accounts=accounts,
        due=row.due,
        pending=bool(row.pending),
    )


def _fields(one: Person) -> dict[str, str]:
    named = {
        name: getattr(one, name) for name in Person.__struct_fields__ if name not in {"id", "affiliations", "extra"}
    }
    return {name: str(value) for name, value in {**named, **one.extra}.items() if value not in (None, "")}


# ---------------------------------------------------------------- accounts


def accounts(
    context: Context, *, target: str | None = None, person: str | None = None, disabled: bool = False
) -> Iterator[AccountRow]:
    """Accounts by person and target, streaming.

    Raises:
        NotFound, AmbiguousName: The target or the person is not known so.
    """
    columns = tables.known_accounts.c
    query = _accounts_query()
    if target is not None:
        query = query.where(columns.target == known_name("target", target, context.loaded.settings.targets))
    if disabled:
        query = query.where(columns.enabled.is_(False))
    with _reading(context) as connection:
        if person is not None:
            query = query.where(columns.person_id == find_person(connection, person))
        for row in connection.execute(query):
            yield _account_row(context, row)


def account(context: Context, name: str) -> tuple[AccountDetail, ...]:
    """The account with an anchor, or all accounts of a person.

    Raises:
        NotFound, AmbiguousName: Nothing, or several people, are called so.
    """
    columns = tables.known_accounts.c
    with _reading(context) as connection:
        found = _details(context, connection, _accounts_query().where(columns.anchor == name))
        if found:
            return found
        return _details(
            context, connection, _accounts_query().where(columns.person_id == find_person(connection, name))
        )


def _accounts_query() -> Select[Any]:
    columns, people_ = tables.known_accounts.c, tables.people.c
    joined = tables.known_accounts.outerjoin(tables.people, people_.id == columns.person_id)
    return select(tables.known_accounts, people_.name).select_from(joined).order_by(columns.person_id, columns.target)


def _account_row(context: Context, row: Row[Any]) -> AccountRow:
    name = None
    if row.target in context.loaded.settings.targets:
        name = _decode_attributes(row.attributes).get(context.capabilities(row.target).account_name)
    return AccountRow(
        person=row.person_id,
        name=row.name,
        target=row.target,
        account=None if name is None else str(name),
        enabled=bool(row.enabled),
        deactivated_on=row.deactivated_on,
        container=row.container,
        rule=row.rule,
        anchor=row.anchor,
    )


def _details(context: Context, connection: Connection, query: Select[Any]) -> tuple[AccountDetail, ...]:
    return tuple(_detail(context, connection, row) for row in connection.execute(query).all())


def _detail(context: Context, connection: Connection, row: Row[Any]) -> AccountDetail:
    groups, licences = tables.known_memberships.c, tables.known_licences.c
    return AccountDetail(
        account=_account_row(context, row),
        attributes={
            name: "***" if isinstance(value, Sealed) else value
            for name, value in sorted(_decode_attributes(row.attributes).items())
        },
        memberships=tuple(
            MembershipRow(*found)
            for found in connection.execute(
                select(groups.target, groups.group_key, groups.role, groups.rule)
                .where(groups.person_id == row.person_id, groups.target == row.target)
                .order_by(groups.group_key)
            )
        ),
        licences=tuple(
            LicenceRow(*found)
            for found in connection.execute(
                select(licences.target, licences.sku, licences.rule)
                .where(licences.person_id == row.person_id, licences.target == row.target)
                .order_by(licences.sku)
            )
        ),
        ruleset=row.ruleset_version,
    )


# ---------------------------------------------------------------- runs and quarantine


def runs(context: Context) -> Iterator[RunRow]:
    """Runs, the latest first, streaming."""
    with _reading(context) as connection:
        for row in connection.execute(select(tables.runs).order_by(tables.runs.c.id.desc())):
            yield _run_row(row)


def _run_row(row: Row[Any]) -> RunRow:
    return RunRow(row.id, row.command, row.actor, row.started_at, row.finished_at, row.status)


def quarantine(context: Context, *, source: str | None = None) -> Iterator[QuarantineRow]:
    """What imports left out, by source, file and line.

    Raises:
        NotFound: No source is called so.
    """
    columns = tables.quarantine.c
    query = select(tables.quarantine).order_by(columns.source, columns.file, columns.line, columns.id)
    if source is not None:
        query = query.where(columns.source == known_name("source", source, context.loaded.settings.sources))
    with _reading(context) as connection:
        for row in connection.execute(query):
            yield QuarantineRow(*row)


def quarantined(context: Context, row_id: int) -> QuarantineRow:
    """One row of the quarantine.

    Raises:
        NotFound: There is none with this id.
    """
    with _reading(context) as connection:
        row = connection.execute(select(tables.quarantine).where(tables.quarantine.c.id == row_id)).first()
        if row is None:
            raise NotFound("quarantined row", str(row_id))
        return QuarantineRow(*row)


@contextlib.contextmanager
def _reading(context: Context) -> Iterator[Connection]:
    with context.reading() as database, database.read() as connection:
        yield connection
