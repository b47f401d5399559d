"""Delimited text: every row is read, or reported with its line; what a slip swallows is never silent."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import BadRecord, Record
from connectors.delimited import Dialect, read_header, read_rows
from connectors.errors import Unreadable
from connectors.textfiles import TextFile


def file_of(content: str | bytes, encoding: str = "utf-8") -> TextFile:
    """A file in memory."""
    data = content if isinstance(content, bytes) else content.encode(encoding)
    return TextFile("a.csv", encoding, open=lambda: io.BytesIO(data), stamp=lambda: 0)


def rows_of(content: str | bytes, **dialect: object) -> list[Record | BadRecord]:
    """All rows of a table of people."""
    return list(read_rows(file_of(content), Dialect(**dialect), "people"))


def good(content: str | bytes, **dialect: object) -> list[tuple[int, tuple[str, ...]]]:
    """Line and values of all rows, none of which may be bad."""
    rows = rows_of(content, **dialect)
    assert all(isinstance(row, Record) for row in rows), rows
    return [(row.line, row.values) for row in rows]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("a;b;c", ("a", "b", "c")),
        ("a,b,c", ("a", "b", "c")),
        ("a\tb\tc", ("a", "b", "c")),
        ("a|b|c", ("a", "b", "c")),
        ("a;b, or so;c", ("a", "b, or so", "c")),  # the most frequent one wins
        ("only", ("only",)),
        (' "a" ; b ', None),  # a quote behind a space is text
        ('"a;1";"b"', ("a;1", "b")),
        ("sep=;\na;b", ("a", "b")),  # Excel's hint
        ("\n  \na;b", ("a", "b")),  # blank lines first
    ],
)
def test_delimiter_is_found_in_the_header(header: str, expected: tuple[str, ...] | None):
    """Without a configured delimiter the header decides."""
    assert read_header(file_of(header + "\n"), Dialect()) == (expected or ('"a"', "b"))


def test_configured_delimiter_wins():
    """A delimiter that is configured is used though another is more frequent."""
    assert read_header(file_of("a,b,c;d\n"), Dialect(delimiter=";")) == ("a,b,c", "d")


def test_delimiter_that_is_not_there_is_refused():
    """One giant column is never what was meant."""
    with pytest.raises(Unreadable, match="no ';' in its header, which looks delimited by ','"):
        read_header(file_of("a,b,c\n1,2,3\n"), Dialect(delimiter=";"))


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("a;;c", "no name for column 2"),
        ("a;b;", "no name for column 3"),
        ("a;b;a", "the column 'a' twice: columns 1 and 3"),
        (";".join(map(str, range(10_001))), "has 10001 columns"),  # nothing that an export of people looks like
        ("a;b\x00", "control character in the name of column 2"),
        ('a;"b', "header that cannot be read"),
    ],
)
def test_bad_header_is_refused(header: str, reason: str):
    """Without sound names no value can be trusted to be what it is taken for."""
    with pytest.raises(Unreadable, match=reason) as caught:
        rows_of(header + "\n1;2;3\n")

    assert caught.value.line == 1


def test_header_only_is_no_error():
    """A table may be empty; the import brake judges what that means."""
    assert rows_of("a;b\n") == []


def test_rows_have_their_lines():
    """Blank lines and rows of empty cells are skipped, cells may span lines, and lines are counted right."""
    content = 'a;b\n1;x\n\n;\n  \n2;"two\nlines"\n3;z'

    assert good(content) == [(2, ("1", "x")), (6, ("2", "two\nlines")), (8, ("3", "z"))]


def test_white_space_is_stripped_on_wish():
    """Cells are stripped by default, also of the no-break spaces that come from web pages."""
    assert good("a;b\n 1 ;\u00a0x\u00a0\n") == [(2, ("1", "x"))]
    assert good("a;b\n 1 ; x\n", strip=False) == [(2, (" 1 ", " x"))]


def test_quotes_can_be_off():
    """Where quotes mean nothing they are text."""
    assert good('a;b\n"1;2"\n', quote=None) == [(2, ('"1', '2"'))]


@pytest.mark.parametrize("row", ["2", "2;x;y"])
def test_wrong_length_in_the_middle(row: str):
    """A row that is too short or too long is reported with what it holds; the next one is read."""
    first, bad, last = rows_of(f"a;b\n1;x\n{row}\n3;z\n")

    assert (first.line, last.line) == (2, 4)
    assert isinstance(bad, BadRecord)
    assert (bad.line, bad.values["a"], bad.truncated) == (3, "2", False)
    assert bad.reason == f"has {len(row.split(';'))} columns, the header has 2"


@pytest.mark.parametrize("ending", ["", "\n", "\n\n"])
def test_short_last_row_is_a_cut(ending: str):
    """A last row that is too short says that the file stops too early."""
    *_, bad = rows_of(f"a;b\n1;x\n2{ending}")

    assert isinstance(bad, BadRecord)
    assert bad.truncated


def test_unclosed_quote_at_the_end_is_a_cut():
    """What follows an unclosed quote is not known."""
    first, bad = rows_of('a;b\n1;x\n2;"y\n3;z\n')

    assert first.line == 2
    assert isinstance(bad, BadRecord)
    assert (bad.line, bad.truncated) == (3, True)
    assert bad.reason == "a quote opened here is never closed (lines 3-4)"


@pytest.mark.parametrize(
    "swallowing",
    [
        '2;"y\n3;z\n4;"w"',  # ends at a quote that was meant to open
        '2;"y\n3;z\n4;w"',  # ends in a balanced way: two records inside one cell
        '"2;y\n3;z\n4";w',
    ],
)
def test_swallowed_rows_are_never_silent(swallowing: str):
    """A stray quote that swallows records is reported as a cut, and reading goes on behind it."""
    rows = rows_of(f"a;b\n1;x\n{swallowing}\n5;v\n")

    bad = [row for row in rows if isinstance(row, BadRecord)]
    assert [(row.line, row.truncated) for row in bad] == [(3, True)]
    assert [row.values for row in rows if isinstance(row, Record)] == [("1", "x"), ("5", "v")]


def test_endless_cell_is_bounded():
    """A cell beyond csv's limit is a quote that was never closed; memory does not grow with the file."""
    filler = "".join(f"{number} filler\n" for number in range(30_000))
    rows = rows_of(f'a;b\n1;x\n2;"y\n{filler}')

    assert isinstance(rows[0], Record)
    assert isinstance(rows[1], BadRecord)
    assert (rows[1].line, rows[1].truncated) == (3, True)


def test_text_behind_a_closing_quote():
    """A quote inside a quoted cell that is not doubled spoils its own row only."""
    _, bad, last = rows_of('a;b\n1;x\n2;"Kari "Kaia" Li"\n3;z\n')

    assert isinstance(bad, BadRecord)
    assert (bad.line, bad.reason, bad.truncated) == (3, "text stands behind a closing quote", False)
    assert isinstance(last, Record)


@pytest.mark.parametrize("character", ["\x00", "\x1f", "\x7f", "\x1c"])
def test_control_character_is_refused(character: str):
    """A control character spoils its row, names its column, and never shows the value in the reason."""
    _, bad, last = rows_of(f"a;b\n1;x\n2;y{character}\n3;z\n")

    assert isinstance(bad, BadRecord)
    assert (bad.line, bad.column, bad.reason) == (3, "b", "holds a control character")
    assert isinstance(last, Record)


def test_wrong_encoding_half_way_raises_after_good_rows():
    """Rows come out before the fault is met; the error takes them all back."""
    rows = read_rows(file_of(b"a;b\n" + b"1;x\n" * 100_000 + b"2;\xf8\n"), Dialect(), "people")

    assert isinstance(next(rows), Record)
    with pytest.raises(Unreadable, match="is not utf-8"):
        list(rows)


class CutMember(io.BytesIO):
    """A compressed member that ends before its time, as zipfile tells it."""

    def read1(self, size: int | None = -1, /) -> bytes:
        """What there is, then EOFError instead of an end."""
        data = super().read1(size)
        if not data:
            raise EOFError
        return data


def test_cut_member_is_a_cut():
    """A member that was cut yields what there is, without the line it was cut in, and the cut."""
    file = TextFile("a.csv", "utf-8", open=lambda: CutMember(b"a;b\n1;x\n2;yy"), stamp=lambda: 0)

    record, bad = read_rows(file, Dialect(), "people")

    assert record.values == ("1", "x")
    assert (bad.line, bad.reason, bad.truncated) == (3, "the file is cut off here", True)


def test_other_header_than_before_is_refused():
    """A file whose header has changed since it was looked at is not read."""
    with pytest.raises(Unreadable, match="same header as before"):
        list(read_rows(file_of("a;b\n"), Dialect(), "people", ("a", "c")))


CELLS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=8)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=8), st.sampled_from(";,\t|"), st.sampled_from(["\n", "\r\n"]))
def test_what_csv_writes_is_read(written: list[tuple[str, ...]], delimiter: str, ending: str):
    """Whatever the standard writer writes comes back, but for white space around cells and empty rows."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator=ending)
    writer.writerows([("a", "b", "c"), *written])

    values = [values for _, values in good(out.getvalue())]

    stripped = [tuple(cell.strip() for cell in row) for row in written]
    assert values == [row for row in stripped if any(row)]


@given(st.lists(st.sampled_from(["1", "æ", "x;y", 'q"', "n\nm"]), min_size=1), st.data())
def test_a_cut_inside_a_record_is_always_told(keys: list[str], data: st.DataObject):
    """Cut before the last cell of any record, even inside a character, a file yields what came before and the cut."""
    last = data.draw(st.integers(0, len(keys) - 1))
    records = [f'"{key.replace(chr(34), chr(34) * 2)}";"z"\n'.encode() for key in keys]
    cut = data.draw(st.integers(1, len(records[last]) - len(b';"z"\n')))

    *before, bad = rows_of(b"a;b\n" + b"".join(records[:last]) + records[last][:cut])

    assert [row.values[0] for row in before] == keys[:last]
    assert isinstance(bad, BadRecord)
    assert bad.truncated
