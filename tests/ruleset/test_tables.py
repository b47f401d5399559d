"""Lookup tables: separators, empty cells, and files that are wrong."""

from pathlib import Path

import pytest

from eadm_sync.errors import ConfigError
from eadm_sync.ruleset.tables import read_table


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    """A table's file."""
    path = folder / "t.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separator_is_that_of_the_header(tmp_path: Path, separator: str):
    """Blanks round a cell go, an empty cell is missing, a byte-order mark is skipped."""
    text = separator.join(["\ufeffkey", "city"]) + "\r\n" + separator.join([" 01 ", ""]) + "\r\n"

    table = read_table(write(tmp_path, text), "t.csv")

    assert table.columns == ("key", "city")
    assert table.rows == {"01": ("01", None)}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b\n1,2\n1,3\n", "t.csv:3:1: the key '1' stands there twice"),
        ("a,b\n1\n", "t.csv:2:1: the line has 1 cells, the header 2"),
        ("a,b\n,2\n", "t.csv:2:1: the key is empty"),
        ("a\n1\n", "at least one more column"),
        ("", "at least one more column"),
        ("a,b,b\n", "the column 'b' stands there twice"),
        ('a,b\n1,"x\n', "not a line of CSV"),
        ('a,b\n1,"x\ny"\n2,z\n', "t.csv:3:1: a cell holds a control character or a line break"),
        ("a,b\n1,x\0y\n", "a cell holds a control character"),
        ("a,b\n1,x\u202ey\n", "t.csv:2:1: a cell holds a control character"),  # would be read from right to left
        (f"a,b\n1,{'x' * 1_001}\n", "t.csv:2:1: a cell is longer than 1000 characters"),
    ],
)
def test_wrong_tables_are_refused_by_line(tmp_path: Path, text: str, says: str):
    """What would be guessed at is refused."""
    with pytest.raises(ConfigError) as caught:
        read_table(write(tmp_path, text), "t.csv")

    assert says in str(caught.value)


def test_wrong_encoding_is_told(tmp_path: Path):
    """A file from an old spreadsheet is not read as something else."""
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_table(write(tmp_path, "a;b\nø;å\n", "latin-1"), "t.csv")
