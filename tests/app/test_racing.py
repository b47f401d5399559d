"""Several runs at once on one database: whoever comes second waits for another day, and no name is given twice."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from sqlalchemy import select

from eadm_sync.state import tables
from eadm_sync.state.known import account_attributes

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Place

RUNS = 3
_DONE, _BUSY = 0, 1


def start(folder: Path) -> subprocess.Popen[str]:
    """A process that does the main job."""
    command = [sys.executable, "-m", "eadm_sync", "sync", "--yes"]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_processes_that_run_at_once_give_nobody_the_same_name(place: Place, postgresql_url: str) -> None:
    """Sixty people, most of whom ask for one name: one process gives the names out, the others find it at work."""
    config = place.folder / "config.yaml"
    text = config.read_text(encoding="utf-8").replace("sqlite:///var/eadm-sync.db", postgresql_url)
    config.write_text(text, encoding="utf-8")
    for target in (place.folder / "var").glob("*.db*"):
        target.unlink()
    common = place.rules / "common.yaml"
    text = common.read_text(encoding="utf-8")
    candidates, rest = text[text.index("    candidates:\n") :].split("    unique_in", 1)
    common.write_text(text.replace(candidates, '    candidates: ["all", "all{{ n }}"]\n'), encoding="utf-8")
    assert rest

    with place.context.writing() as database:
        assert database  # the schema is there before they start
    processes = [start(place.folder) for _ in range(RUNS)]
    said = [process.communicate(timeout=300) for process in processes]

    codes = [process.returncode for process in processes]
    assert codes.count(_DONE) >= 1
    assert set(codes) <= {_DONE, _BUSY}
    for code, (_, error) in zip(codes, said, strict=True):
        assert code == _DONE or "at work" in error
    with place.context.reading() as database, database.read() as connection:
        columns = tables.identifiers.c
        held = dict(
            connection.execute(select(columns.person_id, columns.value).where(columns.name == "username")).all()
        )
        accounts = {person: held["sAMAccountName"] for person, held in account_attributes(connection, "ad")}
    assert len(set(held.values())) == len(held) > len(accounts) > 1
    assert accounts == {person: held[person] for person in accounts}


def test_a_name_that_waits_in_the_queue_is_given_to_nobody_else(place: Place) -> None:
    """No target has heard of the first one yet when the second one of the same name is hired."""
    for number in ("009001", "009002"):
        persons, positions = (
            place.folder / "examples" / "kommune" / "hr" / f"{it}.csv" for it in ("persons", "positions")
        )
        with persons.open("a", encoding="utf-8") as file:
            file.write(f"{number};;Signe;Qvale;;;;\n")
        with positions.open("a", encoding="utf-8") as file:
            file.write(f"{number};1;1000;1;Rådgiver;Fast;100;01.01.2020;;J;\n")
        place.sync(deliver=False)

    with place.context.reading() as database, database.read() as connection:
        columns = tables.identifiers.c
        chosen = columns.person_id.in_(["hr:009001", "hr:009002"])
        query = select(columns.person_id, columns.value).where(columns.name == "username", chosen)
        held = dict(connection.execute(query).all())
    assert held == {"hr:009001": "sigqva", "hr:009002": "sigqva2"}
