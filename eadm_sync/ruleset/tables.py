"""Lookup tables: small CSV files beside the ruleset, whole in memory, read by `table[key].column`."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path

import msgspec

from eadm_sync.errors import ConfigError, Problem

MAX_BYTES = 16 * 1024 * 1024
"""A larger table is refused: it would be data of a source, not of a ruleset."""

MAX_CELL = 1_000
"""Longest cell in characters, as for a field of a source."""

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Characters that are no text, with those that turn the direction of what follows: a reader would see another value."""


class Table(msgspec.Struct, frozen=True):
    """One table.

    Attributes:
        columns: Column names; the first is the key.
        rows: Key -> values in the order of `columns`, None where a cell is empty.
        digest: Hash of the file's content.
        file: Path as the administrator would type it.
        text: The file's content.
    """

    columns: tuple[str, ...]
    rows: Mapping[str, tuple[str | None, ...]]
    digest: str
    file: str
    text: str


def read_table(path: Path, shown: str) -> Table:
    """Reads a table: UTF-8, separated by commas, semicolons or tabs, whichever the header has most of.

    Raises:
        ConfigError: It cannot be read, or with every line that is not as long as the header or has a key again.
    """
    try:
        if path.exists() and not path.is_file():  # a folder; or a pipe, which would never end
            raise ConfigError((Problem(shown, 0, 0, "the table cannot be read: it is no file"),))
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError((Problem(shown, 0, 0, f"the table is larger than {MAX_BYTES // 2**20} MiB"),))
        raw = path.read_bytes()
        text = raw.decode("utf-8-sig")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError((Problem(shown, 0, 0, f"the table cannot be read: {reason}"),)) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            (Problem(shown, 0, 0, "the table is not UTF-8", "save it with the encoding UTF-8"),)
        ) from error
    return _parsed(text, shown, blake2b(raw, digest_size=16).hexdigest())


def _parsed(text: str, shown: str, digest: str) -> Table:
    header_line = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header_line.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: dict[str, tuple[str | None, ...]] = {}
    problems: list[Problem] = []
    try:
        columns = tuple(name.strip() for name in next(reader, []))
        problems += _header_problems(columns, shown)
        for cells in reader:
            if not any(cells):
                continue
            values = tuple(cell.strip() or None for cell in cells)
            message = _row_problem(values, columns, rows)
            if message:
                problems.append(Problem(shown, reader.line_num, 1, message))
            else:
                rows[values[0] or ""] = values
    except csv.Error as error:
        problems.append(Problem(shown, reader.line_num, 1, f"not a line of CSV: {error}"))
    if problems:
        raise ConfigError(tuple(problems))
    return Table(columns, rows, digest, shown, text)


def _header_problems(columns: tuple[str, ...], shown: str) -> list[Problem]:
    if len(columns) < 2:  # noqa: PLR2004 - a key and what it leads to
        return [Problem(shown, 1, 1, "a table has a key and at least one more column")]
    twice = {name for name in columns if columns.count(name) > 1 or not name}
    return [Problem(shown, 1, 1, f"the column '{name}' stands there twice or has no name") for name in sorted(twice)]


def _row_problem(
    values: tuple[str | None, ...], columns: tuple[str, ...], rows: Mapping[str, tuple[str | None, ...]]
) -> str | None:
    if len(values) != len(columns):
        return f"the line has {len(values)} cells, the header {len(columns)}"
    if any(value and _CONTROLS.search(value) for value in values):
        return "a cell holds a control character or a line break"
    if any(value and len(value) > MAX_CELL for value in values):
        return f"a cell is longer than {MAX_CELL} characters"
    if values[0] is None:
        return "the key is empty"
    return f"the key '{values[0]}' stands there twice" if values[0] in rows else None
