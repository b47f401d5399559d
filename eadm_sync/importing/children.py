"""Rows that belong to people, kept as compact text until their person comes by.

A hundred thousand contracts as text take a fifth of the memory of as many objects, and most are never looked at again:
their person is unchanged.
"""

from __future__ import annotations

from typing import NamedTuple

from eadm_sync.importing.mapping import Entry, Values

SEPARATOR = "\x1f"
LOCATION = "\x1e"  # separates a row from where it stands; rows are hashed without that, so that they may move


class ChildRow(NamedTuple):
    """One row: the entry of the mapping it came through, its values, and where it stands."""

    entry: Entry
    values: Values
    file: str
    line: int


def payload(values: Values, rows: list[str]) -> str:
    """What a person's hash is taken of: the person's row and the rows that belong to it, in no particular order."""
    text = SEPARATOR.join(values)
    if not rows:
        return text
    if len(rows) == 1:
        return text + LOCATION + rows[0].partition(LOCATION)[0]
    return LOCATION.join((text, *sorted([row.partition(LOCATION)[0] for row in rows])))


class ChildRows:
    """Rows grouped by the key of the person they belong to."""

    def __init__(self, entries: list[Entry]) -> None:
        self._entries = entries
        self._numbers = {id(entry): number for number, entry in enumerate(entries)}
        self._files: list[str] = []
        self._file_numbers: dict[str, int] = {}
        self._rows: dict[str, str | list[str]] = {}

    def add(self, key: str, entry: Entry, values: Values, file: str, line: int) -> bool:
        """Keeps a row; False where a value holds one of our separators, which no honest text does."""
        body = SEPARATOR.join(values)
        if body.count(SEPARATOR) != len(values) - 1 or LOCATION in body:
            return False
        number = self._file_numbers.get(file)
        if number is None:
            number = self._file_numbers[file] = len(self._files)
            self._files.append(file)
        row = f"{self._numbers[id(entry)]}{SEPARATOR}{body}{LOCATION}{number}:{line}"
        former = self._rows.setdefault(key, row)
        if former is not row:
            if isinstance(former, str):
                self._rows[key] = [former, row]
            else:
                former.append(row)
        return True

    def pop(self, key: str) -> list[str]:
        """The rows of one person, as text; they are forgotten."""
        rows = self._rows.pop(key, None)
        return [] if rows is None else [rows] if isinstance(rows, str) else rows

    def left(self) -> list[str]:
        """Keys whose rows nobody has asked for."""
        return list(self._rows)

    def parse(self, row: str) -> ChildRow:
        """A row from its text."""
        file, _, line = row.partition(LOCATION)[2].partition(":")
        return ChildRow(*self.content(row), self._files[int(file)], int(line))

    def content(self, row: str) -> tuple[Entry, Values]:
        """A row's entry and values, from its text."""
        number, *values = row.partition(LOCATION)[0].split(SEPARATOR)
        return self._entries[int(number)], tuple(values)
