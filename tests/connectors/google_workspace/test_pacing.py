"""Rates: what Google counts is never exceeded, and never waited for longer than needed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.google_workspace.pacing import MARGIN, Pace

INSERT, GET, UNIT, LICENCE = (
    "directory.users.insert",
    "directory.users.get",
    "directory.orgunits.insert",
    "licensing.licenseAssignments.insert",
)


@given(st.integers(1, 12), st.lists(st.tuples(st.integers(0, 20), st.floats(0, 3)), max_size=8))
def test_no_window_has_more_than_its_rate(most: int, asked: list[tuple[int, float]]):
    """However calls come: so many at a time, and pauses in between."""
    now = 0.0
    pace = Pace({"creations": most}, lambda: now)
    sent: list[float] = []
    for calls, pause in asked:
        waiting = calls
        while waiting:
            ready, wait = pace.take([INSERT] * waiting)
            sent += [now] * len(ready)
            waiting -= len(ready)
            now += wait
        now += pause
    assert all(sum(start <= one < start + 1 for one in sent) <= most for start in sent)


def test_what_is_waited_for_is_no_longer_than_needed():
    """Ninety-four of a hundred that Google would allow."""
    now = 0.0
    pace = Pace({"creations": 10}, lambda: now)
    waiting = 100
    while waiting:
        ready, wait = pace.take([INSERT] * waiting)
        waiting -= len(ready)
        now += wait
    assert now == pytest.approx(9 * MARGIN)


# Rows: what one call uses up, and what it leaves.
@pytest.mark.parametrize(
    ("method", "others"),
    [
        (INSERT, [GET, UNIT, LICENCE]),
        (UNIT, [GET, INSERT, LICENCE, "directory.orgunits.list"]),
        (LICENCE, [GET, INSERT, UNIT, "licensing.licenseAssignments.listForProduct"]),
    ],
)
def test_each_rate_is_of_its_own_calls(method: str, others: list[str]):
    """New users wait for new users only."""
    pace = Pace({"creations": 1, "units": 1, "licences": 1}, lambda: 0.0)
    pace.take([method])

    assert pace.take([method, *others]) == (list(range(1, len(others) + 1)), pytest.approx(MARGIN))


def test_queries_are_counted_over_a_longer_time():
    """Six hundred may go at once; those of other APIs are none."""
    pace = Pace({"queries": 40}, lambda: 0.0)

    ready, wait = pace.take([GET] * 700 + ["groupsSettings.groups.get"])

    assert len(ready) == 601
    assert wait == pytest.approx(15 * MARGIN)


def test_no_more_is_begun_than_some_seconds_have_room_for():
    """Ten seconds, of which a share is the margin; what was sent a moment ago counts; one is always let through."""
    now = 0.0
    pace = Pace({"licences": 1, "units": 3, "queries": 1}, lambda: now)
    fresh = [pace.fits("licences"), pace.fits("units")]
    pace.take([LICENCE, UNIT])
    pace.take([GET] * 15)

    assert fresh == [10, 30]
    assert [pace.fits("licences"), pace.fits("units"), pace.fits("queries")] == [9, 29, 1]
    assert pace.fits("creations") == float("inf")


def test_no_rate_is_no_limit():
    """For customers whom Google allows more, and for rehearsals."""
    assert Pace({"creations": 0}, lambda: 0.0).take([INSERT] * 1000) == (list(range(1000)), 0.0)
