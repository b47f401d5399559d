"""Chains of calls: what waits for what, and what is told when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import Unavailable
from connectors.google_workspace.batching import Reply
from connectors.google_workspace.chains import Chain, run


class _Connection:
    """Answers each call with itself, in any order; fails after so many calls, if it is to."""

    def __init__(self, order: Any = None, most: int | None = None) -> None:
        self.order = order
        self.most = most
        self.sent: list[list[Any]] = []

    def stream(self, requests: Sequence[Any]) -> Iterator[tuple[int, Reply]]:
        """As the real one."""
        self.sent.append(list(requests))
        places = list(range(len(requests)))
        if self.order is not None:
            self.order.shuffle(places)
        for count, at in enumerate(places):
            if self.most is not None and count >= self.most:
                raise Unavailable("away")
            yield at, Reply(200, {"call": requests[at]})


def _chain(name: int, steps: Sequence[int]) -> Chain[tuple[int, list[Any]]]:
    """A chain that asks so many things in each step."""
    seen: list[Any] = []
    for step, count in enumerate(steps):
        replies = yield [(name, step, at) for at in range(count)]  # type: ignore[misc] - no real calls
        seen += [reply.body["call"] for reply in replies]
    return name, seen


@given(st.lists(st.lists(st.integers(0, 4), max_size=4), max_size=6), st.randoms(use_true_random=False))
def test_every_chain_is_answered_what_it_asked(chains: list[list[int]], order: Any):
    """In the order of its questions, whatever the order of the answers; a step of all is one sending."""
    connection = _Connection(order)

    results = dict(run(connection, [_chain(name, steps) for name, steps in enumerate(chains)]))  # type: ignore[arg-type]

    assert results == {
        name: [(name, step, at) for step, count in enumerate(steps) for at in range(count)]
        for name, steps in enumerate(chains)
    }
    assert len(connection.sent) == max(map(len, chains), default=0)


def test_results_are_told_before_the_failure():
    """What had all its replies ended; of the others nothing is known."""
    connection = _Connection(most=3)
    told = []

    with pytest.raises(Unavailable):
        told.extend(run(connection, [_chain(0, [2]), _chain(1, [2]), _chain(2, [])]))  # type: ignore[arg-type]
    assert [name for name, _ in told] == [2, 0]


def test_results_are_told_as_they_come():
    """Who has to wait for a rate holds up nobody else's outcome."""
    connection = _Connection(most=3)

    results = run(connection, [_chain(0, [2]), _chain(1, [2])])  # type: ignore[arg-type]

    assert next(results)[0] == 0
    with pytest.raises(Unavailable):
        next(results)
