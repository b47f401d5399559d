"""Jobs are woken at their times, one after another."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from eadm_sync.config.cron import Every, read
from eadm_sync.config.schedule import JobSettings
from eadm_sync.daemon.timing import Timer, _Trigger

OSLO = ZoneInfo("Europe/Oslo")


@pytest.fixture
def timer() -> Iterator[Timer]:
    """A timer that is stopped in the end."""
    made = Timer()
    yield made
    made.stop()


def test_a_trigger_goes_from_moment_to_moment():
    """Whatever the clocks do: three nights around the day on which an hour comes twice."""
    trigger = _Trigger(read("30 2 * * *"), OSLO, 0)
    moment, found = None, []
    for _ in range(3):
        moment = trigger.get_next_fire_time(moment, datetime(2026, 10, 23, 12, tzinfo=UTC))
        found.append(f"{moment:%d %H:%M}")

    assert found == ["24 00:30", "25 00:30", "26 01:30"]


def test_jitter_puts_off_and_never_brings_forward():
    """At most so long, and not always the same."""
    trigger = _Trigger(Every(3600), OSLO, 600)
    noon = datetime(2026, 11, 23, 12, tzinfo=UTC)

    found = [trigger.get_next_fire_time(None, noon - timedelta(minutes=1)) - noon for _ in range(50)]

    assert all(timedelta(0) <= late <= timedelta(minutes=10) for late in found)
    assert len(set(found)) > 1


def test_never_two_at_once(timer: Timer):
    """Whatever is handed in, and whatever falls due meanwhile, waits its turn."""
    lock, overlaps, turns = threading.Lock(), [], threading.Semaphore(0)

    def job(_name: str) -> None:
        if not lock.acquire(blocking=False):
            overlaps.append(_name)
            return
        time.sleep(0.3)
        lock.release()
        turns.release()

    timer.load({"a": JobSettings(do="sync", every="1s"), "b": JobSettings(do="sync", every="1s")}, OSLO, job)
    for name in "cde":
        timer.submit(job, name)

    assert all(turns.acquire(timeout=10) for _ in range(6))
    assert overlaps == []


def test_what_was_handed_in_is_done_though_times_change(timer: Timer):
    """A new schedule takes no request back."""
    done: list[str] = []
    first, turns = threading.Event(), threading.Semaphore(0)

    def job(name: str) -> None:
        first.wait(5)
        done.append(name)
        turns.release()

    timer.load({"old": JobSettings(do="sync", cron="0 0 1 1 *")}, OSLO, job)
    timer.submit(job, "asked")
    timer.submit(job, "asked, too")
    timer.load({"new": JobSettings(do="sync", cron="0 0 1 1 *")}, OSLO, job)
    first.set()

    assert all(turns.acquire(timeout=10) for _ in range(2))
    assert done == ["asked", "asked, too"]


def test_nothing_is_left_of_an_old_schedule(timer: Timer):
    """Its times wake nobody any more."""
    done: list[str] = []
    turns = threading.Semaphore(0)

    def job(name: str) -> None:
        done.append(name)
        turns.release()

    timer.load({"old": JobSettings(do="sync", every="1s")}, OSLO, job)
    assert turns.acquire(timeout=10)
    timer.load({"new": JobSettings(do="sync", every="1s")}, OSLO, job)

    while done.count("new") < 3:
        assert turns.acquire(timeout=30)
    assert "old" not in done[done.index("new") :]  # before, one may have been waiting its turn
