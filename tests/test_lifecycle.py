"""Which affiliations count on a day, and when that can change."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eadm_sync.clock import FixedClock, today
from eadm_sync.lifecycle import NO_ORDERS, Stage, Standing, delete_on, standing
from eadm_sync.model import Affiliation, ClassMembership, OnLeave, Orders, Person


@dataclass(frozen=True)
class Days:
    create_days_before_start: int = 14
    enable_days_before_start: int = 1
    grace_days: int = 0
    retention_days: int = 365
    leave: dict[str, OnLeave] = field(default_factory=dict)

    def on_leave(self, code: str) -> OnLeave:
        """As the ruleset's section, with nothing done for other codes."""
        return self.leave.get(code, "keep")


def person(*spans: tuple[date | None, date | None]) -> Person:
    """Somebody with an affiliation for each span."""
    return Person(
        "hr:1",
        affiliations=tuple(
            Affiliation(f"hr:{n}", "hr", "employee", start=start, end=end) for n, (start, end) in enumerate(spans)
        ),
    )


@pytest.mark.parametrize(
    ("today", "stage", "counts", "enabled", "next_change"),
    [
        # long before: nothing yet, and nothing before the account is to be made
        (date(2026, 7, 1), Stage.FUTURE, False, False, date(2026, 8, 3)),
        # the last day before the account is made
        (date(2026, 8, 2), Stage.FUTURE, False, False, date(2026, 8, 3)),
        # fourteen days before: made, disabled
        (date(2026, 8, 3), Stage.PREHIRE, True, False, date(2026, 8, 16)),
        # the day before: enabled
        (date(2026, 8, 16), Stage.PREHIRE, True, True, date(2026, 8, 17)),
        # the first day
        (date(2026, 8, 17), Stage.ACTIVE, True, True, date(2027, 1, 1)),
        # the last day still counts
        (date(2026, 12, 31), Stage.ACTIVE, True, True, date(2027, 1, 1)),
        # the day after
        (date(2027, 1, 1), Stage.ENDED, False, False, None),
    ],
)
def test_an_affiliation_counts_from_before_its_first_day_to_its_last(
    today: date, stage: Stage, counts: bool, enabled: bool, next_change: date | None
):
    """A joiner's account is made disabled, enabled the day before, and stands until the last day is over."""
    stand = standing(person((date(2026, 8, 17), date(2026, 12, 31))), Days(), today)

    assert stand.stage is stage
    assert bool(stand.counting) is counts
    assert stand.enabled is enabled
    assert stand.next_change == next_change


def test_grace_keeps_access_after_the_last_day():
    """Within the grace days an ended affiliation still counts, and the end of grace is the next change."""
    stand = standing(person((None, date(2026, 6, 30))), Days(grace_days=10), date(2026, 7, 10))

    assert stand.stage is Stage.GRACE
    assert stand.enabled
    assert stand.next_change == date(2026, 7, 11)


def test_an_open_ended_affiliation_never_changes_by_itself():
    """Without dates nothing is due, ever."""
    stand = standing(person((None, None)), Days(grace_days=30), date(2026, 7, 10))

    assert stand.stage is Stage.ACTIVE
    assert stand.next_change is None


def test_an_affiliation_that_ends_before_it_starts_never_counts():
    """HR systems cancel a position by ending it before its start."""
    stand = standing(person((date(2026, 8, 17), date(2026, 8, 16))), Days(grace_days=30), date(2026, 8, 17))

    assert stand.stage is Stage.ENDED


def test_nobody_and_a_person_without_affiliations_are_ended():
    """Somebody with no affiliation has nothing."""
    assert standing(person(), Days(), date(2026, 1, 1)).stage is Stage.ENDED


def test_a_mover_with_a_later_second_position_stays_active_and_is_due_when_it_begins():
    """The next change is the earliest of all that are coming."""
    mover = person((date(2020, 1, 1), date(2026, 8, 31)), (date(2026, 9, 15), None))

    stand = standing(mover, Days(), date(2026, 8, 17))

    assert stand.stage is Stage.ACTIVE
    assert [row.id for row in stand.counting] == ["hr:0"]
    assert stand.next_change == date(2026, 9, 1)


def test_class_groups_count_only_while_they_run():
    """Last year's class is left out, and the end of this year's is a day on which something changes."""
    pupil = Person(
        "school:1",
        affiliations=(
            Affiliation(
                "school:1",
                "school",
                "pupil",
                classes=(
                    ClassMembership("5A", "pupil", date(2025, 8, 18), date(2026, 6, 19)),
                    ClassMembership("6A", "pupil", date(2026, 8, 17), date(2027, 6, 18)),
                ),
            ),
        ),
    )

    stand = standing(pupil, Days(), date(2026, 9, 1))

    assert [row.code for row in stand.counting[0].classes] == ["6A"]
    assert stand.next_change == date(2027, 6, 19)


def test_leap_days_count_like_any_other():
    """Retention that begins on 29 February ends on the same distance in days."""
    assert delete_on(date(2028, 2, 29), Days(retention_days=365)) == date(2029, 2, 28)


def test_the_end_of_the_calendar_is_not_an_error():
    """A far day is how HR systems say that something is for ever: 9999-12-31."""
    stand = standing(person((date(2020, 1, 1), date.max)), Days(grace_days=99, retention_days=99), date(2026, 1, 1))

    assert stand.stage is Stage.ACTIVE
    assert stand.next_change is None
    assert delete_on(date.max, Days()) == date.max


# ---------------------------------------------------------------- leave, orders, death


def employee(
    number: int, *, start: date | None = None, end: date | None = None, leave: str | None = None
) -> Affiliation:
    """An employment position."""
    return Affiliation(f"hr:{number}", "hr", "employee", start=start, end=end, leave=leave)


@pytest.mark.parametrize(
    ("codes", "stage", "enabled"),
    [
        # nobody on leave
        ([None], Stage.ACTIVE, True),
        # a leave that the ruleset says nothing of, or that changes nothing
        (["other"], Stage.LEAVE, True),
        # a leave that disables
        (["unpaid"], Stage.LEAVE, False),
        # a leave that takes groups and licences: the account stays enabled
        (["military"], Stage.LEAVE, True),
        # on leave from one position, at work in another
        (["unpaid", None], Stage.ACTIVE, True),
        # on leave from both, of which one lets in
        (["unpaid", "military"], Stage.LEAVE, True),
        # on leave from both
        (["unpaid", "unpaid"], Stage.LEAVE, False),
    ],
)
def test_a_leave_counts_by_affiliation(codes: list[str | None], stage: Stage, enabled: bool):
    """Whoever works in another position is active; all affiliations go on counting."""
    who = Person("hr:1", affiliations=tuple(employee(n, leave=code) for n, code in enumerate(codes)))

    stand = standing(who, Days(leave={"unpaid": "disable", "military": "strip"}), date(2026, 8, 17))

    assert (stand.stage, stand.enabled) == (stage, enabled)
    assert len(stand.counting) == len(codes)


UNTIL = date(2026, 9, 20)


@pytest.mark.parametrize(
    ("day", "stage", "counting", "next_change"),
    [
        # still employed: the extension is to come
        (date(2026, 8, 31), Stage.ACTIVE, ["hr:1"], date(2026, 9, 1)),
        # grace comes first
        (date(2026, 9, 3), Stage.GRACE, ["hr:1"], date(2026, 9, 4)),
        # then what was ordered
        (date(2026, 9, 4), Stage.EXTENDED, ["hr:1"], date(2026, 9, 21)),
        # the day itself is included
        (UNTIL, Stage.EXTENDED, ["hr:1"], date(2026, 9, 21)),
        # and it ends by itself
        (date(2026, 9, 21), Stage.ENDED, [], None),
    ],
)
def test_an_extension_keeps_the_affiliation_that_ended_last(
    day: date, stage: Stage, counting: list[str], next_change: date | None
):
    """What ended years before does not come back with it."""
    who = Person("hr:1", affiliations=(employee(0, end=date(2019, 5, 1)), employee(1, end=date(2026, 8, 31))))

    stand = standing(who, Days(grace_days=3), day, Orders(extended_until=UNTIL))

    assert (stand.stage, [one.id for one in stand.counting], stand.next_change) == (stage, counting, next_change)
    assert stand.enabled is bool(counting)


def test_an_extension_gives_nobody_what_they_never_had():
    """Who is only to come, or whose position was cancelled before it began, has nothing that could be kept."""
    coming = person((date(2026, 12, 1), None))
    cancelled = person((date(2026, 8, 17), date(2026, 8, 16)))

    stages = [
        standing(who, Days(), date(2026, 9, 1), Orders(extended_until=UNTIL)).stage for who in (coming, cancelled)
    ]

    assert stages == [Stage.FUTURE, Stage.ENDED]


def test_who_is_stopped_is_disabled_and_keeps_what_counts():
    """So that resuming puts everything back."""
    stand = standing(person((None, None)), Days(), date(2026, 9, 1), Orders(stopped=True))

    assert (stand.stage, stand.enabled, len(stand.counting)) == (Stage.STOPPED, False, 1)


@pytest.mark.parametrize("orders", [NO_ORDERS, Orders(extended_until=UNTIL), Orders(stopped=True)])
def test_a_death_ends_everything_at_once(orders: Orders):
    """Without grace, whatever dates say and whatever was ordered."""
    who = Person("hr:1", affiliations=(employee(1),), deceased=True)

    assert standing(who, Days(grace_days=30), date(2026, 9, 1), orders) == Standing(
        Stage.ENDED, (), enabled=False, next_change=None
    )


# ---------------------------------------------------------------- days


OSLO = ZoneInfo("Europe/Oslo")


@pytest.mark.parametrize(
    ("moment", "enabled"),
    [
        # a second before local midnight, in summer: the last day
        (datetime(2026, 8, 31, 21, 59, 59, tzinfo=UTC), True),
        # local midnight, though it is still the 31st in UTC
        (datetime(2026, 8, 31, 22, 0, tzinfo=UTC), False),
        # midnight in UTC
        (datetime(2026, 9, 1, tzinfo=UTC), False),
    ],
)
def test_a_last_day_ends_at_local_midnight(moment: datetime, enabled: bool):
    """Whoever ends on 31 August has access all through that day in Norway."""
    stand = standing(person((None, date(2026, 8, 31))), Days(), today(FixedClock(moment), OSLO))

    assert stand.enabled is enabled


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        # the night in which clocks go forward: 01:59:59 is followed by 03:00:00
        (datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC), date(2026, 3, 29)),
        (datetime(2026, 3, 29, 1, 0, tzinfo=UTC), date(2026, 3, 29)),
        # its day has 23 hours: from 23:00 to 22:00 in UTC
        (datetime(2026, 3, 28, 22, 59, 59, tzinfo=UTC), date(2026, 3, 28)),
        (datetime(2026, 3, 28, 23, 0, tzinfo=UTC), date(2026, 3, 29)),
        (datetime(2026, 3, 29, 21, 59, 59, tzinfo=UTC), date(2026, 3, 29)),
        (datetime(2026, 3, 29, 22, 0, tzinfo=UTC), date(2026, 3, 30)),
        # and back: a day of 25 hours, from 22:00 to 23:00 in UTC
        (datetime(2026, 10, 24, 21, 59, 59, tzinfo=UTC), date(2026, 10, 24)),
        (datetime(2026, 10, 24, 22, 0, tzinfo=UTC), date(2026, 10, 25)),
        (datetime(2026, 10, 25, 22, 59, 59, tzinfo=UTC), date(2026, 10, 25)),
        (datetime(2026, 10, 25, 23, 0, tzinfo=UTC), date(2026, 10, 26)),
    ],
)
def test_days_are_local_days_when_clocks_change(moment: datetime, day: date):
    """No day is left out and none counted twice."""
    assert today(FixedClock(moment), OSLO) == day


@pytest.mark.parametrize(
    ("deactivated_on", "days", "expected"),
    [
        # a year of days that holds a leap day ends one day earlier in the calendar
        (date(2027, 3, 1), 365, date(2028, 2, 29)),
        # one that begins on it
        (date(2028, 2, 29), 365, date(2029, 2, 28)),
        # one that begins the day after
        (date(2028, 3, 1), 365, date(2029, 3, 1)),
        # four years of days from leap day to leap day
        (date(2028, 2, 29), 4 * 365 + 1, date(2032, 2, 29)),
    ],
)
def test_retention_is_counted_in_days_whatever_the_year(deactivated_on: date, days: int, expected: date):
    """365 days are 365 days."""
    assert delete_on(deactivated_on, Days(retention_days=days)) == expected


def test_a_position_that_ends_on_a_leap_day_ends_the_day_after():
    """The day after 29 February is 1 March."""
    who = person((None, date(2028, 2, 29)))

    assert standing(who, Days(), date(2028, 2, 29)).next_change == date(2028, 3, 1)
    assert standing(who, Days(), date(2028, 3, 1)).stage is Stage.ENDED


# ---------------------------------------------------------------- properties

_DATES = st.dates(date(2027, 12, 1), date(2028, 4, 30))
_SPANS = st.tuples(st.none() | _DATES, st.none() | _DATES)
_CLASSES = st.lists(st.builds(ClassMembership, st.just("5A"), st.just("pupil"), st.none() | _DATES, st.none() | _DATES))
_SETTINGS = st.builds(
    Days,
    create_days_before_start=st.integers(0, 40),
    enable_days_before_start=st.integers(0, 40),
    grace_days=st.integers(0, 40),
    leave=st.just({"unpaid": "disable", "military": "strip"}),
)
_ORDERS = st.builds(Orders, stopped=st.booleans(), extended_until=st.none() | _DATES)


@st.composite
def _people(draw: st.DrawFn) -> Person:
    """Somebody with a few affiliations around a leap day."""
    rows = draw(st.lists(st.tuples(_SPANS, st.sampled_from([None, "unpaid", "military"]), _CLASSES), max_size=3))
    return Person(
        "hr:1",
        affiliations=tuple(
            Affiliation(f"hr:{n}", "hr", "employee", start=start, end=end, leave=leave, classes=tuple(classes))
            for n, ((start, end), leave, classes) in enumerate(rows)
        ),
        deceased=draw(st.sampled_from([False, False, False, True])),
    )


def _seen(stand: Standing) -> tuple[Stage, tuple[Affiliation, ...], bool]:
    return stand.stage, stand.counting, stand.enabled


@given(who=_people(), settings=_SETTINGS, orders=_ORDERS, day=_DATES)
def test_no_run_is_missed_between_today_and_the_next_change(who: Person, settings: Days, orders: Orders, day: date):
    """`next_change` is never later than the first day on which the standing differs, found day by day."""
    now = standing(who, settings, day, orders)

    different = next(
        (
            later
            for later in (day + timedelta(days=offset) for offset in range(1, 260))
            if _seen(standing(who, settings, later, orders)) != _seen(now)
        ),
        None,
    )

    assert different is None or (now.next_change is not None and now.next_change <= different)
    assert now.next_change is None or now.next_change > day
    assert _seen(standing(who, settings, day, orders, ahead=False)) == _seen(now)


@given(who=_people(), settings=_SETTINGS, orders=_ORDERS, day=_DATES)
def test_nobody_with_an_active_affiliation_is_disabled(who: Person, settings: Days, orders: Orders, day: date):
    """But for the stopped, the dead, and those whose every affiliation is on a leave that disables."""
    running = [
        one for one in who.affiliations if (one.start or date.min) <= day <= (one.end or date.max) and one.leave is None
    ]

    stand = standing(who, settings, day, orders)

    assert stand.enabled or not running or orders.stopped or who.deceased
    assert {one.id for one in running} <= {one.id for one in stand.counting} or who.deceased


@given(who=_people(), settings=_SETTINGS, day=_DATES)
def test_a_stop_disables_whoever_it_is(who: Person, settings: Days, day: date):
    """And takes nothing else."""
    stopped = standing(who, settings, day, Orders(stopped=True))

    assert not stopped.enabled
    assert stopped.counting == standing(who, settings, day).counting
