"""Which of a person's affiliations count today, and when that can next change. Pure; the date is an argument.

Days are local days of the configured time zone. Both ends of an affiliation are included: somebody who ends on the
31st has access all through the 31st.

    affiliation:            start                          end
                              │◄──────── employed ─────────►│
    counts:      ◄─ create_days ─┤                          ├─ grace ─►
    enabled:           ◄ enable ─┤                          ├─ grace ─►
    account:     created disabled│ enabled                            │ disabled ──retention──► deleted

`eadm_sync.stages` says which stage that makes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Protocol

import msgspec

from eadm_sync.model import Affiliation, ClassMembership, Orders, Person
from eadm_sync.stages import STAGES, Facts, Stage

__all__ = ["NO_ORDERS", "Settings", "Stage", "Standing", "delete_on", "first_after", "standing"]


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

    def on_leave(self, code: str) -> str:
        """What is done while an affiliation has a leave code: `keep`, `disable` or `strip`."""
        ...


class Standing(msgspec.Struct, frozen=True):
    """A person's place in the lifecycle on one day.

    Attributes:
        stage: As it says.
        counting: The affiliations that earn access today, in the person's order.
        enabled: Whether accounts are to be enabled: not before the first day draws near, not on a leave that disables,
            not while the person is stopped.
        next_change: The first day after today on which any of this can be different, or None.
    """

    stage: Stage
    counting: tuple[Affiliation, ...]
    enabled: bool
    next_change: date | None

    @property
    def overlaps(self) -> bool:
        """Whether lost access is kept for an overlap, as `StageRow.overlaps`."""
        return self.stage in _OVERLAPPING


NO_ORDERS = Orders()

_OVERLAPPING = frozenset(row.stage for row in STAGES if row.overlaps)


def standing(
    person: Person, settings: Settings, today: date, orders: Orders = NO_ORDERS, *, ahead: bool = True
) -> Standing:
    """Where a person stands on a day, judged by dates and orders alone.

    Args:
        person: The person.
        settings: The lifecycle's.
        today: The local day.
        orders: What was ordered about the person.
        ahead: Whether to look for `next_change`.
    """
    if person.deceased:  # no grace, no extension: nobody is behind these accounts any more
        return Standing(Stage.ENDED, (), enabled=False, next_change=None)
    tally = _tallied(person, settings, today, ahead=ahead)
    until = orders.extended_until
    is_extended = not tally.counting and until is not None and today <= until
    kept = _ended_last(person, today) if is_extended else ()
    for affiliation in kept:
        tally.counting.append(_with_classes_on(affiliation, today))
        tally.turning_days += _class_turning_days(affiliation)
    if until is not None:
        tally.turning_days.append(_plus(until, _DAY))
    facts = Facts(
        counts=bool(tally.counting),
        employed=tally.employed,
        present=tally.present,
        lingers=tally.lingers,
        upcoming=tally.upcoming,
        extended=bool(kept),
        stopped=orders.stopped,
    )
    return Standing(
        stage=_stage(facts),
        counting=tuple(tally.counting),
        enabled=(tally.enabled or bool(kept)) and not orders.stopped,
        next_change=first_after(today, tally.turning_days) if ahead else None,
    )


def delete_on(deactivated_on: date, settings: Settings) -> date:
    """The first day on which an account that was deactivated on a day may be deleted."""
    return _plus(deactivated_on, timedelta(days=settings.retention_days))


def first_after(today: date, days: Iterable[date | None]) -> date | None:
    """The earliest of some days that is still to come, or None."""
    return min((day for day in days if day is not None and today < day < date.max), default=None)


class _Tally(msgspec.Struct):
    """What all of a person's affiliations come to on one day; the flags are as in `Facts` and `Standing`."""

    counting: list[Affiliation] = []
    turning_days: list[date | None] = []
    enabled: bool = False
    employed: bool = False
    present: bool = False
    lingers: bool = False
    upcoming: bool = False


def _tallied(person: Person, settings: Settings, today: date, *, ahead: bool) -> _Tally:
    create = timedelta(days=settings.create_days_before_start)
    enable = timedelta(days=settings.enable_days_before_start)
    grace = timedelta(days=settings.grace_days)
    tally = _Tally()
    for affiliation in person.affiliations:
        start = affiliation.start or date.min
        last = affiliation.end or date.max
        last_counting = _plus(last, grace)
        if last < start or last_counting < today:
            continue
        tally.upcoming = tally.upcoming or start > today
        if _minus(start, create) > today:
            tally.turning_days.append(_minus(start, create))
            continue
        tally.counting.append(_with_classes_on(affiliation, today))
        runs = start <= today <= last
        tally.employed = tally.employed or runs
        tally.present = tally.present or (runs and affiliation.leave is None)
        tally.lingers = tally.lingers or last < today
        tally.enabled = tally.enabled or (_minus(start, enable) <= today and _lets_in(affiliation, settings))
        if ahead:
            tally.turning_days += (_minus(start, enable), start, _plus(last, _DAY), _plus(last_counting, _DAY))
            tally.turning_days += _class_turning_days(affiliation)
    return tally


def _stage(facts: Facts) -> Stage:
    return next(row.stage for row in STAGES if row.holds(facts))


def _lets_in(affiliation: Affiliation, settings: Settings) -> bool:
    """Whether an affiliation enables accounts: not on a leave that disables them."""
    return affiliation.leave is None or settings.on_leave(affiliation.leave) != "disable"


def _ended_last(person: Person, today: date) -> tuple[Affiliation, ...]:
    """The affiliation that ended last; all of those that ended on that day."""
    ended = [
        (one.end, one)
        for one in person.affiliations
        if one.end is not None and (one.start or date.min) <= one.end < today
    ]
    last = max((end for end, _ in ended), default=None)
    return tuple(one for end, one in ended if end == last)


def _with_classes_on(affiliation: Affiliation, today: date) -> Affiliation:
    """The affiliation with only those class groups that run today."""
    running = tuple(row for row in affiliation.classes if _runs(row, today))
    if len(running) == len(affiliation.classes):
        return affiliation
    return msgspec.structs.replace(affiliation, classes=running)


def _runs(row: ClassMembership, today: date) -> bool:
    return (row.start is None or row.start <= today) and (row.end is None or today <= row.end)


def _class_turning_days(affiliation: Affiliation) -> Iterator[date | None]:
    for row in affiliation.classes:
        yield row.start
        yield None if row.end is None else _plus(row.end, _DAY)


_DAY = timedelta(days=1)


def _plus(day: date, delta: timedelta) -> date:
    """Addition that stops at the last day there is, so that "until further notice" stays what it is."""
    return date.max if date.max - day < delta else day + delta


def _minus(day: date, delta: timedelta) -> date:
    return date.min if day - date.min < delta else day - delta
