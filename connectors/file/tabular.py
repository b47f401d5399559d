"""CSV and JSON Lines: one row per account, group, membership, nesting or licence.

A full export is five files. A row of `memberships`, `nestings` and `licences` names account and group by anchor, and by
name; in `nestings`, `member` is the group that is in the other. A row of a change file says what was done (`action`,
`kind`), which fields are new (`changed`), and how the object is now; a deleted one, how it was. With an object its
memberships, nestings and licences end; no rows tell of them.
"""

from __future__ import annotations

import csv
import io
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from connectors.contract import Kind, RemoteObject, Value
from connectors.directory import rows
from connectors.directory.batch import Effect
from connectors.file.options import FileOptions

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_KINDS = {
    "accounts": Kind.ACCOUNT,
    "groups": Kind.GROUP,
    "memberships": Kind.MEMBERSHIP,
    "nestings": Kind.NESTING,
    "licences": Kind.LICENCE,
}
_FIXED: Mapping[str, tuple[str, ...]] = {
    "accounts": ("anchor", "container", "enabled"),
    "groups": ("anchor", "container"),
    "memberships": ("group", "account", "group_name", "account_name", "role"),
    "nestings": ("group", "member", "group_name", "member_name"),
    "licences": ("account", "account_name", "sku"),
    "changes": (
        *("action", "kind", "anchor", "container", "enabled"),
        *("group", "account", "role", "sku", "changed", "member"),
    ),
}

Row = dict[str, Value]


class Tables:
    """The rows of each file, before they are written in one format or another."""

    def __init__(self, options: FileOptions) -> None:
        self._options = options

    def rows(self, connection: sqlite3.Connection, name: str) -> Iterator[tuple[Row, Mapping[str, Value]]]:
        """Each row's fixed fields, and its attributes."""
        kind = _KINDS[name]
        if kind in (Kind.ACCOUNT, Kind.GROUP):
            for item in rows.live(connection, kind):
                yield {field: getattr(item, field) for field in _FIXED[name]}, item.attributes
            return
        names = (self._options.group_name, self._options.account_name)
        member_name = "member_name" if kind is Kind.NESTING else "account_name"
        for link, group_name, name_of_member in rows.named_links(connection, kind, *names):
            fields: Row = {"group_name": group_name, member_name: name_of_member}
            yield {field: fields.get(field, getattr(link, field, None)) for field in _FIXED[name]}, {}

    def changes(self, effects: Iterable[Effect]) -> Iterator[tuple[Row, Mapping[str, Value]]]:
        """Likewise for what a batch changed."""
        for effect in effects:
            item = effect.after or effect.before
            if item:
                row: Row = {field: getattr(item, field, None) for field in _FIXED["changes"]}
                row |= {"action": str(effect.action), "kind": str(item.kind), "changed": _changed(effect)}
                if item.kind is not Kind.MEMBERSHIP:
                    row["role"] = None
                yield row, item.attributes


class JsonLines:
    """`connectors.file.rendering.Rendering`: an object a line, attributes with their types."""

    suffix = ".jsonl"
    encoding = "utf-8"

    def __init__(self, options: FileOptions) -> None:
        self._tables = Tables(options)

    def names(self) -> Sequence[str]:
        """One for each kind."""
        return tuple(_KINDS)

    def snapshot(self, connection: sqlite3.Connection, name: str) -> Iterator[str]:
        """One of them."""
        return (_json_line(name, *row) for row in self._tables.rows(connection, name))

    def changes(self, _: sqlite3.Connection, effects: Iterable[Effect]) -> Iterator[str]:
        """A line for each effect."""
        return (_json_line("changes", *row) for row in self._tables.changes(effects))


class Csv:
    """`connectors.file.rendering.Rendering`: RFC 4180 with a header."""

    suffix = ".csv"

    def __init__(self, options: FileOptions) -> None:
        self.encoding = options.encoding
        self._options = options
        self._tables = Tables(options)

    def names(self) -> Sequence[str]:
        """One for each kind."""
        return tuple(_KINDS)

    def snapshot(self, connection: sqlite3.Connection, name: str) -> Iterator[str]:
        """One of them."""
        columns = self._columns(connection, _KINDS[name]) if name in ("accounts", "groups") else ()
        return self._lines(name, columns, self._tables.rows(connection, name))

    def changes(self, connection: sqlite3.Connection, effects: Iterable[Effect]) -> Iterator[str]:
        """A row for each effect; the columns of accounts come before those that only groups have."""
        columns = dict.fromkeys([*self._columns(connection, Kind.ACCOUNT), *self._columns(connection, Kind.GROUP)])
        return self._lines("changes", tuple(columns), self._tables.changes(effects))

    def _columns(self, connection: sqlite3.Connection, kind: Kind) -> Sequence[str]:
        """Attributes in the order of their columns: as configured, else those the target takes, else those in use."""
        options = self._options
        chosen, types = (
            (options.columns, options.attributes)
            if kind is Kind.ACCOUNT
            else (options.group_columns, options.group_attributes)
        )
        name = options.account_name if kind is Kind.ACCOUNT else options.group_name
        others = sorted({*types} or {*rows.attributes_in_use(connection, kind)})
        return chosen or (name, *(other for other in others if other != name))

    def _lines(
        self, name: str, columns: Sequence[str], table: Iterable[tuple[Row, Mapping[str, Value]]]
    ) -> Iterator[str]:
        fixed = _FIXED[name]
        buffer = io.StringIO()
        writer = csv.writer(buffer, delimiter=self._options.delimiter)
        writer.writerow([self._cell(cell) for cell in (*fixed, *columns)])
        for fields, attributes in table:
            yield _take(buffer)
            cells = [fields[field] for field in fixed] + [attributes.get(column) for column in columns]
            writer.writerow([self._cell(cell) for cell in cells])
        yield _take(buffer)

    def _cell(self, value: Value) -> str:
        if value is None:
            return ""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return str(value)
        if isinstance(value, list):
            separator = self._options.list_separator
            value = separator.join(item.replace("\\", "\\\\").replace(separator, f"\\{separator}") for item in value)
        return f"'{value}" if self._options.escape_formulas and value.startswith(_FORMULA) else value


def _changed(effect: Effect) -> list[str]:
    """Names of the fields and attributes in which before and after differ, sorted."""
    if not (effect.before and effect.after):
        return []
    before, after = (_flat(item) for item in (effect.before, effect.after))
    return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))


def _flat(item: RemoteObject) -> dict[str, Value]:
    return {**item.attributes, "container": item.container, "enabled": item.enabled}


def _json_line(name: str, fields: Row, attributes: Mapping[str, Value]) -> str:
    body: dict[str, object] = {field: fields[field] for field in _FIXED[name] if fields[field] is not None}
    if attributes:
        body["attributes"] = attributes
    return msgspec.json.encode(body).decode() + "\n"


def _take(buffer: io.StringIO) -> str:
    """What the buffer holds; it is empty afterwards."""
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text
