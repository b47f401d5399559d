"""The town as it really is: people, positions, classes, and the files that its systems export of them.

Nothing here knows the engine. Events change the town; `export` writes what HR and the school system would.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from eadm_sync.sample.national_ids import NationalIds

FIRST_DAY = date(2026, 8, 3)
UNITS = ("11", "12", "13", "21", "22")
SCHOOL = "31"
ABOVE = {"11": "1", "12": "1", "13": "1", "21": "2", "22": "2", "31": "2", "1": "0", "2": "0"}
"""Each unit's parent; the town itself has none."""
GRADES = 10

_GIVEN = ("Kari", "Ola", "Åse", "Łukasz", "Anne-Mette")
_FAMILY = ("Hansen", "Ødegård", "Li", "Haugen", "Nguyen")
_LEADS = (0, 20, -3, 9, 1, 15, 0)


def day_of(number: int) -> date:
    """The day so many days after the first."""
    return FIRST_DAY + timedelta(days=number)


@dataclass
class Tie:
    """An affiliation as its system has it: dates are included on both ends; no end is until further notice."""

    key: str
    kind: str
    unit: str
    title: str
    start: date
    end: date | None = None
    leave: str = ""
    class_group: str = ""
    primary: bool = False


@dataclass
class Human:
    """One human being; `who` is their name in stories and the mark by which accounts are recognised."""

    who: str
    number: int
    given: str
    family: str
    national_id: str
    positions: list[Tie] = field(default_factory=list)
    enrolments: list[Tie] = field(default_factory=list)
    in_hr: bool = False
    in_school: bool = False
    has_new_id: bool = False
    has_died: bool = False
    made_ties: int = 0

    def new_key(self) -> str:
        """A key for a new tie."""
        self.made_ties += 1
        return f"{self.number}-{self.made_ties:03}"


@dataclass
class Town:
    """The truth.

    Attributes:
        humans: By `who`.
        unit_names: By code.
    """

    humans: dict[str, Human] = field(default_factory=dict)
    unit_names: dict[str, str] = field(
        default_factory=lambda: {code: f"Enhet {code}" for code in ("0", "1", "2", *UNITS, SCHOOL)}
    )
    _ids: NationalIds = field(default_factory=NationalIds)

    def human(self, who: str) -> Human:
        """Somebody, born when first spoken of; many have the same names."""
        if who not in self.humans:
            number = int("".join(filter(str.isdigit, who)) or "0")
            born = self._ids.issue(_born(number), "K" if number % 2 else "M", d_number=number % 4 == 0)
            given, family = _GIVEN[number % len(_GIVEN)], _FAMILY[number // 2 % len(_FAMILY)]
            self.humans[who] = Human(who, 1000 + number, given, family, born)
        return self.humans[who]

    def naturalise(self, who: str) -> None:
        """Gives somebody a national id in place of the D-number.

        Not to somebody who had another number in HR as well: a source that changes both at once has another person.
        """
        human = self.human(who)
        if human.national_id[0] >= "4" and not human.has_new_id and human.in_hr:
            human.has_new_id = True
            number = int("".join(filter(str.isdigit, who)) or "0")
            human.national_id = self._ids.issue(_born(number), "K" if number % 2 else "M")

    # ------------------------------------------------------------ files

    def export(self, folder: Path, without: Iterable[str] = (), half: bool = False) -> None:
        """Writes what the systems export.

        Args:
            folder: Where.
            without: Names of files that come out empty but for their header.
            half: Whether every second person is missing from HR's files.
        """
        hired = [one for number, one in enumerate(self._there("in_hr")) if not half or number % 2]
        pupils = self._there("in_school")
        files: dict[str, tuple[list[str], list[list[str]]]] = {
            "hr-persons": (
                ["Nr", "Fnr", "Fornavn", "Etternavn", "Merke", "Dod"],
                [
                    [str(one.number), one.national_id, one.given, one.family, one.who, "ja" if one.has_died else "nei"]
                    for one in hired
                ],
            ),
            "hr-positions": (
                ["Nr", "Key", "Enhet", "Tittel", "Kategori", "Fra", "Til", "Permisjon", "Hoved"],
                [
                    [str(one.number), tie.key, tie.unit, tie.title, tie.kind, *_dates(tie), tie.leave, _flag(tie)]
                    for one in hired
                    for tie in one.positions
                ],
            ),
            "hr-units": (
                ["Kode", "Navn", "Over"],
                [[code, name, ABOVE.get(code, "")] for code, name in sorted(self.unit_names.items())],
            ),
            "school-persons": (
                ["Id", "Fnr", "Fornavn", "Etternavn", "Merke"],
                [[one.who, one.national_id, one.given, one.family, one.who] for one in pupils],
            ),
            "school-pupils": (
                ["Id", "Key", "Skole", "Klasse", "Fra", "Til"],
                [
                    [one.who, tie.key, tie.unit, tie.class_group, *_dates(tie)]
                    for one in pupils
                    for tie in one.enrolments
                ],
            ),
            "school-classes": (
                ["Kode", "Navn", "Skole"],
                [[f"k{grade}", f"Klasse {grade}", SCHOOL] for grade in range(1, GRADES + 1)],
            ),
        }
        folder.mkdir(parents=True, exist_ok=True)
        for name, (header, rows) in files.items():
            with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
                csv.writer(file, delimiter=";").writerows([header, *([] if name in without else rows)])

    def _there(self, where: str) -> list[Human]:
        return [human for _, human in sorted(self.humans.items()) if getattr(human, where)]


def lead_of(who: str) -> int:
    """How many days before somebody's first day HR knows of it: some are early, some are late."""
    return _LEADS[int("".join(filter(str.isdigit, who)) or "0") % len(_LEADS)]


def _born(number: int) -> date:
    return date(1970, 1, 1) + timedelta(days=97 * number)


def _dates(tie: Tie) -> list[str]:
    return [tie.start.isoformat(), tie.end.isoformat() if tie.end else ""]


def _flag(tie: Tie) -> str:
    return "ja" if tie.primary else "nei"
