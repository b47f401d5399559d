"""Delivers until nothing is on its way any more: retries and targets that are away are waited for, nobody plans."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection, func, select

from eadm_sync.app.context import Context
from eadm_sync.app.delivering import TargetReport, deliver_all
from eadm_sync.app.naming import known_name
from eadm_sync.app.planning import Progress, silent
from eadm_sync.app.runs import recorded
from eadm_sync.state.database import Database
from exportqueue import TargetStats, queue_tables
from exportqueue.item import from_micros
from exportqueue.tables import IS_DELAYED

_STEP_SECONDS = 1.0
"""Shortest wait between two deliveries, and how often progress is told meanwhile."""


def drain(
    context: Context,
    *,
    only: str | None = None,
    limit_seconds: float,
    progress: Progress = silent,
    sleep: Callable[[float], object] = time.sleep,
) -> tuple[TargetReport, ...]:
    """Delivers until nothing is left that comes by itself, or the time is up; a run of its own in the book of runs.

    What needs somebody is not waited for: what is dead, held or paused. No other run can plan meanwhile.

    Args:
        context: The installation.
        only: Name of the target to deliver to, or None for all.
        limit_seconds: How long to wait for retries and for targets that are away, which are asked once more when it
            is over; what is being delivered then is finished.
        progress: Told how it gets on, and what is waited for.
        sleep: Waits some seconds; `context.clock` has to move meanwhile.

    Raises:
        NotFound: There is no such target.
        StateBusy: Another run is at work.
        StateError: The state cannot be used.
    """
    targets = tuple(context.loaded.settings.targets)
    if only is not None:
        targets = (known_name("target", only, targets),)
    with context.writing() as database, database.run_lock(), recorded(context, database, "deliver") as run:
        until = context.clock.now() + timedelta(seconds=limit_seconds)
        reports: dict[str, TargetReport] = {}
        while True:
            for report in deliver_all(context, database, progress, only=only):
                reports[report.name] = _added(reports.get(report.name), report)
            if not _wait(context, database, targets, until, progress, sleep):
                break
        run.report["targets"] = {name: msgspec.to_builtins(report) for name, report in reports.items()}
        if not all(report.is_complete for report in reports.values()):
            run.status = "incomplete"
        return tuple(reports[name] for name in targets if name in reports)


def _added(before: TargetReport | None, report: TargetReport) -> TargetReport:
    """What several deliveries did together, and how it stands after the last."""
    if before is None:
        return report
    done, retried = before.done + report.done, before.retried + report.retried
    return msgspec.structs.replace(report, done=done, retried=retried)


def _wait(
    context: Context,
    database: Database,
    targets: Collection[str],
    until: datetime,
    progress: Progress,
    sleep: Callable[[float], object],
) -> bool:
    """Waits until something is due; False where nothing will be, or not before the time is up."""
    with database.read() as connection:
        due = _due(context, connection, targets, until)
    now = context.clock.now()
    if not due or now >= until or min(due.values()) > until:
        return False
    moment = min(max(min(due.values()), now + timedelta(seconds=_STEP_SECONDS)), until)
    names = ", ".join(sorted(due))
    while (now := context.clock.now()) < moment:
        left = (moment - now).total_seconds()
        progress(f"waiting for {names}: it is tried again in {left:.0f} s", 0, None)
        sleep(min(left, _STEP_SECONDS))
    return True


def _due(context: Context, connection: Connection, targets: Collection[str], until: datetime) -> dict[str, datetime]:
    """By target, when something can be delivered again; without those to which nothing goes by itself."""
    found: dict[str, datetime] = {}
    for stats in context.queue.stats(connection, finished=False):
        if stats.target in targets and stats.paused is None and _is_on_its_way(stats):
            found[stats.target] = _next(context, connection, stats, until)
    return found


def _is_on_its_way(stats: TargetStats) -> bool:
    return bool(stats.ready or stats.waiting or stats.running or stats.retrying)


def _next(context: Context, connection: Connection, stats: TargetStats, until: datetime) -> datetime:
    if stats.circuit is not None:
        return min(stats.circuit.probe_at, until)
    now = context.clock.now()
    if stats.ready or stats.running:
        return now
    items = queue_tables().items.c
    delayed = select(func.min(items.not_before)).where(IS_DELAYED, items.target == stats.target)
    earliest: int | None = connection.scalar(delayed)
    return now if earliest is None else from_micros(earliest)
