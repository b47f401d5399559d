"""Which affiliations count on a day, and when that can change."""

from dataclasses import dataclass
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eadm_sync.lifecycle import Stage, delete_on, standing
from eadm_sync.model import Affiliation, ClassMembership, Person


@dataclass(frozen=True)
class Days:
    create_days_before_start: int = 14
    enable_days_before_start: int = 1
    grace_days: int = 0
    retention_days: int = 365


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


_DATES = st.dates(date(2024, 1, 1), date(2028, 12, 31))


@given(
    spans=st.lists(st.tuples(st.none() | _DATES, st.none() | _DATES), max_size=4),
    today=_DATES,
    create=st.integers(0, 40),
    enable=st.integers(0, 40),
    grace=st.integers(0, 40),
)
def test_nothing_changes_before_the_day_that_is_promised(
    spans: list[tuple[date | None, date | None]], today: date, create: int, enable: int, grace: int
):
    """Between today and `next_change` the standing is the same on every day: no run in between is needed."""
    settings = Days(create_days_before_start=create, enable_days_before_start=enable, grace_days=grace)
    who = person(*spans)

    now = standing(who, settings, today)

    last = (now.next_change or today + timedelta(days=900)) - timedelta(days=1)
    for offset in {0, 1, (last - today).days // 2, (last - today).days}:
        then = standing(who, settings, min(today + timedelta(days=offset), last))
        assert (then.stage, then.counting, then.enabled) == (now.stage, now.counting, now.enabled)
