"""Wakes jobs at their times, and does one thing after another. APScheduler keeps the time; what a time is, we say."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from eadm_sync.config.cron import Times, seconds_of
from eadm_sync.config.schedule import JobSettings

# It warns of every time at which a job is still at work or waiting its turn; such a time is made up for by the turn.
logging.getLogger("apscheduler").setLevel(logging.ERROR)

_INSTANCES = 2
"""Of one job: one at work, and one waiting its turn, which stands for everything that fell due meanwhile."""


class _Trigger(BaseTrigger):  # type: ignore[misc]  # APScheduler ships no types
    """Moments of a job's times, each put off by chance within the jitter."""

    def __init__(self, times: Times, zone: ZoneInfo, jitter_seconds: int) -> None:
        self._times = times
        self._zone = zone
        self._jitter_seconds = jitter_seconds

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """The next moment behind the previous one."""
        following = self._times.following(previous or now, self._zone)
        return following + timedelta(seconds=random.uniform(0, self._jitter_seconds))  # noqa: S311 - no secret


class Timer:
    """One thread that keeps the time, and one that does what is due: never two jobs at once."""

    def __init__(self) -> None:
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": _INSTANCES},
        )
        self._scheduler.start()

        self._timed: list[Any] = []

    def load(self, schedule: Mapping[str, JobSettings], zone: ZoneInfo, fire: Callable[[str], None]) -> None:
        """Wakes these jobs at their times from now on, and no others."""
        self.clear()
        if not self._scheduler.running:
            self._scheduler.start()  # not before: a process that never leads needs no such threads
        for name, job in schedule.items():
            if job.times is not None:
                trigger = _Trigger(job.times, zone, seconds_of(job.jitter) if job.jitter else 0)
                self._timed.append(self._scheduler.add_job(fire, trigger, args=(name,), id=name))

    def submit(self, do: Callable[..., None], *arguments: Any) -> None:
        """Does something as soon as its turn comes, once `load` has been called."""
        self._scheduler.add_job(do, args=arguments)

    def clear(self) -> None:
        """Wakes nobody any more; what is at work, or waits its turn, is left to itself."""
        while self._timed:
            self._timed.pop().remove()

    def stop(self) -> None:
        """Ends without waiting for what is at work."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
