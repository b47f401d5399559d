"""Every kind of queue against a simple model, through random histories.

The model keeps for each item everything that was unfinished before it and that it has to wait for, through any number
of links. Workers crash, sleep through their leases, fail and recover; operators pause, drop and resurrect; plans
supersede. Whatever happens: never out of order, never two holders, never lost, never finished twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from exportqueue import Item, LeaseLost, MemoryQueue, NewItem, Queue, State
from exportqueue.item import TRANSITIONS, UNFINISHED, UNSTARTED

from .conftest import TABLES, HandClock, Store, empty

KEYS = st.sampled_from("abcd")
SUBJECTS = ("p0", "p1", "p2")
WORKERS = ("slot", "other")
LEASE_SECONDS = 60
NEWS = st.builds(
    dict,
    object_key=KEYS,
    after=st.sets(KEYS, max_size=2).map(lambda keys: tuple(sorted(keys))),
    subject=st.sampled_from(SUBJECTS),
    priority=st.sampled_from((1, 100)),
    delay=st.sampled_from((None, None, 30)),
)


class Crash(Exception):
    """A process ends in the middle of a transaction."""


@dataclass
class Expected:
    """What the model knows of an item."""

    key: str
    subject: str
    priority: int
    behind: frozenset[int]
    state: State
    due: datetime | None = None
    fence: int = 0
    until: datetime | None = None
    worker: str = ""


class History(RuleBasedStateMachine):
    """Random calls, each checked against the model."""

    store: ClassVar[Store]

    def __init__(self) -> None:
        super().__init__()
        self.model: dict[int, Expected] = {}
        self.batches: list[list[Item]] = []
        self.paused = False

    # ------------------------------------------------------------ calls

    @rule(news=st.lists(NEWS, min_size=1, max_size=4))
    def enqueue(self, news: list[dict[str, Any]]) -> None:
        """New items, some of which wait for others, or for a moment."""
        items = [self._new(**new) for new in news]
        with self.store.begin() as conn:
            self.store.queue.enqueue(conn, items)
            found = {item.id for item in self.store.queue.list(conn, limit=10_000)}
        for item_id, item in zip(sorted(found - self.model.keys()), items, strict=True):
            direct = {newest for key in (item.object_key, *item.after) if (newest := self._newest(key))}
            behind = direct.union(*(self.model[i].behind for i in direct))
            self.model[item_id] = Expected(
                item.object_key, item.subject, item.priority, frozenset(behind), State.READY, item.not_before
            )

    @rule(limit=st.integers(1, 4), worker=st.sampled_from(WORKERS))
    def claim(self, limit: int, worker: str) -> None:
        """A worker takes a batch: only what may be taken, all of it up to the limit, and what is urgent first."""
        expired, due = self._claimable()
        with self.store.begin() as conn:
            batch = self.store.queue.claim(conn, "ad", limit=limit, lease_seconds=LEASE_SECONDS, worker=worker)
        taken = {item.id for item in batch}
        assert taken <= expired | due
        assert len(batch) == min(limit, len(expired | due))
        assert expired <= taken or taken <= expired
        at_once = {i for i in due if self.model[i].due is None}
        assert not any(self._rank(left) < self._rank(i) for left in at_once - taken for i in taken - expired)
        for item in batch:
            assert not self._unfinished_behind(item.id)
            expected = self.model[item.id]
            assert item.fence == expected.fence + 1
            expected.state, expected.fence, expected.until = State.RUNNING, item.fence, item.lease_until
            expected.due, expected.worker = None, worker
        self.batches.append(list(batch))

    @rule(pick=st.randoms(use_true_random=False), limit=st.integers(1, 4))
    def crash(self, pick: Any, limit: int) -> None:
        """A worker dies before its transaction commits: nothing of it has happened."""

        def die() -> None:
            with self.store.begin() as conn:
                self.store.queue.finish(conn, self._part(pick, limit))
                self.store.queue.claim(conn, "ad", limit=limit, lease_seconds=LEASE_SECONDS, worker="doomed")
                self.store.queue.enqueue(conn, [self._new("a", ("b",), "p0", 1, None)])
                raise Crash

        with pytest.raises(Crash):
            die()

    @rule(pick=st.randoms(use_true_random=False), count=st.integers(1, 4), seconds=st.sampled_from((30, 90)))
    def extend(self, pick: Any, count: int, seconds: int) -> None:
        """A heartbeat prolongs what is still held, and nothing else."""
        batch = self._part(pick, count)
        with self.store.begin() as conn:
            kept = self.store.queue.extend(conn, batch, seconds)
        assert {item.id for item in kept} == {item.id for item in batch if self._held(item)}
        for item in kept:
            self.model[item.id].until = self.store.clock() + timedelta(seconds=seconds)

    @rule(paused=st.sampled_from((True, False, False)))
    def pause(self, paused: bool) -> None:
        """An operator pauses or resumes the target."""
        with self.store.begin() as conn:
            if paused:
                self.store.queue.pause(conn, "ad", "maintenance")
            else:
                self.store.queue.resume(conn, "ad")
        self.paused = paused

    @rule(pick=st.randoms(use_true_random=False), count=st.integers(1, 4))
    def finish(self, pick: Any, count: int) -> None:
        """A worker, maybe one that slept, finishes part of its batch."""
        batch = self._part(pick, count)
        with self.store.begin() as conn:
            finished = self.store.queue.finish(conn, batch)
        assert finished == {item.id for item in batch if self._held(item)}
        self._become(finished, State.DONE)

    @rule(pick=st.randoms(use_true_random=False), count=st.integers(1, 4))
    def give_back(self, pick: Any, count: int) -> None:
        """A worker gives part of its batch back."""
        batch = self._part(pick, count)
        with self.store.begin() as conn:
            returned = self.store.queue.give_back(conn, batch)
        assert returned == {item.id for item in batch if self._held(item)}
        self._become(returned, State.READY)

    @rule(pick=st.randoms(use_true_random=False), fatal=st.booleans(), delay=st.sampled_from((0, 30)))
    def fail(self, pick: Any, fatal: bool, delay: int) -> None:
        """An item fails, for now or for good."""
        due = self.store.clock() + timedelta(seconds=delay)
        for item in self._part(pick, 1):
            lost = not self._held(item)
            try:
                with self.store.begin() as conn:
                    if fatal:
                        self.store.queue.bury(conn, item, ValueError("x"))
                    else:
                        self.store.queue.retry(conn, item, ValueError("x"), due)
            except LeaseLost:
                assert lost
            else:
                assert not lost
                self._become({item.id}, State.DEAD if fatal else State.READY)
                self.model[item.id].due = None if fatal else due

    @rule(seconds=st.sampled_from((30, LEASE_SECONDS, LEASE_SECONDS)))
    def let_time_pass(self, seconds: int) -> None:
        """Leases expire, as if workers had crashed, and delays end."""
        self.store.clock.forward(seconds)

    @rule(gone=st.sampled_from((None, "slot", "other")))
    def recover(self, gone: str | None) -> None:
        """What a worker held that is known to be gone is taken back, or what all of them held."""
        mine = {
            i
            for i, expected in self.model.items()
            if expected.state is State.RUNNING and gone in (None, expected.worker)
        }
        with self.store.begin() as conn:
            is_gone = None if gone is None else gone.__eq__
            assert self.store.queue.recover(conn, "ad", is_gone=is_gone) == len(mine)
        self._become(mine, State.READY)

    @rule(subjects=st.sets(st.sampled_from(SUBJECTS), max_size=2))
    def supersede(self, subjects: set[str]) -> None:
        """A newer plan takes the place of unstarted items."""
        theirs = {i for i, expected in self.model.items() if expected.subject in subjects}
        unstarted = {i for i in theirs if self._state(i) in UNSTARTED}
        with self.store.begin() as conn:
            superseded = self.store.queue.supersede(conn, subjects)
        assert superseded.dropped == len(unstarted)
        assert superseded.running == {self.model[i].subject for i in theirs if self._state(i) is State.RUNNING}
        self._become(unstarted, State.DROPPED)

    @rule(pick=st.randoms(use_true_random=False), count=st.integers(1, 3))
    def drop(self, pick: Any, count: int) -> None:
        """An operator drops any items."""
        ids = pick.sample(sorted(self.model), min(count, len(self.model)))
        unstarted = {i for i in ids if self._state(i) in UNSTARTED}
        with self.store.begin() as conn:
            assert self.store.queue.drop(conn, ids, "x") == unstarted
        self._become(unstarted, State.DROPPED)

    @rule()
    def resurrect(self) -> None:
        """An operator tries all dead items again."""
        dead = {i for i, expected in self.model.items() if expected.state is State.DEAD}
        with self.store.begin() as conn:
            assert self.store.queue.resurrect(conn, dead) == dead
        self._become(dead, State.READY)

    @rule()
    def purge(self) -> None:
        """Housekeeping removes finished items, which nobody misses."""
        self.store.clock.forward(1)
        with self.store.begin() as conn:
            self.store.queue.purge(conn, self.store.clock(), limit=2)
            left = {item.id for item in self.store.queue.list(conn, limit=10_000)}
        for gone in self.model.keys() - left:
            assert self.model[gone].state not in UNFINISHED
        self.model = {i: expected for i, expected in self.model.items() if i in left}

    # ------------------------------------------------------------ what always holds

    @invariant()
    def agrees_with_the_model(self) -> None:
        """Nothing is lost, nothing comes back, and everything is in the state it should be in."""
        with self.store.begin() as conn:
            items = {item.id: item for item in self.store.queue.list(conn, limit=10_000)}
            unfinished = sum(1 for _ in self.store.queue.unfinished(conn))
            stats = self.store.queue.stats(conn)
        assert {i: item.state for i, item in items.items()} == {i: self._state(i) for i in self.model}
        open_ = [item for item in items.values() if item.state in UNFINISHED]
        assert unfinished == len(open_)
        assert sum(s.ready + s.waiting + s.running + s.retrying + s.dead + s.held for s in stats) == len(open_)
        assert sum(s.running for s in stats) == self._count(State.RUNNING)
        assert sum(s.dead for s in stats) == self._count(State.DEAD)
        assert sum(s.held for s in stats) == sum(map(self._is_held, self.model))

    # ------------------------------------------------------------ the model

    def _new(self, object_key: str, after: tuple[str, ...], subject: str, priority: int, delay: int | None) -> NewItem:
        due = None if delay is None else self.store.clock() + timedelta(seconds=delay)
        return NewItem("ad", object_key, "x", b"", "f", subject, after, priority, due)

    def _claimable(self) -> tuple[set[int], set[int]]:
        """What can be claimed: items whose lease has expired, and ready ones that are due."""
        now = self.store.clock()
        if self.paused:
            return set(), set()
        expired = {i for i, expected in self.model.items() if expected.until and expected.until <= now}
        ready = {i for i in self.model if self._state(i) is State.READY}
        return expired, {i for i in ready if (due := self.model[i].due) is None or due <= now}

    def _rank(self, item_id: int) -> tuple[int, int]:
        return self.model[item_id].priority, item_id

    def _count(self, state: State) -> int:
        return sum(self._state(i) is state for i in self.model)

    def _is_held(self, item_id: int) -> bool:
        """Whether it waits, through any number of others, for a dead item."""
        behind = (self.model.get(i) for i in self.model[item_id].behind)
        dead = any(expected is not None and expected.state is State.DEAD for expected in behind)
        return dead and self._state(item_id) is State.WAITING

    def _newest(self, key: str) -> int | None:
        return max((i for i, e in self.model.items() if e.key == key and e.state in UNFINISHED), default=None)

    def _unfinished_behind(self, item_id: int) -> bool:
        behind = (self.model.get(i) for i in self.model[item_id].behind)
        return any(expected is not None and expected.state in UNFINISHED for expected in behind)

    def _state(self, item_id: int) -> State:
        state = self.model[item_id].state
        return State.WAITING if state is State.READY and self._unfinished_behind(item_id) else state

    def _held(self, item: Item) -> bool:
        expected = self.model.get(item.id)
        return expected is not None and expected.state is State.RUNNING and expected.fence == item.fence

    def _part(self, pick: Any, count: int) -> list[Item]:
        batch = pick.choice(self.batches) if self.batches else []
        return pick.sample(batch, min(count, len(batch)))

    def _become(self, ids: set[int] | frozenset[int], state: State) -> None:
        before = {i: self._state(i) for i in ids}
        for i in ids:
            self.model[i].state, self.model[i].until = state, None
            assert state in TRANSITIONS[before[i]]


def _memory() -> Store:
    clock = HandClock()
    queue = MemoryQueue(clock)
    return Store(queue, queue.begin, clock)


def run(make_store: Any, examples: int, phases: tuple[Phase, ...]) -> None:
    """Runs histories, each on an empty queue."""

    class Run(History):
        def __init__(self) -> None:
            type(self).store = make_store()
            super().__init__()

    Run.TestCase.settings = settings(
        max_examples=examples,
        stateful_step_count=40,
        deadline=None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Run, settings=Run.TestCase.settings)


def test_memory_agrees_with_the_model():
    """Random histories in memory."""
    run(_memory, 150, tuple(Phase))


@pytest.mark.timeout(600)  # a second for each history on a machine that is busy with other tests
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"], indirect=True)
def test_databases_agree_with_the_model(engine: sa.Engine):
    """Random histories on each database."""

    def make_store() -> Store:
        empty(engine)
        clock = HandClock()
        return Store(Queue(TABLES, clock), engine.begin, clock)

    run(make_store, 20, (Phase.generate,))  # to shrink a failure here would outlast the test's time
