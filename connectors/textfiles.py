"""Text files as sources meet them: in any encoding, of any size, cut off, or changed while they are read.

A pass over a file ends in one of three ways, and what a reader has yielded counts only after it has ended:

- normally;
- with `Unreadable`: the text cannot be trusted at all (wrong encoding, empty, changed while being read);
- normally with `TextPass.cut` set: the text is good but stops too early, so what is absent proves nothing.
"""

from __future__ import annotations

import codecs
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated

import msgspec
from pydantic import AfterValidator

from connectors.errors import Unreadable

CHUNK_BYTES = 1 << 18  # a pass holds about three of these, whatever the size of the file

MAX_LINE_CHARACTERS = 1 << 24  # a longer line is no text file, and would be held in memory whole

CONTROL_CHARACTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
"""What no cell may hold: C0 controls other than tab and line ends (0x1F separates fields elsewhere), surrogates."""

_CONTROLS = bytes({*range(0x20), 0x7F} - {0x09, 0x0A, 0x0D})
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: its mark begins with UTF-16's
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class TextFile(msgspec.Struct, frozen=True):
    """A file that can be read again and again.

    Attributes:
        name: As the administrator would type it; for messages.
        encoding: Any codec of Python's; a byte order mark in the file wins over it.
        open: Opens it for reading bytes. Raises OSError, BadZipFile.
        stamp: Something that differs after the file has changed. Raises OSError.
    """

    name: str
    encoding: str
    open: Callable[[], io.BufferedIOBase]
    stamp: Callable[[], object]


def file_on_disk(base: Path, name: str, encoding: str) -> TextFile:
    """A file of the file system; a relative `name` is relative to `base`. Touches nothing."""
    path = base / name
    return TextFile(name, encoding, open=lambda: path.open("rb"), stamp=lambda: stamp_of(path))


def stamp_of(path: Path) -> tuple[int, int, int]:
    """Inode, size in bytes, and time of the last change in nanoseconds.

    Raises:
        OSError: The file cannot be looked at.
    """
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def _known_encoding(name: str) -> str:
    """`name` itself.

    Raises:
        ValueError: Python has no text encoding of that name.
    """
    try:
        "a".encode(name)
    except LookupError as error:
        raise ValueError(f"unknown encoding '{name}': use utf-8, cp1252, latin-1, …") from error
    return name


Encoding = Annotated[str, AfterValidator(_known_encoding)]
"""The type of an option that names an encoding."""


class TextPass:
    """One pass over a file from its beginning.

    Attributes:
        cut: After the pass: the file ends in the middle of something.
        suspect: The text read so far may hold control characters; False proves that it holds none.
    """

    def __init__(self, file: TextFile) -> None:
        self.file = file
        self.cut = False
        self.suspect = False
        self._mistaken: codecs.IncrementalDecoder | None = None
        self._non_ascii = False
        self._transparent = True

    def lines(self) -> Generator[str, None, None]:
        """Lines, each with its end (LF, CR LF or CR). A last line that was cut off inside a character is left out.

        Raises:
            Unreadable: As `chunks`; or a line is longer than MAX_LINE_CHARACTERS.
        """
        rest = ""
        with closing(self.chunks()) as chunks:
            for chunk in chunks:
                rest += chunk
                # A lone \r at the very end may be the first half of a \r\n.
                end = rest.rfind("\n") + 1 or rest.rfind("\r", 0, -1) + 1
                yield from io.StringIO(rest[:end], newline="")
                rest = rest[end:]
                if len(rest) > MAX_LINE_CHARACTERS:
                    reason = f"has a line longer than {MAX_LINE_CHARACTERS} characters"
                    raise Unreadable(reason, file=self.file.name)
        if not self.cut:
            yield from io.StringIO(rest, newline="")

    def chunks(self) -> Generator[str, None, None]:
        """The text in pieces of any length, without its byte order mark.

        Raises:
            Unreadable: The file is missing, empty, wrongly encoded, or changed while it was read.
        """
        name = self.file.name
        try:
            before = self.file.stamp()
            with self.file.open() as binary:
                yield from self._decoded(binary)
            after = self.file.stamp()
        except OSError as error:
            raise Unreadable(f"cannot be read: {error.strerror or error}", file=name) from error
        except (
            zipfile.BadZipFile,
            zlib.error,
            NotImplementedError,
        ) as error:  # the last: a compression it does not know
            raise Unreadable(f"is damaged: {error}", file=name) from error
        if before != after:
            raise Unreadable("changed while it was being read", file=name)

    def _decoded(self, binary: io.BufferedIOBase) -> Iterator[str]:
        chunk = self._next(binary)
        encoding = _marked_encoding(chunk) or self.file.encoding
        self._expect(encoding, chunk)
        decoder = codecs.getincrementaldecoder(encoding)()
        blank = True
        while chunk:
            self._inspect(chunk)
            try:
                text = decoder.decode(chunk)
            except UnicodeError as error:
                raise self._undecodable(encoding, error) from error
            blank = blank and not text.strip()
            yield text
            chunk = self._next(binary)
        if blank:
            raise Unreadable("is cut off at its beginning" if self.cut else "is empty", file=self.file.name)
        try:
            decoder.decode(b"", final=True)
        except UnicodeError:
            self.cut = True
        self._refuse_mistaken_utf8(encoding)

    def _next(self, binary: io.BufferedIOBase) -> bytes:
        try:
            return binary.read1(CHUNK_BYTES)  # read would lose what stands before the end of a cut member
        except EOFError:  # a compressed member that ends too early
            self.cut = True
            return b""

    def _expect(self, encoding: str, first: bytes) -> None:
        """Sets up what is watched for: only ASCII-compatible text can be searched for controls as bytes."""
        self._transparent = _is_transparent(encoding)
        self.suspect = not self._transparent
        if codecs.lookup(encoding).name.startswith("utf"):
            if self._transparent and first[:4096].count(0) > len(first[:4096]) // 4:
                reason = f"is not {encoding} but looks like UTF-16: set `encoding: utf-16-le`"
                raise Unreadable(reason, file=self.file.name)
        else:
            self._mistaken = codecs.getincrementaldecoder("utf-8")()

    def _inspect(self, chunk: bytes) -> None:
        if self._transparent and not self.suspect:
            self.suspect = len(chunk.translate(None, _CONTROLS)) != len(chunk)
        if self._mistaken is not None:
            self._non_ascii = self._non_ascii or not chunk.isascii()
            try:
                self._mistaken.decode(chunk)
            except UnicodeDecodeError:
                self._mistaken = None

    def _refuse_mistaken_utf8(self, encoding: str) -> None:
        """Single-byte codecs read anything, and turn every 'ø' of a UTF-8 file into 'Ã¸' without an error."""
        if self._mistaken is None or not self._non_ascii or self.cut:
            return
        try:
            self._mistaken.decode(b"", final=True)
        except UnicodeDecodeError:
            return
        reason = f"is UTF-8, but configured as {encoding}: set `encoding: utf-8`"
        raise Unreadable(reason, file=self.file.name)

    def _undecodable(self, encoding: str, error: UnicodeError) -> Unreadable:
        """Finds the place in a pass of its own, so that passes over good files need not count."""
        place, line, column = _first_undecodable(self.file, encoding)
        fitting = _fitting_encoding(self.file)
        advice = f": set `encoding: {fitting}`" if fitting else ""
        reason = f"is not {encoding} (column {column}, byte offset {place}, {_cause(error)}){advice}"
        return Unreadable(reason, file=self.file.name, line=line)


def _marked_encoding(first: bytes) -> str | None:
    return next((encoding for mark, encoding in _BOMS if first.startswith(mark)), None)


def _is_transparent(encoding: str) -> bool:
    """Whether ASCII characters are their own bytes, as in all but UTF-16, UTF-32 and EBCDIC."""
    probe = "\x00\x1f;A"
    return probe.encode(encoding).removeprefix(codecs.BOM_UTF8) == probe.encode("ascii")


def _cause(error: UnicodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"byte 0x{error.object[error.start]:02x}: {error.reason}"
    return str(error)


def _first_undecodable(file: TextFile, encoding: str) -> tuple[int, int, int]:
    """0-based byte offset of the first byte that cannot be decoded, its 1-based line, and column in bytes."""
    decoder = codecs.getincrementaldecoder(encoding)()
    read = line_start = 0
    line = 1
    with file.open() as binary:
        while chunk := binary.read(CHUNK_BYTES):
            good = chunk
            place = None
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                place = read + len(chunk) - len(error.object) + error.start
                good = chunk[: max(0, place - read)]
            except UnicodeError:  # "UTF-16 stream does not start with BOM" has no position
                place = read
            line += good.count(b"\n")
            if b"\n" in good:
                line_start = read + good.rfind(b"\n") + 1
            if place is not None:
                return place, line, place - line_start + 1
            read += len(chunk)
    return read, line, read - line_start + 1


def _fitting_encoding(file: TextFile) -> str | None:
    """The first usual encoding in which the whole file can be read, or None; latin-1 would take anything."""
    for encoding in ("utf-8", "cp1252"):
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            with file.open() as binary:
                while chunk := binary.read(CHUNK_BYTES):
                    decoder.decode(chunk)
                decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        return encoding
    return None
