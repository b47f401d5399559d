"""Employees, substitutes and externals: who is hired, for which post, and from when until when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import NamedTuple

import msgspec

from eadm_sync.sample.dice import Dice, Weighted
from eadm_sync.sample.names import Names, mailbox
from eadm_sync.sample.national_ids import NationalIds, born
from eadm_sync.sample.organisation import AFTER_SCHOOL, BRANCHES, KINDERGARTEN, SCHOOL, TOP
from eadm_sync.sample.town import Employee, Position, Pupil, Unit, present


class Job(NamedTuple):
    """A sort of work: code and title as the municipal pay agreement has them, roughly."""

    code: str
    title: str


class Post(NamedTuple):
    """A job in a unit."""

    unit: str
    job: Job


TEACHING = (
    Job("7961", "Lærer"),
    Job("7962", "Adjunkt"),
    Job("7963", "Adjunkt med tilleggsutdanning"),
    Job("7965", "Lektor"),
)
TEACHING_CODES = frozenset(job.code for job in TEACHING)
EXTERNAL_JOB = Job("0000", "Innleid konsulent")
YOUTH_JOB = Job("6014", "Ungdomsarbeider")

JOBS: dict[str, tuple[Job, ...]] = {
    "administration": (
        Job("7531", "Saksbehandler"),
        Job("8530", "Rådgiver"),
        Job("6559", "Konsulent"),
        Job("8530", "Seniorrådgiver"),
        Job("8531", "Prosjektleder"),
    ),
    SCHOOL: TEACHING,
    AFTER_SCHOOL: (Job("6572", "Assistent"), Job("7517", "Barne- og ungdomsarbeider"), Job("6675", "Miljøterapeut")),
    KINDERGARTEN: (
        Job("6709", "Barnehagelærer"),
        Job("7637", "Pedagogisk leder"),
        Job("6572", "Assistent"),
        Job("7517", "Barne- og ungdomsarbeider"),
    ),
    "health": (
        Job("7174", "Sykepleier"),
        Job("7076", "Helsefagarbeider"),
        Job("6583", "Pleieassistent"),
        Job("7710", "Vernepleier"),
        Job("7523", "Spesialsykepleier"),
        Job("7066", "Ergoterapeut"),
        Job("7617", "Jordmor"),
    ),
    "technical": (
        Job("7517", "Fagarbeider"),
        Job("8084", "Ingeniør"),
        Job("6014", "Renholder"),
        Job("7003", "Driftstekniker"),
        Job("6014", "Vaktmester"),
        Job("7238", "Brannkonstabel"),
    ),
    "culture": (
        Job("7026", "Bibliotekar"),
        Job("6599", "Kulturskolelærer"),
        Job("7531", "Kulturkonsulent"),
        Job("6014", "Badevakt"),
    ),
}

PROMOTIONS = {
    "Saksbehandler": "Seniorsaksbehandler",
    "Rådgiver": "Seniorrådgiver",
    "Konsulent": "Seniorkonsulent",
    "Kulturkonsulent": "Kulturleder",
    "Ingeniør": "Senioringeniør",
    "Fagarbeider": "Driftstekniker",
    "Barnehagelærer": "Pedagogisk leder",
    "Assistent": "Barne- og ungdomsarbeider",
    "Pleieassistent": "Helsefagarbeider",
    "Sykepleier": "Spesialsykepleier",
}
"""What a title can become."""

_LEADERS = {
    "Kommune": Job("9430", "Kommunedirektør"),
    "Kommunalområde": Job("9440", "Kommunalsjef"),
    "Skole": Job("7951", "Rektor"),
    "Avdeling": Job("9451", "Avdelingsleder"),
    "Team": Job("7453", "Fagleder"),
}
_KINDERGARTEN_LEADER = Job("7054", "Styrer")

_CATEGORIES = Weighted(("Fast", 74), ("Midlertidig", 10), ("Vikar", 16))
_PERCENTS = Weighted((100, 55), (80, 12), (75, 6), (60, 5), (50, 10), (40, 4), (30, 3), (20, 5))
_SUBSTITUTE_PERCENTS = Weighted((0, 3), (10, 2), (20, 2), (40, 1), (50, 1), (100, 2))
LEAVES = Weighted(("FORELDRE", 4), ("SYK", 5), ("PERM", 2))
# of a school's staff, the rest being in after-school care: makes teachers 12 % of all employees
_TEACHING_SHARE = 0.6


class Recruiter:
    """Hires people into a tree of units on one day. Everything it does comes from the dice it is given."""

    def __init__(
        self, dice: Dice, names: Names, ids: NationalIds, day: date, units: Iterable[Unit], serials: dict[str, int]
    ) -> None:
        """`serials` is counted on: it holds the highest number used so far of each sort."""
        self.dice = dice
        self.names = names
        self.ids = ids
        self.day = day
        self.serials = serials
        self._workplaces = _workplaces(units)
        self._branches = Weighted(*((b.name, b.share) for b in BRANCHES))

    def serial(self, word: str) -> int:
        """The next number of its sort."""
        self.serials[word] = self.serials.get(word, 0) + 1
        return self.serials[word]

    def post(self) -> Post:
        """An ordinary post anywhere in the organisation."""
        branch = self.dice.weigh(self._branches)
        if branch == SCHOOL and not self.dice.chance(_TEACHING_SHARE):
            branch = AFTER_SCHOOL
        return Post(self.dice.pick(self._workplaces[branch]), self.dice.pick(JOBS[branch]))

    def employee(self, positions: tuple[Position, ...], *, youngest: int, oldest: int) -> Employee:
        """A new employee with these positions, of an age (years) that fits."""
        name = self.names.next()
        birth = born(self.dice, self.day, youngest, oldest)
        serial = self.serial("employee")
        national_id = self.ids.issue(birth, name.sex, d_number=name.foreign and self.dice.chance(0.15))
        return Employee(
            number=employee_number(serial),
            national_id=national_id,
            given=name.given,
            family=name.family,
            birth=birth,
            sex=name.sex,
            mobile="" if self.dice.chance(0.06) else self.mobile(),
            email="" if self.dice.chance(0.1) else mailbox(name, serial),
            positions=positions,
            teacher_id=self.teacher_id() if any(p.code in TEACHING_CODES for p in positions) else "",
        )

    def mobile(self) -> str:
        """A number nobody can have: no Norwegian subscriber's number begins with 0."""
        return f"+47000{self.dice.below(100_000):05d}"

    def teacher_id(self) -> str:
        """A new id in the school system."""
        return f"L{self.serial('teacher'):06d}"

    def leader(self, unit: Unit) -> Employee:
        """Somebody to manage a unit."""
        job = _KINDERGARTEN_LEADER if (unit.kind, unit.branch) == ("Avdeling", KINDERGARTEN) else _LEADERS[unit.kind]
        start = self._since(years=15)
        position = Position("1", unit.code, job.code, job.title, "Fast", 100, start)
        return self.employee((position,), youngest=33, oldest=65)

    def worker(self) -> Employee:
        """An ordinary employee with a past, a present, or a future in the organisation."""
        return self.employee(self._career(self.post()), youngest=22, oldest=66)

    def external(self) -> Employee:
        """A consultant or the like: never without an end date, sometimes without a national id."""
        post = self.post()
        start = self.day - timedelta(self.dice.below(300))
        position = Position(
            "1", post.unit, EXTERNAL_JOB.code, EXTERNAL_JOB.title, "Ekstern", 0, start, self._soon(15, 400)
        )
        person = self.employee((position,), youngest=21, oldest=69)
        return msgspec.structs.replace(person, national_id="") if self.dice.chance(0.3) else person

    def youth(self, pupil: Pupil) -> Employee:
        """A pupil who also works at weekends: one human being, in both systems."""
        unit = self.dice.pick(self._workplaces["technical"])
        position = Position(
            "1", unit, YOUTH_JOB.code, YOUTH_JOB.title, "Vikar", 10, self.day - timedelta(60), self._soon(200, 300)
        )
        number = employee_number(self.serial("employee"))
        return Employee(
            number, pupil.national_id, pupil.given, pupil.family, pupil.birth, pupil.sex, self.mobile(), "", (position,)
        )

    def contract(self, post: Post, number: str, *, main: bool = True) -> Position:
        """A position that holds on the recruiter's day."""
        category = self.dice.weigh(_CATEGORIES)
        end: date | None
        if category == "Vikar":
            start, end = self.day - timedelta(self.dice.below(100)), self._soon(3, 90)
        elif category == "Midlertidig":
            start, end = self.day - timedelta(self.dice.below(300)), self._soon(20, 330)
        else:
            start, end = self._since(years=20), self._soon(5, 90) if self.dice.chance(0.015) else None
        percent = self.dice.weigh(_SUBSTITUTE_PERCENTS if category == "Vikar" else _PERCENTS)
        leave = self.dice.weigh(LEAVES) if category == "Fast" and self.dice.chance(0.04) else ""
        return Position(number, post.unit, post.job.code, post.job.title, category, percent, start, end, main, leave)

    def _career(self, post: Post) -> tuple[Position, ...]:
        """One to three positions: an earlier one, the present one, others beside it, or one that is still to come."""
        roll = self.dice.below(1000)
        if roll < 15:  # noqa: PLR2004 - in a thousand: has signed, not begun
            signed = self.contract(post, "1")
            end = signed.end and signed.end + timedelta(75)
            return (msgspec.structs.replace(signed, start=self._soon(1, 60), end=end, leave=""),)
        if roll < 25:  # noqa: PLR2004 - in a thousand: has left lately
            gone = self.contract(post, "1")
            end = self.day - timedelta(self.dice.between(1, 80))
            return (msgspec.structs.replace(gone, start=min(gone.start, end), end=end, leave=""),)
        positions: list[Position] = []
        now = self.contract(post, "1")
        if self.dice.chance(0.12):
            positions.append(self._former(now.start))
        positions.append(msgspec.structs.replace(now, number=str(len(positions) + 1)))
        while len(positions) < 3 and self.dice.chance(0.12):  # noqa: PLR2004 - three at most
            extra = self.contract(self.post(), str(len(positions) + 1), main=False)
            positions.append(msgspec.structs.replace(extra, percent=min(extra.percent, 30)))
        return tuple(positions)

    def _former(self, until: date) -> Position:
        """A position that ended the day before another began."""
        post = self.post()
        start = until - timedelta(self.dice.between(200, 2000))
        end = until - timedelta(1)
        return Position("1", post.unit, post.job.code, post.job.title, "Fast", 100, start, end, main=False)

    def _since(self, years: int) -> date:
        """The first of a month in the years before."""
        return (self.day - timedelta(self.dice.between(31, years * 365))).replace(day=1)

    def _soon(self, low: int, high: int) -> date:
        """A day from `low` to `high` days ahead."""
        return self.day + timedelta(self.dice.between(low, high))


def employee_number(serial: int) -> str:
    """Six digits with leading zeros, which a spreadsheet would lose."""
    return f"{serial + 1000:06d}"


def teaches_at(employee: Employee, day: date) -> Iterator[str]:
    """Codes of the schools at which somebody teaches on this day or begins to within 30 days, each once."""
    seen = set()
    for position in employee.positions:
        near = present(position, day) or day < position.start <= day + timedelta(30)
        if position.code in TEACHING_CODES and near and position.unit not in seen:
            seen.add(position.unit)
            yield position.unit


def _workplaces(units: Iterable[Unit]) -> dict[str, list[str]]:
    """Units in which ordinary people work, by branch: those without units below, and every school."""
    units = list(units)
    parents = {unit.parent for unit in units}
    places: dict[str, list[str]] = {}
    for unit in units:
        if unit.branch != TOP and (unit.branch == SCHOOL or unit.code not in parents):
            places.setdefault(unit.branch, []).append(unit.code)
    return places
