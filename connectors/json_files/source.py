"""Rows of text out of JSON values."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from connectors.contract import BadRecord, Record
from connectors.errors import Unreadable
from connectors.json_files.options import JsonOptions
from connectors.json_files.parsing import Flawed, MarkedObject, elements, lines
from connectors.textfiles import CONTROL_CHARACTERS, TextFile, file_on_disk

MAX_DEPTH = 16  # deeper than any record; bounds the recursion of flattening


class _Item(NamedTuple):
    """An object on its way to be a row."""

    number: int
    cells: dict[str, str]
    raw: dict[str, Any]


class JsonSource:
    """Reads JSON files. See `connectors.contract.Source`. `Record.line` is the record's number in a document."""

    def __init__(self, options: JsonOptions, base: Path) -> None:
        self._options = options
        self._base = base
        self._columns: dict[str, tuple[str, ...]] = {}

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the configured tables."""
        return tuple(self._options.files)

    def columns(self, table: str) -> tuple[str, ...]:
        """The configured columns, or the union of all records' fields in order of first appearance."""
        if table not in self._columns:
            configured = self._options.files[table].columns
            self._columns[table] = tuple(configured) if configured is not None else self._discovered(table)
        return self._columns[table]

    def read(self, table: str) -> Iterator[Record | BadRecord]:
        """All records of the table."""
        columns = self.columns(table)
        known = frozenset(columns) if self._options.files[table].columns is None else None
        name = self._file(table).name
        for item in self._items(table):
            if isinstance(item, BadRecord):
                yield item
            elif known is not None and not known >= item.cells.keys():
                raise Unreadable("changed while it was being read", file=name)
            else:
                yield Record(table, tuple([item.cells.get(column, "") for column in columns]), name, item.number)

    def check(self) -> None:
        """Reads the first record of every table."""
        for table in self.tables:
            with closing(self._items(table)) as items:
                next(items, None)

    def _discovered(self, table: str) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for item in self._items(table):
            if isinstance(item, _Item):
                found.update(dict.fromkeys(item.cells))
        return tuple(found)

    def _file(self, table: str) -> TextFile:
        settings = self._options.files[table]
        if settings.within is not None:
            return self._file(settings.within)
        return file_on_disk(self._base, settings.path or "", settings.encoding or self._options.encoding)

    def _items(self, table: str) -> Generator[_Item | BadRecord, None, None]:
        settings = self._options.files[table]
        if settings.within is not None:
            yield from self._nested(table, settings.within, settings.items)
            return
        file = self._file(table)
        entries = lines(file) if settings.lines else elements(file, settings.items)
        with closing(entries):
            for number, value, truncated in entries:
                yield self._item(table, file.name, number, value, truncated=truncated)

    def _nested(self, table: str, parent: str, path: str) -> Iterator[_Item | BadRecord]:
        """The objects of an array in each record of another table; a bad record may have lost some of ours."""
        name = self._file(table).name
        for outer in self._items(parent):
            if isinstance(outer, BadRecord):
                yield msgspec.structs.replace(outer, table=table, column=None, values={})
                continue
            inherited = {f"parent.{column}": cell for column, cell in outer.cells.items()}
            values = _at(outer.raw, path)
            if not isinstance(values, list):
                yield BadRecord(table, name, outer.number, None, f"'{path}' is no array", inherited)
                continue
            for value in values:
                item = self._item(table, name, outer.number, value)
                if isinstance(item, _Item):
                    item.cells.update(inherited)
                yield item

    def _item(self, table: str, file: str, number: int, value: Any, *, truncated: bool = False) -> _Item | BadRecord:
        cells: dict[str, str] = {}
        try:
            _flatten(_object_of(value), cells)
            _refuse_controls(cells)  # before stripping, which would take some of them away
        except Flawed as flaw:
            return BadRecord(table, file, number, flaw.column, flaw.reason, cells, truncated)
        if self._options.strip:
            cells = {column: cell.strip() for column, cell in cells.items()}
        return _Item(number, cells, value)


def _object_of(value: Any) -> dict[str, Any]:
    if isinstance(value, Flawed):
        raise value
    if not isinstance(value, dict):
        raise Flawed("is no object")
    return value


def _flatten(value: dict[str, Any], cells: dict[str, str], prefix: str = "", depth: int = 1) -> None:
    """Adds an object's fields to `cells`.

    Raises:
        Flawed: A key occurs twice, or the nesting is too deep.
    """
    if isinstance(value, MarkedObject) and value.duplicate is not None:
        raise Flawed("the key occurs twice", prefix + value.duplicate)
    if depth > MAX_DEPTH:
        raise Flawed(f"is nested more than {MAX_DEPTH} deep")
    for key, field in value.items():
        name = prefix + key
        if isinstance(field, dict):
            _flatten(field, cells, f"{name}.", depth + 1)
            continue
        if isinstance(field, list):
            if any(isinstance(element, (dict, list)) for element in field):
                continue
            field = ",".join(map(_text, field))  # noqa: PLW2901 - a list of plain values is one text from here on
        if name in cells:
            raise Flawed("the key occurs twice", name)
        cells[name] = _text(field)


def _refuse_controls(cells: dict[str, str]) -> None:
    """One search over all cells, and only where it finds something another for the cell at fault.

    Raises:
        Flawed: A cell holds a control character.
    """
    if CONTROL_CHARACTERS.search("\n".join(cells.values())):
        column = next(column for column, cell in cells.items() if CONTROL_CHARACTERS.search(cell))
        raise Flawed("holds a control character", column)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _at(record: dict[str, Any], path: str) -> Any:
    """What stands at a dotted path; an empty list where nothing does."""
    value: Any = record
    for key in path.split("."):
        if not isinstance(value, dict) or value.get(key) is None:
            return []
        value = value[key]
    return value
