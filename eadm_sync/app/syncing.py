"""Plans, asks, enqueues, delivers, reports: the main job. And applies a saved plan, if it still holds."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from sqlalchemy import Connection

from eadm_sync.app.accepting import accept
from eadm_sync.app.approving import let_through, require_current
from eadm_sync.app.context import Context
from eadm_sync.app.delivering import TargetReport, deliver_all
from eadm_sync.app.planning import Planned, Progress, planned, silent
from eadm_sync.app.releasing import refuse_alone
from eadm_sync.app.resolving import resolve_doubts
from eadm_sync.app.runs import Run, recorded
from eadm_sync.errors import PlanOutdated, StateBusy
from eadm_sync.plan.plan import slice_of
from eadm_sync.plan.saved import read_header
from eadm_sync.state.database import Database


@dataclass
class SyncReport:
    """What a run did.

    Attributes:
        run_id: Its id in the book of runs.
        accepted: False where whoever was asked declined; nothing was written then.
        enqueued: Changes put into the queue.
        held: Changes that a brake held back.
        superseded: Queued changes of former runs that newer ones replaced.
        left_out: People and groups that were left to the next run, because a worker changed them since the plan was
            made.
        targets: What delivery did, by target; empty where nothing was delivered.
        failed_sources: Names of sources that could not be read.
        problems: How many faults kept the rules from serving a person in a target.
        undecided: How many accounts wait for somebody to say whose they are.
        silent: Target → why it did not say whether it had made or deleted accounts of which no answer came.
    """

    run_id: str
    accepted: bool = True
    enqueued: int = 0
    held: int = 0
    superseded: int = 0
    left_out: int = 0
    targets: tuple[TargetReport, ...] = ()
    failed_sources: tuple[str, ...] = ()
    problems: int = 0
    undecided: int = 0
    silent: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether everything planned has reached its target, and every source and target that was asked has told."""
        return all(target.is_complete for target in self.targets) and not (self.failed_sources or self.silent)


Confirm = Callable[[Planned], bool]
"""Shows a plan and says whether to go on."""

Make = Callable[[Database], AbstractContextManager[Planned]]
"""Makes a plan from the state."""

Also = Callable[[Connection, str], None]
"""Writes something down beside a plan: (connection, id of the run)."""


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
        NotReleased: A hold in `released` is let go by two persons only.
        ConfigError, StateError: As planning.
    """
    return _run(context, _Terms(confirm, progress, deliver, released, reason, read_sources, command))


def sync_people(context: Context, people: Collection[str], command: str) -> SyncReport:
    """Plans for some people only, as they are stored, and puts it into the export queue; nothing is delivered.

    Raises:
        As `sync`.
    """
    terms = _Terms(lambda _: True, silent, deliver=False, read_sources=False, command=command, only=people)
    return _run(context, terms)


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
        NotApproved: It has expired, or no second person has approved what has to be.
        And as `sync`.
    """
    saved = read_header(file)
    require_current(context, saved)

    def unchanged(made: Planned) -> bool:
        if made.plan.hash != saved.hash:
            moved = saved.basis.moved(made.plan.basis)
            raise PlanOutdated(moved or ("its changes are not those that would be made now",))
        with context.reading() as database, database.read() as connection:
            let_through(context, connection, made.plan)
        return confirm(made)

    released = frozenset(saved.basis.released)
    return _run(context, _Terms(unchanged, progress, deliver, released, reason, strict=True))


def carry_out(  # noqa: PLR0913 - what `sync` takes, and who makes the plan
    context: Context,
    confirm: Confirm,
    make: Make,
    *,
    command: str,
    deliver: bool = True,
    released: frozenset[str] = frozenset(),
    reason: str | None = None,
    also: Also | None = None,
    progress: Progress = silent,
) -> SyncReport:
    """Accepts a plan that another command makes, as `sync` does its own.

    Args:
        context: The installation.
        confirm: Asked once, before anything is written.
        make: Makes the plan.
        command: What the book of runs calls it.
        deliver: As for `sync`.
        released: Names of the holds that `make` lets go.
        reason: Why holds are let go, for the audit.
        also: What is written down in the same transaction, for a run of this id.
        progress: Told how it gets on.

    Raises:
        As `sync`, and what `make` raises.
    """
    return _run(context, _Terms(confirm, progress, deliver, released, reason, command=command, make=make, also=also))


@dataclass(frozen=True)
class _Terms:
    """How a run is to be made; `strict`: all that was agreed to is done, or nothing. The others as for `sync`.

    `make` and `also` are as for `carry_out`.
    """

    confirm: Confirm
    progress: Progress
    deliver: bool = True
    released: frozenset[str] = frozenset()
    reason: str | None = None
    read_sources: bool = True
    command: str = "sync"
    strict: bool = False
    only: Collection[str] | None = None
    make: Make | None = None
    also: Also | None = None

    def planning(self, context: Context, database: Database) -> AbstractContextManager[Planned]:
        """Makes the plan."""
        if self.make is not None:
            return self.make(database)
        return planned(
            context,
            database,
            released=self.released,
            progress=self.progress,
            read_sources=self.read_sources,
            only=self.only,
        )


def _run(context: Context, terms: _Terms) -> SyncReport:
    refuse_alone(context, terms.released)
    with context.writing() as database, recorded(context, database, terms.command) as run:
        report = SyncReport(run.id)
        if not _accepted(context, database, terms, run, report):
            report.accepted = False
            run.status = "declined"
            return report
        if terms.deliver:
            began = context.clock.now()
            report.targets = deliver_all(context, database, terms.progress)
            run.spent("delivering", began, context.clock.now())
        _conclude(run, report)
        return report


def _accepted(context: Context, database: Database, terms: _Terms, run: Run, report: SyncReport) -> bool:
    """Makes the plan, and writes it down if it is agreed to; delivering begins without the memory that it took."""
    began = context.clock.now()
    with contextlib.ExitStack() as until_done:
        lock = until_done.enter_context(database.run_lock())
        report.silent = resolve_doubts(context, database, run.id)
        made = until_done.enter_context(terms.planning(context, database))
        run.spent("planning", began, context.clock.now())
        _describe(run, report, made)
        if not terms.confirm(made):
            return False
        terms.progress("writing down the plan", 0, None)
        if not lock.is_held():  # lost with its connection: somebody else may have planned meanwhile
            raise StateBusy("a process that began when this one lost its connection")
        with database.write() as connection:
            accepted = accept(context, connection, made, run_id=run.id, reason=terms.reason, strict=terms.strict)
            if terms.also is not None:
                terms.also(connection, run.id)
        report.enqueued, report.superseded = accepted.enqueued, accepted.superseded
        report.left_out = accepted.left_out
        return True


def _describe(run: Run, report: SyncReport, made: Planned) -> None:
    """What the plan says, for the book of runs."""
    plan = made.plan
    held = Counter(slice_of(change) for _, _, held in plan.judged() for change in held) if plan.holds else Counter()
    report.held = held.total()
    report.failed_sources = tuple(error.source for error in made.failures)
    report.undecided = sum(problem.waits for problem in plan.problems)
    report.problems = len(plan.problems) - report.undecided
    failures_first = sorted(plan.problems, key=lambda problem: problem.waits)
    run.report.update(
        plan=plan.hash,
        ruleset=plan.basis.ruleset,
        changes={f"{target}.{kind}.{action}": number for (target, kind, action), number in plan.counts.items()},
        held_changes={f"{target}.{kind}.{action}": number for (target, kind, action), number in held.items()},
        limits=[msgspec.to_builtins(use) for use in (*made.import_uses, *plan.uses)],
        released=sorted(made.releases.used),
        holds=[msgspec.to_builtins(hold) for hold in (*made.import_holds, *plan.holds)],
        sources={
            one.source: {name: getattr(one, name) for name in _COUNTED_OF_SOURCES} for one in made.imported.reports
        },
        failed_sources={error.source: str(error) for error in made.failures},
        silent_targets=dict(report.silent),
        unserved=report.problems,
        undecided=report.undecided,
        problems=[msgspec.to_builtins(problem) for problem in failures_first[:_MOST_PROBLEMS]],
    )


_MOST_PROBLEMS = 100  # what the book of runs keeps: more of them have one cause
_COUNTED_OF_SOURCES = ("read", "new", "changed", "unchanged", "vanished", "returned", "quarantined")


def _conclude(run: Run, report: SyncReport) -> None:
    run.report.update(
        enqueued=report.enqueued,
        held=report.held,
        superseded=report.superseded,
        left_out=report.left_out,
        targets={target.name: msgspec.to_builtins(target) for target in report.targets},
    )
    if not report.is_complete:
        run.status = "incomplete"
