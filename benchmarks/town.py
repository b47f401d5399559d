"""A town to measure on: invented source files, and the project's own example configuration and rulesets over them.

Everything lies in one folder, which the configuration's relative paths stay inside of.
"""

from __future__ import annotations

import csv
import re
import shutil
import sys
from datetime import UTC, date, datetime
from pathlib import Path

from eadm_sync.config.keys import write_key_file
from eadm_sync.sample import Written, write

SEED = 1
PROJECT = Path(__file__).parent.parent
SOURCES = "examples/kommune"
"""Where config.example.yaml looks for its sources."""

CHANGED_PEOPLE = 1_000
_SEATS = re.compile(r"^( {6}[A-Z0-9_]+: )\d+$", re.MULTILINE)
"""Licences that the example has only a few of: refusals are no part of what is measured."""

_MOBILE = 5  # column of persons.csv that two accounts of every employee show


def make_town(folder: Path, people: int) -> Written:
    """Writes an installation that was never synced: config.yaml, key, rulesets, sources.

    The town's first day is that of the school year under way, so that the same classes run whenever this is called.
    """
    folder.mkdir(parents=True)
    example = (PROJECT / "config.example.yaml").read_text(encoding="utf-8")
    (folder / "config.yaml").write_text(_SEATS.sub(r"\1null", example), encoding="utf-8")
    shutil.copytree(PROJECT / "rulesets", folder / "rulesets")
    write_key_file(folder / "var" / "eadm-sync.key")
    return write(folder / SOURCES, people=people, seed=SEED, start=first_school_day(datetime.now(UTC).date()))


def first_school_day(today: date) -> date:
    """The 17th of August that a day's school year began on."""
    this_year = date(today.year, 8, 17)
    return this_year if today >= this_year else this_year.replace(year=today.year - 1)


def change_people(folder: Path, number: int = CHANGED_PEOPLE) -> int:
    """Gives employees, evenly spread over the file, another mobile number; says how many."""
    path = folder / SOURCES / "hr" / "persons.csv"
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file, delimiter=";")
    every = max(1, len(rows) // number)
    chosen = rows[::every][:number]
    for row in chosen:
        row[_MOBILE] = f"+479{int(row[0]):07}"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=";", lineterminator="\n").writerows([header, *rows])
    return len(chosen)


if __name__ == "__main__":
    if len(sys.argv) > 2:  # noqa: PLR2004 - FOLDER PEOPLE makes a town, FOLDER alone changes people in it
        make_town(Path(sys.argv[1]), int(sys.argv[2]))
    else:
        change_people(Path(sys.argv[1]))
