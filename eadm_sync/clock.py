"""The one clock. Nothing else in the engine asks the operating system what time it is."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Protocol
from zoneinfo import ZoneInfo


class Clock(Protocol):
    """Where the time comes from; injected everywhere."""

    def now(self) -> datetime:
        """The present moment, in UTC, aware."""
        ...


class SystemClock:
    """The operating system's clock."""

    def now(self) -> datetime:
        """The present moment, in UTC, aware."""
        return datetime.now(UTC)


class FixedClock:
    """A clock that stands still until it is set; for tests, rehearsals and `--as-of`."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now(self) -> datetime:
        """The moment it was set to."""
        return self.moment


def today(clock: Clock, time_zone: ZoneInfo) -> date:
    """The local date in the configured time zone: the day that all lifecycle rules speak of."""
    return clock.now().astimezone(time_zone).date()
