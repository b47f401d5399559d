"""Text files: encodings are proven, not believed; what is cut off or changes meanwhile is noticed."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors import textfiles
from connectors.errors import Unreadable
from connectors.textfiles import TextFile, TextPass, file_on_disk

TEXT = "navn;by\nØdegård;Tromsø\n"


def text_of(path: Path, encoding: str = "utf-8") -> str:
    """The whole text of a file."""
    return "".join(TextPass(file_on_disk(path.parent, path.name, encoding)).chunks())


@pytest.mark.parametrize(
    ("configured", "written"),
    [
        ("utf-8", "utf-8"),
        ("utf-8", "utf-8-sig"),  # Excel's "CSV UTF-8"
        ("cp1252", "utf-8-sig"),  # the mark wins over the configuration
        ("utf-8", "utf-16"),  # Excel's "Unicode text"
        ("utf-8", "utf-32"),
        ("utf-16-le", "utf-16-le"),  # no mark, but configured
        ("cp1252", "cp1252"),
        ("latin-1", "latin-1"),
        ("cp865", "cp865"),  # DOS, Nordic
        ("cp037", "cp037"),  # EBCDIC
    ],
)
def test_reads_encodings(tmp_path: Path, configured: str, written: str):
    """A file is read in the configured encoding, or in the one that its byte order mark tells."""
    (tmp_path / "a.csv").write_bytes(TEXT.encode(written))

    assert text_of(tmp_path / "a.csv", configured) == TEXT


def test_undecodable_byte_is_located(tmp_path: Path):
    """The error names line, column and offset of the first bad byte, and the encoding that would fit."""
    (tmp_path / "a.csv").write_bytes(b"a;b\n1;x\n2;B\xf8\n")

    with pytest.raises(Unreadable) as caught:
        text_of(tmp_path / "a.csv")

    assert (caught.value.file, caught.value.line) == ("a.csv", 3)
    assert "column 4, byte offset 11, byte 0xf8" in caught.value.reason
    assert "set `encoding: cp1252`" in caught.value.reason


def test_undecodable_byte_far_inside_is_located(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Lines and offsets are counted over all chunks."""
    monkeypatch.setattr(textfiles, "CHUNK_BYTES", 7)
    (tmp_path / "a.csv").write_bytes(b"abc\n" * 10 + b"d\xff\n")

    with pytest.raises(Unreadable, match="column 2, byte offset 41") as caught:
        text_of(tmp_path / "a.csv")

    assert caught.value.line == 11


@pytest.mark.parametrize("configured", ["latin-1", "cp1252", "cp865"])
def test_utf8_read_as_single_bytes_is_refused(tmp_path: Path, configured: str):
    """Where every byte is a character nothing fails, so a file that is UTF-8 throughout is refused at its end."""
    (tmp_path / "a.csv").write_bytes(TEXT.encode())

    with pytest.raises(Unreadable, match="is UTF-8, but configured as"):
        text_of(tmp_path / "a.csv", configured)


def test_ascii_is_good_in_any_single_byte_encoding(tmp_path: Path):
    """Plain ASCII is UTF-8 too, and no mistake."""
    (tmp_path / "a.csv").write_bytes(b"a;b\n1;2\n")

    assert text_of(tmp_path / "a.csv", "latin-1") == "a;b\n1;2\n"


def test_utf16_without_mark_is_recognised(tmp_path: Path):
    """UTF-16 would pass as UTF-8 full of NUL characters."""
    (tmp_path / "a.csv").write_bytes(TEXT.encode("utf-16-le"))

    with pytest.raises(Unreadable, match="looks like UTF-16"):
        text_of(tmp_path / "a.csv")


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b" \r\n\n", b"\xff\xfe"])
def test_empty_file_is_unreadable(tmp_path: Path, content: bytes):
    """Nothing, a mark alone, and white space are no export."""
    (tmp_path / "a.csv").write_bytes(content)

    with pytest.raises(Unreadable, match="is empty"):
        text_of(tmp_path / "a.csv")


def test_missing_file_is_unreadable(tmp_path: Path):
    """The file is named as it was typed."""
    with pytest.raises(Unreadable, match=r"^a\.csv: cannot be read: No such file"):
        text_of(tmp_path / "a.csv")


def appended(path: Path) -> None:
    """Another program goes on writing."""
    with path.open("ab") as file:
        file.write(b"more\n")


def touched(path: Path) -> None:
    """The same content is written anew."""
    os.utime(path, ns=(1, 1))


def replaced(path: Path) -> None:
    """Another file is put in its place."""
    path.with_suffix(".new").write_text("other\n")
    path.with_suffix(".new").replace(path)


@pytest.mark.parametrize("change", [appended, touched, replaced])
def test_change_while_reading_is_noticed(tmp_path: Path, change: Callable[[Path], None]):
    """A file that another program still writes, or puts a new one in place of, is not half believed."""
    path = tmp_path / "a.csv"
    path.write_text(TEXT, encoding="utf-8")
    chunks = TextPass(file_on_disk(tmp_path, "a.csv", "utf-8")).chunks()
    next(chunks)

    change(path)

    with pytest.raises(Unreadable, match="changed while it was being read"):
        list(chunks)


def test_end_inside_a_character_is_a_cut(tmp_path: Path):
    """Half a character at the end is no wrong encoding; the line it stands in is left out."""
    (tmp_path / "a.csv").write_bytes("a\nb\nTroms\xf8".encode()[:-1])
    text = TextPass(file_on_disk(tmp_path, "a.csv", "utf-8"))

    assert list(text.lines()) == ["a\n", "b\n"]
    assert text.cut


def test_lines_keep_their_ends_across_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Whatever the size of the chunks, a line end is never taken apart and nothing but LF and CR ends a line."""
    content = "a\r\nbb\ncc\u2028d\x85e\r\n\r\nf"
    (tmp_path / "a.csv").write_bytes(content.encode())
    for size in range(1, 20):
        monkeypatch.setattr(textfiles, "CHUNK_BYTES", size)

        lines = list(TextPass(file_on_disk(tmp_path, "a.csv", "utf-8")).lines())

        assert lines == ["a\r\n", "bb\n", "cc\u2028d\x85e\r\n", "\r\n", "f"], size


def test_old_mac_line_ends(tmp_path: Path):
    """A lone carriage return ends a line."""
    (tmp_path / "a.csv").write_bytes(b"a;b\r1;2\r3;4\r")

    assert list(TextPass(file_on_disk(tmp_path, "a.csv", "utf-8")).lines()) == ["a;b\r", "1;2\r", "3;4\r"]


def test_endless_line_is_refused(monkeypatch: pytest.MonkeyPatch):
    """A file without line ends is not taken into memory."""
    monkeypatch.setattr(textfiles, "MAX_LINE_CHARACTERS", 100)
    monkeypatch.setattr(textfiles, "CHUNK_BYTES", 10)
    file = TextFile("a.csv", "utf-8", open=lambda: io.BytesIO(b"x" * 1000), stamp=lambda: 0)

    with pytest.raises(Unreadable, match="longer than 100 characters"):
        list(TextPass(file).lines())


def test_suspects_control_characters_only_where_there_are_some(tmp_path: Path):
    """Rows are looked at one by one only in files that need it."""
    (tmp_path / "good.csv").write_text("a\tb\r\n", encoding="utf-8")
    (tmp_path / "bad.csv").write_text("a\x1fb\n", encoding="utf-8")
    good, bad = (TextPass(file_on_disk(tmp_path, name, "utf-8")) for name in ("good.csv", "bad.csv"))

    list(good.lines())
    list(bad.lines())

    assert (good.suspect, bad.suspect) == (False, True)
