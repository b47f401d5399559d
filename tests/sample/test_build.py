from __future__ import annotations

from collections import Counter
from datetime import date

import pytest

from eadm_sync.sample.build import build
from eadm_sync.sample.organisation import build_units
from eadm_sync.sample.staff import TEACHING_CODES
from eadm_sync.sample.town import Town, present

START = date(2026, 8, 17)


@pytest.fixture(scope="module")
def town() -> Town:
    """A town large enough to have everything in it."""
    return build(seed=7, people=3000, start=START)


def test_the_same_seed_gives_the_same_town(town: Town):
    """Everything follows from seed, size and day."""
    assert build(seed=7, people=3000, start=START) == town
    assert build(seed=8, people=3000, start=START) != town


@pytest.mark.parametrize("people", [1, 2, 7, 20, 250, 1999])
def test_a_town_has_as_many_people_as_asked_for(people: int):
    """Each human being counts once, also those in both systems."""
    made = build(seed=1, people=people, start=START)

    pupils = {pupil.national_id for pupil in made.pupils.values()} - {""}
    both = sum(one.national_id in pupils for one in made.employees.values())

    assert len(made.employees) + len(made.pupils) - both == people


def test_a_town_without_people_is_refused():
    """There is no empty town."""
    with pytest.raises(ValueError, match="at least one"):
        build(seed=1, people=0, start=START)


@pytest.mark.parametrize(("employees", "pupils"), [(1, 0), (1000, 1100), (450_000, 500_000)])
def test_units_form_one_tree(employees: int, pupils: int):
    """Codes are unique at every size, and every parent but the root's stands before its children."""
    units = list(build_units(employees, pupils).values())
    seen: set[str] = set()
    for unit in units:
        assert unit.parent in seen or unit.code == "1000"
        seen.add(unit.code)

    assert len(seen) == len(units)
    assert len({unit.name for unit in units}) == len(units)
    assert len({unit.code for unit in units if unit.kind == "Skole"}) >= 2


def test_managers_and_positions_refer_to_what_is_there(town: Town):
    """Every unit has a manager who exists, and every position a unit that exists."""
    assert all(unit.manager in town.employees for unit in town.units.values())
    assert all(at.unit in town.units for one in town.employees.values() for at in one.positions)


def test_everybody_has_one_to_three_positions_and_at_most_one_main_one(town: Town):
    """Positions are numbered without repetition, and end after they begin."""
    for one in town.employees.values():
        assert 1 <= len(one.positions) <= 3
        assert len({at.number for at in one.positions}) == len(one.positions)
        assert sum(at.main for at in one.positions) == 1
        assert all(at.end is None or at.start <= at.end for at in one.positions)


def test_ages_fit_roles(town: Town):
    """Employees are of working age but for the pupils among them; pupils turn grade + 5 in the school year's year."""
    pupil_ids = {pupil.national_id for pupil in town.pupils.values()}
    ages = [2026 - one.birth.year for one in town.employees.values() if one.national_id not in pupil_ids]

    assert min(ages) >= 20
    assert max(ages) <= 71
    assert all(2026 - pupil.birth.year == pupil.grade + 5 for pupil in town.pupils.values())


def test_a_town_has_every_sort_of_people(town: Town):
    """Substitutes, externals with an end, past and future positions, leave, pupils with jobs, D-numbers, no numbers."""
    employees = town.employees.values()
    positions = [at for one in employees for at in one.positions]
    categories = Counter(at.category for at in positions)
    pupil_ids = {pupil.national_id for pupil in town.pupils.values()} - {""}

    assert set(categories) == {"Fast", "Midlertidig", "Vikar", "Ekstern"}
    assert all(at.end for at in positions if at.category in {"Vikar", "Ekstern"})
    assert any(at.start > START for at in positions)
    assert any(at.end and at.end < START for at in positions)
    assert {at.leave for at in positions} == {"", "FORELDRE", "SYK", "PERM"}
    assert any(one.national_id in pupil_ids for one in employees)
    assert any(one.national_id[:1] > "3" for one in employees)
    assert any(one.national_id == "" for one in employees)
    assert Counter(len(one.positions) for one in employees).keys() == {1, 2, 3}


def test_about_one_employee_in_eight_teaches(town: Town):
    """Teachers are 9 to 15 % of employees, and have an id in the school system."""
    teaching = [
        one
        for one in town.employees.values()
        if any(at.code in TEACHING_CODES and present(at, START) for at in one.positions)
    ]

    assert 0.09 < len(teaching) / len(town.employees) < 0.15
    assert all(one.teacher_id for one in teaching)


def test_pupils_sit_in_classes_of_their_own_school_and_grade(town: Town):
    """One base class each; two or three teaching groups in grades 8 to 10, none below."""
    for pupil in town.pupils.values():
        base, *groups = (town.classes[code] for code in pupil.classes)
        assert base.subject == ""
        assert all((group.school, group.grade) == (pupil.school, pupil.grade) for group in (base, *groups))
        assert len(groups) in ({2, 3} if pupil.grade >= 8 else {0})
