from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from itertools import pairwise

import pytest

from eadm_sync.sample.build import build
from eadm_sync.sample.days import DEPARTED_AFTER_DAYS, handful, next_day
from eadm_sync.sample.draft import Event
from eadm_sync.sample.town import Town

START = date(2026, 7, 20)

Days = list[tuple[Town, tuple[Event, ...]]]


@pytest.fixture(scope="module")
def days() -> Days:
    """Four months of a town, with the events of each day."""
    town = build(seed=3, people=2500, start=START)
    made: Days = [(town, ())]
    for _ in range(120):
        made.append(next_day(made[-1][0]))
    return made


def test_the_same_day_follows_from_the_same_town():
    """A day is a function of the day before."""
    town = build(seed=3, people=400, start=START)

    assert next_day(town) == next_day(town)


def test_a_day_leaves_the_day_before_as_it_was():
    """Towns are values: making a later one changes none before."""
    town = build(seed=3, people=400, start=START)
    later = town
    for _ in range(20):
        later, _events = next_day(later)

    assert town == build(seed=3, people=400, start=START)


def test_everything_that_can_happen_happens(days: Days):
    """In four months of a town of 2 500 every sort of event is seen."""
    seen = Counter(event.event for _, events in days for event in events)

    assert set(seen) == {
        *("join", "leave", "vanish", "rehire", "move", "retitle", "extend", "on-leave", "back-from-leave", "rename"),
        *("mobile", "national-id", "renumber", "rename-unit", "manager"),
        *("pupil-joins", "pupil-leaves", "pupil-moves", "pupil-class", "school-year"),
    }


def test_who_differs_is_who_something_happened_to(days: Days):
    """Every employee record that is new, gone or different from the day before has an event, and no other."""
    for (before, _), (after, events) in pairwise(days):
        numbers = before.employees.keys() | after.employees.keys()
        differing = {number for number in numbers if before.employees.get(number) != after.employees.get(number)}
        told = {event.key for event in events if event.source == "hr" and event.key in numbers}
        told |= {event.old for event in events if event.event in {"renumber", "rehire"} and event.old in numbers}

        assert differing == told - {event.key for event in events if event.event in {"rename-unit", "manager"}}


def test_references_hold_every_day(days: Days):
    """Positions name units, units name managers who were there, pupils sit in classes of the present year."""
    for town, _ in days[::10]:
        assert all(at.unit in town.units for one in town.employees.values() for at in one.positions)
        assert all(len({at.number for at in one.positions}) == len(one.positions) for one in town.employees.values())
        assert all(len(one.positions) <= 3 for one in town.employees.values())
        assert all(code in town.classes for pupil in town.pupils.values() for code in pupil.classes)
        assert all(unit.manager in town.employees or unit.manager in town.departed for unit in town.units.values())


def test_nobody_shares_a_national_id(days: Days):
    """In HR and in the school system each number belongs to one record, on the last day as on the first."""
    for town in (days[0][0], days[-1][0]):
        for people in (town.employees.values(), town.pupils.values()):
            numbers = [one.national_id for one in people if one.national_id]
            assert len(numbers) == len(set(numbers))


def test_a_changed_d_number_keeps_the_person(days: Days):
    """The employee number stays, and the new number is a national id."""
    changes = [event for _, events in days for event in events if event.event == "national-id"]

    assert changes
    assert all(event.old[0] > "3" >= event.new[0] for event in changes)


def test_leavers_vanish_once_they_are_long_gone(days: Days):
    """Who is not exported any more ended more than the set number of days before."""
    for (before, _), (after, events) in pairwise(days):
        for event in events:
            if event.event == "vanish":
                ends = [at.end for at in before.employees[event.key].positions]
                limit = after.day - timedelta(DEPARTED_AFTER_DAYS)
                assert all(end is not None and end < limit for end in ends)


def test_on_the_first_of_august_the_school_year_turns(days: Days):
    """Everybody is a grade up in new classes, the oldest are gone, and as many begin."""
    turn = next(index for index, (town, _) in enumerate(days) if (town.day.month, town.day.day) == (8, 1))
    before, (after, events) = days[turn - 1][0], days[turn]
    stayed = before.pupils.keys() & after.pupils.keys()

    assert all(after.pupils[one].grade == before.pupils[one].grade + 1 for one in stayed)
    assert not before.classes.keys() & after.classes.keys()
    assert {pupil.grade for key, pupil in before.pupils.items() if key not in stayed} >= {10}
    assert [event.new for event in events if event.event == "school-year"] == ["2026"]
    starting = [pupil for key, pupil in after.pupils.items() if key not in stayed]
    assert sum(pupil.grade == 1 for pupil in starting) >= len(before.pupils) // 10


def test_the_handful_is_five_changes():
    """One promotion, one joiner, one leaver, one marriage, one unit renamed: to four people and a unit."""
    _, events = handful(build(seed=1, people=250, start=START))

    assert [event.event for event in events] == ["retitle", "join", "leave", "rename", "rename-unit"]
    assert len({event.key for event in events}) == 5


@pytest.mark.parametrize("people", [1, 3, 20])
def test_the_smallest_towns_have_days_too(people: int):
    """Where there is nobody for a thing to happen to, it does not happen."""
    town = build(seed=2, people=people, start=START)
    for _ in range(60):
        town, _events = next_day(town)

    assert town.day == START + timedelta(60)
