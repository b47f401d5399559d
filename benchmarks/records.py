"""The town's files read by hand, as plainly as Python can: what importing is measured against.

Nothing is checked, quarantined, encrypted or configurable here. That is the point.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date, datetime
from functools import cache
from hashlib import blake2b
from pathlib import Path

import msgspec

TEACHER_CODES = frozenset({"7961", "7962", "7963", "7965"})
UNIT_KINDS = {"Kommune": "municipality", "Kommunalområde": "sector", "Skole": "school", "Team": "team"}


class Place(msgspec.Struct, gc=False):
    """A class group attended or taught."""

    code: str
    role: str
    start: date | None
    end: date | None


class Position(msgspec.Struct):
    """An employment position or a school enrolment."""

    id: str
    kind: str
    unit: str
    title: str
    fraction: float | None
    start: date | None
    end: date | None
    primary: bool
    places: list[Place]


class Human(msgspec.Struct):
    """A person with all positions; `digest` is the hash of the raw rows."""

    id: str
    given_name: str
    family_name: str
    employee_number: str
    mobile: str
    positions: list[Position]
    digest: bytes


class Unit(msgspec.Struct, gc=False):
    """A unit with its place in the tree: `line` runs from itself to the root, `path` are the names downwards."""

    code: str
    name: str
    kind: str
    parent: str
    manager: str
    path: str = ""
    line: tuple[str, ...] = ()


class Group(msgspec.Struct, gc=False):
    """A class group."""

    code: str
    name: str
    unit: str


@cache
def norwegian_day(text: str) -> date | None:
    """Reads 17.08.2026."""
    return datetime.strptime(text, "%d.%m.%Y").date() if text else None  # noqa: DTZ007 - a day has no time zone


@cache
def iso_day(text: str) -> date | None:
    """Reads 2026-08-17."""
    return date.fromisoformat(text) if text else None


def rows(path: Path, delimiter: str) -> Iterator[list[str]]:
    """A file's rows without the header."""
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file, delimiter=delimiter)
        next(reader)
        yield from reader


def read_units(folder: Path) -> dict[str, Unit]:
    """The organisation tree by code."""
    units = {
        code: Unit(code, name, UNIT_KINDS.get(kind, "department"), parent, f"hr:{manager}" if manager else "")
        for code, name, kind, parent, manager in rows(folder / "hr" / "units.csv", ";")
    }
    for unit in units.values():
        line = [unit]
        while line[-1].parent:
            line.append(units[line[-1].parent])
        unit.line = tuple(each.code for each in line)
        unit.path = " / ".join(each.name for each in reversed(line))
    return units


def read_groups(folder: Path) -> dict[str, Group]:
    """The class groups by code."""
    return {row[0]: Group(row[0], row[3], row[9]) for row in rows(folder / "school" / "classes.csv", ",")}


def read_humans(folder: Path) -> list[Human]:
    """Everybody, one human being across both sources, sorted by id."""
    humans: list[Human] = []
    by_national_id: dict[str, Human] = {}
    positions = _grouped(folder / "hr" / "positions.csv", ";", 0)
    for row in rows(folder / "hr" / "persons.csv", ";"):
        own = positions.get(row[0], [])
        human = Human(
            f"hr:{row[0]}", row[2], row[3], row[0], row[5], [_employed(each) for each in own], _hash(row, own)
        )
        humans.append(human)
        if row[1]:
            by_national_id[row[1]] = human
    enrolments = _grouped(folder / "school" / "enrollments.csv", ",", 5)
    terms = _terms(folder)
    for row in rows(folder / "school" / "users.csv", ","):
        own = enrolments.get(row[0], [])
        enrolled = _enrolled(row, own, terms)
        known = by_national_id.get(row[11]) if row[11] else None
        if known is None:
            humans.append(Human(f"school:{row[0]}", row[8], row[9], "", "", enrolled, _hash(row, own)))
        else:
            known.positions += enrolled
            known.digest += _hash(row, own)
    humans.sort(key=lambda human: human.id)
    return humans


def _grouped(path: Path, delimiter: str, key: int) -> dict[str, list[list[str]]]:
    found: dict[str, list[list[str]]] = {}
    for row in rows(path, delimiter):
        found.setdefault(row[key], []).append(row)
    return found


def _hash(row: list[str], own: list[list[str]]) -> bytes:
    text = "\x1f".join(row + [value for each in own for value in each])
    return blake2b(text.encode(), digest_size=16).digest()


def _employed(row: list[str]) -> Position:
    number, position, unit, code, title, category, percent, start, end, primary, _leave = row
    if category == "Ekstern":
        kind = "external"
    elif category == "Vikar":
        kind = "substitute"
    else:
        kind = "teacher" if code in TEACHER_CODES else "employee"
    fraction = float(percent.replace(",", ".")) / 100 if percent else None
    days = norwegian_day(start), norwegian_day(end)
    return Position(f"hr:{number}-{position}", kind, unit, title, fraction, *days, primary == "J", [])


def _enrolled(user: list[str], own: list[list[str]], terms: dict[str, tuple[str, str]]) -> list[Position]:
    """A position for each school of the user, with the classes there."""
    role = user[5]
    kind, title = ("pupil", "") if role == "student" else ("teacher", "Lærer")
    made = {
        unit: Position(f"school:{user[0]}-{unit}-{role}", kind, unit, title, None, None, None, role == "student", [])
        for unit in user[4].split(",")
    }
    first = next(iter(made.values()))
    for row in own:
        start, end = terms[row[3]]
        days = iso_day(row[8] or start), iso_day(row[9] or end)
        place = Place(row[3], "pupil" if row[6] == "student" else "teacher", *days)
        made.get(row[4], first).places.append(place)
    return list(made.values())


def _terms(folder: Path) -> dict[str, tuple[str, str]]:
    """First and last day of each class's terms."""
    sessions = {row[0]: (row[5], row[6]) for row in rows(folder / "school" / "academicSessions.csv", ",")}
    found = {}
    for row in rows(folder / "school" / "classes.csv", ","):
        days = [sessions[term] for term in row[10].split(",")]
        found[row[0]] = min(start for start, _ in days), max(end for _, end in days)
    return found
