"""Pupils, base classes and teaching groups of one school year."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import msgspec

from eadm_sync.sample.dice import Dice
from eadm_sync.sample.staff import Recruiter, teaches_at
from eadm_sync.sample.town import Employee, Pupil, SchoolClass, Unit

GRADES = range(1, 11)
_GROUPS_FROM = 8  # teaching groups are for grades 8–10: the lower ones are taught as classes
_CLASS_SIZE = 24
_LANGUAGES = ("Spansk", "Tysk", "Fransk", "Engelsk fordypning")
_ELECTIVES = ("Programmering", "Fysisk aktivitet og helse", "Sal og scene", "Design og redesign")
_EXTRAS = ("Matematikk fordypning", "Arbeidslivsfag")
_AGE_AT_GRADE_ZERO = 5  # a child begins grade 1 in the year it turns six (opplæringslova)


class Roll:
    """Puts pupils into classes, and teachers before them, for one school year."""

    def __init__(self, year: int, units: Iterable[Unit], employees: Iterable[Employee], day: date, dice: Dice) -> None:
        self.year = year
        self.classes: dict[str, SchoolClass] = {}
        self._dice = dice
        self._schools: dict[int, list[Unit]] = {grade: [] for grade in GRADES}
        for unit in units:
            if unit.grades:
                for grade in range(unit.grades[0], unit.grades[1] + 1):
                    self._schools[grade].append(unit)
        self._teachers: dict[str, list[str]] = {}
        for employee in employees:
            for school in teaches_at(employee, day):
                self._teachers.setdefault(school, []).append(employee.teacher_id)
        self._turn: dict[str, int] = {}

    def school(self, grade: int) -> str:
        """Code of a school that has this grade."""
        return self._dice.pick(self._schools[grade]).code

    def has(self, school: str, grade: int) -> bool:
        """Whether the school teaches this grade."""
        return any(unit.code == school for unit in self._schools[grade])

    def place(self, pupils: list[Pupil]) -> list[Pupil]:
        """The same pupils in classes, which `classes` holds afterwards."""
        sizes: dict[tuple[str, int], int] = {}
        for pupil in pupils:
            sizes[pupil.school, pupil.grade] = sizes.get((pupil.school, pupil.grade), 0) + 1
        seats: dict[tuple[str, int], int] = {}
        placed = []
        for pupil in pupils:
            key = (pupil.school, pupil.grade)
            seat = seats[key] = seats.get(key, -1) + 1
            count = min(26, -(-sizes[key] // _CLASS_SIZE))
            base = self._base_class(pupil.school, pupil.grade, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[seat % count])
            groups = self.groups(pupil.school, pupil.grade) if pupil.grade >= _GROUPS_FROM else ()
            placed.append(msgspec.structs.replace(pupil, classes=(base, *groups)))
        return placed

    def groups(self, school: str, grade: int) -> tuple[str, ...]:
        """Two or three teaching groups for one pupil: a language, an elective, sometimes one more."""
        dice = self._dice
        subjects = [dice.pick(_LANGUAGES), dice.pick(_ELECTIVES)]
        if dice.chance(0.3):
            subjects.append(dice.pick(_EXTRAS))
        return tuple(self._group(school, grade, subject) for subject in subjects)

    def _base_class(self, school: str, grade: int, letter: str) -> str:
        code = f"{school}-{self.year}-{grade}{letter}"
        if code not in self.classes:
            teachers = self._next_teachers(school, 1 + self._dice.chance(0.4))
            self.classes[code] = SchoolClass(code, f"{grade}{letter}", school, grade, "", teachers)
        return code

    def _group(self, school: str, grade: int, subject: str) -> str:
        code = f"{school}-{self.year}-{grade}-{subject[:3].upper()}"
        if code not in self.classes:
            teachers = self._next_teachers(school, 1)
            self.classes[code] = SchoolClass(code, f"{grade} {subject}", school, grade, subject, teachers)
        return code

    def _next_teachers(self, school: str, count: int) -> tuple[str, ...]:
        """The school's teachers in turn, so that all of them teach; none where it has none."""
        teachers = self._teachers.get(school, [])
        turn = self._turn.get(school, 0)
        self._turn[school] = turn + count
        chosen = [teachers[(turn + step) % len(teachers)] for step in range(count)] if teachers else []
        return tuple(dict.fromkeys(chosen))


def enrol(recruiter: Recruiter, school: str, grade: int, year: int) -> Pupil:
    """A new pupil, not in a class yet, as old as the grade is in the school year that begins in `year`."""
    dice = recruiter.dice
    name = recruiter.names.next()
    first = date(year - _AGE_AT_GRADE_ZERO - grade, 1, 1)
    birth = date.fromordinal(first.toordinal() + dice.below(365))
    unknown = name.foreign and dice.chance(0.04)
    number = "" if unknown else recruiter.ids.issue(birth, name.sex, d_number=name.foreign and dice.chance(0.08))
    pupil_id = f"E{recruiter.serial('pupil'):07d}"
    return Pupil(pupil_id, number, name.given, name.family, birth, name.sex, school, grade)
