"""Metrics in Prometheus' words: what the state says, read at a scrape and kept for a while, and how this daemon is.

Names and units follow https://prometheus.io/docs/practices/naming/: base units, `_total` for what only grows, and
moments instead of ages, so that `time() - …` is right whenever it is asked. `docs/metrics.md` lists them all.
"""

from __future__ import annotations

import platform
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection, case, func, select

from eadm_sync import __version__
from eadm_sync.app.context import Context
from eadm_sync.app.status import Status, status_of
from eadm_sync.daemon.health import Health, Healthy
from eadm_sync.errors import StateError
from eadm_sync.events import get_logger
from eadm_sync.state import tables
from eadm_sync.state.database import Database
from eadm_sync.state.outcomes import known_versions
from exportqueue.item import State, from_micros
from exportqueue.tables import IS_UNFINISHED, QueueTables

log = get_logger(__name__)

_KEEP_SECONDS = 5.0
"""What was read is told again for so long: several scrapers cost what one costs."""

_KEEP_FACTOR = 10.0
"""And for ten times as long as reading took: scrapes take at most a tenth of the time of one connection, whatever the
length of the queue."""

_QUEUE_STATES = ("ready", "waiting", "running", "retrying", "dead", "held")

PREFIX = "eadm_sync_"

Samples = Iterable[tuple[Sequence[str], float | None]]


class Facts(msgspec.Struct, frozen=True):
    """What the state says at one moment.

    Attributes:
        status: As `eadm-sync status` shows it.
        oldest: (target, state of the queue) → when the oldest unfinished item there was enqueued.
        confirmed: Target → changes that it has confirmed, ever.
        succeeded: Command → when its last run ended without a failure.
    """

    status: Status
    oldest: dict[tuple[str, str], datetime]
    confirmed: dict[str, int]
    succeeded: dict[str, str]


def facts(context: Context, connection: Connection) -> Facts:
    """Reads what the metrics tell."""
    runs = tables.runs.c
    succeeded = select(runs.command, func.max(runs.finished_at)).where(runs.status == "done").group_by(runs.command)
    return Facts(
        status=status_of(context, connection),
        oldest=_oldest(connection, context.queue.tables),
        confirmed=known_versions(connection, tuple(context.loaded.settings.targets)),
        succeeded={command: moment for command, moment in connection.execute(succeeded)},  # noqa: C416 - as mypy wants it
    )


def _oldest(connection: Connection, queue: QueueTables) -> dict[tuple[str, str], datetime]:
    """As `Facts.oldest`. By target, which an index has in order: by state too, SQLite would sort all in memory."""
    items = queue.items.c
    states = (State.READY, State.WAITING, State.RUNNING, State.DEAD)
    moments = (func.min(case((items.state == state, items.created_at))) for state in states)
    query = select(items.target, *moments).where(IS_UNFINISHED).group_by(items.target)
    return {
        (target, state.value): from_micros(micros)
        for target, *found in connection.execute(query)
        for state, micros in zip(states, found, strict=True)
        if micros is not None
    }


class StateCollector(Collector):
    """Reads the state at a scrape, at most once in a while.

    Args:
        context: The installation as it is now: a daemon reads its configuration again.
        database: The state.
        clock: Seconds that only grow.
    """

    def __init__(
        self, context: Callable[[], Context], database: Database, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._context = context
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: Facts | None = None
        self._kept_until = 0.0

    def collect(self) -> Iterator[Metric]:
        """All families; where the state cannot be read, only that it cannot."""
        found = self._facts()
        yield _gauge("state_up", "Whether the state database could be read.", (), [((), float(found is not None))])
        if found is not None:
            yield from _families(found)

    def describe(self) -> Iterator[Metric]:
        """Nothing: registering must not read the state."""
        return iter(())

    def _facts(self) -> Facts | None:
        with self._lock:
            began = self._clock()
            if began >= self._kept_until:
                self._kept = self._read()
                ended = self._clock()
                self._kept_until = ended + max(_KEEP_SECONDS, _KEEP_FACTOR * (ended - began))
            return self._kept

    def _read(self) -> Facts | None:
        try:
            with self._database.read() as connection:
                return facts(self._context(), connection)
        except StateError as error:
            log.warning("metrics.state_unreadable", error=str(error))
            return None


class DaemonCollector(Collector):
    """How this daemon is; asks nothing of the state."""

    def __init__(self, daemon: Healthy) -> None:
        self._daemon = daemon

    def collect(self) -> Iterator[Metric]:
        """All families."""
        return _daemon_families(self._daemon.health())

    def describe(self) -> Iterator[Metric]:
        """Nothing: registering must not ask."""
        return iter(())


def registry(context: Callable[[], Context], database: Database, daemon: Healthy) -> CollectorRegistry:
    """Everything that `/metrics` tells."""
    made = CollectorRegistry()
    made.register(StateCollector(context, database))
    made.register(DaemonCollector(daemon))
    ProcessCollector(registry=made)
    GCCollector(registry=made)
    return made


# ---------------------------------------------------------------- families


def _gauge(name: str, text: str, labels: Sequence[str], samples: Samples) -> GaugeMetricFamily:
    family = GaugeMetricFamily(PREFIX + name, text, labels=labels)
    for values, number in samples:
        if number is not None:
            family.add_metric(values, number)
    return family


def _counter(name: str, text: str, labels: Sequence[str], samples: Samples) -> CounterMetricFamily:
    family = CounterMetricFamily(PREFIX + name, text, labels=labels)
    for values, number in samples:
        if number is not None:
            family.add_metric(values, number)
    return family


def _families(found: Facts) -> Iterator[Metric]:
    yield from _queue_families(found)
    yield from _run_families(found)
    yield from _population_families(found.status)
    roles = [one.role for one in found.status.daemons if one.is_alive]
    yield _gauge(
        "daemons",
        "Daemons that gave a sign of life lately, by role.",
        ("role",),
        (((role,), roles.count(role)) for role in ("leader", "standby", "worker")),
    )


def _queue_families(found: Facts) -> Iterator[Metric]:
    queue, away = found.status.queue, {one.target: one for one in found.status.away}
    targets = sorted({*found.confirmed, *(one.target for one in queue)})
    stats = {one.target: one for one in queue}
    yield _gauge(
        "queue_items",
        "Unfinished items of the export queue.",
        ("target", "state"),
        (
            ((target, state), getattr(stats[target], state) if target in stats else 0)
            for target in targets
            for state in _QUEUE_STATES
        ),
    )
    yield _gauge(
        "queue_oldest_item_timestamp_seconds",
        "When the oldest unfinished item in a state was enqueued; absent where there is none.",
        ("target", "state"),
        ((key, moment.timestamp()) for key, moment in sorted(found.oldest.items())),
    )
    yield _gauge(
        "queue_paused",
        "Whether an operator has paused a target.",
        ("target",),
        (((target,), float(target in stats and stats[target].paused is not None)) for target in targets),
    )
    yield _gauge(
        "target_away",
        "Whether a target does not answer: its circuit is open.",
        ("target",),
        (((target,), float(target in away)) for target in targets),
    )
    yield _gauge(
        "target_away_since_timestamp_seconds",
        "Since when a target does not answer; absent while it does.",
        ("target",),
        (((target,), one.opened_at.timestamp()) for target, one in sorted(away.items())),
    )
    yield _counter(
        "changes_confirmed",
        "Changes that a target has confirmed, by all processes, ever.",
        ("target",),
        (((target,), number) for target, number in sorted(found.confirmed.items())),
    )


def _run_families(found: Facts) -> Iterator[Metric]:
    jobs = found.status.jobs
    yield _gauge(
        "run_last_success_timestamp_seconds",
        "When the last run of a command ended with everything done.",
        ("command",),
        (((command,), _seconds(moment)) for command, moment in sorted(found.succeeded.items())),
    )
    yield _gauge(
        "job_last_success_timestamp_seconds",
        "When a job last ended without a failure; 0 where it never did.",
        ("job",),
        (((job.name,), _seconds(job.succeeded_at) or 0.0) for job in jobs),
    )
    yield _gauge(
        "job_last_start_timestamp_seconds",
        "When a job was last begun; absent where it never was.",
        ("job",),
        (((job.name,), _seconds(job.started_at)) for job in jobs),
    )
    yield _gauge(
        "job_last_duration_seconds",
        "How long a job took the last time; absent while it runs.",
        ("job",),
        (((job.name,), _lasted(job.started_at, job.finished_at)) for job in jobs),
    )
    yield _gauge(
        "job_last_status",
        "1 for how a job ended the last time: done, held, incomplete, failed, interrupted or missed; or running.",
        ("job", "status"),
        (((job.name, job.status), 1.0) for job in jobs if job.status is not None),
    )
    last = found.status.last
    yield _gauge(
        "held_changes",
        "Changes that a brake held in the latest plan.",
        ("target", "kind", "action"),
        ((name.rsplit(".", 2), number) for name, number in (last.held_changes if last else {}).items()),
    )
    yield _gauge(
        "holds",
        "1 for each thing that a brake held in the latest plan, absences included, by the name that releases it.",
        ("hold",),
        (((name,), 1.0) for name in (last.holds if last else ())),
    )
    yield _gauge(
        "source_unreadable",
        "1 for each source that could not be read when the latest plan was made.",
        ("source",),
        (((name,), 1.0) for name in (last.failed_sources if last else {})),
    )
    yield _gauge(
        "people_unserved",
        "People whom the rules could not serve in the latest plan.",
        (),
        [((), last.problems if last else 0)],
    )
    yield _gauge(
        "people_undecided",
        "People who waited, in the latest plan, for somebody to say which account is theirs.",
        (),
        [((), last.undecided if last else 0)],
    )
    yield _gauge(
        "target_silent",
        "1 for each target that, before the latest plan, did not say whether it has accounts that are in doubt.",
        ("target",),
        (((name,), 1.0) for name in (last.silent if last else {})),
    )


def _population_families(status: Status) -> Iterator[Metric]:
    yield _gauge("people", "People that are known.", (), [((), status.people)])
    yield _gauge("people_pending", "People whom the next run looks at whatever comes.", (), [((), status.pending)])
    yield _gauge("records_absent", "Records that their source does not have any more.", (), [((), status.absent)])
    yield _gauge(
        "accounts",
        "Accounts that a target is known to hold.",
        ("target", "enabled"),
        (
            ((one.target, word), number)
            for one in status.accounts
            for word, number in (("true", one.enabled), ("false", one.disabled))
        ),
    )
    yield _gauge(
        "drift_left_alone",
        "Differences in a target, made by hand, that wait for a decision.",
        ("target",),
        (((one.target,), status.drift.get(one.target, 0)) for one in status.accounts),
    )
    yield _gauge(
        "quarantined",
        "Rows and values that imports left out.",
        ("source",),
        (((name,), number) for name, number in status.quarantined.items()),
    )


def _daemon_families(health: Health) -> Iterator[Metric]:
    yield InfoMetricFamily(
        PREFIX + "build", "The program.", value={"version": __version__, "python": platform.python_version()}
    )
    yield _gauge("daemon_leader", "Whether this daemon leads.", (), [((), float(health.leading))])
    yield _gauge(
        "daemon_last_tick_timestamp_seconds",
        "When this daemon's main loop last went round.",
        (),
        [((), health.last_tick.timestamp())],
    )
    crew: tuple[Any, ...] = health.crew or ()
    yield _gauge(
        "workers",
        "Threads of this daemon that are to deliver.",
        ("target",),
        (((one.name,), one.workers) for one in crew),
    )
    yield _gauge(
        "workers_alive", "Those of them that are there.", ("target",), (((one.name,), one.alive) for one in crew)
    )
    yield _counter(
        "deliveries",
        "Attempts of this daemon's workers since they began, by outcome: done, retried (failed, tried again), or dead.",
        ("target", "outcome"),
        (((one.name, outcome), getattr(one, outcome)) for one in crew for outcome in ("done", "retried", "dead")),
    )


def _seconds(moment: str | None) -> float | None:
    return None if moment is None else datetime.fromisoformat(moment).timestamp()


def _lasted(started: str | None, finished: str | None) -> float | None:
    began, ended = _seconds(started), _seconds(finished)
    return None if began is None or ended is None else max(ended - began, 0.0)
