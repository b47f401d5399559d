"""The budget against the quota as Graph describes it: minutes and hours of it, on a clock that is only counted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.entra.batching import Request, Response
from connectors.entra.budget import DEFAULT_PAUSE_SECONDS, Budget, Sent
from tests.services.graph.errors import Refused
from tests.services.graph.throttling import Quota, Throttle, quota_of

SMALL = Quota(3500, 10.0, 3000, 150.0)
WRITE = Request("w", "POST", "/users")
READ = Request("r", "GET", "/users")
MINUTES, OF_READS = 10, 1
ANSWER_SECONDS, IN_FLIGHT, TOGETHER = 0.05, 4, 20


@dataclass
class Clock:
    """Counted by hand."""

    now: float = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@dataclass
class Graph:
    """A quota, and who sends as fast as the budget allows."""

    throttle: Throttle
    clock: Clock
    budget: Budget
    done: int = 0
    refused: int = 0
    units: int = 0

    def answer(self, cost: int, *, write: bool) -> Response:
        """One request of many."""
        try:
            headers = self.throttle.take(self.clock.now, cost, write=write)
        except Refused as refusal:
            self.refused += 1
            return Response("", refusal.status, headers={key.lower(): each for key, each in refusal.headers.items()})
        self.done += 1
        self.units += cost
        return Response("", 200, headers=headers)

    def work(self, seconds: float, request: Request, cost: int) -> None:
        """So many batches at the same time, again and again."""
        until, batch = self.clock.now + seconds, [request] * TOGETHER
        while self.clock.now < until:
            flights: list[Sent] = []
            while len(flights) < IN_FLIGHT and not self.budget.wait_seconds(batch):
                flights.append(self.budget.sent(batch))
            if not flights:
                self.clock.now = min(until, self.clock.now + self.budget.wait_seconds(batch))
                continue
            self.clock.now += ANSWER_SECONDS
            for sent in flights:
                answers = [self.answer(cost, write=request.method != "GET") for _ in batch]
                self.budget.told(sent, answers)


def graph(quota: Quota) -> Graph:
    """Nothing was sent yet."""
    clock = Clock()
    return Graph(Throttle(quota), clock, Budget(clock))


@pytest.mark.parametrize(
    ("size", "request_", "cost"),
    [
        ("S", WRITE, 1),  # the writes are what there is least of: 20 a second
        ("L", WRITE, 1),
        ("S", READ, 1),  # 350 a second
        ("S", READ, 3),  # members of groups
        ("M", READ, 2),
        ("L", READ, 1),
        ("L", READ, 5),
    ],
)
def test_nearly_all_of_the_quota_is_used_and_next_to_nothing_refused(size: str, request_: Request, cost: int):
    """Whatever the size of the tenant, which nobody tells: at least 0.9 of it, and less than 2 % refused."""
    quota = quota_of(size, 0)
    assert quota is not None
    service = graph(quota)

    seconds = 60 * (MINUTES if request_ is WRITE else OF_READS)
    service.work(seconds, request_, cost)

    by_units = quota.units / cost / quota.seconds
    by_writes = quota.writes / quota.write_seconds if request_ is WRITE else by_units
    assert service.done >= 0.9 * min(by_units, by_writes) * seconds
    assert service.refused <= 0.02 * (service.done + service.refused)


def test_a_limit_that_changes_is_learnt_again():
    """Graph allows less while it is busy, and more afterwards."""
    service = graph(SMALL)
    for units in (3500, 1500, 5000):
        service.throttle.quota = replace(SMALL, units=units)
        service.work(20, READ, 1)
        before = service.done, service.refused

        service.work(40, READ, 1)

        done, refused = service.done - before[0], service.refused - before[1]
        assert done >= 0.9 * 4 * units
        assert refused <= 0.02 * (done + refused)


def test_who_begins_where_the_quota_is_used_up_waits():
    """A process that was started anew knows nothing of what the former one sent."""
    service = graph(SMALL)
    service.work(30, WRITE, 1)
    service.budget = Budget(service.clock)

    service.work(MINUTES * 60, WRITE, 1)

    assert service.done >= 0.9 * 20 * MINUTES * 60
    assert service.refused <= 0.02 * (service.done + service.refused)


@pytest.mark.parametrize(("wish", "seconds"), [("7", 7.0), ("0.5", 0.5), (None, DEFAULT_PAUSE_SECONDS)])
def test_a_refusal_is_waited_out(wish: str | None, seconds: float):
    """For as long as Graph says; by reads as well."""
    service = graph(SMALL)
    sent = service.budget.sent([WRITE])

    service.budget.told(sent, [Response("w", 429, headers={"retry-after": wish} if wish else {})])

    assert service.budget.wait_seconds([READ]) == pytest.approx(seconds)
    service.clock.now += seconds
    assert service.budget.wait_seconds([READ]) == 0.0


def test_reads_do_not_wait_for_writes():
    """Where the writes of 150 seconds are used up, there may be units left."""
    service = graph(SMALL)
    service.work(5, WRITE, 1)

    assert service.budget.wait_seconds([WRITE] * TOGETHER) > 60
    assert service.budget.wait_seconds([READ] * TOGETHER) == 0.0


def test_an_answer_that_comes_late_does_not_open_the_gate():
    """It tells of a time when less was in use."""
    clock = Clock()
    budget = Budget(clock)
    early = budget.sent([WRITE] * 20)
    clock.now += 0.1
    later = budget.sent([WRITE] * 20)

    budget.told(later, [Response("w", 200, headers={"x-ms-throttle-limit-percentage": "0.97"})] * 20)
    budget.told(early, [Response("w", 200)] * 20)

    assert budget.wait_seconds([WRITE] * 20) > 0
    assert not budget.is_open


@given(
    st.lists(st.tuples(st.floats(0, 20), st.integers(1, 20), st.sampled_from([None, 0.8, 0.95, 1.0, 1.8])), max_size=60)
)
def test_a_wait_always_ends(steps: list[tuple[float, int, Any]]):
    """Whatever Graph told: after as long as it says there is room, or less is to be waited."""
    clock = Clock()
    budget = Budget(clock)
    for pause, count, load in steps:
        clock.now += pause
        batch = [WRITE] * count
        for _ in range(100):
            wait = budget.wait_seconds(batch)
            if not wait:
                break
            assert wait <= 150.0
            clock.now += wait
        else:
            raise AssertionError("there is never room")
        sent = budget.sent(batch)
        headers = {} if load is None else {"x-ms-throttle-limit-percentage": str(load)}
        budget.told(sent, [Response("", 200, headers=headers)] * count)
