"""What operators do with the export queue: look, retry, drop, pause, resume. What changes it is audited with it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Connection, select

from eadm_sync.app.context import Context
from eadm_sync.app.naming import find_person, known_name
from eadm_sync.app.resolving import naming_words
from eadm_sync.app.triggering import daemons
from eadm_sync.delivery.doubting import note_tried
from eadm_sync.delivery.looking_again import look_again
from eadm_sync.delivery.payload import unpack
from eadm_sync.errors import NotFound, StateError
from eadm_sync.plan.change import Change, group_key, person_of
from eadm_sync.state.auditing import AuditEntry, append_audit
from eadm_sync.state.scripts import Outcome, load_scripts
from exportqueue import Item, OpenCircuit, Phase, State, TargetStats, UnknownItem, Wanted, queue_tables
from exportqueue.item import UNFINISHED, from_micros
from exportqueue.tables import IS_DEAD, IS_UNFINISHED

_AT_ONCE = 500
"""Ids in one statement."""

_encode = msgspec.msgpack.Encoder().encode


class Lane(msgspec.Struct, frozen=True):
    """Whether a target gets its changes.

    Attributes:
        target: Its name.
        paused: Why it is paused, or None.
        paused_at: Since when, or None.
        away: How it is away, or None.
        is_orphan: Whether no target is configured under this name any more.
        has_daemon: Whether a daemon or worker is there that delivers what is due.
    """

    target: str
    paused: str | None
    paused_at: datetime | None
    away: OpenCircuit | None
    is_orphan: bool
    has_daemon: bool


class QueuedChange(msgspec.Struct, frozen=True):
    """One item of the queue with all that is known of it.

    Attributes:
        item: As the queue holds it.
        phase: Where it is.
        change: What it is to do; sensitive values are sealed. None where it cannot be read.
        unreadable: Why not, or None.
        waits_for: Its unfinished prerequisites.
        held_by: Dead items that it waits for, directly or through others.
        behind: Ids of what waits for it, directly or through others.
        lane: Whether its target gets its changes.
        outcome: For scripts, what came of the last run of the same one for the same account, or None.
    """

    item: Item
    phase: Phase
    change: Change | None
    unreadable: str | None
    waits_for: tuple[Item, ...]
    held_by: tuple[Item, ...]
    behind: tuple[int, ...]
    lane: Lane
    outcome: Outcome | None = None


class Listed(msgspec.Struct, frozen=True):
    """The first items that were looked for.

    Attributes:
        items: In order of id.
        phases: Where each of them is, by id.
        total: How many there are in all.
    """

    items: tuple[Item, ...]
    phases: dict[int, Phase]
    total: int


class Chosen(msgspec.Struct, frozen=True):
    """An item that is to be retried or dropped, as short as that needs it."""

    id: int
    target: str
    operation: str
    object_key: str
    subject: str
    last_error: str | None


class Done(msgspec.Struct, frozen=True):
    """What became of items.

    Attributes:
        done: Those that were retried or dropped.
        left: Ids of those that could not be: they are in another state.
        going_on: What waited for dropped ones, directly or through others, and was not dropped.
    """

    done: tuple[Chosen, ...]
    left: tuple[int, ...]
    going_on: tuple[Chosen, ...] = ()


# ---------------------------------------------------------------- looking


def stats(context: Context) -> tuple[TargetStats, ...]:
    """The queue by target: those of the configuration in its order, then others that something is queued for."""
    with context.reading() as database, database.read() as connection:
        found = {one.target: one for one in context.queue.stats(connection)}
    others = (name for name, one in found.items() if one.oldest is not None)
    names = dict.fromkeys((*context.loaded.settings.targets, *others))
    return tuple(found.get(name, TargetStats(name)) for name in names)


def remaining_seconds(target: TargetStats) -> float | None:
    """How long a target takes for what is on its way, if it goes on as lately; None where nobody can tell."""
    under_way = target.ready + target.waiting + target.running + target.retrying
    if not under_way or not target.rate_per_second or target.paused is not None or target.circuit is not None:
        return None
    return under_way / target.rate_per_second


def listed(
    context: Context,
    *,
    target: str | None = None,
    phase: str | None = None,
    subject: str | None = None,
    object_key: str | None = None,
    limit: int = 100,
) -> Listed:
    """The first items that fulfil all conditions given.

    Args:
        context: The installation.
        target: Only of this target.
        phase: Only there, one of `exportqueue.Phase`'s words. None: all that are unfinished.
        subject: Only of this person, by any of their names, or of this group ("group:<key>").
        object_key: Only about this object.
        limit: The most there are to be.

    Raises:
        NotFound, AmbiguousName: Target or person are not known so.
    """
    queue = context.queue
    with context.reading() as database, database.read() as connection:
        if target is not None:
            _known_target(context, connection, target)
        if subject is not None and not subject.startswith(group_key("")):
            subject = find_person(connection, subject)
        wanted = Wanted(target, None if phase is None else Phase(phase), subject, object_key)
        items = tuple(queue.select(connection, wanted, limit))
        total = len(items) if len(items) < limit else queue.count(connection, wanted)
        return Listed(items, queue.phases(connection, items), total)


def item(context: Context, item_id: int) -> QueuedChange:
    """One item, with what it is to do and what it waits for.

    Raises:
        NotFound: There is none with this id.
    """
    queue = context.queue
    with context.reading() as database, database.read() as connection:
        try:
            found = queue.get(connection, item_id)
        except UnknownItem as error:
            raise NotFound("queued change", str(item_id)) from error
        change, unreadable = _read(context, found)
        is_waiting = found.state is State.WAITING
        needed = queue.prerequisites(connection, item_id) if is_waiting else ()
        return QueuedChange(
            item=found,
            phase=queue.phases(connection, [found])[item_id],
            change=change,
            unreadable=unreadable,
            waits_for=tuple(one for one in needed if one.state in UNFINISHED),
            held_by=tuple(queue.held_by(connection, item_id)) if is_waiting else (),
            behind=tuple(queue.behind(connection, [item_id])) if found.state in UNFINISHED else (),
            lane=_lane(context, connection, found.target),
            outcome=_outcome(context, connection, change),
        )


def _outcome(context: Context, connection: Connection, change: Change | None) -> Outcome | None:
    """What came of the last run of a script."""
    if change is None or change.script is None or change.person is None:
        return None
    known = load_scripts(connection, context.vault, [change.person]).get(change.person, {})
    one = known.get((change.target, change.script.name))
    return one.outcome if one else None


def lanes(context: Context, targets: Collection[str]) -> tuple[Lane, ...]:
    """Whether some targets get their changes, by name."""
    with context.reading() as database, database.read() as connection:
        return tuple(_lane(context, connection, target) for target in sorted(set(targets)))


def chosen(context: Context, ids: Collection[int]) -> tuple[Chosen, ...]:
    """Items by their ids.

    Raises:
        NotFound: One of the ids does not exist.
    """
    with context.reading() as database, database.read() as connection:
        return _chosen(connection, ids)


def all_dead(context: Context, target: str, *, orphans: bool = False) -> tuple[Chosen, ...]:
    """Every dead item of a target; with `orphans`, of one that is not configured any more all that is unfinished.

    Raises:
        NotFound: No target is called so, in the configuration or in the queue.
    """
    items = queue_tables().items.c
    with context.reading() as database, database.read() as connection:
        _known_target(context, connection, target)
        is_orphan = target not in context.loaded.settings.targets
        which = IS_UNFINISHED if orphans and is_orphan else IS_DEAD
        columns = (items[name] for name in Chosen.__struct_fields__)
        query = select(*columns).where(which, items.target == target).order_by(items.id)
        return tuple(Chosen(*row) for row in connection.execute(query))


# ---------------------------------------------------------------- acting


def retry(context: Context, ids: Collection[int]) -> Done:
    """Makes dead items ready again, with all their attempts.

    Raises:
        NotFound: One of the ids does not exist; nothing was done.
    """
    with context.writing() as database, database.write() as connection:
        return _change(context, connection, _chosen(connection, ids), "retry", None, context.queue.resurrect)


def drop(context: Context, ids: Collection[int], reason: str, *, with_waiting: bool = False) -> Done:
    """Drops unstarted items for good; what waited for them goes on, or is dropped too if `with_waiting`.

    The next run looks at the people of both anew: what they still lack is planned again.

    Raises:
        NotFound: One of the ids does not exist; nothing was done.
    """
    queue = context.queue

    def act(connection: Connection, some: Collection[int]) -> frozenset[int]:
        return queue.drop(connection, some, reason)

    with context.writing() as database, database.write() as connection:
        queue.hold_up(connection)  # what waits must not begin meanwhile
        asked = _chosen(connection, ids)
        _note_tried(context, connection, {one.subject for one in asked})
        behind = set(queue.behind(connection, [one.id for one in asked])) - {one.id for one in asked}
        done = _change(context, connection, asked, "drop", reason, act)
        waited = _chosen(connection, behind - set(queue.behind(connection, done.left)))
        also = _change(context, connection, waited if with_waiting else (), "drop", reason, act)
        look_again(connection, {one.subject for one in (*done.done, *waited)})
    return Done(done.done + also.done, done.left + also.left, () if with_waiting else waited)


def _note_tried(context: Context, connection: Connection, subjects: Collection[str]) -> None:
    """Writes down what the targets may have done of what is dropped; of what nobody can read, that is not known."""
    words = naming_words(context)
    for subject in sorted(subjects):
        with contextlib.suppress(StateError):
            note_tried(connection, context.queue, context.vault, [subject], words)


def pause(context: Context, target: str, reason: str) -> None:
    """Lets nothing more be delivered to a target; what is under way goes on. A second pause replaces the reason.

    Raises:
        NotFound: No target is called so.
    """
    known_name("target", target, context.loaded.settings.targets)
    with context.writing() as database, database.write() as connection:
        context.queue.pause(connection, target, reason)
        append_audit(connection, context.vault, [_entry(context, "pause", target, target, None, {"reason": reason})])


def resume(context: Context, target: str, reason: str | None = None) -> bool:
    """Ends a pause; returns whether there was one.

    Raises:
        NotFound: No target is called so, in the configuration or in the queue.
    """
    with context.writing() as database, database.write() as connection:
        _known_target(context, connection, target)
        if _lane(context, connection, target).paused is None:
            return False
        context.queue.resume(connection, target)
        detail = {} if reason is None else {"reason": reason}
        append_audit(connection, context.vault, [_entry(context, "resume", target, target, None, detail)])
        return True


def _change(
    context: Context,
    connection: Connection,
    items: Sequence[Chosen],
    action: str,
    reason: str | None,
    act: Callable[[Connection, Collection[int]], frozenset[int]],
) -> Done:
    """Acts on items and audits it, in one transaction."""
    changed = act(connection, [one.id for one in items])
    done = tuple(one for one in items if one.id in changed)
    append_audit(connection, context.vault, (_entry_of(context, action, one, reason) for one in done))
    return Done(done, tuple(one.id for one in items if one.id not in changed))


# ---------------------------------------------------------------- within


def _lane(context: Context, connection: Connection, target: str) -> Lane:
    pauses = queue_tables().pauses.c
    pause_ = connection.execute(select(pauses.reason, pauses.paused_at).where(pauses.target == target)).first()
    return Lane(
        target=target,
        paused=None if pause_ is None else pause_.reason,
        paused_at=None if pause_ is None else from_micros(pause_.paused_at),
        away=context.queue.open_circuit(connection, target),
        is_orphan=target not in context.loaded.settings.targets,
        has_daemon=any(one.is_alive for one in daemons(connection, context.clock.now())),
    )


def _known_target(context: Context, connection: Connection, target: str) -> None:
    """Refuses a name that neither the configuration nor the queue knows."""
    known = context.loaded.settings.targets
    if target not in known:
        queued = (one.target for one in context.queue.stats(connection, finished=False))
        known_name("target", target, {*known, *queued})


def _chosen(connection: Connection, ids: Collection[int]) -> tuple[Chosen, ...]:
    ordered = sorted(set(ids))
    items = queue_tables().items.c
    columns = [items[name] for name in Chosen.__struct_fields__]
    found: list[Chosen] = []
    for begin in range(0, len(ordered), _AT_ONCE):
        query = select(*columns).where(items.id.in_(ordered[begin : begin + _AT_ONCE])).order_by(items.id)
        found += (Chosen(*row) for row in connection.execute(query))
    missing = sorted(set(ordered) - {one.id for one in found})
    if missing:
        raise NotFound("queued change", ", ".join(map(str, missing)))
    return tuple(found)


def _read(context: Context, found: Item) -> tuple[Change | None, str | None]:
    try:
        return unpack(found.payload, found.format, context.vault), None
    except StateError as error:
        return None, str(error)


def _entry_of(context: Context, action: str, one: Chosen, reason: str | None) -> AuditEntry:
    detail = {"item": one.id, "operation": one.operation, **({} if reason is None else {"reason": reason})}
    return _entry(context, action, one.target, one.object_key, person_of(one.subject), detail)


def _entry(
    context: Context, action: str, target: str, object_: str, person: str | None, detail: Mapping[str, object]
) -> AuditEntry:
    now = context.clock.now().isoformat()
    return AuditEntry(now, None, context.actor, target, "queue", action, object_, person, _encode(detail))
