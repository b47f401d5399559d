"""A day in the making: the town's dictionaries to be changed, and the list of what changed them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import NamedTuple, TypeVar

import msgspec

from eadm_sync.sample.dice import Dice
from eadm_sync.sample.names import Names
from eadm_sync.sample.national_ids import NationalIds
from eadm_sync.sample.staff import TEACHING_CODES, Recruiter
from eadm_sync.sample.town import Employee, Position, Pupil, SchoolClass, Town, present, school_year

Value = TypeVar("Value", bound=msgspec.Struct)

_TRIES = 400  # of finding somebody to whom a thing can happen: one in fifty fits in all but one of 3 000 searches


class Event(NamedTuple):
    """One thing that happened.

    Attributes:
        day: The first day whose export shows it.
        event: What ("join", "leave", "rename", …).
        source: "hr" or "school".
        key: Employee number, unit code or school id; "" where it concerns everybody.
        field: The column it shows in, or "".
        old: Value before, or "".
        new: Value after, or "".
    """

    day: date
    event: str
    source: str
    key: str
    field: str
    old: str
    new: str


class Draft:
    """Copies of a town's dictionaries, a day later; `town()` gives the frozen result.

    Attributes:
        idle: Numbers of those without a present or future position as the day began; None: not looked up yet.
    """

    def __init__(self, town: Town, day: date) -> None:
        self.day = day
        self.seed = town.seed
        self.dice = Dice("day", town.seed, day.isoformat())
        self.units = dict(town.units)
        self.employees = dict(town.employees)
        self.pupils = dict(town.pupils)
        self.classes = town.classes
        self.departed = dict(town.departed)
        self.ids = NationalIds(town.issued)
        self.serials = dict(town.serials)
        self.recruiter = Recruiter(
            self.dice, Names(self.dice), self.ids, day, self.units.values(), serials=self.serials
        )
        self.events: list[Event] = []
        self.managers = {unit.manager for unit in self.units.values()}
        self.schools = [unit for unit in self.units.values() if unit.grades]
        self.idle: list[str] | None = None
        self._numbers = list(self.employees)
        self._pupils = list(self.pupils)

    @property
    def year(self) -> int:
        """The year the school year of this day began in."""
        return school_year(self.day)

    def town(self) -> Town:
        """The day as it has become."""
        return Town(
            seed=self.seed,
            day=self.day,
            units=self.units,
            employees=self.employees,
            pupils=self.pupils,
            classes=self.classes,
            departed=self.departed,
            issued=self.ids.issued,
            serials=self.serials,
        )

    def note(self, event: str, source: str, key: str, field: str, old: str, new: str) -> None:
        """Writes down what happened."""
        self.events.append(Event(self.day, event, source, key, field, old, new))

    def change(self, value: Value, **fields: object) -> Value:
        """The value with other fields."""
        return msgspec.structs.replace(value, **fields)

    def limit_to(self, fits: Callable[[Employee], bool]) -> None:
        """Lets things happen only to employees for whom `fits` holds, from now on."""
        self._numbers = [number for number in self._numbers if fits(self.employees[number])]

    def put(self, employee: Employee, position: Position) -> None:
        """Replaces the employee's position of the same number."""
        positions = tuple(position if old.number == position.number else old for old in employee.positions)
        self.employees[employee.number] = self.change(employee, positions=positions)

    def with_teacher_id(self, employee: Employee) -> Employee:
        """The employee with an id in the school system if they now teach and have none."""
        if employee.teacher_id or all(position.code not in TEACHING_CODES for position in employee.positions):
            return employee
        return self.change(employee, teacher_id=self.recruiter.teacher_id())

    def some_employee(self, fits: Callable[[Employee], bool] = lambda _: True) -> Employee | None:
        """Somebody at work today for whom `fits` holds and whom nothing else has happened to; None: not found."""
        found = self.some_position(lambda _: True, fits)
        return found[0] if found else None

    def some_position(
        self, fits: Callable[[Position], bool], who: Callable[[Employee], bool] = lambda _: True
    ) -> tuple[Employee, Position] | None:
        """Likewise, with a position that holds today and fits. Nobody is found twice in one day."""
        for _ in range(_TRIES if self._numbers else 0):
            index = self.dice.below(len(self._numbers))
            employee = self.employees.get(self._numbers[index])
            if employee is None or not who(employee):
                continue
            for position in employee.positions:
                if present(position, self.day) and fits(position):
                    self._numbers[index] = self._numbers[-1]
                    self._numbers.pop()
                    return employee, position
        return None

    def some_pupil(self) -> Pupil | None:
        """A pupil whom nothing else has happened to today; None where there is none."""
        while self._pupils:
            index = self.dice.below(len(self._pupils))
            pupil = self.pupils.get(self._pupils[index])
            self._pupils[index] = self._pupils[-1]
            self._pupils.pop()
            if pupil is not None:
                return pupil
        return None

    def classes_of(self, school: str, grade: int) -> tuple[list[SchoolClass], list[SchoolClass]]:
        """Base classes and teaching groups of one grade of a school."""
        here = [group for group in self.classes.values() if (group.school, group.grade) == (school, grade)]
        return [group for group in here if not group.subject], [group for group in here if group.subject]
