from __future__ import annotations

import csv
import hashlib
from datetime import date
from pathlib import Path

import pytest

from connectors import registry
from connectors.contract import Record
from eadm_sync import sample
from eadm_sync.sample.write import write_example

EXAMPLES = Path(__file__).parents[2] / "examples"


def rows(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    """A file's rows by column."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def fingerprint(directory: Path) -> dict[str, str]:
    """Hash of every CSV file, by its path within the folder."""
    return {
        path.relative_to(directory).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*.csv"))
    }


def test_the_committed_examples_are_what_the_generator_writes(tmp_path: Path):
    """Byte for byte: whoever changes the generator writes the examples anew (`write_example`)."""
    write_example(tmp_path)

    written = fingerprint(tmp_path)

    assert len(written) == 23
    assert written == {name: hash_ for name, hash_ in fingerprint(EXAMPLES).items() if name.startswith("kommune")}


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path):
    """Over several days too."""
    sample.write(tmp_path / "a", people=120, seed=5, days=3)
    sample.write(tmp_path / "b", people=120, seed=5, days=3)
    sample.write(tmp_path / "c", people=120, seed=6, days=3)

    assert fingerprint(tmp_path / "a") == fingerprint(tmp_path / "b") != fingerprint(tmp_path / "c")


def test_each_day_is_a_full_export(tmp_path: Path):
    """Day folders are numbered, the first is the town as it would be without days, and events name their day."""
    written = sample.write(tmp_path / "days", people=600, seed=5, days=4)
    sample.write(tmp_path / "one", people=600, seed=5)

    folders = sorted(path.name for path in (tmp_path / "days").iterdir())
    events = rows(tmp_path / "days" / "events.csv", ";")

    assert folders == ["day-000", "day-001", "day-002", "day-003", "day-004", "events.csv"]
    assert fingerprint(tmp_path / "days" / "day-000") == fingerprint(tmp_path / "one")
    assert len(events) == written.events > 0
    assert all(event["date"] == date(2026, 8, 17 + int(event["day"])).isoformat() for event in events)


def test_progress_counts_to_the_end(tmp_path: Path):
    """It is called once for each file, ending with all of them."""
    seen: list[tuple[int, int]] = []

    written = sample.write(tmp_path, people=10, seed=1, days=1, progress=lambda done, total: seen.append((done, total)))

    assert seen == [(number, 23) for number in range(1, 24)]
    assert len(written.files) == 23
    assert all(path.is_file() for path in written.files)


@pytest.mark.parametrize("there", ["hr", "school", "events.csv", "day-007"])
def test_nothing_is_overwritten(tmp_path: Path, there: str):
    """Real exports may lie where somebody tries this out."""
    (tmp_path / there).mkdir()

    with pytest.raises(FileExistsError, match=there):
        sample.write(tmp_path, people=10, seed=1)

    assert [path.name for path in tmp_path.iterdir()] == [there]


def test_days_before_the_first_are_refused(tmp_path: Path):
    """A negative number of days is a mistake, not none."""
    with pytest.raises(ValueError, match="first"):
        sample.write(tmp_path, people=10, seed=1, days=-1)


def test_the_counts_are_those_of_the_files(tmp_path: Path):
    """What is told of the first day can be counted in it."""
    written = sample.write(tmp_path, people=900, seed=4)

    users = rows(tmp_path / "school" / "users.csv")
    persons = rows(tmp_path / "hr" / "persons.csv", ";")
    human = {row["Fødselsnummer"] or row["Ansattnr"] for row in persons}
    human |= {row["identifier"] or row["sourcedId"] for row in users}

    assert written.people == len(human) == 900
    assert written.employees == len(persons)
    assert written.pupils == sum(row["role"] == "student" for row in users)
    assert written.teachers == sum(row["role"] == "teacher" for row in users)
    assert written.units == len(rows(tmp_path / "hr" / "units.csv", ";"))
    assert written.class_groups == len(rows(tmp_path / "school" / "classes.csv"))


def test_hr_and_school_speak_of_the_same_people_and_units(tmp_path: Path):
    """Teachers have one national id in both systems, schools one code."""
    sample.write(tmp_path, people=900, seed=4)

    persons = {row["Fødselsnummer"] for row in rows(tmp_path / "hr" / "persons.csv", ";")}
    units = {row["Enhetsnr"] for row in rows(tmp_path / "hr" / "units.csv", ";")}
    teachers = [row for row in rows(tmp_path / "school" / "users.csv") if row["role"] == "teacher"]
    orgs = {row["sourcedId"] for row in rows(tmp_path / "school" / "orgs.csv")}

    assert teachers
    assert all(row["identifier"] in persons for row in teachers)
    assert orgs <= units


def test_the_school_export_is_whole(tmp_path: Path):
    """Every reference in a OneRoster file is to a row that is there, and no sourcedId comes twice."""
    sample.write(tmp_path, people=900, seed=4)
    school = {path.stem: rows(path) for path in (tmp_path / "school").glob("*.csv")}
    ids = {name: [row.get("sourcedId", "") for row in table] for name, table in school.items() if name != "manifest"}

    assert all(len(set(values)) == len(values) for values in ids.values())
    assert all(row["userSourcedId"] in ids["users"] for row in school["enrollments"])
    assert all(row["classSourcedId"] in ids["classes"] for row in school["enrollments"])
    assert all(row["courseSourcedId"] in ids["courses"] for row in school["classes"])
    assert all(row["termSourcedIds"] in ids["academicSessions"] for row in school["classes"])
    assert {row["propertyName"] for row in school["manifest"] if row["value"] == "bulk"} == {
        f"file.{name}" for name in school if name != "manifest"
    }


def test_the_connectors_read_every_row(tmp_path: Path):
    """Nothing in the files is a bad record to the sources that they are for."""
    sample.write(tmp_path, people=400, seed=4)
    hr, school = registry.load("csv"), registry.load("oneroster")
    assert hr.open_source
    assert school.open_source
    files = {name: f"hr/{name}.csv" for name in ("persons", "positions", "units")}

    for source in (
        hr.open_source(hr.options.model_validate({"files": files}), tmp_path),
        school.open_source(school.options.model_validate({"path": "school"}), tmp_path),
    ):
        read = [row for table in source.tables for row in source.read(table)]
        assert len(read) > 400
        assert all(isinstance(row, Record) for row in read)
