"""Which of a person's affiliations count today, and when that can next change. Pure; the date is an argument.

Days are local days of the configured time zone. Both ends of an affiliation are included: somebody who ends on the
31st has access all through the 31st.

    affiliation:            start                          end
                              │◄──────── employed ─────────►│
    counts:      ◄─ create_days ─┤                          ├─ grace ─►
    enabled:           ◄ enable ─┤                          ├─ grace ─►
    account:     created disabled│ enabled                            │ disabled ──retention──► deleted
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from enum import StrEnum
from typing import Protocol

import msgspec

from eadm_sync.model import Affiliation, ClassMembership, Person


class Stage(StrEnum):
    """Where a person is on the way from joiner to leaver."""

    FUTURE = "future"  # nothing counts yet, something will
    PREHIRE = "pre-hire"  # accounts are made ready, disabled
    ACTIVE = "active"
    GRACE = "grace"  # the last affiliation has ended, access is kept for a while
    ENDED = "ended"  # nothing counts any more, or nothing ever did


class Settings(Protocol):
    """The ruleset's `lifecycle` section, in days; what each means is said there."""

    @property
    def create_days_before_start(self) -> int: ...  # noqa: D102 - as the class says
    @property
    def enable_days_before_start(self) -> int: ...  # noqa: D102 - as the class says
    @property
    def grace_days(self) -> int: ...  # noqa: D102 - as the class says
    @property
    def retention_days(self) -> int: ...  # noqa: D102 - as the class says


class Standing(msgspec.Struct, frozen=True):
    """A person's place in the lifecycle on one day.

    Attributes:
        stage: As it says.
        counting: The affiliations that earn access today, in the person's order.
        enabled: Whether accounts are to be enabled; False only before the first day draws near.
        next_change: The first day after today on which any of this can be different, or None.
    """

    stage: Stage
    counting: tuple[Affiliation, ...]
    enabled: bool
    next_change: date | None


def standing(person: Person, settings: Settings, today: date, *, ahead: bool = True) -> Standing:
    """Where a person stands on a day, judged by dates alone; `next_change` is only looked for with `ahead`."""
    create = timedelta(days=settings.create_days_before_start)
    enable = timedelta(days=settings.enable_days_before_start)
    grace = timedelta(days=settings.grace_days)
    counting: list[Affiliation] = []
    turning_days: list[date | None] = []
    enabled = employed = upcoming = False
    for affiliation in person.affiliations:
        start = affiliation.start or date.min
        last = affiliation.end or date.max
        last_counting = _plus(last, grace)
        if last < start or last_counting < today:
            continue
        upcoming = upcoming or start > today
        if _minus(start, create) > today:
            if ahead:
                turning_days.append(_minus(start, create))
            continue
        counting.append(_with_classes_on(affiliation, today))
        enabled = enabled or _minus(start, enable) <= today
        employed = employed or start <= today <= last
        if not ahead:
            continue
        turning_days += (_minus(start, enable), start, _plus(last, _DAY), _plus(last_counting, _DAY))
        turning_days += (day for row in affiliation.classes for day in _class_turning_days(row.start, row.end))
    return Standing(
        stage=_stage(counts=bool(counting), employed=employed, upcoming=upcoming),
        counting=tuple(counting),
        enabled=enabled,
        next_change=first_after(today, turning_days),
    )


def delete_on(deactivated_on: date, settings: Settings) -> date:
    """The first day on which an account that was deactivated on a day may be deleted."""
    return _plus(deactivated_on, timedelta(days=settings.retention_days))


def first_after(today: date, days: Iterable[date | None]) -> date | None:
    """The earliest of some days that is still to come, or None."""
    return min((day for day in days if day is not None and today < day < date.max), default=None)


def _stage(*, counts: bool, employed: bool, upcoming: bool) -> Stage:
    if employed:
        return Stage.ACTIVE
    if not counts:
        return Stage.FUTURE if upcoming else Stage.ENDED
    return Stage.PREHIRE if upcoming else Stage.GRACE


def _with_classes_on(affiliation: Affiliation, today: date) -> Affiliation:
    """The affiliation with only those class groups that run today."""
    running = tuple(row for row in affiliation.classes if _runs(row, today))
    if len(running) == len(affiliation.classes):
        return affiliation
    return msgspec.structs.replace(affiliation, classes=running)


def _runs(row: ClassMembership, today: date) -> bool:
    return (row.start is None or row.start <= today) and (row.end is None or today <= row.end)


def _class_turning_days(start: date | None, end: date | None) -> tuple[date | None, date | None]:
    return start, None if end is None else _plus(end, _DAY)


_DAY = timedelta(days=1)


def _plus(day: date, delta: timedelta) -> date:
    """Addition that stops at the last day there is, so that "until further notice" stays what it is."""
    return date.max if date.max - day < delta else day + delta


def _minus(day: date, delta: timedelta) -> date:
    return date.min if day - date.min < delta else day - delta
