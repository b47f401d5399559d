"""The retry policy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exportqueue import RetryPolicy

NOW = datetime(2026, 8, 17, tzinfo=UTC)


@pytest.mark.parametrize(
    ("attempts", "chance", "wish", "seconds"),
    [
        (1, 0.0, None, 10),  # the first failure waits the base
        (2, 0.0, None, 30),  # each further one three times as long
        (4, 0.0, None, 100),  # up to the cap
        (10_000, 0.0, None, 100),  # without overflow
        (1, 1.0, None, 5),  # all of the jitter taken off
        (1, 0.0, 60.0, 60),  # the target's wish is honoured
        (1, 0.0, 1.0, 10),  # but never shortens the delay
        (1, 0.0, 500.0, 500),  # and may pass the cap
    ],
)
def test_delays(attempts: int, chance: float, wish: float | None, seconds: float):
    """Exponential, capped, jittered, and never under the target's own wish."""
    policy = RetryPolicy(base_seconds=10, factor=3, cap_seconds=100, jitter=0.5)
    assert policy.delay_seconds(attempts, chance, wish) == seconds


@pytest.mark.parametrize(
    ("attempts", "age_hours", "again"),
    [
        (1, 0, True),
        (2, 0, True),
        (3, 0, False),  # the last attempt is spent
        (1, 23, True),
        (1, 24, False),  # too old to try again
    ],
)
def test_limits(attempts: int, age_hours: int, again: bool):
    """Attempts and age both end in death."""
    policy = RetryPolicy(max_attempts=3, max_age_seconds=86_400)
    created = NOW - timedelta(hours=age_hours)
    assert (policy.next_attempt(attempts=attempts, created_at=created, now=NOW, chance=0.5) is not None) is again


@given(st.integers(1, 10**6), st.floats(0, 1), st.floats(0, 10**6) | st.none())
def test_delays_stay_in_bounds(attempts: int, chance: float, wish: float | None):
    """Never under the wish or the jittered base, never over the cap and the wish."""
    policy = RetryPolicy()
    delay = policy.delay_seconds(attempts, chance, wish)
    assert max(policy.base_seconds * (1 - policy.jitter), wish or 0) <= delay <= max(policy.cap_seconds, wish or 0)


def test_the_default_gives_up_after_more_than_a_day():
    """What the docstring of the cap promises."""
    total = sum(RetryPolicy().delay_seconds(attempt, 0.0) for attempt in range(1, RetryPolicy().max_attempts))
    assert 36 * 3600 * 0.8 < total < 36 * 3600 * 1.2
