"""The `csv` source: tables from one file or several."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from connectors.csv_files import CsvOptions, connector
from connectors.errors import Unreadable


def test_reads_tables_of_different_kinds(tmp_path: Path):
    """Each table has its own encoding and delimiter where it needs them."""
    (tmp_path / "people.csv").write_text("id;name\n1;Åse\n", encoding="utf-8")
    (tmp_path / "units.tsv").write_text("code\tname, short\nA\tSkåne\n", encoding="cp1252")
    options = CsvOptions.model_validate(
        {
            "files": {
                "people": "people.csv",
                "units": {"path": "units.tsv", "encoding": "cp1252", "delimiter": "tab"},
            }
        }
    )
    source = connector.open_source(options, tmp_path)

    assert source.tables == ("people", "units")
    assert source.columns("units") == ("code", "name, short")
    assert [row.values for row in source.read("people")] == [("1", "Åse")]
    assert [row.values for row in source.read("units")] == [("A", "Skåne")]


def test_several_files_make_one_table(tmp_path: Path):
    """Records know which of the files they came from."""
    (tmp_path / "a.csv").write_text("id;name\n1;Åse\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text("id;name\n2;Per\n", encoding="utf-8")
    source = connector.open_source(CsvOptions.model_validate({"files": {"people": ["a.csv", "b.csv"]}}), tmp_path)

    assert [(row.file, row.line, row.values) for row in source.read("people")] == [
        ("a.csv", 2, ("1", "Åse")),
        ("b.csv", 2, ("2", "Per")),
    ]


def test_several_files_need_the_same_header(tmp_path: Path):
    """Columns that stand elsewhere in the second file would swap values."""
    (tmp_path / "a.csv").write_text("id;name\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text("name;id\n", encoding="utf-8")
    source = connector.open_source(CsvOptions.model_validate({"files": {"people": ["a.csv", "b.csv"]}}), tmp_path)

    with pytest.raises(Unreadable, match=r"does not have the same header as a\.csv"):
        source.check()
    with pytest.raises(Unreadable, match="same header as before"):
        list(source.read("people"))


def test_a_missing_part_is_unreadable(tmp_path: Path):
    """A file that is not there is never an empty one."""
    (tmp_path / "a.csv").write_text("id;name\n", encoding="utf-8")
    source = connector.open_source(CsvOptions.model_validate({"files": {"people": ["a.csv", "b.csv"]}}), tmp_path)

    with pytest.raises(Unreadable, match=r"b\.csv: cannot be read"):
        list(source.read("people"))


@pytest.mark.parametrize(
    "options",
    [
        {},  # no files
        {"files": {}},
        {"files": {"people": {}}},  # no path
        {"files": {"people": []}},
        {"files": {"people": ""}},
        {"files": {"people": "a.csv"}, "delimiter": ";;"},
        {"files": {"people": "a.csv"}, "delimiter": '"'},
        {"files": {"people": "a.csv"}, "quote": "''"},
        {"files": {"people": "a.csv"}, "encoding": "utf-9"},
        {"files": {"people": "a.csv"}, "encoding": "base64"},  # a codec, but not of text
        {"files": {"people": "a.csv"}, "encodings": "utf-8"},  # unknown key
    ],
)
def test_wrong_options_are_refused(options: dict[str, object]):
    """Settings that cannot work are errors when the configuration is read."""
    with pytest.raises(ValidationError):
        CsvOptions.model_validate(options)


def test_schema_offers_the_short_form():
    """Editors are told that a table can be a path, a list of paths or a mapping."""
    table = CsvOptions.model_json_schema()["properties"]["files"]["additionalProperties"]

    assert [choice.get("type", "object") for choice in table["anyOf"]] == ["string", "array", "object"]
