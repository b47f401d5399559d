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
from eadm_sync.app.planning import Progress, silent
from eadm_sync.delivery.deliverer import Deliverer
from eadm_sync.delivery.verdicts import classify
from eadm_sync.state.database import Database
from exportqueue import Drained, TargetStats, Worker

log = structlog.get_logger()

_LEASE_SECONDS = 60.0
"""After so long without a sign of life a worker's changes are taken over by others."""


_PATIENCE_STEP_SECONDS = 1.0


class TargetReport(msgspec.Struct, frozen=True):
    """What delivery did for one target.

    Attributes:
        name: Name of the target.
        done: Changes that reached it.
        retried: Failures that will be tried again.
        dead: Changes it refused for good; they wait for an operator.
        left: Changes still on their way.
        error: Why delivery stopped early, or None.
    """

    name: str
    done: int = 0
    retried: int = 0
    dead: int = 0
    left: int = 0
    error: str | None = None


def deliver_all(
    context: Context,
    database: Database,
    progress: Progress = silent,
    *,
    patience_seconds: float = 0.0,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[TargetReport, ...]:
    """Delivers what is queued, target by target; one that is down keeps its changes and stops nothing else.

    Args:
        context: The installation.
        database: The state.
        progress: Told how it gets on.
        patience_seconds: How long to wait for changes that are to be tried again.
        sleep: Waits some seconds.
    """
    with database.read() as connection:
        queued = {stats.target for stats in context.queue.stats(connection) if _deliverable(stats)}
    return tuple(
        _deliver(context, database, name, progress, patience_seconds, sleep)
        for name in context.loaded.settings.targets
        if name in queued
    )


def _deliver(
    context: Context,
    database: Database,
    name: str,
    progress: Progress,
    patience_seconds: float,
    sleep: Callable[[float], None],
) -> TargetReport:
    try:
        target = context.make_target(name)
        with target, database.delivering(name) as alone:
            if alone:
                _recover(context, database, name)
            worker = _worker(context, database, name, target)
            drained = _drain(worker, name, progress, patience_seconds, sleep)
    except ConnectorError as error:
        log.warning("target.failed", target=name, error=str(error))
        return TargetReport(name, left=_left(context, database, name), error=str(error))
    return TargetReport(name, drained.done, drained.retried, drained.dead, drained.left, drained.unavailable)


def _worker(context: Context, database: Database, name: str, target: Target) -> Worker:
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


def _left(context: Context, database: Database, name: str) -> int:
    with database.read() as connection:
        return sum(
            stats.ready + stats.waiting + stats.running + stats.retrying + stats.held
            for stats in context.queue.stats(connection)
            if stats.target == name
        )


def _deliverable(stats: TargetStats) -> bool:
    return bool(stats.ready or stats.waiting or stats.running or stats.retrying)
