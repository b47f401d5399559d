"""A municipality on one day, as frozen values, and how it is made from a seed."""

from __future__ import annotations

from datetime import date

import msgspec


class Position(msgspec.Struct, frozen=True, gc=False):
    """An employee's post in one unit.

    Attributes:
        number: Unique among the employee's positions.
        unit: Code of the unit.
        code: Job code.
        title: Job title.
        category: "Fast", "Midlertidig", "Vikar" or "Ekstern".
        percent: Share of a full position, 0–100.
        start: First day.
        end: Last day, included, or None.
        main: Whether HR calls it the main one.
        leave: "FORELDRE", "SYK", "PERM", or "" when not on leave.
    """

    number: str
    unit: str
    code: str
    title: str
    category: str
    percent: int
    start: date
    end: date | None = None
    main: bool = True
    leave: str = ""


class Employee(msgspec.Struct, frozen=True):
    """Somebody HR knows: employed, a substitute, or external.

    Attributes:
        number: Employee number, with leading zeros.
        national_id: Or "" where HR has none (some externals).
        given: Given names.
        family: Family name.
        birth: Date of birth.
        sex: "K" or "M".
        mobile: Or "".
        email: Private address, or "".
        positions: One to three, by number.
        former_number: The employee number before, where it has changed, else "".
        teacher_id: Id in the school system of those who teach, else "".
    """

    number: str
    national_id: str
    given: str
    family: str
    birth: date
    sex: str
    mobile: str
    email: str
    positions: tuple[Position, ...]
    former_number: str = ""
    teacher_id: str = ""


class Pupil(msgspec.Struct, frozen=True):
    """A pupil in the school system.

    Attributes:
        id: The school system's own.
        national_id: Or "" where there is none yet.
        given: Given names.
        family: Family name.
        birth: Date of birth.
        sex: "K" or "M".
        school: Code of the school's unit.
        grade: 1–10.
        classes: Codes of the class groups, the base class first.
        since: First day in these classes where it was not the first of the school year, else None.
    """

    id: str
    national_id: str
    given: str
    family: str
    birth: date
    sex: str
    school: str
    grade: int
    classes: tuple[str, ...] = ()
    since: date | None = None


class SchoolClass(msgspec.Struct, frozen=True):
    """A base class or a teaching group in one school year.

    Attributes:
        code: Unique over schools and years.
        title: "5A", "9 Spansk 1".
        school: Code of the school's unit.
        grade: 1–10.
        subject: "" for a base class.
        teachers: Teacher ids, the contact teacher first.
    """

    code: str
    title: str
    school: str
    grade: int
    subject: str
    teachers: tuple[str, ...] = ()


class Unit(msgspec.Struct, frozen=True):
    """A node of the organisation.

    Attributes:
        code: Unique; digits, but a string.
        name: As people call it.
        kind: "Kommune", "Kommunalområde", "Avdeling", "Team" or "Skole".
        parent: Code, or "" at the root.
        branch: What is done there: decides which jobs it has.
        grades: First and last grade of a school, else None.
        manager: Employee number, or "".
    """

    code: str
    name: str
    kind: str
    parent: str
    branch: str
    grades: tuple[int, int] | None = None
    manager: str = ""


class Town(msgspec.Struct, frozen=True):
    """All that the source systems hold on one day. The dictionaries are never changed once it is made.

    Attributes:
        seed: What it was made from.
        day: The day it shows.
        units: By code, parents before children.
        employees: By employee number.
        pupils: By id.
        classes: By code, of the present school year.
        departed: Employees whom HR no longer exports, by employee number: some will come back.
        issued: National ids used up (`NationalIds.issued`).
        serials: Numbers used up, by what they number.
    """

    seed: int
    day: date
    units: dict[str, Unit]
    employees: dict[str, Employee]
    pupils: dict[str, Pupil]
    classes: dict[str, SchoolClass]
    departed: dict[str, Employee]
    issued: dict[str, int]
    serials: dict[str, int]


def school_year(day: date) -> int:
    """The calendar year in which the school year that holds `day` began (1 August, opplæringslova)."""
    return day.year if day.month >= 8 else day.year - 1  # noqa: PLR2004 - August


def present(position: Position, day: date) -> bool:
    """Whether the position holds on this day."""
    return position.start <= day and (position.end is None or position.end >= day)
