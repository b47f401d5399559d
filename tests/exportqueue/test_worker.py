"""The worker against scripted handlers, on every kind of queue."""

# ruff: noqa: ARG002 - handlers take what the contract gives them

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from exportqueue import Circuit, Item, NewItem, Pace, Queue, Result, RetryPolicy, State, Verdict, VerdictKind, Worker

from .conftest import TABLES


class Away(Exception):
    """The target cannot be reached."""


class TooFast(Exception):
    """The target asks for less."""


class Refused(Exception):
    """The target refuses for good."""


class Hiccup(Exception):
    """Something passing."""


def classify(error: Exception) -> Verdict:
    """As a caller would: by type."""
    match error:
        case Away():
            return Verdict(VerdictKind.UNAVAILABLE)
        case TooFast():
            return Verdict(VerdictKind.THROTTLED, 2.0)
        case Refused():
            return Verdict(VerdictKind.DEAD)
        case _:
            return Verdict(VerdictKind.RETRY)


class Script:
    """A handler that does with each item what a function says: returns, or raises the item's own error."""

    def __init__(self, act: Callable[[Item], None] = lambda _: None) -> None:
        self.act = act
        self.delivered: list[str] = []
        self.batches: list[int] = []
        self.recorded: list[Result] = []

    def deliver(self, items: Sequence[Item]) -> Iterator[Result]:
        """One result each, in order."""
        self.batches.append(len(items))
        for item in items:
            try:
                self.act(item)
            except Exception as error:  # noqa: BLE001 - that is what results are for
                yield Result(item.id, error)
            else:
                self.delivered.append(item.object_key)
                yield Result(item.id, None, "value")

    def record(self, conn: Any, results: Sequence[Result]) -> None:
        """Remembers what it is told."""
        self.recorded += results


def make(store: Any, handler: Any, **options: Any) -> Worker:
    """A worker without chance, whose sleep moves the clock."""
    given: dict[str, Any] = {"clock": store.clock, "sleep": store.clock.forward, "chance": lambda: 0.0, "name": "w"}
    return Worker(store, store.queue, "ad", handler, classify, **{**given, **options})


def fill(store: Any, count: int = 3, **values: Any) -> None:
    """Enqueues independent items named k0, k1 and so on."""
    with store.begin() as conn:
        store.queue.enqueue(
            conn, [NewItem("ad", f"k{n}", "update", b"", "change/1", f"p{n}", **values) for n in range(count)]
        )


def items(store: Any) -> list[Item]:
    """All items."""
    with store.begin() as conn:
        return list(store.queue.list(conn))


def failing(kind: type[Exception], *names: str) -> Callable[[Item], None]:
    """An act that raises an error for the objects named."""

    def act(item: Item) -> None:
        if item.object_key in names:
            raise kind(item.object_key)

    return act


def test_a_drain_delivers_everything_in_order(store: Any):
    """Batches, dependencies and progress: all items done, each once."""
    chain = [
        NewItem("ad", "group", "create", b"", "change/1", "g"),
        *(NewItem("ad", f"m{n}", "create", b"", "change/1", "p", after=("group",)) for n in range(5)),
    ]
    with store.begin() as conn:
        store.queue.enqueue(conn, chain)
    handler, progress = Script(), []
    drained = make(store, handler, batch_size=2).drain(on_progress=lambda d: progress.append(d.done))
    assert handler.delivered == ["group", "m0", "m1", "m2", "m3", "m4"]
    assert (drained.done, drained.left) == (6, 0)
    assert progress == [1, 3, 5, 6]
    assert {item.state for item in items(store)} == {State.DONE}


def test_record_learns_what_became_of_each_item(store: Any):
    """Results come with the item's new state, failures too."""
    fill(store)
    handler = Script(lambda item: failing(Refused, "k1")(item) or failing(Hiccup, "k2")(item))
    drained = make(store, handler).drain()
    assert [(r.state, r.value) for r in sorted(handler.recorded, key=lambda r: r.item_id)] == [
        (State.DONE, "value"),
        (State.DEAD, None),
        (State.READY, None),
    ]
    assert (drained.done, drained.dead, drained.retried, drained.left) == (1, 1, 1, 1)


def test_outcome_and_queue_commit_together(store: Any):
    """If recording fails, the items are not finished; they are delivered again when their leases are over."""
    fill(store, 1)

    class Broken(Script):
        def record(self, conn: Any, results: Sequence[Result]) -> None:
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        make(store, Broken()).drain()
    assert items(store)[0].state is State.RUNNING
    store.clock.forward(301)
    handler = Script()
    assert make(store, handler).drain().done == 1
    assert handler.delivered == ["k0"]


def test_retries_end_in_a_dead_letter(store: Any):
    """Each failure waits longer, and the last attempt buries the item."""
    fill(store, 1)
    worker = make(store, Script(failing(Hiccup, "k0")), policy=RetryPolicy(base_seconds=10, factor=2, max_attempts=3))
    waits = []
    while (item := items(store)[0]).state is State.READY:
        worker.drain()
        item = items(store)[0]
        if item.not_before is not None:
            waits.append((item.not_before - store.clock()).total_seconds())
            store.clock.moment = item.not_before
    assert waits == [10, 20]
    assert (item.state, item.attempts, item.last_error) == (State.DEAD, 3, "Hiccup: k0")


def test_an_absent_target_costs_no_attempt(store: Any):
    """The first sign of absence ends the drain; a week later everything arrives with all attempts left."""
    fill(store, 250)
    away = True

    def act(_: Item) -> None:
        if away:
            raise Away("connection refused")

    handler = Script(act)
    worker = make(store, handler, policy=RetryPolicy(max_attempts=1))
    for _ in range(7):
        drained = worker.drain()
        assert (drained.done, drained.left, drained.unavailable) == (0, 250, "connection refused")
        assert worker.drain().unavailable is None  # nothing is even tried while the circuit is open
        store.clock.forward(86_400)
    assert handler.batches == [100, 1, 1, 1, 1, 1, 1]
    assert {item.attempts for item in items(store)} == {0}
    away = False
    assert worker.drain().done == 250


def test_a_week_away_is_waited_out_quietly(store: Any):
    """A probe in half an hour at most, one item each; then everything arrives, with all its attempts left."""
    fill(store, 250)
    began = store.clock()
    back = began + timedelta(days=7)

    def act(_: Item) -> None:
        if store.clock() < back:
            raise Away("connection refused")

    handler = Script(act)
    circuit = Circuit(cap_seconds=1800)
    worker = make(store, handler, policy=RetryPolicy(max_attempts=1), circuit=circuit, idle_seconds=900)
    worker.run(lambda: len(handler.delivered) == 250)
    probes = handler.batches[1:-4]  # behind the batch that found the target away, before those that were delivered
    assert set(probes) == {1}
    assert 300 < len(probes) <= 7 * 24 * 2 + 9
    assert handler.batches[0] == 100
    assert store.clock() - back <= timedelta(seconds=2700)
    assert {(item.state, item.attempts) for item in items(store)} == {(State.DONE, 0)}
    with store.begin() as conn:
        assert store.queue.open_circuit(conn, "ad") is None


def test_workers_probe_an_absent_target_one_at_a_time(store: Any):
    """What one has found is known to all, and whoever comes first when it is time asks for all of them."""
    fill(store, 9)
    asked: list[str] = []

    def act(_: Item) -> None:
        asked.append(threading.current_thread().name)
        raise Away("connection refused")

    first, second = (make(store, Script(act), circuit=Circuit(base_seconds=60)) for _ in range(2))
    first.drain()
    second.drain()
    assert len(asked) == 9  # the batch in which the first one found it away
    store.clock.forward(60)
    second.drain()
    first.drain()
    assert len(asked) == 10
    with store.begin() as conn:
        circuit = store.queue.open_circuit(conn, "ad")
    assert (circuit.failures, circuit.error) == (2, "connection refused")
    assert circuit.probe_at - store.clock() == timedelta(seconds=120)


def test_a_fault_on_this_side_is_nobodys(store: Any):
    """A state that fails while a batch is prepared: all is given back, and whoever runs the worker is told."""
    fill(store, 2)

    class NoState(Exception):
        pass

    class Broken(Script):
        def deliver(self, items: Sequence[Item]) -> Iterator[Result]:
            yield Result(items[0].id)
            raise NoState

    def fault(error: Exception) -> Verdict:
        return Verdict(VerdictKind.ABORT) if isinstance(error, NoState) else classify(error)

    worker = make(store, Broken())
    worker.classify = fault
    with pytest.raises(NoState):
        worker.drain()
    assert [(item.state, item.attempts) for item in items(store)] == [(State.DONE, 0), (State.READY, 0)]


def test_an_interrupted_probe_is_made_up_for_at_once(store: Any):
    """It told nothing of the target: whoever comes next asks."""
    fill(store, 1)
    make(store, Script(failing(Away, "k0"))).drain()
    store.clock.forward(5)

    class Interrupted(Script):
        def deliver(self, items: Sequence[Item]) -> Iterator[Result]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(store, Interrupted()).drain()
    assert make(store, Script()).drain().done == 1


def test_an_error_of_the_batch_leaves_results_standing(store: Any):
    """What was reported before the batch broke is done; the rest comes again."""
    fill(store)

    class Breaks(Script):
        def deliver(self, items: Sequence[Item]) -> Iterator[Result]:
            yield Result(items[0].id)
            raise Away("reset by peer")

    drained = make(store, Breaks()).drain()
    assert (drained.done, drained.returned, drained.unavailable) == (1, 2, "reset by peer")
    assert [(item.state, item.attempts) for item in items(store)] == [
        (State.DONE, 0),
        (State.READY, 0),
        (State.READY, 0),
    ]


def test_a_refusal_of_the_batch_condemns_nobody(store: Any):
    """Which item is at fault is unknown, so each spends an attempt and none dies at once."""
    fill(store, 2)

    class Breaks(Script):
        def deliver(self, items: Sequence[Item]) -> Iterator[Result]:
            raise Refused("malformed batch")

    make(store, Breaks()).drain()
    assert [(item.state, item.attempts) for item in items(store)] == [(State.READY, 1)] * 2


def test_a_handler_that_forgets_an_item_is_found_out(store: Any):
    """An item without a result is a failure of that item, not a success."""
    fill(store, 1)

    class Forgets(Script):
        def deliver(self, items: Sequence[Item]) -> Iterator[Result]:
            yield from ()

    assert make(store, Forgets()).drain().retried == 1
    assert "NoResult" in (items(store)[0].last_error or "")


def test_throttling_slows_down_and_loses_nothing(store: Any):
    """A target that takes two items a second gets everything, with no attempt spent."""
    fill(store, 20)
    taken: list[float] = []

    def act(_: Item) -> None:
        now = store.clock().timestamp()
        if sum(now - 1 < moment for moment in taken) >= 2:
            raise TooFast
        taken.append(now)
        store.clock.forward(0.01)

    drained = make(store, Script(act)).drain()
    assert (drained.done, drained.left) == (20, 0)
    assert {item.attempts for item in items(store)} == {0}


def test_endless_throttling_ends_a_drain(store: Any):
    """A target that lets nothing through is taken to be away."""
    fill(store, 1)
    drained = make(store, Script(failing(TooFast, "k0"))).drain()
    assert (drained.done, drained.left, drained.unavailable) == (0, 1, "k0")


def test_a_configured_rate_is_kept(store: Any):
    """Ten items at two a second take at least four and a half seconds."""
    fill(store, 10)
    started = store.clock()
    make(store, Script(), pace=Pace(limit_per_second=2)).drain()
    assert store.clock() - started >= timedelta(seconds=4)


def test_an_interrupt_keeps_what_was_done(store: Any):
    """Ctrl-C while delivering: what is done is recorded, the rest is given back, and the interrupt goes on."""
    fill(store)

    class Interrupted(Script):
        def deliver(self, items: Sequence[Item]) -> Iterator[Result]:
            yield Result(items[0].id)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(store, Interrupted()).drain()
    assert [item.state for item in items(store)] == [State.DONE, State.READY, State.READY]
    assert {item.attempts for item in items(store)} == {0}


def test_an_interrupt_between_batches_lets_go(store: Any):
    """What was claimed and not begun is given back at once."""
    fill(store)

    def interrupt(_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(store, Script(), batch_size=1).drain(on_progress=interrupt)
    assert [item.state for item in items(store)] == [State.DONE, State.READY, State.READY]


def test_stop_is_asked_between_batches(store: Any):
    """A stopped drain has finished what it began."""
    fill(store)
    handler = Script()
    drained = make(store, handler, batch_size=1).drain(stop=lambda: len(handler.delivered) == 2)
    assert (drained.done, drained.left) == (2, 1)
    assert [item.state for item in items(store)] == [State.DONE, State.DONE, State.READY]


def test_a_vanished_workers_items_do_not_wait_for_a_long_queue(store: Any):
    """They are looked for every second, however much else there is to do."""
    fill(store, 21)
    with store.begin() as conn:
        (abandoned,) = store.queue.claim(conn, "ad", limit=1, lease_seconds=2, worker="gone")
    handler = Script(lambda _: store.clock.forward(0.3))

    make(store, handler, batch_size=2).drain()

    assert 6 <= handler.delivered.index(abandoned.object_key) <= 10
    assert len(handler.delivered) == 21


def test_an_item_that_kills_its_workers_is_buried(store: Any):
    """Leases that expire spend attempts; the last one is not delivered again."""
    fill(store, 1)
    for _ in range(3):
        with store.begin() as conn:
            store.queue.claim(conn, "ad", limit=1, lease_seconds=60, worker="doomed")
        store.clock.forward(61)
    handler = Script()
    make(store, handler, policy=RetryPolicy(max_attempts=3)).drain()
    assert handler.delivered == []
    assert items(store)[0].state is State.DEAD
    assert "LeaseExpired" in (items(store)[0].last_error or "")


def test_items_taken_over_are_not_recorded(store: Any):
    """A worker that slept through its lease leaves the items to their new holder."""
    fill(store, 1)

    def sleep_through(_: Item) -> None:
        store.clock.forward(301)
        with store.begin() as conn:
            store.queue.claim(conn, "ad", limit=1, lease_seconds=600, worker="other")

    handler = Script(sleep_through)
    drained = make(store, handler).drain()
    assert (drained.done, drained.lost) == (0, 1)
    assert handler.recorded == []
    assert items(store)[0].worker == "other"


def test_a_heartbeat_keeps_a_long_batch(engine: Any):
    """A delivery that takes longer than its lease keeps its items, in real time."""
    queue = Queue(TABLES)
    with engine.begin() as conn:
        queue.enqueue(conn, [NewItem("ad", "slow", "update", b"", "change/1", "p")])
    stolen: list[Any] = []

    def slow(item: Item) -> None:
        first, limit = item.lease_until, time.monotonic() + 60
        assert first is not None
        while lease() == first:
            assert time.monotonic() < limit, "no heart beats"
            time.sleep(0.02)
        later = Queue(TABLES, lambda: first + timedelta(microseconds=1))  # whoever comes when the first lease is over
        with engine.begin() as conn:
            stolen.extend(later.claim(conn, "ad", limit=1, lease_seconds=1, worker="thief"))

    def lease() -> datetime | None:
        with engine.begin() as conn:
            (one,) = queue.list(conn)
        return one.lease_until

    drained = Worker(engine, queue, "ad", Script(slow), classify, lease_seconds=0.3).drain()
    assert stolen == []
    assert drained.done == 1


def test_run_works_until_it_is_stopped(store: Any):
    """The daemon's loop finds what is enqueued later, probes an absent target, and ends when told to."""
    answers = iter([Away("down"), Away("down"), None])
    stopped = threading.Event()

    def act(_: Item) -> None:
        if error := next(answers):
            raise error
        stopped.set()

    fill(store, 1)
    handler = Script(act)
    started = store.clock()
    make(store, handler, circuit=Circuit(base_seconds=5)).run(stopped.is_set)
    assert handler.delivered == ["k0"]
    assert store.clock() - started >= timedelta(seconds=15)  # five, then ten seconds between the probes
