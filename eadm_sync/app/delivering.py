"""Empties the export queue into the targets: all at once, each with as many workers as it is allowed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Sequence
from datetime import datetime

import msgspec

from eadm_sync.app.context import Context
from eadm_sync.app.naming import known_name
from eadm_sync.app.planning import Progress, silent
from eadm_sync.app.runs import recorded
from eadm_sync.app.sharing import Share
from eadm_sync.app.slots import Orders, Slot, told
from eadm_sync.delivery.settling import unsettled
from eadm_sync.heap import share_heap
from eadm_sync.state.database import Database
from eadm_sync.state.sealing import check_key
from exportqueue import OpenCircuit, TargetStats

_TELL_SECONDS = 0.1
"""How often progress is told."""


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


class TargetHealth(msgspec.Struct, frozen=True):
    """How the workers of one target are, from what they last noticed: nothing is asked of the state for it.

    Attributes:
        name: Name of the target.
        workers: How many threads there are to be.
        alive: How many there are.
        holding: How many of them hold their slot; the others' are held by other processes.
        seen_at: When the one that was longest away last came round, or None; it stays away while it delivers a batch.
        delivered_at: When a change was last delivered, or None.
        done: Changes delivered since the crew began.
        retried: Failures since then that are tried again.
        dead: Changes refused for good since then.
        circuit: How the target is away, or None.
        error: What fails, of the target or on this side, or None.
    """

    name: str
    workers: int
    alive: int
    holding: int
    seen_at: datetime | None
    delivered_at: datetime | None
    done: int
    retried: int
    dead: int
    circuit: OpenCircuit | None
    error: str | None


class Crew:
    """Delivers in threads of its own: one for each slot of each target.

    Args:
        context: The installation.
        database: The state, open for writing until the crew has ended.
        only: Names of the targets to deliver to, or None for all.
        until_empty: Whether to end when nothing can be delivered any more, or go on until stopped. A target that has
            nothing to do is not opened then, and one that is away is asked at once, whenever its next probe is due.
        patience_seconds: With `until_empty`, how long to wait for changes that are to be tried again.
        progress: Told by `wait` how it gets on.
        sleep: Waits some seconds for a target; `context.clock` has to move meanwhile. None: waits, but for `stop`.
    """

    def __init__(
        self,
        context: Context,
        database: Database,
        *,
        only: Collection[str] | None = None,
        until_empty: bool,
        patience_seconds: float = 0.0,
        progress: Progress = silent,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._context = context
        self._database = database
        self._names = tuple(name for name in context.loaded.settings.targets if only is None or name in only)
        self._stopping = threading.Event()
        self._orders = Orders(until_empty, patience_seconds, self._stopping, sleep or self._stopping.wait)
        self._progress = progress
        self._told = -1
        self._reported: tuple[str, ...] = ()
        self._slots: list[Slot] = []

    def start(self) -> None:
        """Begins.

        Raises:
            StateError: The state cannot be read, or its key is another.
            ConfigError: The rules are wrong.
        """
        context = self._context
        with self._database.read() as connection:
            check_key(connection, context.vault)
            queue = {stats.target: stats for stats in context.queue.stats(connection, finished=False)}
            owing = unsettled(connection, self._names)
        _ = context.ruleset.lifecycle  # what is wrong with the rules is told here, not by each thread
        busy = self._names
        if self._orders.until_empty:
            waiting = {name for name in self._names if _deliverable(queue.get(name, TargetStats(name)))}
            busy = tuple(
                name
                for name in self._names
                if name in waiting or (name in owing and not (name in queue and queue[name].paused))
            )
            self._probe_at_once([name for name in busy if name in queue and queue[name].circuit])
        self._reported = tuple(name for name in self._names if name in busy or (name in queue and queue[name].dead))
        for name in busy:
            of, share = context.concurrency(name), Share(self._database, name)
            self._slots += [
                Slot(context, self._database, name, number, of, self._orders, share) for number in range(of)
            ]
        share_heap()
        for slot in self._slots:
            threading.Thread(target=slot.run, name=f"{slot.target}#{slot.number}", daemon=True).start()

    def stop(self) -> None:
        """Has nothing more claimed; what is being delivered is finished and recorded. Returns at once: see `wait`."""
        self._stopping.set()

    def wait(self, timeout_seconds: float | None = None) -> bool:
        """Waits until all threads have ended; False if that takes longer than so many seconds (None: for ever)."""
        until = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        for slot in self._slots:
            while not slot.ended.is_set():
                left = _TELL_SECONDS if until is None else min(_TELL_SECONDS, until - time.monotonic())
                if left <= 0:
                    return False
                slot.ended.wait(left)  # not Thread.join: interrupted, that of Python 3.11 takes the thread for ended
                self._tell()
        return True

    @property
    def failure(self) -> Exception | None:
        """What ended a thread early on this side, with `until_empty`; None if nothing did."""
        return next((slot.failure for slot in self._slots if slot.failure is not None), None)

    def reports(self) -> tuple[TargetReport, ...]:
        """What came of it, for every target that has, or had, something to do, to put right, or a dead letter.

        Raises:
            StateError: The state cannot be read.
        """
        with self._database.read() as connection:
            queue = {stats.target: stats for stats in self._context.queue.stats(connection, finished=False)}
        return tuple(self._report(queue.get(name, TargetStats(name))) for name in self._reported)

    def health(self) -> tuple[TargetHealth, ...]:
        """How the workers are, by target."""
        return tuple(
            _health(name, [slot for slot in self._slots if slot.target == name])
            for name in dict.fromkeys(slot.target for slot in self._slots)
        )

    def _probe_at_once(self, names: Sequence[str]) -> None:
        """Has targets that are away asked now: somebody has called for a delivery."""
        if names:
            with self._database.write() as connection:
                for name in names:
                    self._context.queue.put_off_probe(connection, name, self._context.clock.now())

    def _tell(self) -> None:
        done = sum(slot.drained.done for slot in self._slots)
        if done != self._told and done:
            self._told = done
            names = ", ".join(dict.fromkeys(slot.target for slot in self._slots))
            self._progress(f"delivering to {names}", done, None)

    def _report(self, stats: TargetStats) -> TargetReport:
        mine = [slot for slot in self._slots if slot.target == stats.target]
        left = stats.ready + stats.waiting + stats.running + stats.retrying + stats.held
        error = next((slot.error for slot in mine if slot.error is not None), None)
        if error is None and stats.circuit is not None and mine:
            error = stats.circuit.error
        if left and stats.paused is not None:
            error = f"paused ({stats.paused}); it goes on after 'eadm-sync queue resume {stats.target}'"
        return TargetReport(
            stats.target,
            sum(slot.drained.done for slot in mine),
            sum(slot.drained.retried for slot in mine),
            stats.dead,
            left,
            error,
        )


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
    sleep: Callable[[float], object] | None = None,
) -> tuple[TargetReport, ...]:
    """Delivers what is queued; a target that is down keeps its changes and stops nothing else.

    Reports on every target that has, or had, something to do or to put right; one that waits for an operator is among
    them, whatever this run was about: what was refused yesterday is not in order today. Interrupted, it finishes what
    is being delivered first; interrupted again, it does not.

    Args:
        context: The installation.
        database: The state.
        progress: Told how it gets on.
        only: Name of the target to deliver to, or None for all.
        patience_seconds: How long to wait for changes that are to be tried again.
        sleep: As `Crew`.

    Raises:
        StateError: The state fails.
    """
    crew = Crew(
        context,
        database,
        only=None if only is None else (only,),
        until_empty=True,
        patience_seconds=patience_seconds,
        progress=progress,
        sleep=sleep,
    )
    crew.start()
    try:
        crew.wait()
    except BaseException:
        crew.stop()
        crew.wait()
        raise
    if crew.failure is not None:
        raise crew.failure
    return crew.reports()


def _health(name: str, slots: Sequence[Slot]) -> TargetHealth:
    failures = (slot.error or (slot.failure and told(slot.failure)) for slot in slots)
    return TargetHealth(
        name,
        workers=len(slots),
        alive=sum(not slot.ended.is_set() for slot in slots),
        holding=sum(slot.is_held for slot in slots),
        seen_at=min((slot.seen_at for slot in slots if slot.seen_at is not None), default=None),
        delivered_at=max((slot.delivered_at for slot in slots if slot.delivered_at is not None), default=None),
        done=sum(slot.drained.done for slot in slots),
        retried=sum(slot.drained.retried for slot in slots),
        dead=sum(slot.drained.dead for slot in slots),
        circuit=next((slot.circuit for slot in slots if slot.circuit is not None), None),
        error=next((failure for failure in failures if failure), None),
    )


def _deliverable(stats: TargetStats) -> bool:
    return bool(stats.ready or stats.waiting or stats.running or stats.retrying)
