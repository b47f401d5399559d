"""Plans, asks, enqueues, delivers, reports: the main job. And applies a saved plan, if it still holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
from sqlalchemy import Connection, select

from eadm_sync.app.context import Context
from eadm_sync.app.delivering import TargetReport, deliver_all
from eadm_sync.app.planning import EVALUATED_WITH, Planned, Progress, planned, silent
from eadm_sync.app.runs import Run, recorded
from eadm_sync.app.versions import note_ruleset
from eadm_sync.delivery.enqueueing import items
from eadm_sync.errors import PlanOutdated
from eadm_sync.identifiers import store
from eadm_sync.plan.change import group_key, membership_key
from eadm_sync.plan.plan import slice_of
from eadm_sync.plan.saved import read_header
from eadm_sync.state import bulk, tables
from eadm_sync.state.outcomes import AuditEntry, append_audit, known_versions, note_renamed
from eadm_sync.state.sealing import note_key
from exportqueue import State, Unfinished


@dataclass
class SyncReport:
    """What a run did.

    Attributes:
        run_id: Its id in the book of runs.
        accepted: False where whoever was asked declined; nothing was written then.
        enqueued: Changes put into the queue.
        held: Changes that a brake held back.
        superseded: Queued changes of former runs that newer ones replaced.
        targets: What delivery did, by target; empty where nothing was delivered.
        failed_sources: Names of sources that could not be read.
        problems: How many faults kept the rules from serving a person in a target.
    """

    run_id: str
    accepted: bool = True
    enqueued: int = 0
    held: int = 0
    superseded: int = 0
    targets: tuple[TargetReport, ...] = ()
    failed_sources: tuple[str, ...] = ()
    problems: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether everything planned has reached its target and every source was read."""
        return all(target.is_complete for target in self.targets) and not self.failed_sources


Confirm = Callable[[Planned], bool]
"""Shows a plan and says whether to go on."""


def sync(
    context: Context,
    confirm: Confirm,
    *,
    deliver: bool = True,
    released: frozenset[str] = frozenset(),
    reason: str | None = None,
    progress: Progress = silent,
    read_sources: bool = True,
    command: str = "sync",
) -> SyncReport:
    """The main job.

    Args:
        context: The installation.
        confirm: Asked once, before anything is written.
        deliver: Whether to deliver what is queued, or leave it to a worker.
        released: Names of holds to let go, with the `reason` that the audit keeps.
        reason: As above.
        progress: Told how it gets on.
        read_sources: As for `planned`.
        command: What the book of runs calls it.

    Raises:
        StateBusy: Another run is at work.
        PlanOutdated: A worker changed a target between planning and accepting.
        ConfigError, StateError: As planning.
    """
    with context.writing() as database, recorded(context, database, command) as run:
        report = SyncReport(run.id)
        began = context.clock.now()
        planning = planned(context, database, released=released, progress=progress, read_sources=read_sources)
        with database.run_lock(), planning as made:
            run.spent("planning", began, context.clock.now())
            _describe(run, report, made)
            if not confirm(made):
                report.accepted = False
                run.status = "declined"
                return report
            progress("writing down the plan", 0, None)
            with database.write() as connection:
                _accept(context, connection, made, report, reason)
        if deliver:
            began = context.clock.now()
            report.targets = deliver_all(context, database, progress)
            run.spent("delivering", began, context.clock.now())
        _conclude(run, report)
        return report


def apply_saved(
    context: Context,
    file: Path,
    confirm: Confirm,
    *,
    deliver: bool = True,
    reason: str | None = None,
    progress: Progress = silent,
) -> SyncReport:
    """Applies a saved plan if it still is what would happen: the plan is made anew and has to be the same.

    Nothing that stands in the file is carried out: it is only compared. `reason` says why the holds are let go that
    the plan was made without; the audit keeps it.

    Raises:
        PlanOutdated: It is not the same any more; says everything that moved.
        And as `sync`.
    """
    saved = read_header(file)

    def unchanged(made: Planned) -> bool:
        if made.plan.hash != saved.hash:
            moved = saved.basis.moved(made.plan.basis)
            raise PlanOutdated(moved or ("its changes are not those that would be made now",))
        return confirm(made)

    released = frozenset(saved.basis.released)
    return sync(context, unchanged, deliver=deliver, released=released, reason=reason, progress=progress)


def _accept(context: Context, connection: Connection, made: Planned, report: SyncReport, reason: str | None) -> None:
    """Import, plan, queue items and identifiers in one transaction."""
    plan = made.plan
    report.superseded, again = _supersede(context, connection, made)
    # Only now: on PostgreSQL a worker that is finishing a batch keeps the queue until it has written what came of it.
    versions = known_versions(connection, tuple(context.loaded.settings.targets))
    if versions != plan.basis.known:
        moved = ", ".join(sorted(name for name, version in versions.items() if plan.basis.known.get(name) != version))
        raise PlanOutdated((f"changes were delivered to {moved} since the plan was made; run it again",))
    now = context.clock.now().isoformat()
    plan_id = f"{report.run_id}-{plan.hash}"
    changes = (change for _, accepted, _ in plan.judged() for change in accepted)
    report.enqueued = context.queue.enqueue(
        connection, items(changes, context.vault), plan_id=plan_id, run_id=report.run_id
    )
    made.imported.write(connection, plan.due)
    _note_people(connection, made, again)
    store(connection, _allocated(made), now)
    connection.execute(
        tables.plans.insert(),
        {
            "id": plan_id,
            "run_id": report.run_id,
            "created_at": now,
            "basis": msgspec.json.encode(plan.basis),
            "summary": msgspec.json.encode({f"{t}.{k}.{a}": number for (t, k, a), number in plan.counts.items()}),
        },
    )
    note_renamed(connection, plan.renamed, plan.basis.ruleset)
    note_ruleset(context, connection, report.run_id, context.author)
    bulk.upsert(connection, tables.meta, ("name", "value"), [(EVALUATED_WITH, made.evaluated_with)])
    note_key(connection, context.vault)
    append_audit(
        connection,
        (
            AuditEntry(now, report.run_id, context.actor, None, "hold", "release", name, None, (reason or "").encode())
            for name in plan.basis.released
        ),
    )


def _supersede(context: Context, connection: Connection, made: Planned) -> tuple[int, frozenset[str]]:
    """Drops queued changes of everybody who was evaluated, and of the groups that are planned anew.

    Returns how many, and who is to be looked at again: whose changes a worker took up since the plan was made, so that
    it does not know what came of them; and whose memberships waited for a group that could not be made, to be planned
    anew behind the new one.
    """
    queued = list(context.queue.unfinished(connection))
    if not queued:
        return 0, frozenset()
    groups = {(frame.changes[0].target, frame.changes[0].subject) for frame in made.plan.groups}
    groups |= {(target, group_key(key)) for target, key in made.plan.overtaken}
    dead = {
        (item.target, item.object_key)
        for item in queued
        if item.state is State.DEAD and (item.target, item.object_key) in groups
    }
    orphans = {item.subject for item in queued if dead and _waits_for(item, dead)} - made.plan.due.keys()
    subjects = {item.subject for item in queued} & (made.plan.due.keys() | orphans)
    superseded = context.queue.supersede(connection, subjects)
    dropped = _drop(context, connection, groups & {(item.target, item.subject) for item in queued})
    return superseded.dropped + dropped, superseded.running | orphans


def _drop(context: Context, connection: Connection, groups: set[tuple[str, str]]) -> int:
    """Drops queued changes of groups, given by (target, object key); a namesake in another target keeps its own."""
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


def _note_people(connection: Connection, made: Planned, others: frozenset[str]) -> None:
    """Who is to be looked at again by the next run whatever comes: held and postponed people, and some others."""
    people = tables.people.c
    again = {*made.plan.held_people(), *made.plan.postponed, *others}
    settled = set(connection.scalars(select(people.id).where(people.pending.is_(True)))) & made.plan.due.keys() - again
    bulk.update(connection, tables.people, ("pending",), ("id",), ((False, person_id) for person_id in sorted(settled)))
    bulk.update(connection, tables.people, ("pending",), ("id",), ((True, person_id) for person_id in sorted(again)))


def _allocated(made: Planned) -> Iterator[tuple[str, str, str]]:
    for frame in made.plan.people:
        for name, value in frame.identifiers:
            yield frame.person, name, value


def _describe(run: Run, report: SyncReport, made: Planned) -> None:
    """What the plan says, for the book of runs."""
    plan = made.plan
    held = Counter(slice_of(change) for _, _, held in plan.judged() for change in held) if plan.holds else Counter()
    report.held = held.total()
    report.failed_sources = tuple(error.source for error in made.failures)
    report.problems = len(plan.problems)
    run.report.update(
        plan=plan.hash,
        ruleset=plan.basis.ruleset,
        changes={f"{target}.{kind}.{action}": number for (target, kind, action), number in plan.counts.items()},
        held_changes={f"{target}.{kind}.{action}": number for (target, kind, action), number in held.items()},
        holds=[msgspec.to_builtins(hold) for hold in (*made.import_holds, *plan.holds)],
        sources={
            one.source: {name: getattr(one, name) for name in _COUNTED_OF_SOURCES} for one in made.imported.reports
        },
        failed_sources={error.source: str(error) for error in made.failures},
        problems=[msgspec.to_builtins(problem) for problem in plan.problems[:100]],
    )


_COUNTED_OF_SOURCES = ("read", "new", "changed", "unchanged", "vanished", "returned", "quarantined")


def _conclude(run: Run, report: SyncReport) -> None:
    run.report.update(
        enqueued=report.enqueued,
        held=report.held,
        superseded=report.superseded,
        targets={target.name: msgspec.to_builtins(target) for target in report.targets},
    )
    if not report.is_complete:
        run.status = "incomplete"
