"""One of a target's slots: a thread that holds it against all other processes, and delivers while it does.

A target has as many slots as workers may write it at once. Whoever gets a slot knows that its former holder is gone,
and takes back at once what that one had claimed; should it live and only have lost its connection, the queue's fence
keeps it from finishing anything.
"""

from __future__ import annotations

import os
import random
import socket
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from connectors.contract import Target
from connectors.errors import ConnectorError
from eadm_sync.app.context import Context
from eadm_sync.app.correlating import guarding_of
from eadm_sync.app.giving import first_passwords
from eadm_sync.app.sharing import Share
from eadm_sync.delivery.deliverer import Deliverer
from eadm_sync.delivery.scripts import Scripts
from eadm_sync.delivery.settling import settle, unsettled
from eadm_sync.delivery.verdicts import classify
from eadm_sync.errors import StateError
from eadm_sync.events import bound, get_logger
from eadm_sync.state.database import Database
from eadm_sync.state.locks import Lock
from exportqueue import Circuit, Drained, OpenCircuit, Outlook, Pace, Worker

log = get_logger(__name__)

_LEASE_SECONDS = 300.0
"""After so long without a sign of life a worker's changes are taken over by others. The holder of a slot who dies is
known to be dead at once; this is for slots that are not there any more, since `concurrency` was lowered."""

_POLL_SECONDS = 0.9
"""How often an idle slot looks for work; a tenth more or less is left to chance, so that not all look at once."""

_TURN_SECONDS = 2.0
"""How often it is looked whether a slot that somebody else holds is free."""

_YIELD_SECONDS = 5.0
"""How long a slot that was let go is left to whoever waits for it: more than two of their looks."""

_LINGER_SECONDS = 60.0
"""How long an idle target is kept open: its next change need not wait for a connection, and files that are made when it
is closed are not made for each change."""

_HOLD_CHECK_SECONDS = 1.0
"""How often it is asked whether a slot is still held."""

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 1.0, 30.0
"""After a failure that nobody foresaw; doubles with each in a row."""

_MOST_FAILURES = 10
"""Past this the pause is at its longest."""

_PATIENCE_STEP_SECONDS = 1.0
"""How often it is looked whether something is due again."""

_OTHERS_SECONDS = 0.1
"""How often it is looked whether what others are at work on has made something ready."""


@dataclass(frozen=True)
class Orders:
    """What all slots of a crew are told.

    Attributes:
        until_empty: Whether to end when there is nothing left that could be delivered now.
        patience_seconds: How long to wait, before that, for what is to be tried again.
        stopping: Set: claim no more, and end.
        sleep: Waits some seconds for a target; `Context.clock` has to move meanwhile.
    """

    until_empty: bool
    patience_seconds: float
    stopping: threading.Event
    sleep: Callable[[float], object]


@dataclass
class Slot:
    """One slot of one target. `run` is for its thread; the other attributes may be read from any.

    Attributes:
        context: The installation.
        database: The state.
        target: Name of the target.
        number: Which of its slots, from 0.
        of: How many slots it has.
        orders: What to do.
        share: What this process has of the target's slots.
        drained: What it has delivered so far.
        is_held: Whether this process has the slot.
        seen_at: When its thread last came round; it stays away while a batch is delivered.
        delivered_at: When it last delivered a change, or None.
        error: Why the target could not be opened or closed, or None.
        circuit: How the target is away, as far as is known here, or None.
        failure: What it failed of on this side, until it works again; or None.
        ended: Set when `run` has ended.
    """

    context: Context
    database: Database
    target: str
    number: int
    of: int
    orders: Orders
    share: Share
    drained: Drained = field(default_factory=Drained)
    is_held: bool = False
    seen_at: datetime | None = None
    delivered_at: datetime | None = None
    error: str | None = None
    circuit: OpenCircuit | None = None
    failure: Exception | None = None
    ended: threading.Event = field(default_factory=threading.Event)
    _pace: Pace | None = None
    _failures: int = 0
    _held_until: float = 0.0
    _waited_seconds: float = 0.0
    _gives_way: bool = False

    @property
    def name(self) -> str:
        """Who holds items in the queue; the same for every holder of the slot up to the `@`."""
        return f"{self._claims_as}@{socket.gethostname()}:{os.getpid()}"

    @property
    def _claims_as(self) -> str:
        return f"{self.target}#{self.number}"

    def run(self) -> None:
        """Delivers until told to stop or, if ordered so, until nothing is left. Raises nothing."""
        try:
            with bound(target=self.target, slot=self.number):
                self._go_on()
        finally:
            self.share.forgo()
            self.ended.set()

    def _go_on(self) -> None:
        while not self.orders.stopping.is_set():
            try:
                self._take_turn()
            except Exception as error:  # noqa: BLE001 - a thread that ended would be a target that nobody serves
                self._fail(error)
            if self.orders.until_empty:
                return
            if self.failure is not None:
                seconds = min(_FIRST_PAUSE_SECONDS * 2 ** (self._failures - 1), _LONGEST_PAUSE_SECONDS)
                self.orders.stopping.wait(_about(seconds))

    def _fail(self, error: Exception) -> None:
        """Tells of a failure; of one that can be foreseen in words that hold nobody's data."""
        if isinstance(error, SQLAlchemyError):
            error = StateError(f"the state database failed: {getattr(error, 'orig', None) or type(error).__name__}")
        self.failure = error
        self._failures = min(self._failures + 1, _MOST_FAILURES)
        log.error("slot.failed", target=self.target, slot=self.number, error=told(error))

    def _works(self) -> None:
        """What failed before works again."""
        self.failure, self._failures = None, 0

    # ---------------------------------------------------------------- the slot

    def _take_turn(self) -> None:
        """Waits for the slot, and serves the target while it is held."""
        lock = self._wait_for_slot()
        if lock is None:
            return
        self.is_held, self._gives_way = True, False
        self.share.take()
        try:
            self._recover()
            self._serve(lock)
        finally:
            self.is_held = False
            lock.release()
            self.share.give()
        if self._gives_way:
            log.info("slot.given_up", target=self.target, slot=self.number)
            self._pause(_YIELD_SECONDS)

    def _wait_for_slot(self) -> Lock | None:
        """The slot; None where it is time to end."""
        while not self.orders.stopping.is_set():
            lock = self.database.try_lock(f"slot-{self.target}-{self.number}", self.name)
            if lock is not None:
                return lock
            outlook, _ = self._look()
            if self.orders.until_empty and not (outlook.claimable or outlook.running):
                return None
            if not self.orders.until_empty:
                self.share.wish()
            self._pause(_POLL_SECONDS if self.orders.until_empty else _TURN_SECONDS)
        return None

    def _recover(self) -> None:
        """Takes back what the slot's former holder had claimed: there is one holder at a time.

        With the first slot comes what nobody's slot is any more, since `concurrency` was lowered.
        """
        others = {f"{self.target}#{number}" for number in range(self.of)} - {self._claims_as}

        def is_gone(worker: str) -> bool:
            slot = worker.partition("@")[0]
            return slot == self._claims_as or (self.number == 0 and slot not in others)

        with self.database.write() as connection:
            recovered = self.context.queue.recover(connection, self.target, is_gone=is_gone)
        if recovered:
            log.warning("queue.recovered", target=self.target, slot=self.number, items=recovered)

    def _must_end(self, lock: Lock) -> bool:
        """Whether nothing more may be claimed: told to stop, the slot lost with a connection, or left to others."""
        if self.orders.stopping.is_set() or self._gives_way:
            return True
        now = time.monotonic()
        if now >= self._held_until:
            if not lock.is_held():
                log.warning("slot.lost", target=self.target, slot=self.number)
                return True
            self._held_until = now + _HOLD_CHECK_SECONDS
            self._gives_way = not self.orders.until_empty and self.share.is_asked()
        return self._gives_way

    # ---------------------------------------------------------------- the target

    def _serve(self, lock: Lock) -> None:
        """Visits the target whenever there is something to do."""
        while not self._must_end(lock):
            outlook, owing = self._look()
            is_away = outlook.circuit is not None and self.context.clock.now() < outlook.circuit.probe_at
            if outlook.claimable or (owing and not is_away):
                self._visit(lock, outlook.circuit)
                if self.orders.until_empty:
                    return
            elif self.orders.until_empty and not self._may_get_work(outlook):
                return
            else:
                self._pause(_POLL_SECONDS)

    def _visit(self, lock: Lock, before: OpenCircuit | None) -> None:
        """Opens the target, delivers while there is something to deliver, and closes it in good order."""
        try:
            with self.context.make_target(self.target) as target:
                if self._owing() is not None:
                    list(target.apply(()))  # has it do what it owes since a process that delivered to it ended early
                self._deliver(lock, target)
                owing = self._owing()
        except ConnectorError as error:
            self._note_absence(error)
            return
        self.error = None
        with self.database.write() as connection:
            if owing is not None:
                settle(connection, self.target, owing)
            known = self.context.queue.open_circuit(connection, self.target)
            if known is not None and known == before:
                self.context.queue.close_up(connection, self.target)

    def _deliver(self, lock: Lock, target: Target) -> None:
        worker = self._worker(target)
        idle_since = time.monotonic()
        try:
            while not self._must_end(lock):
                outlook, _ = self._look()
                if outlook.claimable and not _is_slowed(worker) and self._drain(worker, lock):
                    idle_since = time.monotonic()
                elif self.orders.until_empty:
                    if not self._may_get_work(outlook, worker):
                        return
                elif time.monotonic() - idle_since > _LINGER_SECONDS:
                    return
                else:
                    self._pause(_POLL_SECONDS)
        finally:
            self._pace = worker.pace

    def _drain(self, worker: Worker, lock: Lock) -> bool:
        """Delivers until nothing can be claimed; says whether there was anything."""
        before = self.drained

        def tell(drained: Drained) -> None:
            now = self.context.clock.now()
            self.drained, self.seen_at = before.plus(drained), now
            if drained.done:
                self.delivered_at = now
            self._works()

        drained = worker.work(lambda: self._must_end(lock), tell)
        self.drained = before.plus(drained)
        return bool(drained.done or drained.retried or drained.dead or drained.returned)

    def _may_get_work(self, outlook: Outlook, worker: Worker | None = None) -> bool:
        """Whether there may be something to deliver yet before it is time to end; waits for it a moment."""
        if outlook.running or (outlook.claimable and not (worker and _is_slowed(worker))):
            self._pause(_OTHERS_SECONDS)
            return True
        if outlook.delayed and outlook.circuit is None and self._waited_seconds < self.orders.patience_seconds:
            self.orders.sleep(_PATIENCE_STEP_SECONDS)
            self._waited_seconds += _PATIENCE_STEP_SECONDS
            return True
        return False

    def _worker(self, target: Target) -> Worker:
        context, limit = self.context, self.context.loaded.settings.targets[self.target].changes_per_second
        deliverer = Deliverer(
            database=self.database,
            name=self.target,
            target=target,
            vault=context.vault,
            scripts=self._scripts(),
            settings=context.ruleset.lifecycle,
            clock=context.clock,
            time_zone=context.loaded.settings.organisation.zone,
            guarding=guarding_of(context, self.target),
            passwords=first_passwords(context),
        )
        return Worker(
            engine=self.database.engine,
            queue=context.queue,
            target=self.target,
            handler=deliverer,
            classify=classify,
            clock=context.clock.now,
            batch_size=target.capabilities.batch_size,
            lease_seconds=_LEASE_SECONDS,
            name=self.name,
            sleep=self.orders.sleep,
            pace=self._pace or Pace(limit_per_second=None if limit is None else limit / self.of),
        )

    def _scripts(self) -> Scripts:
        """What runs the programs that follow changes to the target's accounts."""
        context = self.context
        return Scripts(
            database=self.database,
            target=self.target,
            programs=context.loaded.settings.scripts,
            base_dir=context.loaded.base_dir,
            vault=context.vault,
            clock=context.clock,
            must_stop=self.orders.stopping.is_set,
        )

    def _note_absence(self, error: ConnectorError) -> None:
        """Has everybody know that the target cannot be opened, or not be closed in good order."""
        self.error = str(error)
        log.warning("target.failed", target=self.target, slot=self.number, error=self.error)
        now, wish = self.context.clock.now(), classify(error).retry_after_seconds
        with self.database.write() as connection:
            known = self.context.queue.open_circuit(connection, self.target, for_update=True)
            circuit = Circuit().told(known).failed(now, wish)
            if circuit.open_until is not None:
                opened = OpenCircuit(self.target, now, circuit.open_until, circuit.failures, self.error)
                self.context.queue.open_up(connection, opened)

    # ---------------------------------------------------------------- little helpers

    def _look(self) -> tuple[Outlook, bool]:
        """What there is to do, and whether the target owes something since a process ended early."""
        with self.database.read() as connection:
            outlook = self.context.queue.outlook(connection, self.target)
            owing = not self.number and bool(unsettled(connection, (self.target,)))
        self.circuit, self.seen_at = outlook.circuit, self.context.clock.now()
        return outlook, owing

    def _owing(self) -> int | None:
        """The version of known state that the target has not been closed with yet, or None."""
        with self.database.read() as connection:
            return unsettled(connection, (self.target,)).get(self.target)

    def _pause(self, seconds: float) -> None:
        """Waits, unless told to stop; whoever gets here has not failed."""
        self._works()
        self.orders.stopping.wait(_about(seconds))


def told(error: Exception) -> str:
    """An error as it may be logged: those that nobody foresaw can hold data, so only their type and place are told."""
    if isinstance(error, StateError):
        return str(error)
    places = traceback.extract_tb(error.__traceback__)[-3:]
    return " < ".join([type(error).__name__, *(f"{place.name}:{place.lineno}" for place in reversed(places))])


def _about(seconds: float) -> float:
    return seconds * random.uniform(0.9, 1.1)  # noqa: S311 - spreads load, guards no secret


def _is_slowed(worker: Worker) -> bool:
    """Whether the target has to be waited for longer than a worker waits by itself."""
    return worker.pace.wait_seconds(worker.clock()) > worker.patience_seconds
