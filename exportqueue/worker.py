"""Takes items of one target from the queue, has them delivered, and moves them on."""

from __future__ import annotations

import logging
import os
import random
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from exportqueue.circuit import Circuit, OpenCircuit
from exportqueue.errors import LeaseExpired, LeaseLost, NoResult
from exportqueue.fate import Fate, Judge, absence, longest
from exportqueue.handler import Handler, Result
from exportqueue.heartbeat import Heartbeat
from exportqueue.item import Item, State, TargetStats
from exportqueue.pace import Pace
from exportqueue.retry import Classify, RetryPolicy, VerdictKind

PATIENCE = 10
"""Batches in a row that a target may throttle without doing anything. Then it is taken to be away: a drain must end."""

PROBE_SECONDS = 60.0
"""A probe that takes longer than this, or dies with its worker, is not waited for: somebody else may probe."""

LOOK_SECONDS = 1.0
"""A batch that begins so soon after another one does not look for expired leases and retries first."""

_log = logging.getLogger("exportqueue")


class Begins(Protocol):
    """Opens transactions, as `sqlalchemy.Engine` does. On SQLite they have to begin with BEGIN IMMEDIATE."""

    def begin(self) -> AbstractContextManager[sa.Connection]:
        """A transaction that commits when the block ends and rolls back when it raises."""
        ...


class Deliverable(Protocol):
    """The part of `Queue` that a worker needs."""

    def claim(
        self,
        conn: sa.Connection,
        target: str,
        *,
        limit: int,
        lease_seconds: float,
        worker: str,
        overdue_first: bool = True,
    ) -> Sequence[Item]:
        """As `Queue.claim`."""
        ...

    def extend(self, conn: sa.Connection, items: Sequence[Item], lease_seconds: float) -> Sequence[Item]:
        """As `Queue.extend`."""
        ...

    def finish(self, conn: sa.Connection, items: Sequence[Item]) -> frozenset[int]:
        """As `Queue.finish`."""
        ...

    def retry(self, conn: sa.Connection, item: Item, error: BaseException, not_before: datetime) -> None:
        """As `Queue.retry`."""
        ...

    def bury(self, conn: sa.Connection, item: Item, error: BaseException) -> None:
        """As `Queue.bury`."""
        ...

    def give_back(
        self, conn: sa.Connection, items: Sequence[Item], *, not_before: datetime | None = None
    ) -> frozenset[int]:
        """As `Queue.give_back`."""
        ...

    def open_circuit(self, conn: sa.Connection, target: str, *, for_update: bool = False) -> OpenCircuit | None:
        """As `Queue.open_circuit`."""
        ...

    def open_up(self, conn: sa.Connection, circuit: OpenCircuit) -> None:
        """As `Queue.open_up`."""
        ...

    def put_off_probe(self, conn: sa.Connection, target: str, probe_at: datetime) -> None:
        """As `Queue.put_off_probe`."""
        ...

    def close_up(self, conn: sa.Connection, target: str) -> None:
        """As `Queue.close_up`."""
        ...

    def stats(self, conn: sa.Connection, *, finished: bool = True) -> Sequence[TargetStats]:
        """As `Queue.stats`."""
        ...


@dataclass(frozen=True, slots=True)
class Drained:
    """What a drain has done so far.

    Attributes:
        done: Items done.
        retried: Failures that will be tried again.
        dead: Items that became dead letters.
        returned: Items given back untouched: the target was away or asked for less.
        lost: Items that somebody else took over meanwhile.
        left: Unfinished items of the target that are not dead; counted when the drain ends, 0 before.
        unavailable: What the target's absence looked like, if that ended the drain. Otherwise None.
    """

    done: int = 0
    retried: int = 0
    dead: int = 0
    returned: int = 0
    lost: int = 0
    left: int = 0
    unavailable: str | None = None

    def plus(self, other: Drained) -> Drained:
        """Both together; the later absence counts."""
        return Drained(
            done=self.done + other.done,
            retried=self.retried + other.retried,
            dead=self.dead + other.dead,
            returned=self.returned + other.returned,
            lost=self.lost + other.lost,
            unavailable=other.unavailable,
        )


@dataclass
class Worker:
    """Delivers the items of one target; one thread at a time.

    No transaction is open while a target is slow. Items are claimed and committed; delivered; then what happened is
    recorded, the items are moved on and the next are claimed, all committed together. After a crash anywhere the leases
    expire and the items are delivered again.

    Attributes:
        engine: Where the queue is.
        queue: The queue.
        target: Name of the target.
        handler: Delivers and records.
        classify: Says what an error means.
        policy: When to try again.
        clock: The same as the queue's.
        batch_size: Most items in one `Handler.deliver`.
        lease_seconds: How long a vanished worker keeps its items from others. Prolonged while a batch is delivered.
        name: Who holds the items, for operators and for `Queue.recover`.
        sleep: Waits some seconds.
        chance: A number from 0 to 1, for the jitter.
        circuit: Whether the target is there, as far as this worker knows; what the queue's tables say goes before.
        pace: How fast it is served.
        idle_seconds: How often `run` looks for work, and how often `stop` is asked while waiting for the pace.
        patience_seconds: Longest wait for a target's pace within a drain; a quota that is spent for the day ends it.
    """

    engine: Begins
    queue: Deliverable
    target: str
    handler: Handler
    classify: Classify
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    batch_size: int = 100
    lease_seconds: float = 300.0
    name: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}")
    sleep: Callable[[float], object] = time.sleep
    chance: Callable[[], float] = random.random
    circuit: Circuit = field(default_factory=Circuit)
    pace: Pace = field(default_factory=Pace)
    idle_seconds: float = 1.0
    patience_seconds: float = 60.0
    _throttles: int = field(default=0, init=False)
    _look_at: datetime = field(default=datetime.min.replace(tzinfo=UTC), init=False)

    def drain(
        self,
        stop: Callable[[], bool] = lambda: False,
        on_progress: Callable[[Drained], None] | None = None,
    ) -> Drained:
        """Delivers until nothing can be claimed, the target is away, or `stop` says so (asked between batches).

        A target that asks for less is waited for. A failure that is due later, or a target that is away, is not: it
        is left.
        """
        total = self.work(stop, on_progress)
        return replace(total, left=self._left())

    def run(self, stop: Callable[[], bool]) -> None:
        """Delivers until `stop` says so. A database that is away is waited for; a target is probed."""
        while not stop():
            try:
                worked = self.work(stop)
            except DBAPIError as error:
                _log.warning("database failed", extra={"target": self.target, "error": type(error).__name__})
                worked = Drained()
            if not worked.done and not stop():
                self.sleep(self.idle_seconds)

    def work(
        self,
        stop: Callable[[], bool] = lambda: False,
        on_progress: Callable[[Drained], None] | None = None,
    ) -> Drained:
        """As `drain`, without counting what is left: that takes time where much is."""
        total = Drained()
        items: Sequence[Item] = ()
        with Heartbeat(self._extend, self.lease_seconds) as heartbeat:
            try:
                while items := items or self._first(stop):
                    batch, items = items, ()
                    drained, items = self._deliver(batch, heartbeat, stop)
                    total = total.plus(drained)
                    if on_progress is not None:
                        on_progress(total)
            finally:
                self._let_go(items)
        return total

    # ---------------------------------------------------------------- one batch

    def _first(self, stop: Callable[[], bool]) -> Sequence[Item]:
        """A batch, or a single item as a probe, as soon as the target may be served; empty if there is none."""
        if stop() or not self._wait_for_pace(stop):
            return ()
        with self.engine.begin() as conn:
            self.circuit = self.circuit.told(self.queue.open_circuit(conn, self.target, for_update=True))
            if self.circuit.blocks(self.clock()):
                return ()
            items = self._claim(conn)
            if items and not self.circuit.closed:  # meanwhile nobody else probes
                self.queue.put_off_probe(conn, self.target, self.clock() + timedelta(seconds=PROBE_SECONDS))
            return items

    def _claim(self, conn: sa.Connection) -> Sequence[Item]:
        """What can be claimed; items that kill their workers are buried on the way."""
        limit = self.pace.burst(self.batch_size) if self.circuit.closed else 1
        while True:
            items = self.queue.claim(
                conn,
                self.target,
                limit=limit,
                lease_seconds=self.lease_seconds,
                worker=self.name,
                overdue_first=self._looks_for_overdue(),
            )
            for item in items:
                if item.attempts >= self.policy.max_attempts:
                    self.queue.bury(conn, item, LeaseExpired(item.attempts))
            hopeful = [item for item in items if item.attempts < self.policy.max_attempts]
            if hopeful or not items:
                return hopeful

    def _looks_for_overdue(self) -> bool:
        """Whether expired leases and retries go before the rest: every second, not with each of a hundred batches."""
        now = self.clock()
        if now < self._look_at:
            return False
        self._look_at = now + timedelta(seconds=LOOK_SECONDS)
        return True

    def _let_go(self, items: Sequence[Item]) -> None:
        """Gives back what was claimed and never begun, because something interrupted the work in between."""
        if items:
            with self.engine.begin() as conn:
                self.queue.give_back(conn, items)

    def _deliver(
        self, items: Sequence[Item], heartbeat: Heartbeat, stop: Callable[[], bool]
    ) -> tuple[Drained, Sequence[Item]]:
        """Delivers a batch and moves it on; returns what came of it, and the next batch if there is one at hand."""
        results: dict[int, Result] = {}
        failure: BaseException | None = None
        started = self.clock()
        with heartbeat.over(items):
            try:
                for result in self.handler.deliver(items):
                    results[result.item_id] = result
            except BaseException as error:  # noqa: BLE001 - even when interrupted, what was done has to be recorded
                failure = error
        judge = Judge(self.classify, self.policy, self.chance, self.clock())
        fates = [judge.fate(item, results.get(item.id), failure) for item in items]
        before = self.circuit
        if failure is not None and judge.is_ours(failure):
            self._settle(fates, before, lambda: True)
            raise failure
        self._learn(fates, started)
        drained, following = self._settle(fates, before, stop)
        return replace(drained, unavailable=None if self.circuit.closed else absence(fates)), following

    def _settle(
        self, fates: Sequence[Fate], before: Circuit, stop: Callable[[], bool]
    ) -> tuple[Drained, Sequence[Item]]:
        """Moves the items on and has the results recorded, in one transaction; tells of a circuit that has changed.

        The next batch is claimed in the same one, unless the target has to be waited for: half as many commits.
        """
        with self.engine.begin() as conn:
            self._tell(conn, fates, before)
            kept = self.queue.finish(conn, [fate.item for fate in fates if fate.state is State.DONE])
            kept |= self._return(conn, fates)
            for fate in fates:
                if fate.spends_attempt and self._move(conn, fate):
                    kept |= {fate.item.id}
            held = [fate for fate in fates if fate.item.id in kept]
            self.handler.record(conn, [msgspec.structs.replace(fate.result, state=fate.state) for fate in held])
            at_once = self.circuit.closed and not self.pace.wait_seconds(self.clock()) and not stop()
            following = self._claim(conn) if at_once else ()
        return _tally(held, lost=len(fates) - len(held)), following

    def _return(self, conn: sa.Connection, fates: Sequence[Fate]) -> frozenset[int]:
        returned: dict[datetime | None, list[Item]] = {}
        for fate in fates:
            if fate.state is State.READY and not fate.spends_attempt:
                returned.setdefault(fate.due, []).append(fate.item)
        kept: frozenset[int] = frozenset()
        for due, items in returned.items():
            kept |= self.queue.give_back(conn, items, not_before=due)
        return kept

    def _move(self, conn: sa.Connection, fate: Fate) -> bool:
        """Retries or buries one item; says whether it was still held."""
        error = fate.result.error or NoResult(fate.item.id)
        try:
            if fate.due is None:
                self.queue.bury(conn, fate.item, error)
            else:
                self.queue.retry(conn, fate.item, error, fate.due)
        except LeaseLost:
            return False
        return True

    # ---------------------------------------------------------------- what was learnt of the target

    def _learn(self, fates: Sequence[Fate], started: datetime) -> None:
        """Adjusts circuit and pace to how the target behaved."""
        now = self.clock()
        verdicts = [fate.verdict for fate in fates if fate.verdict is not None]
        away = [verdict for verdict in verdicts if verdict.kind is VerdictKind.UNAVAILABLE]
        slower = [verdict for verdict in verdicts if verdict.kind is VerdictKind.THROTTLED]
        answered = len(fates) - len(away) - len(slower)
        self._throttles = self._throttles + 1 if slower and not answered else 0
        if away or self._throttles >= PATIENCE:
            self._throttles = 0
            self.circuit = self.circuit.failed(now, longest(away or slower))
        else:
            self.circuit = self.circuit.answered()
        if slower:
            seconds = max((now - started).total_seconds(), 0.001)
            self.pace = self.pace.throttled(now, answered / seconds, longest(slower))
        elif not away:
            self.pace = self.pace.sent(len(fates), started).recovered()

    def _tell(self, conn: sa.Connection, fates: Sequence[Fate], before: Circuit) -> None:
        """Has all other workers know of a circuit that has opened, stays open or has closed."""
        now, probe_at = self.clock(), self.circuit.open_until
        if probe_at is None:
            if not before.closed:
                self.queue.close_up(conn, self.target)
        elif self.circuit == before:  # the probe was interrupted
            self.queue.put_off_probe(conn, self.target, probe_at)
        else:
            circuit = OpenCircuit(self.target, now, probe_at, self.circuit.failures, absence(fates))
            self.queue.open_up(conn, circuit)

    # ---------------------------------------------------------------- little helpers

    def _extend(self, items: Sequence[Item]) -> Sequence[Item]:
        with self.engine.begin() as conn:
            return self.queue.extend(conn, items, self.lease_seconds)

    def _wait_for_pace(self, stop: Callable[[], bool]) -> bool:
        """Waits until the target may be served; False if that takes too long, or `stop` said so meanwhile."""
        while seconds := self.pace.wait_seconds(self.clock()):
            if seconds > self.patience_seconds or stop():
                return False
            self.sleep(min(seconds, self.idle_seconds))
        return True

    def _left(self) -> int:
        with self.engine.begin() as conn:
            mine = [stats for stats in self.queue.stats(conn, finished=False) if stats.target == self.target]
        return sum(stats.ready + stats.waiting + stats.running + stats.retrying + stats.held for stats in mine)


def _tally(held: Sequence[Fate], lost: int) -> Drained:
    failed = [fate for fate in held if fate.spends_attempt]
    done = sum(fate.state is State.DONE for fate in held)
    dead = sum(fate.state is State.DEAD for fate in failed)
    return Drained(done=done, dead=dead, retried=len(failed) - dead, returned=len(held) - done - len(failed), lost=lost)
