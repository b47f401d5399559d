"""Accepts a plan: import, queue items and identifiers are written down in one transaction.

Workers go on meanwhile, so that a plan can be overtaken before it is accepted. What it says of people and groups that a
worker has changed since, or is at work on, is left out and looked at again by the next run; all else holds, since
nothing that it stands on has moved.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec
from sqlalchemy import Connection, select

from connectors.contract import Action, Kind
from eadm_sync.app.configurations import note_configuration
from eadm_sync.app.context import Context
from eadm_sync.app.planning import EVALUATED_WITH, Planned
from eadm_sync.app.releasing import note_used
from eadm_sync.app.resolving import naming_words
from eadm_sync.app.versions import note_ruleset
from eadm_sync.delivery.doubting import note_tried
from eadm_sync.delivery.enqueueing import items
from eadm_sync.delivery.looking_again import look_again
from eadm_sync.errors import PlanOutdated
from eadm_sync.identifiers import store
from eadm_sync.plan.change import Change, Frame, GroupFrame, PersonFrame, group_key, membership_key
from eadm_sync.plan.plan import Plan
from eadm_sync.state import bulk, tables
from eadm_sync.state.auditing import AuditEntry, append_audit
from eadm_sync.state.orders import load_orders
from eadm_sync.state.outcomes import known_versions, note_lost, note_renamed
from eadm_sync.state.sealing import note_key
from exportqueue import State, Unfinished

Key = tuple[str, str]
"""(target, key of a group)"""

_decode = msgspec.msgpack.Decoder(Change).decode


@dataclass(frozen=True)
class Accepted:
    """What became of a plan.

    Attributes:
        enqueued: Changes put into the queue.
        superseded: Queued changes of former runs that newer ones replaced.
        left_out: How many people and groups were left to the next run, since a worker had changed them.
    """

    enqueued: int
    superseded: int
    left_out: int


@dataclass
class _Moved:
    """What workers have changed since a plan was made, or are at work on.

    Attributes:
        people: Their ids.
        groups: Groups that were changed themselves, or their places in other groups.
        filled: Groups whose members were changed.
    """

    people: set[str] = field(default_factory=set)
    groups: set[Key] = field(default_factory=set)
    filled: set[Key] = field(default_factory=set)

    def add(self, target: str, subject: str) -> None:
        """Adds what a queued change is about."""
        if subject.startswith(group_key("")):
            self.groups.add((target, subject.removeprefix(group_key(""))))
        else:
            self.people.add(subject)

    def touches(self, frame: Frame) -> bool:
        """Whether a frame stands on what is no longer so."""
        if isinstance(frame, PersonFrame):
            return frame.person in self.people
        target, _, key = frame.key.partition(":")
        ends = any(change.kind is Kind.GROUP and change.action is Action.DELETE for change in frame.changes)
        return (target, key) in self.groups or (ends and (target, key) in self.filled)


def accept(
    context: Context, connection: Connection, made: Planned, *, run_id: str, reason: str | None, strict: bool
) -> Accepted:
    """Writes a plan down, in the caller's transaction.

    Args:
        context: The installation.
        connection: A connection that may write.
        made: The plan.
        run_id: The run that made it.
        reason: Why holds are let go, for the audit.
        strict: Refuse a plan that was overtaken: all of it was agreed to, or nothing.

    Raises:
        PlanOutdated: It was, and is not to be accepted in part.
    """
    plan = made.plan
    # From here on no worker writes down what it has delivered; on PostgreSQL those that had begun to have ended.
    context.queue.hold_up(connection)
    queued = list(context.queue.unfinished(connection))
    moved = _Moved() if strict else _moved(context, connection, made, queued)
    reordered = _reordered(connection, made)
    moved.people |= reordered
    if strict:
        _require_unmoved(context, connection, made, reordered)
    superseded, taken_up, orphans = _supersede(context, connection, made, queued, moved)
    if not strict:
        moved.people |= taken_up
    plan_id = f"{run_id}-{plan.hash}"
    enqueued = context.queue.enqueue(
        connection, items(_changes(made, moved), context.vault), plan_id=plan_id, run_id=run_id
    )
    looked_at = plan.due
    if moved.people:
        looked_at = {person: day for person, day in plan.due.items() if person not in moved.people}
    made.imported.write(connection, looked_at)
    overtaken = moved.groups & set(plan.overtaken)
    look_again(connection, (group_key(key) for _, key in overtaken))
    left_out = moved.people & plan.due.keys()
    left_groups = [frame for frame in plan.groups if moved.touches(frame)]
    _note_people(connection, made, looked_at.keys(), {*left_out, *taken_up, *orphans, *_members(left_groups)})
    store(connection, _allocated(made, moved), context.clock.now().isoformat())
    _note_formers(connection, made, moved)
    _note_plan(context, connection, made, plan_id, run_id, reason)
    return Accepted(enqueued, superseded, len(left_out) + len(left_groups) + len(overtaken))


def _reordered(connection: Connection, made: Planned) -> frozenset[str]:
    """People who were stopped, or the like, since the plan was made: what it says of them is out of date."""
    before, now = made.plan.orders, load_orders(connection)
    return frozenset(person for person in before.keys() | now.keys() if before.get(person) != now.get(person))


def _require_unmoved(context: Context, connection: Connection, made: Planned, reordered: Collection[str]) -> None:
    if reordered:
        people = ", ".join(sorted(reordered))
        raise PlanOutdated((f"orders were given about {people} since the plan was made; run it again",))
    moved = ", ".join(_moved_targets(context, connection, made))
    if moved:
        raise PlanOutdated((f"changes were delivered to {moved} since the plan was made; run it again",))


def _moved_targets(context: Context, connection: Connection, made: Planned) -> list[str]:
    """Targets that have confirmed something since the plan was made, in order."""
    known = made.plan.basis.known
    versions = known_versions(connection, tuple(context.loaded.settings.targets))
    return sorted(name for name, version in versions.items() if known.get(name) != version)


def _moved(context: Context, connection: Connection, made: Planned, queued: Iterable[Unfinished]) -> _Moved:
    """What workers have changed since the plan was made, by the audit, or are at work on, by the queue."""
    moved = _Moved()
    for item in queued:
        if item.state is State.RUNNING:
            moved.add(item.target, item.subject)
    audit = tables.audit.c
    kinds = [str(kind) for kind in Kind]
    for target in _moved_targets(context, connection, made):
        query = select(audit.person_id, audit.kind, audit.object, audit.detail).where(
            audit.id > made.marks.get(target, 0), audit.target == target, audit.kind.in_(kinds)
        )
        for person, kind, object_key, detail in connection.execute(query):
            if person is None:
                change = _decode(detail)
                moved.add(target, change.subject)
                moved.filled.add((target, change.group or ""))
            else:
                moved.people.add(person)
                if kind == Kind.MEMBERSHIP:
                    moved.filled.add((target, object_key.removeprefix(membership_key(person, ""))))
    return moved


def _changes(made: Planned, moved: _Moved) -> Iterator[Change]:
    """The changes that are accepted."""
    for frame, accepted, _ in made.plan.judged():
        if not moved.touches(frame):
            yield from accepted


# ---------------------------------------------------------------- what a newer plan replaces


def _supersede(
    context: Context, connection: Connection, made: Planned, queued: Sequence[Unfinished], moved: _Moved
) -> tuple[int, frozenset[str], frozenset[str]]:
    """Drops queued changes of everybody who was evaluated, and of the groups that are planned anew.

    Returns how many; those whose changes a worker took up in this very moment, so that the plan does not know what
    came of them; and those whose memberships waited for a group that could not be made, to be planned anew behind the
    new one.
    """
    if not queued:
        return 0, frozenset(), frozenset()
    planned = made.plan.due.keys() - moved.people
    groups = {_group_of(frame) for frame in made.plan.groups if not moved.touches(frame)}
    groups |= {(target, group_key(key)) for target, key in made.plan.overtaken if (target, key) not in moved.groups}
    dead = {
        (item.target, item.object_key)
        for item in queued
        if item.state is State.DEAD and (item.target, item.object_key) in groups
    }
    orphans = frozenset({item.subject for item in queued if dead and _waits_for(item, dead)} - planned)
    subjects = {item.subject for item in queued} & (planned | orphans)
    groups &= {(item.target, item.subject) for item in queued}
    tried = subjects | {subject for _, subject in groups}
    note_tried(connection, context.queue, context.vault, tried, naming_words(context))
    superseded = context.queue.supersede(connection, subjects)
    dropped = _drop(context, connection, groups)
    return superseded.dropped + dropped, superseded.running, orphans


def _group_of(frame: GroupFrame) -> tuple[str, str]:
    """(target, subject) of a group's changes."""
    return frame.changes[0].target, frame.changes[0].subject


def _drop(context: Context, connection: Connection, groups: set[tuple[str, str]]) -> int:
    """Drops queued changes of groups, given by (target, subject); a namesake in another target keeps its own."""
    unstarted = (State.WAITING, State.READY, State.DEAD)
    ids = [
        item.id
        for target, subject in sorted(groups)
        for state in unstarted
        for item in context.queue.list(connection, target=target, state=state, subject=subject)
    ]
    return len(context.queue.drop(connection, ids, "superseded by a newer plan"))


def _waits_for(item: Unfinished, groups: set[tuple[str, str]]) -> bool:
    """Whether an item is a membership in one of some groups, given by (target, object key)."""
    return any(
        item.target == target and item.object_key == membership_key(item.subject, group.removeprefix(group_key("")))
        for target, group in groups
    )


# ---------------------------------------------------------------- what is written down beside


def _members(frames: Iterable[GroupFrame]) -> Iterator[str]:
    """Those with whom groups are looked at again."""
    return (frame.member for frame in frames if frame.member)


def _note_people(connection: Connection, made: Planned, looked_at: Iterable[str], others: set[str]) -> None:
    """Who is to be looked at again by the next run whatever comes: held and postponed people, and some others.

    Of the postponed, those who were not looked at. Whoever was, and only waits for a group, is due again at once, but
    what was planned for them is the newest word: no deletion waits for a group in another target.
    """
    people = tables.people.c
    postponed = set(made.plan.postponed) - made.plan.due.keys()
    again = {*made.plan.held_people(), *postponed, *others}
    settled = set(connection.scalars(select(people.id).where(tables.IS_PENDING))).intersection(looked_at) - again
    bulk.update(connection, tables.people, ("pending",), ("id",), ((False, person_id) for person_id in sorted(settled)))
    bulk.update(connection, tables.people, ("pending",), ("id",), ((True, person_id) for person_id in sorted(again)))


def _note_formers(connection: Connection, made: Planned, moved: _Moved) -> None:
    """Keeps what accounts lose and have as aliases from now on; one that is lost a second time counts anew."""
    day = made.plan.basis.today.isoformat()
    rows = ((*former, day) for former in made.plan.formers if former.person not in moved.people)
    columns = ("person_id", "target", "attribute", "value", "since")
    bulk.upsert(connection, tables.former_values, columns, rows)


def _allocated(made: Planned, moved: _Moved) -> Iterator[tuple[str, str, str]]:
    for frame in made.plan.people:
        if not moved.touches(frame):
            for name, value in frame.identifiers:
                yield frame.person, name, value


def _note_plan(
    context: Context, connection: Connection, made: Planned, plan_id: str, run_id: str, reason: str | None
) -> None:
    """The plan itself, and what it was made with."""
    plan, now = made.plan, context.clock.now().isoformat()
    keep_plan(context, connection, plan, plan_id, run_id)
    note_renamed(connection, plan.renamed, plan.basis.ruleset)
    note_ruleset(context, connection, run_id, context.author)
    note_configuration(context, connection, run_id)
    note_lost(connection, plan.lost)
    if plan.is_whole:
        bulk.upsert(connection, tables.meta, ("name", "value"), [(EVALUATED_WITH, made.evaluated_with)])
    note_key(connection, context.vault)
    note_used(context, connection, made.releases, run_id)
    append_audit(
        connection,
        context.vault,
        (
            AuditEntry(now, run_id, context.actor, None, "hold", "release", name, None, (reason or "").encode())
            for name in plan.basis.released
        ),
    )


def keep_plan(context: Context, connection: Connection, plan: Plan, plan_id: str, run_id: str) -> None:
    """Writes down what a plan stood on and what it came to; its changes are in the queue."""
    connection.execute(
        tables.plans.insert(),
        {
            "id": plan_id,
            "run_id": run_id,
            "created_at": context.clock.now().isoformat(),
            "basis": msgspec.json.encode(plan.basis),
            "summary": msgspec.json.encode({f"{t}.{k}.{a}": number for (t, k, a), number in plan.counts.items()}),
        },
    )
