"""Empties the export queue into the targets."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from dataclasses import replace

import msgspec
import structlog

from connectors.contract import Target
from connectors.errors import ConnectorError
from eadm_sync.app.context import Context
from eadm_sync.app.naming import known_name
from eadm_sync.app.planning import Progress, silent
from eadm_sync.app.runs import recorded
from eadm_sync.delivery.deliverer import Deliverer
from eadm_sync.delivery.settling import settle, unsettled
from eadm_sync.delivery.verdicts import classify
from eadm_sync.state.database import Database
from eadm_sync.state.sealing import check_key
from exportqueue import Drained, TargetStats, Worker

log = structlog.get_logger()

_LEASE_SECONDS = 60.0
"""After so long without a sign of life a worker's changes are taken over by others."""


_PATIENCE_STEP_SECONDS = 1.0
"""How often it is looked whether something is due again."""


class TargetReport(msgspec.Struct, frozen=True):
    """What delivery did for one target.

    Attributes:
        name: Name of the target.
        done: Changes that reached it.
        retried: Failures that will be tried again.
        dead: Changes it refused for good, in this run or before; they wait for an operator.
        left: Changes still on their way, or waiting for a dead one.
        error: Why delivery stopped early, or None.
    """

    name: str
    done: int = 0
    retried: int = 0
    dead: int = 0
    left: int = 0
    error: str | None = None

    @property
    def is_complete(self) -> bool:
        """Whether everything there was has reached the target."""
        return not self.left and not self.dead and self.error is None


def deliver(context: Context, *, only: str | None = None, progress: Progress = silent) -> tuple[TargetReport, ...]:
    """Delivers what is queued, as a run of its own in the book of runs; `only` names one target.

    Raises:
        NotFound: There is no such target.
        StateError: The state cannot be used.
    """
    if only is not None:
        known_name("target", only, context.loaded.settings.targets)
    with context.writing() as database, recorded(context, database, "deliver") as run:
        reports = deliver_all(context, database, progress, only=only)
        run.report["targets"] = {report.name: msgspec.to_builtins(report) for report in reports}
        if not all(report.is_complete for report in reports):
            run.status = "incomplete"
        return reports


def deliver_all(
    context: Context,
    database: Database,
    progress: Progress = silent,
    *,
    only: str | None = None,
    patience_seconds: float = 0.0,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[TargetReport, ...]:
    """Delivers what is queued, target by target; one that is down keeps its changes and stops nothing else.

    Reports on every target that has, or had, something to do or to put right; one that waits for an operator is among
    them, whatever this run was about: what was refused yesterday is not in order today.

    Args:
        context: The installation.
        database: The state.
        progress: Told how it gets on.
        only: Name of the target to deliver to, or None for all.
        patience_seconds: How long to wait for changes that are to be tried again.
        sleep: Waits some seconds; `context.clock` has to move meanwhile.
    """
    names = tuple(name for name in context.loaded.settings.targets if only in {None, name})
    with database.read() as connection:
        check_key(connection, context.vault)
        queue = {stats.target: stats for stats in context.queue.stats(connection, finished=False)}
        owing = unsettled(connection, names)
    reports = []
    for name in names:
        stats = queue.get(name, TargetStats(name))
        if _deliverable(stats) or (name in owing and not stats.paused):
            reports.append(_deliver(context, database, name, progress, patience_seconds, sleep))
        elif stats.dead:
            reports.append(_report(stats, Drained(), None))
    return tuple(reports)


def _deliver(
    context: Context,
    database: Database,
    name: str,
    progress: Progress,
    patience_seconds: float,
    sleep: Callable[[float], None],
) -> TargetReport:
    drained, error = Drained(), None
    try:
        target = context.make_target(name)
        with target, database.delivering(name) as alone:
            if alone:
                _recover(context, database, name)
            _make_good(database, name, target)
            worker = _worker(context, database, name, target, sleep)
            drained = _drain(worker, name, progress, patience_seconds, sleep)
            owing = _owing(database, name)
        if owing is not None:
            with database.write() as connection:
                settle(connection, name, owing)
    except ConnectorError as failure:
        error = str(failure)
        log.warning("target.failed", target=name, error=error)
    return _report(_stats(context, database, name), drained, error or drained.unavailable)


def _make_good(database: Database, name: str, target: Target) -> None:
    """Has a target do what it owes since a process that delivered to it ended early."""
    if _owing(database, name) is not None:
        list(target.apply(()))


def _owing(database: Database, name: str) -> int | None:
    """The version of known state that a target has not been closed with yet, or None."""
    with database.read() as connection:
        return unsettled(connection, (name,)).get(name)


def _worker(context: Context, database: Database, name: str, target: Target, sleep: Callable[[float], None]) -> Worker:
    deliverer = Deliverer(
        database=database,
        name=name,
        target=target,
        vault=context.vault,
        settings=context.ruleset.lifecycle,
        clock=context.clock,
        time_zone=context.loaded.settings.organisation.zone,
    )
    return Worker(
        engine=database.engine,
        queue=context.queue,
        target=name,
        handler=deliverer,
        classify=classify,
        clock=context.clock.now,
        batch_size=target.capabilities.batch_size,
        lease_seconds=_LEASE_SECONDS,
        name=f"{socket.gethostname()}:{os.getpid()}",
        sleep=sleep,
    )


def _drain(
    worker: Worker, name: str, progress: Progress, patience_seconds: float, sleep: Callable[[float], None]
) -> Drained:
    """Delivers until nothing is left, the target is away, or patience with what is to be tried again has run out."""
    total = Drained()
    waited = 0.0
    while True:
        before = total

        def tell(drained: Drained, before: Drained = before) -> None:
            progress(f"delivering to {name}", before.done + drained.done, None)

        drained = worker.drain(on_progress=tell)
        total = replace(total.plus(drained), left=drained.left)
        if not drained.left or drained.unavailable or waited >= patience_seconds:
            return total
        sleep(_PATIENCE_STEP_SECONDS)
        waited += _PATIENCE_STEP_SECONDS


def _recover(context: Context, database: Database, name: str) -> None:
    """Takes back what a process that is no more had claimed; otherwise it would wait for its lease to run out."""
    with database.write() as connection:
        recovered = context.queue.recover(connection, name)
    if recovered:
        log.warning("queue.recovered", target=name, items=recovered)


def _stats(context: Context, database: Database, name: str) -> TargetStats:
    with database.read() as connection:
        found = (stats for stats in context.queue.stats(connection, finished=False) if stats.target == name)
        return next(found, TargetStats(name))


def _report(stats: TargetStats, drained: Drained, error: str | None) -> TargetReport:
    left = stats.ready + stats.waiting + stats.running + stats.retrying + stats.held
    if left and stats.paused is not None:
        error = f"paused ({stats.paused}); it goes on after 'eadm-sync queue resume {stats.target}'"
    return TargetReport(stats.target, drained.done, drained.retried, stats.dead, left, error)


def _deliverable(stats: TargetStats) -> bool:
    return bool(stats.ready or stats.waiting or stats.running or stats.retrying)
