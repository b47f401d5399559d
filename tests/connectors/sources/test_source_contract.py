"""What `connectors.contract.Source` promises, asked of every source of files in the same way."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from connectors import registry
from connectors.contract import BadRecord, Record, Source
from connectors.errors import Unreadable

PEOPLE = [("p1", "Åse", "Li"), ("p2", "Per", "Dahl"), ("p3", "Łukasz", "Ærø")]


class Case(NamedTuple):
    """A source of three people in `file`, which its options name.

    Attributes:
        type: Type of the connector.
        options: Its options.
        file: The file that holds the people, within the folder.
        write: Writes it, and what else is needed, into a folder.
        table: The table of the people.
        spoil: Makes the second person's line unreadable.
    """

    type: str
    options: dict[str, object]
    file: str
    write: Callable[[Path], None]
    table: str
    spoil: tuple[str, str]


def write_csv(folder: Path) -> None:
    """The people as delimited text."""
    lines = ["sourcedId;givenName;familyName", *(";".join(person) for person in PEOPLE)]
    (folder / "people.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_lines(folder: Path) -> None:
    """The people as JSON Lines."""
    lines = (json.dumps(dict(zip(("sourcedId", "givenName", "familyName"), person, strict=True))) for person in PEOPLE)
    (folder / "people.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_document(folder: Path) -> None:
    """The people as an array inside a JSON document."""
    people = [dict(zip(("sourcedId", "givenName", "familyName"), person, strict=True)) for person in PEOPLE]
    (folder / "people.json").write_text(json.dumps({"people": people}), encoding="utf-8")


def write_roster(folder: Path) -> None:
    """The people as pupils of a OneRoster 1.1 export."""
    lines = ["sourcedId,orgSourcedIds,role,givenName,familyName"]
    lines += [f"{key},skole,student,{given},{family}" for key, given, family in PEOPLE]
    (folder / "users.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "orgs.csv").write_text("sourcedId,name,type\nskole,Fjell skole,school\n", encoding="utf-8")


CASES = [
    Case("csv", {"files": {"people": "people.csv"}}, "people.csv", write_csv, "people", ("p2;", "p2")),
    Case("json", {"files": {"people": "people.jsonl"}}, "people.jsonl", write_lines, "people", ('"p2",', '"p2"')),
    Case(
        "json",
        {"files": {"people": {"path": "people.json", "items": "people"}}},
        "people.json",
        write_document,
        "people",
        ('{"sourcedId": "p2"', '{"sourcedId": "p2", "sourcedId": "p2"'),
    ),
    Case("oneroster", {"path": "."}, "users.csv", write_roster, "users", ("p2,", "p2")),
]


def opened(case: Case, folder: Path) -> Source:
    """The case's source, opened as the engine does it."""
    connector = registry.load(case.type)
    assert connector.open_source is not None
    return connector.open_source(connector.options.model_validate(case.options), folder)


def names(source: Source, table: str, record: Record) -> tuple[str, ...]:
    """Key, given name and family name in a record."""
    cells = dict(zip(source.columns(table), record.values, strict=True))
    return cells["sourcedId"], cells["givenName"], cells["familyName"]


pytestmark = pytest.mark.parametrize("case", CASES, ids=lambda case: case.file)


def test_opening_touches_nothing(case: Case, tmp_path: Path):
    """A source can be opened, and asked for its tables, before its files are there."""
    assert case.table in opened(case, tmp_path).tables


def test_records_have_one_value_for_each_column(case: Case, tmp_path: Path):
    """All people come, in order, as text, with their place."""
    case.write(tmp_path)
    source = opened(case, tmp_path)

    records = list(source.read(case.table))

    assert all(isinstance(record, Record) for record in records)
    assert [names(source, case.table, record) for record in records] == PEOPLE
    assert {record.table for record in records} == {case.table}
    assert {Path(record.file).name for record in records} == {case.file}
    assert [record.line for record in records] == sorted({record.line for record in records})


def test_reading_again_gives_the_same(case: Case, tmp_path: Path):
    """Reading uses nothing up and changes nothing."""
    case.write(tmp_path)
    source = opened(case, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}

    assert list(source.read(case.table)) == list(source.read(case.table))
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_check_passes_on_what_can_be_read(case: Case, tmp_path: Path):
    """A sound source has nothing to complain of."""
    case.write(tmp_path)

    opened(case, tmp_path).check()


@pytest.mark.parametrize("content", [None, b"", b"\xef\xbb\xbf"], ids=["missing", "empty", "mark only"])
def test_missing_or_empty_file_is_unreadable(case: Case, tmp_path: Path, content: bytes | None):
    """Neither `check` nor `columns` nor `read` takes a missing or empty file for a table without people."""
    case.write(tmp_path)
    (tmp_path / case.file).unlink()
    if content is not None:
        (tmp_path / case.file).write_bytes(content)

    for attempt in (
        lambda: opened(case, tmp_path).check(),
        lambda: opened(case, tmp_path).columns(case.table),
        lambda: list(opened(case, tmp_path).read(case.table)),
    ):
        with pytest.raises(Unreadable):
            attempt()


def test_wrong_encoding_is_unreadable(case: Case, tmp_path: Path):
    """Text that is not in the configured encoding is an error, not other names."""
    case.write(tmp_path)
    path = tmp_path / case.file
    text = path.read_text(encoding="utf-8").replace("Łukasz", "Lukas").replace("\\u0141ukasz", "Lukas")
    path.write_bytes(text.replace("\\u00c5", "Å").encode("cp1252"))

    with pytest.raises(Unreadable, match="set `encoding: cp1252`"):
        list(opened(case, tmp_path).read(case.table))


def test_bad_record_leaves_the_others(case: Case, tmp_path: Path):
    """A spoiled record is reported with its place and without a value in the reason; the others are read."""
    case.write(tmp_path)
    path = tmp_path / case.file
    text = path.read_text(encoding="utf-8")
    assert case.spoil[0] in text
    path.write_text(text.replace(*case.spoil), encoding="utf-8")
    source = opened(case, tmp_path)

    first, bad, last = source.read(case.table)

    assert isinstance(first, Record)
    assert isinstance(last, Record)
    assert [names(source, case.table, record) for record in (first, last)] == [PEOPLE[0], PEOPLE[2]]
    assert isinstance(bad, BadRecord)
    assert (bad.table, Path(bad.file).name, bad.truncated) == (case.table, case.file, False)
    assert "p2" not in bad.reason


def test_cut_file_never_reads_as_a_whole_one(case: Case, tmp_path: Path):
    """Cut off inside its last record, a file says so by an error or a truncated record."""
    case.write(tmp_path)
    path = tmp_path / case.file
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"p3") + 2])

    try:
        rows = list(opened(case, tmp_path).read(case.table))
    except Unreadable:
        return

    assert [names(opened(case, tmp_path), case.table, row) for row in rows[:-1]] == PEOPLE[:2]
    assert isinstance(rows[-1], BadRecord)
    assert rows[-1].truncated


def test_options_are_strict_and_described(case: Case, tmp_path: Path):  # noqa: ARG001 - the mark gives both
    """Unknown keys are refused, values cannot change, and every setting says what it is."""
    options = registry.load(case.type).options

    assert options.model_config["extra"] == "forbid"
    assert options.model_config["frozen"] is True
    assert all(field.description for field in options.model_fields.values())
