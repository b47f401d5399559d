"""The audit for whoever has to answer: its lines, whether they are as they were written, and who had what when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, select

from connectors.contract import Kind
from eadm_sync.app.context import Context
from eadm_sync.app.naming import find_person, known_name
from eadm_sync.errors import NotFound
from eadm_sync.events import get_logger
from eadm_sync.model import Sealed
from eadm_sync.plan.audited import WARN
from eadm_sync.plan.known_state import HeldLink, HeldObject, KnownState
from eadm_sync.state import tables
from eadm_sync.state.known import Attributes
from eadm_sync.state.sealing import check_key
from eadm_sync.state.verifying import Verified, add_checkpoint
from eadm_sync.state.verifying import verify as verify_chain

log = get_logger(__name__)

_KINDS = tuple(str(kind) for kind in Kind)
_ROWS_AT_ONCE = 1_000
_HIDDEN = "***"

_decode = msgspec.msgpack.Decoder().decode
_decode_attributes = msgspec.msgpack.Decoder(Attributes).decode


class AuditRow(msgspec.Struct, frozen=True):
    """One line of the audit.

    `detail` holds what changed: for what was done in a target `attributes` and `container` with `old` and `new`, `rule`
    and `reason`; sensitive values are '***'. Empty where the person was purged.
    """

    id: int
    at: str
    run: str | None
    actor: str
    target: str | None
    kind: str
    action: str
    object: str
    person: str | None
    detail: dict[str, Any]


class Wanted(msgspec.Struct, frozen=True):
    """Which lines are wanted: those for which all that is given holds.

    Attributes:
        since: First moment or day, included.
        until: Last moment or day, included.
        person: Any name of a person.
        target: Name of a target; one that is not configured any more is fine.
        kind: `account`, `group`, `hold`, `ruleset`, …
        action: `create`, `release`, …
        actor: Who did it: `eadm-sync` for what was delivered, else a user.
        run: Id of a run.
        object: Object key, as the lines have it.
    """

    since: date | datetime | None = None
    until: date | datetime | None = None
    person: str | None = None
    target: str | None = None
    kind: str | None = None
    action: str | None = None
    actor: str | None = None
    run: str | None = None
    object: str | None = None


# ---------------------------------------------------------------- its lines


def audit_lines(context: Context, wanted: Wanted) -> Iterator[AuditRow]:
    """The lines wanted, the earliest first, streaming.

    Raises:
        NotFound, AmbiguousName: The person is not known so.
    """
    with context.reading() as database, database.read() as connection:
        query = _query(context, connection, wanted)
        yield from map(audit_row, connection.execute(query.execution_options(yield_per=_ROWS_AT_ONCE)))


def _query(context: Context, connection: Connection, wanted: Wanted) -> Select[Any]:
    columns = tables.audit.c
    equal = {
        columns.person_id: None if wanted.person is None else person_in_audit(connection, wanted.person),
        columns.target: wanted.target,
        columns.kind: wanted.kind,
        columns.action: wanted.action,
        columns.actor: wanted.actor,
        columns.run_id: wanted.run,
        columns.object: wanted.object,
    }
    query = select(tables.audit).order_by(columns.id)
    query = query.where(*(column == value for column, value in equal.items() if value is not None))
    if wanted.since is not None:
        query = query.where(columns.at >= _text(_start_of(wanted.since, context)))
    if wanted.until is not None:
        query = query.where(columns.at <= _text(_end_of(wanted.until, context)))
    return query


def person_in_audit(connection: Connection, name: str) -> str:
    """A person's id, by any name; also of somebody whom only the audit still knows, by that id.

    Raises:
        NotFound, AmbiguousName: As `find_person`.
    """
    try:
        return find_person(connection, name)
    except NotFound:
        columns = tables.audit.c
        if connection.scalar(select(columns.id).where(columns.person_id == name).limit(1)) is None:
            raise
        return name


def _start_of(when: date | datetime, context: Context) -> datetime:
    """The moment, or the beginning of the day in the configured time zone."""
    if isinstance(when, datetime):
        return when
    return datetime.combine(when, time(), context.loaded.settings.organisation.zone)


def _end_of(when: date | datetime, context: Context) -> datetime:
    """The moment, or the last one of the day in the configured time zone."""
    if isinstance(when, datetime):
        return when
    return datetime.combine(when, time.max, context.loaded.settings.organisation.zone)


def _text(moment: datetime) -> str:
    try:
        return moment.astimezone(UTC).isoformat()
    except OverflowError:  # the first day of the calendar, east of Greenwich
        return moment.replace(tzinfo=UTC).isoformat()


def audit_row(row: Row[Any]) -> AuditRow:
    """A line as it is shown."""
    return AuditRow(
        *(row.id, row.at, row.run_id, row.actor, row.target, row.kind, row.action, row.object, row.person_id),
        detail={} if row.detail is None else _detail(row.detail),
    )


def _detail(stored: bytes) -> dict[str, Any]:
    """What a line tells, without what its columns say; some are the plain text of a reason."""
    try:
        told = _decode(stored)
    except (msgspec.DecodeError, UnicodeDecodeError):
        told = None
    if not isinstance(told, dict):
        return {"reason": stored.decode(errors="replace")}
    shown = {name: _shown(value) for name, value in told.items() if name not in _IN_COLUMNS}
    if "attributes" in told:
        pairs = shown["attributes"].items()
        shown["attributes"] = {name: {"old": old, "new": new} for name, (old, new) in pairs}
    if told.get("container") is not None:
        old, new = shown["container"]
        shown["container"] = {"old": old, "new": new}
    return shown


_IN_COLUMNS = frozenset({"target", "kind", "action", "person"})


def _shown(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"ciphertext", "digest"}:
            return _HIDDEN
        return {name: _shown(each) for name, each in value.items()}
    return [_shown(each) for each in value] if isinstance(value, list) else value


# ---------------------------------------------------------------- whether they are as they were written


def verify(context: Context, expected: Sequence[bytes] = ()) -> Verified:
    """Looks at every line of the audit.

    Args:
        context: The installation.
        expected: Digests that `checkpoint` said and that were kept elsewhere.

    Raises:
        StateError: The state cannot be read, or the key file is not its own.
    """
    with context.reading() as database, database.read() as connection:
        check_key(connection, context.vault)
        return verify_chain(connection, context.vault, expected)


def checkpoint(context: Context) -> tuple[int, str]:
    """Adds a line that commits to all that the audit holds; returns its id and its digest, which to keep elsewhere.

    Raises:
        StateError: The state cannot be written, or the key file is not its own.
    """
    with context.writing() as database:
        with database.read() as connection:
            check_key(connection, context.vault)
        with database.write() as connection:
            now = context.clock.now().isoformat()
            line, digest = add_checkpoint(connection, context.vault, now, context.actor)
    log.info("audit.checkpoint", line=line, digest=digest.hex())
    return line, digest.hex()


# ---------------------------------------------------------------- who had what when


class Held(msgspec.Struct, frozen=True):
    """One thing that was there at a moment.

    Attributes:
        person: Id of the person who had it; None for groups and nestings.
        target: Name of the target.
        kind: Account, group, membership, nesting or licence.
        name: Key of the group, or the product; for an account its anchor.
        state: `enabled` or `disabled` for an account, the role of a membership, for a nesting the group that was in it.
        rule: Rule that gave it, or last changed it.
        since: Since when it had been there, ISO text in UTC.
        attributes: Of accounts and groups; sensitive ones as '***'. Empty where its person was purged since.
    """

    person: str | None
    target: str
    kind: Kind
    name: str
    state: str
    rule: str
    since: str
    attributes: dict[str, Any]


def as_of(
    context: Context,
    when: date | datetime,
    *,
    person: str | None = None,
    target: str | None = None,
    group: str | None = None,
    licence: str | None = None,
) -> Iterator[Held]:
    """What targets were known to hold at a moment, or at the end of a day in the configured time zone.

    Args:
        context: The installation.
        when: The moment or the day.
        person: Any name of a person; only what they had.
        target: Only this target.
        group: Key of a group; only it, its members and the groups in it.
        licence: Only who had this product.

    Raises:
        NotFound, AmbiguousName: Person or target is not known so.
    """
    moment = _end_of(when, context)
    with context.reading() as database, database.read() as connection:
        if target is not None:
            used = connection.scalars(select(tables.audit.c.target).where(tables.audit.c.target == target).limit(1))
            known_name("target", target, {*context.loaded.settings.targets, *filter(None, used)})
        person_id = None if person is None else person_in_audit(connection, person)
        state = state_at(connection, moment, person_id=person_id, target=target)
    wanted_group = None if group is None else group.casefold()
    for one in held(state):
        keys = {one.name.casefold(), one.state.casefold() if one.kind is Kind.NESTING else ""}
        about_group = one.kind in _ABOUT_GROUPS and wanted_group in keys
        about_licence = one.kind is Kind.LICENCE and one.name == licence
        if (group is None and licence is None) or about_group or about_licence:
            yield one


_ABOUT_GROUPS = (Kind.GROUP, Kind.MEMBERSHIP, Kind.NESTING)


def state_at(
    connection: Connection,
    moment: datetime | None = None,
    *,
    person_id: str | None = None,
    target: str | None = None,
) -> KnownState:
    """Known state at a moment as the audit tells it; of one person or one target where that is given.

    Args:
        connection: A connection that reads.
        moment: With its time zone; None for now.
        person_id: Only what is of this person: no groups and nestings.
        target: Only what is in this target.
    """
    columns = tables.audit.c
    query = select(
        *(columns.at, columns.target, columns.kind, columns.action, columns.object, columns.person_id, columns.detail)
    ).where(columns.kind.in_(_KINDS), columns.action != WARN)
    if moment is not None:
        query = query.where(columns.at <= _text(moment))
    if person_id is not None:
        query = query.where(columns.person_id == person_id)
    if target is not None:
        query = query.where(columns.target == target)
    state = KnownState()
    for row in connection.execute(query.order_by(columns.id).execution_options(yield_per=_ROWS_AT_ONCE)):
        state.apply(row)
    return state


def held(state: KnownState) -> Iterator[Held]:
    """All that is in a known state, people first, by id and key."""
    for (person, target), one in sorted(state.accounts.items()):
        word = "" if one.enabled is None else "enabled" if one.enabled else "disabled"
        yield _object(person, target, Kind.ACCOUNT, one.anchor or "", word, one)
    for (person, target, group), link in sorted(state.memberships.items()):
        yield Held(person, target, Kind.MEMBERSHIP, group, link.role, link.rule, link.since, {})
    for (person, target, sku), link in sorted(state.licences.items()):
        yield Held(person, target, Kind.LICENCE, sku, "", link.rule, link.since, {})
    for (target, key), one in sorted(state.groups.items()):
        yield _object(None, target, Kind.GROUP, key, "", one)
    for (target, group, member), link in sorted(state.nestings.items()):
        yield Held(None, target, Kind.NESTING, group, member, link.rule, link.since, {})


def _object(person: str | None, target: str, kind: Kind, name: str, word: str, one: HeldObject) -> Held:
    values = {name: _HIDDEN if isinstance(value, Sealed) else value for name, value in one.attributes.items()}
    return Held(person, target, kind, name, word, one.rule, one.since, values)


# ---------------------------------------------------------------- whether the audit tells it all


def untold(connection: Connection) -> tuple[str, ...]:
    """What is known and is not as the audit tells it, or the other way round, by target and object key; streaming.

    Rules are left out: an entry of a ruleset can take the place of another one without anything changing in a target.
    """
    told, known = state_at(connection), known_state(connection)
    found: list[str] = []
    for name in ("accounts", "groups", "memberships", "nestings", "licences"):
        one, other = getattr(told, name), getattr(known, name)
        found += (
            f"{name} {'/'.join(key)}"
            for key in sorted(one.keys() | other.keys())
            if _comparable(one.get(key)) != _comparable(other.get(key))
        )
    return tuple(found)


def known_state(connection: Connection) -> KnownState:
    """Known state as it is stored now, in the form in which the audit tells it; `since` is empty."""
    state = KnownState()
    for row in connection.execute(select(tables.known_accounts)):
        day = None if row.deactivated_on is None else date.fromisoformat(row.deactivated_on)
        values = _decode_attributes(row.attributes)
        state.accounts[row.person_id, row.target] = HeldObject(
            row.anchor, row.container, bool(row.enabled), values, row.rule, "", day
        )
    for row in connection.execute(select(tables.known_groups)):
        values = _decode_attributes(row.attributes)
        state.groups[row.target, row.key] = HeldObject(row.anchor, row.container, None, values, row.rule)
    for row in connection.execute(select(tables.known_memberships)):
        state.memberships[row.person_id, row.target, row.group_key] = HeldLink(row.role, row.rule)
    for row in connection.execute(select(tables.known_nestings)):
        state.nestings[row.target, row.group_key, row.member_key] = HeldLink("", row.rule)
    for row in connection.execute(select(tables.known_licences)):
        state.licences[row.person_id, row.target, row.sku] = HeldLink("", row.rule)
    return state


def _comparable(one: HeldObject | HeldLink | None) -> object:
    if isinstance(one, HeldObject):
        values = {name: value.digest if isinstance(value, Sealed) else value for name, value in one.attributes.items()}
        return one.anchor, one.container, one.enabled, values, one.deactivated_on
    return None if one is None else one.role
