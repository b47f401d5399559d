"""What operators do with the export queue: look, retry, drop, pause, resume. What changes it is audited with it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from heapq import merge
from itertools import islice

import msgspec
from sqlalchemy import Connection

from eadm_sync.app.context import Context
from eadm_sync.app.naming import find_person, known_name
from eadm_sync.delivery.looking_again import look_again
from eadm_sync.delivery.payload import unpack
from eadm_sync.errors import NotFound, StateError
from eadm_sync.plan.change import Change, group_key
from eadm_sync.state.auditing import AuditEntry, append_audit
from exportqueue import Item, OpenCircuit, State, TargetStats, UnknownItem

_UNFINISHED = (State.WAITING, State.READY, State.RUNNING, State.DEAD)
_encode = msgspec.msgpack.Encoder().encode


class QueuedChange(msgspec.Struct, frozen=True):
    """One item of the queue with all that is known of it.

    Attributes:
        item: As the queue holds it.
        change: What it is to do; sensitive values are sealed. None where it cannot be read.
        unreadable: Why not, or None.
        waits_for: Its unfinished prerequisites.
        held_by: Dead items that it waits for, directly or through others.
        paused: Why its target is paused, or None.
        away: How its target is away, or None.
        is_orphan: Whether no target is configured under this name any more.
    """

    item: Item
    change: Change | None
    unreadable: str | None
    waits_for: tuple[Item, ...]
    held_by: tuple[Item, ...]
    paused: str | None
    away: OpenCircuit | None
    is_orphan: bool


class Done(msgspec.Struct, frozen=True):
    """Ids of items that were retried or dropped, and of those that could not be: they are in another state."""

    done: tuple[int, ...]
    left: tuple[int, ...]


def stats(context: Context) -> tuple[TargetStats, ...]:
    """The queue by target."""
    with context.reading() as database, database.read() as connection:
        return tuple(context.queue.stats(connection))


def items(
    context: Context,
    *,
    target: str | None = None,
    state: str | None = None,
    subject: str | None = None,
    limit: int = 100,
) -> tuple[Item, ...]:
    """Up to `limit` items in order of id: those in one state, or else all that are not finished.

    Args:
        context: The installation.
        target: Only of this target.
        state: Only in this state, one of `exportqueue.State`'s words.
        subject: Only of this person, by any of their names, or of this group ("group:<key>").
        limit: The most there are to be.

    Raises:
        NotFound, AmbiguousName: Target or person are not known so.
    """
    if target is not None:
        known_name("target", target, context.loaded.settings.targets)
    with context.reading() as database, database.read() as connection:
        if subject is not None and not subject.startswith(group_key("")):
            subject = find_person(connection, subject)
        states = _UNFINISHED if state is None else (State(state),)
        found = [context.queue.list(connection, target, each, subject, limit) for each in states]
        return tuple(islice(merge(*found, key=lambda item: item.id), limit))


def item(context: Context, item_id: int) -> QueuedChange:
    """One item, with what it is to do and what it waits for.

    Raises:
        NotFound: There is none with this id.
    """
    queue = context.queue
    with context.reading() as database, database.read() as connection:
        found = _get(context, connection, item_id)
        stats = (one for one in queue.stats(connection, finished=False) if one.target == found.target)
        target = next(stats, TargetStats(found.target))
        change, unreadable = _read(context, found)
        is_waiting = found.state is State.WAITING
        return QueuedChange(
            item=found,
            change=change,
            unreadable=unreadable,
            waits_for=tuple(
                one for one in queue.prerequisites(connection, item_id) if is_waiting and one.state in _UNFINISHED
            ),
            held_by=tuple(queue.held_by(connection, item_id)) if is_waiting else (),
            paused=target.paused,
            away=target.circuit,
            is_orphan=found.target not in context.loaded.settings.targets,
        )


def retry(context: Context, ids: Collection[int]) -> Done:
    """Makes dead items ready again, with all their attempts.

    Raises:
        NotFound: One of the ids does not exist; nothing was done.
    """
    return _change(context, ids, "retry", None, context.queue.resurrect)


def drop(context: Context, ids: Collection[int], reason: str) -> Done:
    """Drops unstarted items for good. The next run looks at their people anew: what they still lack is planned again.

    Raises:
        NotFound: One of the ids does not exist; nothing was done.
    """

    def dropped(connection: Connection, chosen: Collection[int]) -> frozenset[int]:
        return context.queue.drop(connection, chosen, reason)

    return _change(context, ids, "drop", reason, dropped)


def pause(context: Context, target: str, reason: str) -> None:
    """Lets nothing more be delivered to a target; what is under way goes on.

    Raises:
        NotFound: No target is called so.
    """
    known_name("target", target, context.loaded.settings.targets)
    with context.writing() as database, database.write() as connection:
        context.queue.pause(connection, target, reason)
        append_audit(connection, context.vault, [_entry(context, "pause", target, target, None, {"reason": reason})])


def resume(context: Context, target: str) -> bool:
    """Ends a pause; returns whether there was one.

    Raises:
        NotFound: No target is called so, in the configuration or in the queue.
    """
    with context.writing() as database, database.write() as connection:
        paused = {one.target: one.paused for one in context.queue.stats(connection)}
        known_name("target", target, {*context.loaded.settings.targets, *paused})
        if paused.get(target) is None:
            return False
        context.queue.resume(connection, target)
        append_audit(connection, context.vault, [_entry(context, "resume", target, target, None, {})])
        return True


def _change(
    context: Context,
    ids: Collection[int],
    action: str,
    reason: str | None,
    act: Callable[[Connection, Collection[int]], frozenset[int]],
) -> Done:
    """Acts on items and audits it, in one transaction."""
    with context.writing() as database, database.write() as connection:
        chosen = {item_id: _get(context, connection, item_id) for item_id in sorted(set(ids))}
        done = act(connection, chosen)
        changed = [chosen[item_id] for item_id in sorted(done)]
        if action == "drop":
            look_again(connection, {one.subject for one in changed})
        append_audit(connection, context.vault, (_entry_of(context, action, one, reason) for one in changed))
    return Done(tuple(sorted(done)), tuple(item_id for item_id in chosen if item_id not in done))


def _get(context: Context, connection: Connection, item_id: int) -> Item:
    try:
        return context.queue.get(connection, item_id)
    except UnknownItem as error:
        raise NotFound("queued change", str(item_id)) from error


def _read(context: Context, found: Item) -> tuple[Change | None, str | None]:
    try:
        return unpack(found.payload, found.format, context.vault), None
    except StateError as error:
        return None, str(error)


def _entry_of(context: Context, action: str, one: Item, reason: str | None) -> AuditEntry:
    detail = {"item": one.id, "operation": one.operation, **({} if reason is None else {"reason": reason})}
    person = None if one.subject.startswith(group_key("")) else one.subject
    return _entry(context, action, one.target, one.object_key, person, detail)


def _entry(
    context: Context, action: str, target: str, object_: str, person: str | None, detail: Mapping[str, object]
) -> AuditEntry:
    now = context.clock.now().isoformat()
    return AuditEntry(now, None, context.actor, target, "queue", action, object_, person, _encode(detail))
