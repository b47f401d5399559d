"""Delimited text (CSV, TSV): rows out of lines, never losing count of what was lost.

Rows are read by the standard library's `csv`, in strict mode: a quote that is not closed, or text behind a closing
one, is an error there instead of a guess. A quote that is opened by mistake swallows the following lines; each such
place is reported as cut off, because the records it swallowed cannot be known.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from typing import Any

import msgspec

from connectors.contract import BadRecord, Record
from connectors.errors import Unreadable
from connectors.textfiles import CONTROL_CHARACTERS, TextFile, TextPass

DELIMITERS = ";,\t|"
"""What a header is searched for when no delimiter is configured; the one that occurs most often wins."""

MAX_COLUMNS = 10_000
"""More are no export of people; two million of them took a minute and a gigabyte."""

_LINE_END = re.compile(r"\r\n|\r|\n")
_EXCEL_HINT = re.compile(r"sep=(.)\s*\Z", re.IGNORECASE)


class Dialect(msgspec.Struct, frozen=True):
    """How a delimited file is written.

    Attributes:
        delimiter: One character, or None: found from the header.
        quote: One character, or None: quotes mean nothing.
        strip: White space around cells is dropped.
    """

    delimiter: str | None = None
    quote: str | None = '"'
    strip: bool = True


class _Start(msgspec.Struct, frozen=True):
    """Where a file's rows begin."""

    header: tuple[str, ...]
    reader: Any  # csv names the type only in its stubs
    skipped: int
    delimiter: str


def read_header(file: TextFile, dialect: Dialect) -> tuple[str, ...]:
    """Column names, in file order, reading no further than needed.

    Raises:
        Unreadable: As `TextPass.lines`; or a name is empty or occurs twice, or there are more than MAX_COLUMNS, or the
            delimiter is not in the header.
    """
    with closing(TextPass(file).lines()) as lines:
        return _start(file, dialect, lines).header


def read_rows(
    file: TextFile, dialect: Dialect, table: str, header: tuple[str, ...] | None = None
) -> Iterator[Record | BadRecord]:
    """All rows below the header, streaming. Blank lines, and rows of nothing but empty cells, are skipped.

    Args:
        file: What to read.
        dialect: How it is written.
        table: Name that the records bear.
        header: What the header must be, or None for any.

    Raises:
        Unreadable: As `read_header`, also half-way; or the header is another than `header`.
    """
    text = TextPass(file)
    with closing(text.lines()) as lines:
        start = _start(file, dialect, lines)
        if header is not None and start.header != header:
            raise Unreadable("does not have the same header as before", file=file.name, line=start.skipped + 1)
        yield from _Rows(text, dialect, table, start).read()


def _start(file: TextFile, dialect: Dialect, lines: Iterator[str]) -> _Start:
    skipped = 0
    delimiter = dialect.delimiter
    for first in lines:
        hint = _EXCEL_HINT.match(first)
        if hint or not first.strip():
            skipped += 1
            delimiter = delimiter or (hint and hint[1])
            continue
        delimiter = _delimiter(file, delimiter, first, skipped + 1)
        reader = csv.reader(
            chain((first,), lines),
            delimiter=delimiter,
            quotechar=dialect.quote,
            quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
            strict=True,
        )
        try:
            names = tuple(name.strip() for name in next(reader))
        except csv.Error as error:
            raise Unreadable(f"has a header that cannot be read: {error}", file=file.name, line=skipped + 1) from error
        _check_names(file, names, skipped + 1)
        return _Start(names, reader, skipped, delimiter)
    raise Unreadable("is cut off before its header", file=file.name)


def _delimiter(file: TextFile, configured: str | None, header: str, line: int) -> str:
    counts = {candidate: header.count(candidate) for candidate in DELIMITERS}
    likely = max(counts, key=lambda candidate: counts[candidate])
    if configured is None:
        return likely if counts[likely] else ","
    if configured not in header and counts[likely]:
        reason = f"has no {configured!r} in its header, which looks delimited by {likely!r}"
        raise Unreadable(reason, file=file.name, line=line)
    return configured


def _check_names(file: TextFile, names: tuple[str, ...], line: int) -> None:
    if len(names) > MAX_COLUMNS:
        raise Unreadable(f"has {len(names)} columns, more than {MAX_COLUMNS}", file=file.name, line=line)
    places: dict[str, int] = {}
    for number, name in enumerate(names, start=1):
        if not name:
            raise Unreadable(f"has no name for column {number} in its header", file=file.name, line=line)
        if CONTROL_CHARACTERS.search(name):
            raise Unreadable(f"has a control character in the name of column {number}", file=file.name, line=line)
        if name in places:
            reason = f"has the column '{name}' twice: columns {places[name]} and {number}"
            raise Unreadable(reason, file=file.name, line=line)
        places[name] = number


class _Rows:
    """The rows of one pass."""

    def __init__(self, text: TextPass, dialect: Dialect, table: str, start: _Start) -> None:
        self._text = text
        self._dialect = dialect
        self._table = table
        self._start = start
        self._name = text.file.name
        self._held: BadRecord | None = None  # of the wrong length: cut off, if no row follows

    def read(self) -> Iterator[Record | BadRecord]:
        """All rows, bad ones included; csv's reader starts afresh on the line after an error.

        The hot loop of an import: a good row on a line of its own is judged by its length alone.
        """
        table, name, text, reader = self._table, self._name, self._text, self._start.reader
        width, skipped, strip = len(self._start.header), self._start.skipped, self._dialect.strip
        line = skipped + reader.line_num + 1
        while True:
            try:
                for row in reader:
                    following = skipped + reader.line_num + 1
                    if len(row) == width and following - line == 1 and not text.suspect and self._held is None:
                        values = tuple(map(str.strip, row)) if strip else tuple(row)
                        if values[0] or any(values):
                            yield Record(table, values, name, line)
                    else:
                        yield from self._judged(row, line, following - line)
                    line = following
                break
            except csv.Error as error:
                following = skipped + reader.line_num + 1
                yield from self._release(truncated=False)
                yield self._broken(line, following - line, error)
                line = following
        yield from self._release(truncated=True)
        if text.cut:
            yield self._bad(line, "the file is cut off here", truncated=True)

    def _judged(self, row: list[str], line: int, height: int) -> Iterator[Record | BadRecord]:
        """The slow way, for rows of the wrong length, over several lines, or with control characters nearby."""
        values = tuple(map(str.strip, row)) if self._dialect.strip else tuple(row)
        width = len(self._start.header)
        if not any(values) or (len(row) == 1 and row[0].isspace()):
            return
        yield from self._release(truncated=False)
        if height > 1 and self._swallowed(row):
            reason = f"a quote opened here takes in the records up to line {line + height - 1}"
            yield self._bad(line, reason, values, truncated=True)
        elif len(row) != width:
            reason = f"has {len(row)} columns, the header has {width}"
            self._held = self._bad(line, reason, values, truncated=height > 1)
        elif column := self._controlled(row):
            yield self._bad(line, "holds a control character", values, column=column)
        else:
            yield Record(self._table, values, self._name, line)

    def _swallowed(self, row: list[str]) -> bool:
        """Whether a line inside a cell looks like a whole record: as many delimiters as the header has."""
        needed = len(self._start.header) - 1
        inner = (line for cell in row for line in _LINE_END.split(cell)[1:])
        return needed > 0 and any(line.count(self._start.delimiter) >= needed for line in inner)

    def _controlled(self, row: list[str]) -> str | None:
        cells = zip(self._start.header, row, strict=True)
        return next((column for column, cell in cells if CONTROL_CHARACTERS.search(cell)), None)

    def _broken(self, line: int, height: int, error: csv.Error) -> BadRecord:
        """Past one line, or past the end, other records may be in what was skipped."""
        message = str(error)
        unclosed = "unexpected end" in message or "field larger" in message
        reason = "a quote opened here is never closed" if unclosed else "text stands behind a closing quote"
        if height > 1:
            reason += f" (lines {line}-{line + height - 1})"
        return self._bad(line, reason, truncated=unclosed or height > 1)

    def _bad(
        self,
        line: int,
        reason: str,
        values: tuple[str, ...] = (),
        *,
        column: str | None = None,
        truncated: bool = False,
    ) -> BadRecord:
        known = dict(zip(self._start.header, values, strict=False))
        return BadRecord(self._table, self._name, line, column, reason, known, truncated)

    def _release(self, *, truncated: bool) -> Iterator[BadRecord]:
        """Lets go of the row held back, if there is one."""
        if self._held is not None:
            held, self._held = self._held, None
            yield msgspec.structs.replace(held, truncated=held.truncated or truncated)
