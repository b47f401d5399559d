"""The `json` source: documents and lines become rows of text, streaming."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors import textfiles
from connectors.contract import BadRecord, Record
from connectors.errors import Unreadable
from connectors.json_files import connector
from connectors.json_files.options import JsonOptions
from connectors.json_files.source import JsonSource


def source_of(folder: Path, content: str | bytes, tables: dict[str, Any], **options: Any) -> JsonSource:
    """A source over one content, as a document and as lines."""
    for name in ("a.json", "a.jsonl"):
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return connector.open_source(JsonOptions.model_validate({"files": tables, **options}), folder)


def rows_of(source: JsonSource, table: str = "people") -> list[dict[str, str] | BadRecord]:
    """Rows by column; bad ones as they are."""
    columns = source.columns(table)
    return [
        dict(zip(columns, row.values, strict=True)) if isinstance(row, Record) else row for row in source.read(table)
    ]


RECORD = """{"id": 1, "share": 0.80, "one": 1.0, "big": 12345678901234567890, "none": null, "yes": true, "no": false,
"tags": ["x", 2, null], "name": {"given": " Åse ", "family": {"now": "Li"}}, "jobs": [{"unit": "A"}]}"""
CELLS = {
    "id": "1",
    "share": "0.80",  # as it is written
    "one": "1.0",
    "big": "12345678901234567890",
    "none": "",
    "yes": "true",
    "no": "false",
    "tags": "x,2,",
    "name.given": "Åse",
    "name.family.now": "Li",
}


@pytest.mark.parametrize(
    ("content", "table"),
    [
        (f"[{RECORD}]", {"path": "a.json"}),
        (f'{{"data": {{"persons": [{RECORD}]}}, "more": []}}', {"path": "a.json", "items": "data.persons"}),
        (RECORD.replace("\n", "") + "\n", {"path": "a.jsonl"}),
        (RECORD.replace("\n", "") + "\n", {"path": "a.json", "format": "lines"}),
    ],
)
def test_values_become_text(tmp_path: Path, content: str, table: dict[str, str]):
    """Documents and lines give the same cells for the same record."""
    assert rows_of(source_of(tmp_path, content, {"people": table})) == [CELLS]


def test_columns_are_those_of_all_records(tmp_path: Path):
    """What only a later record has is a column too, and empty elsewhere."""
    source = source_of(tmp_path, '[{"a": 1}, {"b": 2}]', {"people": "a.json"})

    assert rows_of(source) == [{"a": "1", "b": ""}, {"a": "", "b": "2"}]


def test_configured_columns_drop_the_rest(tmp_path: Path):
    """With `columns` the file is read once, and nothing else leaves it."""
    source = source_of(tmp_path, '[{"a": 1, "x": 3}, {"b": 2}]', {"people": {"path": "a.json", "columns": ["b", "a"]}})

    assert rows_of(source) == [{"b": "", "a": "1"}, {"b": "2", "a": ""}]


def test_nested_tables(tmp_path: Path):
    """Arrays of objects are tables, with the columns of the record around them."""
    content = """[{"id": 1, "jobs": [{"unit": "A", "tasks": [{"t": "x"}]}, {"unit": "B"}]}, {"id": 2, "jobs": null},
                  {"id": 3}, {"id": 4, "jobs": "none"}]"""
    tables = {
        "people": "a.json",
        "jobs": {"within": "people", "items": "jobs"},
        "tasks": {"within": "jobs", "items": "tasks"},
    }
    source = source_of(tmp_path, content, tables)

    *jobs, bad = rows_of(source, "jobs")
    assert jobs == [{"unit": "A", "parent.id": "1"}, {"unit": "B", "parent.id": "1"}]
    assert isinstance(bad, BadRecord)
    assert bad.reason == "'jobs' is no array"
    tasks = [row for row in rows_of(source, "tasks") if isinstance(row, dict)]
    assert [(task["t"], task["parent.unit"], task["parent.parent.id"]) for task in tasks] == [("x", "A", "1")]


def test_bad_parent_is_bad_in_the_nested_table(tmp_path: Path):
    """A record that cannot be read may have had rows in the nested table: they are not just gone."""
    content = '[{"id": 1, "id": 2, "jobs": [{"unit": "A"}]}]'
    source = source_of(tmp_path, content, {"people": "a.json", "jobs": {"within": "people", "items": "jobs"}})

    (bad,) = source.read("jobs")

    assert (bad.table, bad.line, bad.reason) == ("jobs", 1, "the key occurs twice")


@pytest.mark.parametrize(
    ("record", "column", "reason"),
    [
        ('{"a": 1, "a": 2}', "a", "the key occurs twice"),
        ('{"o": {"a": 1, "a": 1}}', "o.a", "the key occurs twice"),
        ('{"o": {"a": 1}, "o.a": 2}', "o.a", "the key occurs twice"),
        ('{"a": "x\\u001f"}', "a", "holds a control character"),
        ('{"a": "x\\u0000"}', "a", "holds a control character"),
        ("[1]", None, "is no object"),
        ("7", None, "is no object"),
        ('{"a":' * 20 + "1" + "}" * 20, None, "is nested more than 16 deep"),
    ],
)
@pytest.mark.parametrize("lines", [False, True])
def test_bad_record(tmp_path: Path, record: str, column: str | None, reason: str, *, lines: bool):
    """A record that cannot become a row is reported; the others are read."""
    good = '{"a": "1"}'
    content = f"{good}\n{record}\n{good}\n" if lines else f"[{good}, {record}, {good}]"
    source = source_of(tmp_path, content, {"people": "a.jsonl" if lines else "a.json"})

    first, bad, last = source.read("people")

    assert isinstance(first, Record)
    assert isinstance(last, Record)
    assert isinstance(bad, BadRecord)
    assert (bad.line, bad.column, bad.reason, bad.truncated) == (2, column, reason, False)


def test_broken_line(tmp_path: Path):
    """A broken line is reported without its text; the last one, broken, is a cut."""
    source = source_of(tmp_path, '{"a": 1}\n{"a": secret}\n\n{"a": NaN}\n{"a": 2}\n{"a"', {"people": "a.jsonl"})

    rows = list(source.read("people"))

    assert [(row.line, isinstance(row, Record)) for row in rows] == [
        (1, True), (2, False), (4, False), (5, True), (6, False)
    ]  # fmt: skip
    assert [row.truncated for row in rows if isinstance(row, BadRecord)] == [False, False, True]
    assert not any("secret" in row.reason for row in rows if isinstance(row, BadRecord))


@pytest.mark.parametrize(
    ("content", "line", "column"),
    [
        ('[{"a": 1},\n {"a": 2},,\n {"a": 3}]', 2, 11),
        ('[{"a": 1},\n{"a":', 2, 6),  # cut off
        ('[{"a": 1}]\n[]', 2, 1),  # something behind
        ("persons", 1, 1),
    ],
)
@pytest.mark.parametrize("chunk_bytes", [4, 1 << 18])
def test_broken_document_is_located(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, line: int, column: int, chunk_bytes: int
):
    """A document is good as a whole or not at all; the error names the place, and quotes nothing."""
    monkeypatch.setattr(textfiles, "CHUNK_BYTES", chunk_bytes)
    source = source_of(tmp_path, content, {"people": {"path": "a.json", "columns": ["a"]}})

    with pytest.raises(Unreadable) as caught:
        list(source.read("people"))

    assert (caught.value.line, caught.value.reason) == (line, f"is no JSON, or cut off, at column {column}")


@pytest.mark.parametrize(
    ("content", "items"),
    [('{"data": []}', ""), ('{"data": {}}', "data"), ('{"data": null}', "data"), ('{"data": []}', "date")],
)
def test_missing_array_is_no_empty_table(tmp_path: Path, content: str, items: str):
    """Where the array is not found the file is another one than the configuration thinks."""
    source = source_of(tmp_path, content, {"people": {"path": "a.json", "items": items}})

    with pytest.raises(Unreadable, match="has no array"):
        source.columns("people")


def test_empty_array_is_an_empty_table(tmp_path: Path):
    """An array without records is one: the import brake judges what that means."""
    source = source_of(tmp_path, '{"data": []}', {"people": {"path": "a.json", "items": "data", "columns": ["a"]}})

    assert list(source.read("people")) == []


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_encodings(tmp_path: Path, name: str):
    """Marks and configured encodings hold for JSON too."""
    content = '[{"a": "Å"}]' if name == "a.json" else '{"a": "Å"}\n'
    assert rows_of(source_of(tmp_path, content.encode("utf-16"), {"people": name})) == [{"a": "Å"}]
    assert rows_of(source_of(tmp_path, content.encode("cp1252"), {"people": name}, encoding="cp1252")) == [{"a": "Å"}]
    with pytest.raises(Unreadable, match="set `encoding: cp1252`"):
        source_of(tmp_path, content.encode("cp1252"), {"people": name}).columns("people")


def test_new_field_between_the_passes_is_noticed(tmp_path: Path):
    """A file that is replaced between finding the columns and reading is not half read."""
    source = source_of(tmp_path, '[{"a": 1}]', {"people": "a.json"})
    source.columns("people")
    (tmp_path / "a.json").write_text('[{"a": 1, "b": 2}]', encoding="utf-8")

    with pytest.raises(Unreadable, match="changed while it was being read"):
        list(source.read("people"))


@pytest.mark.parametrize(
    "tables",
    [
        {"people": {}},
        {"people": {"path": "a.json", "within": "units"}, "units": "b.json"},
        {"people": {"within": "units", "items": "x"}},  # no such table
        {"people": {"within": "units"}, "units": "b.json"},  # no items
        {"a": {"within": "b", "items": "x"}, "b": {"within": "a", "items": "x"}},  # a circle
        {"people": {"path": "a.jsonl", "items": "x"}},
        {"people": {"path": "a.json", "item": "x"}},  # unknown key
    ],
)
def test_wrong_options_are_refused(tables: dict[str, Any]):
    """Settings that cannot work are errors when the configuration is read."""
    with pytest.raises(ValidationError):
        JsonOptions.model_validate({"files": tables})


VALUES = st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cc", "Cs"]))


@given(records=st.lists(st.dictionaries(st.sampled_from("abcd"), VALUES), max_size=5))
def test_lines_and_documents_agree(tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]]):
    """The two parsers make the same rows of the same records."""
    folder = tmp_path_factory.mktemp("json")
    (folder / "a.json").write_text(json.dumps(records), encoding="utf-8")
    (folder / "a.jsonl").write_text(
        "".join(json.dumps(record) + "\n" for record in records) or "{}\n", encoding="utf-8"
    )
    tables = {"document": "a.json", "lines": "a.jsonl"}
    source = connector.open_source(JsonOptions.model_validate({"files": tables}), folder)

    assert source.columns("document") == source.columns("lines")
    assert [row.values for row in source.read("document")] == [row.values for row in source.read("lines")][
        : len(records)
    ]
