"""Batches: which requests go together, and what their answers say."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.entra.batching import MOST, Request, Response, bundles, seconds_of, understood, written


def _request(name: int, *depends_on: int) -> Request:
    return Request(str(name), "GET", f"/users/{name}", depends_on=tuple(str(one) for one in depends_on))


@given(st.integers(0, 130))
def test_requests_that_stand_alone_need_the_fewest_batches(number: int):
    """Twenty in each but the last."""
    requests = [_request(at) for at in range(number)]

    packed = bundles(requests)

    assert len(packed) == math.ceil(number / MOST)
    assert [one for bundle in packed for one in bundle] == requests


@given(st.lists(st.integers(1, 6), max_size=30))
def test_what_depends_on_one_another_stays_together(sizes: list[int]):
    """Each request is in one batch, with all that it depends on, in at most 11/9 of the fewest batches."""
    requests: list[Request] = []
    for size in sizes:
        first = len(requests)
        requests += [_request(first + at, *([first + at - 1] if at else [])) for at in range(size)]

    packed = bundles(requests)

    assert sorted(one.id for bundle in packed for one in bundle) == sorted(one.id for one in requests)
    for bundle in packed:
        names = {one.id for one in bundle}
        assert len(bundle) <= MOST
        assert all(names.issuperset(one.depends_on) for one in bundle)
    assert len(packed) <= math.ceil(len(requests) / MOST) * 11 / 9 + 1


@pytest.mark.parametrize(
    "requests",
    [
        [_request(at, *([at - 1] if at else [])) for at in range(MOST + 1)],  # a chain that no batch holds
        [_request(1, 2)],  # the other is not there
    ],
)
def test_what_fits_no_batch_is_said_before_anything_is_sent(requests: list[Request]):
    """As a mistake of ours."""
    with pytest.raises(ValueError, match="depend"):
        bundles(requests)


def test_a_batch_is_written_as_graph_wants_it():
    """`dependsOn`, relative addresses, and a content type where there is a body."""
    requests = [Request("1", "POST", "/users", {"displayName": None}), Request("2", "GET", "/users", depends_on=("1",))]

    assert written(requests)["requests"] == [
        {
            "id": "1",
            "method": "POST",
            "url": "/users",
            "headers": {"Content-Type": "application/json"},
            "body": {"displayName": None},
        },
        {"id": "2", "method": "GET", "url": "/users", "dependsOn": ["1"]},
    ]


def test_answers_are_told_apart_whatever_their_order():
    """What is passed over is unknown, not done; times and shares are numbers."""
    headers = {"Retry-After": "7", "x-ms-throttle-limit-percentage": "0.85"}
    body = {"responses": [{"id": "2", "status": 429, "headers": headers}, {"id": "1", "status": 204}]}

    first, second, third = understood([_request(at) for at in (1, 2, 3)], body)

    assert (first, first.ok) == (Response("1", 204), True)
    assert (second.status, second.retry_after_seconds, second.load) == (429, 7.0, 0.85)
    assert (third.status, third.ok) == (504, False)


@pytest.mark.parametrize("body", [None, [], {}, {"responses": None}, {"responses": [1, {"id": "1", "status": "x"}]}])
def test_an_answer_that_is_none_tells_nothing(body: Any):
    """Everything is unknown then."""
    assert [one.status for one in understood([_request(1)], body)] == [504]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2", 2.0), ("0.5", 0.5), ("", None), (None, None), ("-1", None), ("inf", None), ("soon", None)],
)
def test_times_to_wait_are_seconds_or_nothing(text: str | None, seconds: float | None):
    """Fractions count."""
    assert seconds_of(text) == seconds
