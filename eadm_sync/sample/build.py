"""Makes the town of the first day."""

from __future__ import annotations

from datetime import date

import msgspec

from eadm_sync.sample.dice import Dice
from eadm_sync.sample.names import Names
from eadm_sync.sample.national_ids import NationalIds
from eadm_sync.sample.organisation import build_units
from eadm_sync.sample.schools import GRADES, Roll, enrol
from eadm_sync.sample.staff import Recruiter
from eadm_sync.sample.town import Employee, Pupil, Town, Unit, school_year

EMPLOYEE_SHARE = 0.45
EXTERNAL_SHARE = 0.05
_YOUTH_SHARE = 0.02  # of those in grade 10: have a job too
_SHARED_MANAGER = 0.06  # of teams: led by the manager of the department


def build(seed: int, people: int, start: date) -> Town:
    """A municipality of so many people on its first day: the same for the same arguments, everywhere.

    Pupils who also have a job are counted once. About 45 % are employed, 5 % external, the others pupils.

    Raises:
        ValueError: `people` is less than 1, or beyond what national ids there are for (some two millions).
    """
    if people < 1:
        raise ValueError("a town has at least one person")
    employed, external = round(people * EMPLOYEE_SHARE), round(people * EXTERNAL_SHARE)
    pupil_count = people - employed - external
    units = build_units(employed, pupil_count)
    dice = Dice("town", seed, people, start.isoformat())
    ids, serials = NationalIds(), dict[str, int]()
    recruiter = Recruiter(dice, Names(dice, curious=True), ids, start, units.values(), serials)
    units, employees = _staff(recruiter, units, employed)
    employees += [recruiter.external() for _ in range(external)]
    roll = Roll(school_year(start), units.values(), employees, start, dice)
    pupils = _pupils(recruiter, roll, pupil_count)
    employees += _youths(recruiter, pupils)
    return Town(
        seed=seed,
        day=start,
        units=units,
        employees={employee.number: employee for employee in employees},
        pupils={pupil.id: pupil for pupil in pupils},
        classes=dict(sorted(roll.classes.items())),
        departed={},
        issued=ids.issued,
        serials=serials,
    )


def _staff(recruiter: Recruiter, units: dict[str, Unit], count: int) -> tuple[dict[str, Unit], list[Employee]]:
    """Managers first, from the top, as many as there are people for; then everybody else."""
    managed: dict[str, Unit] = {}
    employees: list[Employee] = []
    for code, unit in units.items():
        manager = ""
        if unit.kind == "Team" and recruiter.dice.chance(_SHARED_MANAGER):
            manager = managed[unit.parent].manager
        elif len(employees) < count:
            employees.append(recruiter.leader(unit))
            manager = employees[-1].number
        managed[code] = msgspec.structs.replace(unit, manager=manager)
    employees += [recruiter.worker() for _ in range(count - len(employees))]
    return managed, employees


def _pupils(recruiter: Recruiter, roll: Roll, count: int) -> list[Pupil]:
    """As many pupils in every grade."""
    grades = [GRADES[index % len(GRADES)] for index in range(count)]
    return roll.place([enrol(recruiter, roll.school(grade), grade, roll.year) for grade in grades])


def _youths(recruiter: Recruiter, pupils: list[Pupil]) -> list[Employee]:
    """The oldest pupils' weekend jobs: at least one in every town that has such pupils."""
    oldest = [pupil for pupil in pupils if pupil.grade == GRADES[-1] and pupil.national_id]
    chosen = [pupil for pupil in oldest[1:] if recruiter.dice.chance(_YOUTH_SHARE)]
    return [recruiter.youth(pupil) for pupil in (*oldest[:1], *chosen)]
