"""Every kind of queue against a simple model, through random histories.

The model keeps for each item everything that was unfinished before it and that it has to wait for, through any number
of links. Whatever happens: never out of order, never two holders, never lost, never finished twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
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
LEASE_SECONDS = 60


@dataclass
class Expected:
    """What the model knows of an item."""

    key: str
    subject: str
    behind: frozenset[int]
    state: State
    fence: int = 0
    until: Any = None


class History(RuleBasedStateMachine):
    """Random calls, each checked against the model."""

    store: ClassVar[Store]

    def __init__(self) -> None:
        super().__init__()
        self.model: dict[int, Expected] = {}
        self.batches: list[list[Item]] = []
        self.enqueued = 0

    # ------------------------------------------------------------ calls

    @rule(news=st.lists(st.tuples(KEYS, st.sets(KEYS, max_size=2), st.sampled_from(SUBJECTS)), min_size=1, max_size=4))
    def enqueue(self, news: list[tuple[str, set[str], str]]) -> None:
        """New items, some of which wait for others."""
        items = [NewItem("ad", key, "x", b"", "f", subject, after=tuple(sorted(after))) for key, after, subject in news]
        with self.store.begin() as conn:
            self.store.queue.enqueue(conn, items)
            found = {item.id for item in self.store.queue.list(conn, limit=10_000)}
        for item_id, item in zip(sorted(found - self.model.keys()), items, strict=True):
            direct = {newest for key in (item.object_key, *item.after) if (newest := self._newest(key))}
            behind = direct.union(*(self.model[i].behind for i in direct))
            self.model[item_id] = Expected(item.object_key, item.subject, frozenset(behind), State.READY)

    @rule(limit=st.integers(1, 4))
    def claim(self, limit: int) -> None:
        """A worker takes a batch: only what may be taken, and all of it up to the limit."""
        now = self.store.clock()
        free = {i for i, e in self.model.items() if self._state(i) is State.READY or (e.until and e.until <= now)}
        with self.store.begin() as conn:
            batch = self.store.queue.claim(conn, "ad", limit=limit, lease_seconds=LEASE_SECONDS, worker="w")
        assert {item.id for item in batch} <= free
        assert len(batch) == min(limit, len(free))
        for item in batch:
            assert not self._unfinished_behind(item.id)
            expected = self.model[item.id]
            assert item.fence == expected.fence + 1
            expected.state, expected.fence, expected.until = State.RUNNING, item.fence, item.lease_until
        self.batches.append(list(batch))

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

    @rule(pick=st.randoms(use_true_random=False), fatal=st.booleans())
    def fail(self, pick: Any, fatal: bool) -> None:
        """An item fails, for now or for good."""
        for item in self._part(pick, 1):
            lost = not self._held(item)
            try:
                with self.store.begin() as conn:
                    if fatal:
                        self.store.queue.bury(conn, item, ValueError("x"))
                    else:
                        self.store.queue.retry(conn, item, ValueError("x"), self.store.clock())
            except LeaseLost:
                assert lost
            else:
                assert not lost
                self._become({item.id}, State.DEAD if fatal else State.READY)

    @rule()
    def let_leases_expire(self) -> None:
        """Time passes; all workers may have crashed."""
        self.store.clock.forward(LEASE_SECONDS)

    @rule()
    def recover(self) -> None:
        """A lone worker takes everything back."""
        with self.store.begin() as conn:
            self.store.queue.recover(conn, "ad")
        self._become({i for i, e in self.model.items() if e.state is State.RUNNING}, State.READY)

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
            self.store.queue.purge(conn, self.store.clock() - timedelta(seconds=0), limit=2)
            self.left = {item.id for item in self.store.queue.list(conn, limit=10_000)}
        for gone in self.model.keys() - self.left:
            assert self.model[gone].state not in UNFINISHED
        self.model = {i: expected for i, expected in self.model.items() if i in self.left}

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

    # ------------------------------------------------------------ the model

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
        stateful_step_count=30,
        deadline=None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Run, settings=Run.TestCase.settings)


def test_memory_agrees_with_the_model():
    """Random histories in memory."""
    run(_memory, 60, tuple(Phase))


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"], indirect=True)
def test_databases_agree_with_the_model(engine: sa.Engine):
    """Random histories on each database."""

    def make_store() -> Store:
        empty(engine)
        clock = HandClock()
        return Store(Queue(TABLES, clock), engine.begin, clock)

    run(make_store, 30, (Phase.generate,))  # to shrink a failure here would outlast the test's time
