"""Times by which jobs run: crontab lines and steady intervals, and the moments they mean. Pure.

Cron as crontab(5) has it, which differs from what APScheduler's CronTrigger makes of the same text: 0 and 7 are
Sunday (there, 0 is Monday), and where both the day of the month and the day of the week are given, either will do
(there, both must hold). A time that the clocks skip in spring is made up for as soon as they have moved; one that
comes twice in autumn counts once, unless every hour is meant.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

_DAY = timedelta(days=1)
_SEARCHED = 366 * 9
"""Days: 29 February may be eight years off, around a century that is no leap year."""

_MONTHS = {
    "jan": 1,
    "feb": 2,
    "mar": 3,
    "apr": 4,
    "may": 5,
    "jun": 6,
    "jul": 7,
    "aug": 8,
    "sep": 9,
    "oct": 10,
    "nov": 11,
    "dec": 12,
}
_WEEKDAYS = {"sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6}
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

_FIELDS: tuple[tuple[str, int, int, Mapping[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _WEEKDAYS),
)

_PIECE = re.compile(r"(?P<all>\*)(/(?P<step>\d+))?|(?P<low>\w+)(-(?P<high>\w+)(/(?P<by>\d+))?)?")


class Cron(msgspec.Struct, frozen=True):
    """A crontab line, read.

    Attributes:
        minutes: 0-59.
        hours: 0-23.
        days: Days of the month.
        months: 1-12.
        weekdays: 0-6, from Sunday.
        either: Whether a day of the month or a day of the week will do; else both must hold.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool

    def following(self, moment: datetime, zone: ZoneInfo) -> datetime:
        """The first moment behind the given one, in UTC."""
        for days in range(-1, _SEARCHED):
            moments = self._moments(moment.astimezone(zone).date() + days * _DAY, zone)
            if (at := bisect_right(moments, moment)) < len(moments):
                return moments[at]
        raise AssertionError("read() refuses days that never come")

    def latest(self, moment: datetime, zone: ZoneInfo) -> datetime:
        """The last moment that is not behind the given one, in UTC."""
        for days in range(-1, _SEARCHED):
            moments = self._moments(moment.astimezone(zone).date() - days * _DAY, zone)
            if at := bisect_right(moments, moment):
                return moments[at - 1]
        raise AssertionError("read() refuses days that never come")

    def _moments(self, day: date, zone: ZoneInfo) -> tuple[datetime, ...]:
        return _moments(self, day, zone) if self._is_on(day) else ()

    def _is_on(self, day: date) -> bool:
        in_month, in_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return day.month in self.months and (in_month or in_week if self.either else in_month and in_week)


@lru_cache(maxsize=64)
def _moments(cron: Cron, day: date, zone: ZoneInfo) -> tuple[datetime, ...]:
    """The moments of one local day, in order: at most 1 500 of them."""
    folds = (0, 1) if len(cron.hours) == _HOURS else (0,)
    return tuple(
        sorted(
            {
                datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone, fold=fold).astimezone(UTC)
                for hour in cron.hours
                for minute in cron.minutes
                for fold in folds
            }
        )
    )


_HOURS = 24


def read(text: str) -> Cron:
    """A crontab line: minute, hour, day of the month, month, day of the week.

    Raises:
        ValueError: It is none; the message names the field at fault and what may stand there.
    """
    words = text.split()
    if len(words) != len(_FIELDS):
        names = ", ".join(name for name, *_ in _FIELDS)
        raise ValueError(f"must have five fields ({names}), such as '15 3 * * 1-5'; this has {len(words)}")
    minutes, hours, days, months, weekdays = (_field(word, *field) for word, field in zip(words, _FIELDS, strict=True))
    either = not words[2].startswith("*") and not words[4].startswith("*")
    if not either and all(min(days) > _LONGEST[month - 1] for month in months):
        raise ValueError(f"its day of the month '{words[2]}' never comes in month '{words[3]}'")
    return Cron(minutes, hours, days, months, frozenset(day % 7 for day in weekdays), either)


def _field(word: str, name: str, low: int, high: int, names: Mapping[str, int]) -> frozenset[int]:
    found: set[int] = set()
    for piece in word.split(","):
        try:
            found.update(_piece(piece, low, high, names))
        except ValueError as error:
            also = f" (or {'-'.join((*names,)[:2])} and so on)" if names else ""
            raise ValueError(f"its {name} '{word}' {error}; may be {low}-{high}{also}, '*' or '*/2'") from error
    return frozenset(found)


def _piece(piece: str, low: int, high: int, names: Mapping[str, int]) -> Iterator[int]:
    read = _PIECE.fullmatch(piece.lower())
    if read is None:
        raise ValueError("is not understood")
    first, last = low, high
    if read["low"]:
        first = _number(read["low"], names)
        last = first if read["high"] is None else _number(read["high"], names)
        if names is _WEEKDAYS and read["high"] == "sun":
            last = 7
    step = int(read["step"] or read["by"] or 1)
    if not (low <= first <= last <= high) or not step:
        raise ValueError("is out of range")
    return iter(range(first, last + 1, step))


def _number(word: str, names: Mapping[str, int]) -> int:
    if word.isdecimal():
        return int(word)
    if word in names:
        return names[word]
    raise ValueError("is not understood")


# ---------------------------------------------------------------- intervals

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"([1-9][0-9]{0,5})([smhd])")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def seconds_of(text: str) -> int:
    """A length of time such as `30s`, `15m`, `2h` or `1d`, in seconds.

    Raises:
        ValueError: It is none.
    """
    read_ = _DURATION.fullmatch(text)
    if read_ is None:
        raise ValueError("must be a number with a unit: 30s, 15m, 2h or 1d")
    return int(read_[1]) * _UNITS[read_[2]]


class Every(msgspec.Struct, frozen=True):
    """A steady interval, counted from midnight UTC: every 15 minutes is at :00, :15, :30 and :45 on every machine."""

    seconds: int

    def following(self, moment: datetime, zone: ZoneInfo) -> datetime:
        """The first moment behind the given one, in UTC."""
        return self.latest(moment, zone) + timedelta(seconds=self.seconds)

    def latest(self, moment: datetime, _zone: ZoneInfo) -> datetime:
        """The last moment that is not behind the given one, in UTC."""
        step = timedelta(seconds=self.seconds)
        return _EPOCH + (moment - _EPOCH) // step * step


Times = Cron | Every
