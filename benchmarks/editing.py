"""An edit of the rules: what its effect costs when written by hand over the stored people.

    python -m benchmarks.editing make KIND FOLDER    writes FOLDER/edited-KIND, the installation's rules with that edit
    python -m benchmarks.editing KIND FOLDER         finds whom the edit gives something else, and prints how many
    python -m benchmarks.editing agree KIND FOLDER   stops where `eadm-sync plan --rulesets` finds other people

The rule is applied as somebody would write it for this one question: people and the organisation are read from the
state, affiliations count by their dates, and what the rule gave is compared with what it gives now.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from eadm_sync.model import Affiliation, ClassGroup, Person, Unit
from eadm_sync.ruleset.organisation import Organisation

CREATE = timedelta(days=14)
ORDER = {kind: rank for rank, kind in enumerate(("employee", "teacher", "substitute", "pupil", "external"))}
WORKING = frozenset({"employee", "substitute", "teacher"})

EDITS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "licence": (("licences.yaml", "sku: SPE_E3", "sku: SPE_E5"),),
    "attribute": (
        (
            "employees.yaml",
            r"jobTitle: \"{{ affiliation.title \| default\('Ansatt'\) }}\"",
            'jobTitle: "{{ affiliation.title | upper }}"',
        ),
    ),
    "group": (("groups.yaml", 'name: "ENHET-', 'name: "UNIT-'),),
    "condition": (("common.yaml", r"working: .*", "working: affiliation.kind in ['employee', 'teacher']"),),
    "identifier": (("common.yaml", "max_length: 20", "max_length: 19"),),
    "everything": (
        ("*.yaml", r"{{ person.given_name }}", "{{ person.given_name | upper }}"),
        ("groups.yaml", r"(?m)^    (name|member_of): \"?", r"\g<0>N-"),
        ("licences.yaml", r"sku: ", "sku: NEW_"),
    ),
}
"""Kind → (files, pattern, what takes its place) of each replacement."""


def make(kind: str, folder: Path) -> Path:
    """Writes the rules with an edit."""
    place = folder / f"edited-{kind}"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(folder / "rulesets", place)
    for files, pattern, replacement in EDITS[kind]:
        for path in place.glob(files):
            text = path.read_text(encoding="utf-8")
            path.write_text(re.sub(pattern, replacement, text), encoding="utf-8")
    return place


# ---------------------------------------------------------------- what is stored


def people(connection: sqlite3.Connection) -> Iterator[Person]:
    """Everybody, one after the other."""
    decode = msgspec.msgpack.Decoder(Person).decode
    for (data,) in connection.execute("SELECT data FROM people ORDER BY id"):
        yield decode(data)


def counting(person: Person, today: date) -> list[Affiliation]:
    """The affiliations that count, the winning one first."""
    found = [
        one
        for one in person.affiliations
        if (one.start is None or one.start - CREATE <= today)
        and (one.end is None or one.end >= today)
        and (one.start is None or one.end is None or one.start <= one.end)
    ]
    if len(found) > 1:
        found.sort(key=lambda one: (not one.primary, ORDER.get(one.kind, len(ORDER)), one.start or date.min, one.id))
    return found


# ---------------------------------------------------------------- rules


def licence(connection: sqlite3.Connection, folder: Path, today: date) -> int:
    """The exclusive set of Microsoft 365, of which one product is another."""
    decode = msgspec.msgpack.Decoder(Unit).decode
    schools = {
        code for code, data in connection.execute("SELECT code, data FROM units") if decode(data).kind == "school"
    }
    table = (folder / "rulesets" / "tables" / "jobs.csv").read_text(encoding="utf-8").splitlines()[1:]
    frontline = {title for title, _, product in (row.split(";") for row in table) if product == "frontline"}

    def product(rows: Sequence[Affiliation], office: str) -> str | None:
        working = [row for row in rows if row.kind in WORKING]
        if any(row.kind == "teacher" or row.unit in schools for row in working):
            return "STANDARDWOFFPACK_FACULTY"
        if any(row.title in frontline for row in working):
            return "SPE_F1"
        if any(row.fraction is not None and row.fraction >= 0.2 for row in working):  # noqa: PLR2004 - the rule's
            return office
        if working:
            return "SPE_F1"
        return "STANDARDWOFFPACK_STUDENT" if any(row.kind == "pupil" for row in rows) else None

    changed = []
    for person in people(connection):
        rows = counting(person, today)
        before, after = product(rows, "SPE_E3"), product(rows, "SPE_E5")
        if before != after:
            changed.append((person.id, before, after))
    return len(changed)


def attribute(connection: sqlite3.Connection, _folder: Path, today: date) -> int:
    """The job title of employees in Entra, in capitals and without a word for those who have none."""
    changed = []
    for person in people(connection):
        for row in counting(person, today):
            if row.kind in {"employee", "substitute"}:
                before, after = row.title or "Ansatt", row.title.upper() if row.title else None
                if before != after:
                    changed.append((person.id, before, after))
                break
            if row.kind in {"teacher", "pupil"} or (row.kind == "external" and row.end is not None):
                break  # the account is shaped by this one
    return len(changed)


def group(connection: sqlite3.Connection, _folder: Path, today: date) -> int:
    """The group of each unit by another name."""
    changed = []
    for person in people(connection):
        units = {row.unit or "" for row in counting(person, today) if row.kind in WORKING}
        if units:
            changed.append((person.id, {f"enhet-{unit}" for unit in units}, {f"unit-{unit}" for unit in units}))
    return len(changed)


def identifier(connection: sqlite3.Connection, _folder: Path, today: date) -> int:
    """Shorter usernames: nobody who has one gets another."""
    named = {
        person_id for (person_id,) in connection.execute("SELECT person_id FROM identifiers WHERE name = 'username'")
    }
    return sum(1 for person in people(connection) if person.id not in named and counting(person, today))


def condition(connection: sqlite3.Connection, _folder: Path, today: date) -> int:
    """Substitutes work here no more, which eleven rules hang on; these are applied to who is one."""
    from benchmarks import evaluate  # noqa: PLC0415 - its tables are no part of the other floors

    class Without(evaluate.ByHand):
        working = evaluate.WORKING - {"substitute"}

    old, new = (kind(_organisation(connection), _NAMES) for kind in (evaluate.ByHand, Without))
    changed = []
    for person in people(connection):
        rows = counting(person, today)
        if any(row.kind == "substitute" for row in rows):
            before, after = _shown(old.evaluate(person, rows)), _shown(new.evaluate(person, rows))
            if before != after:
                changed.append((person.id, before, after))
    return len(changed)


def _shown(given: Any) -> tuple[object, ...]:
    """What somebody has, whatever affiliation and rule it comes from."""
    return (
        [(account.target, account.container, account.attributes) for account in given.accounts],
        {(place.target, place.group, place.role) for place in given.memberships},
        {(one.target, one.sku) for one in given.licences},
    )


def everything(connection: sqlite3.Connection, _folder: Path, today: date) -> int:
    """All rules, applied to everybody twice."""
    from benchmarks import evaluate  # noqa: PLC0415 - as above

    organisation = _organisation(connection)
    old, new = evaluate.ByHand(organisation, _NAMES), evaluate.ByHand(organisation, {name: name for name in _NAMES})
    changed = 0
    for person in people(connection):
        rows = counting(person, today)
        if rows and old.evaluate(person, rows) != new.evaluate(person, rows):
            changed += 1
    return changed


_NAMES = {"username": "karhan", "mail_name": "kari.hansen"}


def _organisation(connection: sqlite3.Connection) -> Organisation:
    units = map(msgspec.msgpack.Decoder(Unit).decode, _data(connection, "units"))
    classes = map(msgspec.msgpack.Decoder(ClassGroup).decode, _data(connection, "class_groups"))
    found = list(units)
    managers = {unit.manager for unit in found}
    return Organisation(found, classes, {one.id: one for one in people(connection) if one.id in managers})


def _data(connection: sqlite3.Connection, table: str) -> Iterator[bytes]:
    return (data for (data,) in connection.execute(f"SELECT data FROM {table}"))  # noqa: S608 - one of two names


RULES: dict[str, Callable[[sqlite3.Connection, Path, date], int]] = {
    "licence": licence,
    "attribute": attribute,
    "group": group,
    "condition": condition,
    "identifier": identifier,
    "everything": everything,
}


def affected(kind: str, folder: Path) -> int:
    """How many people an edit gives something else, found by hand."""
    today = datetime.now(ZoneInfo("Europe/Oslo")).date()
    with closing(sqlite3.connect(folder / "var" / "eadm-sync.db")) as connection:
        return RULES[kind](connection, folder, today)


def agree(kind: str, folder: Path) -> None:
    """Stops where the command finds other people: a floor that does something else would be no floor."""
    command = ("plan", "--config", folder / "config.yaml", "--rulesets", folder / f"edited-{kind}", "--format", "json")
    script = Path(sys.executable).with_name("eadm-sync")
    done = subprocess.run((script, *command, "--limit", "0"), capture_output=True, check=False)
    found, by_hand = json.loads(done.stdout)["people_affected"], affected(kind, folder)
    if found != by_hand:
        sys.exit(f"{kind}: {found} people, and {by_hand} by hand")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["make", kind, place]:
            make(kind, Path(place))
        case ["agree", kind, place]:
            agree(kind, Path(place))
        case [kind, place]:
            print(affected(kind, Path(place)))
