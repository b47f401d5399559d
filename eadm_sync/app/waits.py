"""Why a person's changes wait in the export queue, and how each thing came out last."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import msgspec
from sqlalchemy import Connection, select

from connectors.contract import Kind
from eadm_sync.app.context import Context
from eadm_sync.plan.change import password_subject, person_of
from eadm_sync.state import tables
from exportqueue import Item, State, queue_tables
from exportqueue.item import from_micros
from exportqueue.tables import IS_UNFINISHED


class Reason(msgspec.Struct, frozen=True):
    """One reason why a change is not delivered.

    Attributes:
        kind: `prerequisite` (another item has to be done first), `refused` (that item, or this one itself, is dead),
            `later` (not before a moment), `away` (the target does not answer), `paused` (somebody stopped the target)
            or `running` (a worker is at it).
        item: Number of the item meant, or None.
        what: What that item does, the error, or the reason of the pause; "" where there is nothing to say.
        until: When it is tried again, or None.
    """

    kind: str
    item: int | None = None
    what: str = ""
    until: datetime | None = None


class Wait(msgspec.Struct, frozen=True):
    """A change in the queue; with no reason it is delivered as soon as a worker gets to it."""

    item: Item
    reasons: tuple[Reason, ...]

    @property
    def what(self) -> str:
        """What it does: "create membership enhet-1301"."""
        return _what(self.item)


class Outcome(msgspec.Struct, frozen=True):
    """What was confirmed last of one object.

    Attributes:
        target: Name of the target.
        object: Object key, as in the audit.
        at: ISO text in UTC.
        action: What was done.
        run: The run whose change it was, or None.
        actor: Who did it.
    """

    target: str
    object: str
    at: str
    action: str
    run: str | None
    actor: str


def waits(context: Context, connection: Connection, person_id: str) -> Iterator[Wait]:
    """Everything of a person in the queue that is not done."""
    items = queue_tables().items.c
    subjects = (person_id, password_subject(person_id))
    query = select(items.id).where(IS_UNFINISHED, items.subject.in_(subjects)).order_by(items.id)
    unfinished = [context.queue.get(connection, item_id) for item_id in connection.scalars(query)]
    if not unfinished:
        return
    stops = dict(_stops(connection))
    for item in unfinished:
        yield Wait(item, tuple(_reasons(context, connection, item, stops)))


def _reasons(
    context: Context, connection: Connection, item: Item, stops: dict[str, tuple[Reason, ...]]
) -> Iterator[Reason]:
    match item.state:
        case State.DEAD:
            yield Reason("refused", item.id, item.last_error or "")
            return
        case State.RUNNING:
            yield Reason("running", until=item.lease_until)
            return
        case State.WAITING:
            dead = context.queue.held_by(connection, item.id)
            yield from (Reason("refused", one.id, f"{_what(one)}: {one.last_error or ''}") for one in dead)
            if not dead:
                needed = context.queue.prerequisites(connection, item.id)
                yield from (_prerequisite(one) for one in needed if one.finished_at is None)
    if item.not_before is not None and item.not_before > context.clock.now():
        yield Reason("later", what=item.last_error or "", until=item.not_before)
    yield from stops.get(item.target, ())


def _prerequisite(item: Item) -> Reason:
    return Reason("prerequisite", item.id, _what(item))


def _what(item: Item) -> str:
    """An operation with the name of its object; an account needs none beside its person."""
    person = person_of(item.subject) or item.subject
    name = item.object_key.removeprefix(f"account:{person}").removeprefix("group:")
    for kind in ("membership", "licence"):
        name = name.removeprefix(f"{kind}:{person}:")
    return f"{item.operation} {name}".rstrip()


def _stops(connection: Connection) -> Iterator[tuple[str, tuple[Reason, ...]]]:
    """Target → why nothing at all is delivered to it."""
    queue = queue_tables()
    pauses = connection.execute(select(queue.pauses.c.target, queue.pauses.c.reason))
    paused: dict[str, str] = {row.target: row.reason for row in pauses}
    circuits = queue.circuits.c
    away = {
        row.target: Reason("away", what=row.error, until=from_micros(row.probe_at))
        for row in connection.execute(select(circuits.target, circuits.error, circuits.probe_at))
    }
    for target in paused.keys() | away.keys():
        reasons = [Reason("paused", what=paused[target])] if target in paused else []
        yield target, (*reasons, *([away[target]] if target in away else []))


def outcomes(connection: Connection, person_id: str) -> Iterator[Outcome]:
    """The latest thing that was done to each object of a person in a target, the earliest first.

    What somebody did to a change in the queue is no outcome of it.
    """
    columns = tables.audit.c
    query = (
        select(columns.target, columns.object, columns.at, columns.action, columns.run_id, columns.actor)
        .where(columns.person_id == person_id, columns.target.is_not(None), columns.kind.in_(list(Kind)))
        .order_by(columns.id)
    )
    latest: dict[tuple[str, str], Outcome] = {}
    for row in connection.execute(query):
        latest.pop((row.target, row.object), None)
        latest[row.target, row.object] = Outcome(*row)
    yield from latest.values()
