"""Crontab lines and intervals, and the moments they mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eadm_sync.config.cron import Every, Times, read, seconds_of

OSLO = ZoneInfo("Europe/Oslo")


def local(text: str, fold: int = 0) -> datetime:
    """A moment in Oslo."""
    return datetime.fromisoformat(text).replace(tzinfo=OSLO, fold=fold)


def following(line: str, after: datetime, count: int) -> list[str]:
    """So many moments behind one, in Oslo's time."""
    times, found = read(line), []
    for _ in range(count):
        after = times.following(after, OSLO)
        found.append(f"{after.astimezone(OSLO):%a %Y-%m-%d %H:%M %z}")
    return found


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        # workdays: Friday 27 November, then Monday; 1 is Monday, unlike in APScheduler
        ("15 3 * * 1-5", ["Fri 2026-11-27 03:15 +0100", "Mon 2026-11-30 03:15 +0100"]),
        ("15 3 * * mon-fri", ["Fri 2026-11-27 03:15 +0100", "Mon 2026-11-30 03:15 +0100"]),
        # Sunday is 0, 7 and sun
        ("0 2 * * 0", ["Sun 2026-11-29 02:00 +0100", "Sun 2026-12-06 02:00 +0100"]),
        ("0 2 * * 7", ["Sun 2026-11-29 02:00 +0100", "Sun 2026-12-06 02:00 +0100"]),
        ("0 2 * * sat-sun", ["Sat 2026-11-28 02:00 +0100", "Sun 2026-11-29 02:00 +0100"]),
        # steps, lists, ranges
        ("*/30 6,18 * * *", ["Fri 2026-11-27 06:00 +0100", "Fri 2026-11-27 06:30 +0100", "Fri 2026-11-27 18:00 +0100"]),
        ("5 4-20/8 * * *", ["Fri 2026-11-27 04:05 +0100", "Fri 2026-11-27 12:05 +0100", "Fri 2026-11-27 20:05 +0100"]),
        # a day of the month and a day of the week: either
        ("0 1 1 * sat", ["Sat 2026-11-28 01:00 +0100", "Tue 2026-12-01 01:00 +0100", "Sat 2026-12-05 01:00 +0100"]),
        # a month by name, a day that every fourth year has
        ("0 0 29 feb *", ["Tue 2028-02-29 00:00 +0100", "Sun 2032-02-29 00:00 +0100"]),
    ],
)
def test_a_line_means_what_crontab_says(line: str, expected: list[str]):
    """The first moments behind Thursday evening."""
    assert following(line, local("2026-11-26T23:00"), len(expected)) == expected


def test_a_time_that_spring_skips_is_made_up_for_behind_the_change():
    """On 29 March 2026 there is no half past two in Oslo; the day before and behind it there is."""
    assert following("30 2 * * *", local("2026-03-28T00:00"), 3) == [
        "Sat 2026-03-28 02:30 +0100",
        "Sun 2026-03-29 03:30 +0200",
        "Mon 2026-03-30 02:30 +0200",
    ]


def test_a_time_that_autumn_brings_twice_counts_once():
    """On 25 October 2026 half past two comes twice; a nightly job runs once."""
    assert following("30 2 * * *", local("2026-10-24T00:00"), 3) == [
        "Sat 2026-10-24 02:30 +0200",
        "Sun 2026-10-25 02:30 +0200",
        "Mon 2026-10-26 02:30 +0100",
    ]


def test_a_job_of_every_hour_runs_in_the_hour_that_comes_twice_as_well():
    """Every hour means every hour, whatever the clock calls it."""
    assert following("0 * * * *", local("2026-10-25T01:30"), 3) == [
        "Sun 2026-10-25 02:00 +0200",
        "Sun 2026-10-25 02:00 +0100",
        "Sun 2026-10-25 03:00 +0100",
    ]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("15 3 * *", "five fields"),
        ("60 3 * * *", "minute '60' is out of range; may be 0-59"),
        ("0 24 * * *", "hour '24' is out of range"),
        ("0 0 0 * *", "day of the month '0' is out of range; may be 1-31"),
        ("0 0 * 13 *", "month '13' is out of range"),
        ("0 0 * * 8", "day of the week '8' is out of range"),
        ("0 0 * * fri-mon", "day of the week 'fri-mon' is out of range"),  # as in crontab: say fri-sun,mon
        ("0 0 * * mandag", "day of the week 'mandag' is not understood"),
        ("*/0 0 * * *", "minute '\\*/0' is out of range"),
        ("1.5 0 * * *", "minute '1.5' is not understood"),
        ("0 0 30 feb *", "day of the month '30' never comes in month 'feb'"),
        ("@daily", "five fields"),
    ],
)
def test_a_broken_line_is_told_by_its_field(line: str, says: str):
    """Whoever wrote it reads which of the five is wrong, and what may stand there."""
    with pytest.raises(ValueError, match=says):
        read(line)


def test_intervals_are_counted_from_midnight():
    """So that every machine means the same moments."""
    every = Every(seconds_of("15m"))
    moment = datetime(2026, 11, 23, 10, 7, 30, tzinfo=UTC)

    assert every.latest(moment, OSLO) == datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
    assert every.following(moment, OSLO) == datetime(2026, 11, 23, 10, 15, tzinfo=UTC)
    assert every.following(datetime(2026, 11, 23, 10, 15, tzinfo=UTC), OSLO) == datetime(
        2026, 11, 23, 10, 30, tzinfo=UTC
    )


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("15m", 900), ("2h", 7200), ("1d", 86_400)])
def test_durations_have_units(text: str, seconds: int):
    """Seconds, minutes, hours, days."""
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["15", "0m", "1w", "1.5h", "-1m", "1 h", "", "9999999s"])
def test_what_is_no_duration_is_refused(text: str):
    """A number without a unit above all: nobody can know which one was meant."""
    with pytest.raises(ValueError, match="30s, 15m, 2h or 1d"):
        seconds_of(text)


_minutes = st.sampled_from(["0", "*/7", "*", "59", "5,30-40/2"])
_hours = st.sampled_from(["*", "2", "0-5", "*/6", "23"])
_days = st.sampled_from(["*", "1", "31", "10-20"])
_weekdays = st.sampled_from(["*", "0", "1-5", "sat,sun"])
_lines = st.builds(" ".join, st.tuples(_minutes, _hours, _days, st.sampled_from(["*", "1-3", "dec"]), _weekdays))
_times: st.SearchStrategy[Times] = _lines.map(read) | st.integers(1, 86_400).map(Every)
_moments = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - zones are added


@given(times=_times, moment=_moments)
def test_moments_are_the_same_from_either_side(times: Times, moment: datetime):
    """Between the latest moment and the following one there is none, however clocks change."""
    latest, next_ = times.latest(moment, OSLO), times.following(moment, OSLO)

    assert latest <= moment < next_
    assert times.following(latest, OSLO) == next_
    assert times.latest(next_, OSLO) == next_
    assert times.latest(next_ - timedelta(microseconds=1), OSLO) == latest
