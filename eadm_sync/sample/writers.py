"""Writes a town as its source systems would export it: HR as CSV, the school system as OneRoster 1.1.

HR has the habits of Norwegian systems: semicolons, UTF-8, dates as dd.mm.yyyy. The OneRoster columns are those of
https://www.imsglobal.org/oneroster-v11-final-csv-tables, all files "bulk", hence without status and date.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from functools import lru_cache
from pathlib import Path

from eadm_sync.sample.staff import teaches_at
from eadm_sync.sample.town import Employee, SchoolClass, Town, school_year

Row = Sequence[object]

_CONTACT = "Klasse"


def write_town(directory: Path, town: Town, wrote: Callable[[Path], None]) -> None:
    """Writes `hr/` and `school/` into `directory`, overwriting; `wrote` is called after each file."""
    for folder, tables, delimiter in (("hr", _HR, ";"), ("school", _SCHOOL, ",")):
        (directory / folder).mkdir(parents=True, exist_ok=True)
        for name, (header, rows) in tables.items():
            path = directory / folder / f"{name}.csv"
            write_rows(path, header, rows(town), delimiter)
            wrote(path)


def write_rows(path: Path, header: str, rows: Iterable[Row], delimiter: str) -> None:
    """Writes one file, the same bytes on every system: UTF-8, no BOM, lines end in LF."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        writer.writerow(header.split())
        writer.writerows(rows)


# ---------------------------------------------------------------- HR


def _persons(town: Town) -> Iterator[Row]:
    for one in town.employees.values():
        yield (
            one.number,
            one.national_id,
            one.given,
            one.family,
            norwegian_date(one.birth),
            one.mobile,
            one.email,
            one.former_number,
        )


def _positions(town: Town) -> Iterator[Row]:
    for one in town.employees.values():
        for at in one.positions:
            external = at.category == "Ekstern"
            yield (
                one.number,
                at.number,
                at.unit,
                at.code,
                at.title,
                at.category,
                "" if external else at.percent,
                norwegian_date(at.start),
                norwegian_date(at.end),
                "J" if at.main else "N",
                at.leave,
            )


def _units(town: Town) -> Iterator[Row]:
    for unit in town.units.values():
        yield (unit.code, unit.name, unit.kind, unit.parent, unit.manager)


@lru_cache(maxsize=65_536)
def norwegian_date(day: date | None) -> str:
    """dd.mm.yyyy; "" for None."""
    return f"{day.day:02d}.{day.month:02d}.{day.year:04d}" if day else ""


# ---------------------------------------------------------------- school


def _manifest(_: Town) -> Iterator[Row]:
    yield ("manifest.version", "1.0")
    yield ("oneroster.version", "1.1")
    for name in ("academicSessions", "categories", "classes", "classResources", "courses", "courseResources"):
        yield (f"file.{name}", "bulk" if name in _SCHOOL else "absent")
    for name in ("demographics", "enrollments", "lineItems", "orgs", "resources", "results", "users"):
        yield (f"file.{name}", "bulk" if name in _SCHOOL else "absent")
    yield ("source.systemName", "Eksempel skoleadministrasjon")
    yield ("source.systemCode", "eksempel-sas")


def _session(year: int) -> str:
    return f"skoleaar-{year}"


def _sessions(town: Town) -> Iterator[Row]:
    year = school_year(town.day)
    whole = _session(year)
    yield (whole, "", "", f"{year}/{year + 1}", "schoolYear", f"{year}-08-01", f"{year + 1}-07-31", "", year + 1)
    yield (f"{whole}-h", "", "", f"Høst {year}", "term", f"{year}-08-01", f"{year}-12-31", whole, year + 1)
    yield (f"{whole}-v", "", "", f"Vår {year + 1}", "term", f"{year + 1}-01-01", f"{year + 1}-07-31", whole, year + 1)


def _orgs(town: Town) -> Iterator[Row]:
    yield ("1200", "", "", town.units["1200"].name, "district", "", "")
    for unit in town.units.values():
        if unit.grades:
            yield (unit.code, "", "", unit.name, "school", "", "1200")


def _course(group: SchoolClass) -> str:
    return f"{group.grade}-{group.subject or _CONTACT}"


def _courses(town: Town) -> Iterator[Row]:
    year = school_year(town.day)
    courses = {_course(group): group for group in town.classes.values()}
    for code, group in sorted(courses.items()):
        title = f"{group.subject or _CONTACT} {group.grade}. trinn"
        yield (code, "", "", _session(year), title, code, group.grade, "1200", group.subject, "")


def _classes(town: Town) -> Iterator[Row]:
    session = _session(school_year(town.day))
    for group in town.classes.values():
        sort = "scheduled" if group.subject else "homeroom"
        yield (
            *(group.code, "", "", group.title, group.grade, _course(group), group.title, sort, ""),
            *(group.school, session, group.subject, "", ""),
        )


def _teachers(town: Town) -> Iterator[tuple[Employee, tuple[str, ...]]]:
    """Those who teach now or soon, with their schools."""
    for employee in town.employees.values():
        schools = tuple(teaches_at(employee, town.day))
        if schools:
            yield employee, schools


def _users(town: Town) -> Iterator[Row]:
    for one, schools in _teachers(town):
        yield (
            *(one.teacher_id, "", "", "true", ",".join(schools), "teacher", one.teacher_id.lower(), ""),
            *(one.given, one.family, "", one.national_id, one.email, one.mobile, "", "", "", ""),
        )
    for pupil in town.pupils.values():
        yield (
            *(pupil.id, "", "", "true", pupil.school, "student", pupil.id.lower(), "", pupil.given, pupil.family),
            *("", pupil.national_id, "", "", "", "", pupil.grade, ""),
        )


def _enrollments(town: Town) -> Iterator[Row]:
    for pupil in town.pupils.values():
        since = pupil.since.isoformat() if pupil.since else ""
        for code in pupil.classes:
            yield (f"{code}-{pupil.id}", "", "", code, pupil.school, pupil.id, "student", "", since, "")
    active = {one.teacher_id for one, _ in _teachers(town)}
    for group in town.classes.values():
        for rank, teacher in enumerate(teacher for teacher in group.teachers if teacher in active):
            primary = "false" if rank else "true"
            yield (f"{group.code}-{teacher}", "", "", group.code, group.school, teacher, "teacher", primary, "", "")


def _demographics(town: Town) -> Iterator[Row]:
    rest = ("",) * 11
    for one, _ in _teachers(town):
        yield (one.teacher_id, "", "", one.birth.isoformat(), _SEX[one.sex], *rest)
    for pupil in town.pupils.values():
        yield (pupil.id, "", "", pupil.birth.isoformat(), _SEX[pupil.sex], *rest)


_SEX = {"K": "female", "M": "male"}
_BULK = "sourcedId status dateLastModified"
_SUBJECT = "subjects subjectCodes periods"
_CONTACTS = "identifier email sms phone agentSourcedIds grades password"
_RACE = (  # columns of the standard that stay empty: nothing of the kind may be kept of pupils here
    "americanIndianOrAlaskaNative asian blackOrAfricanAmerican nativeHawaiianOrOtherPacificIslander white"
    " demographicRaceTwoOrMoreRaces hispanicOrLatinoEthnicity"
)
_BIRTH_PLACE = "countryOfBirthCode stateOfBirthAbbreviation cityOfBirth"

_Table = tuple[str, Callable[[Town], Iterator[Row]]]

_HR: dict[str, _Table] = {
    "units": ("Enhetsnr Navn Type Overordnet Leder", _units),
    "persons": ("Ansattnr Fødselsnummer Fornavn Etternavn Fødselsdato Mobil Epost AnsattnrTidligere", _persons),
    "positions": (
        "Ansattnr Stillingsnr Enhet Stillingskode Stilling Kategori Prosent Fra Til Hovedstilling Permisjon",
        _positions,
    ),
}

_SCHOOL: dict[str, _Table] = {
    "manifest": ("propertyName value", _manifest),
    "academicSessions": (f"{_BULK} title type startDate endDate parentSourcedId schoolYear", _sessions),
    "orgs": (f"{_BULK} name type identifier parentSourcedId", _orgs),
    "courses": (f"{_BULK} schoolYearSourcedId title courseCode grades orgSourcedId subjects subjectCodes", _courses),
    "classes": (
        f"{_BULK} title grades courseSourcedId classCode classType location schoolSourcedId termSourcedIds {_SUBJECT}",
        _classes,
    ),
    "users": (
        f"{_BULK} enabledUser orgSourcedIds role username userIds givenName familyName middleName {_CONTACTS}",
        _users,
    ),
    "enrollments": (
        f"{_BULK} classSourcedId schoolSourcedId userSourcedId role primary beginDate endDate",
        _enrollments,
    ),
    "demographics": (
        f"{_BULK} birthDate sex {_RACE} {_BIRTH_PLACE} publicSchoolResidenceStatus",
        _demographics,
    ),
}
FILES_PER_DAY = len(_HR) + len(_SCHOOL)
