"""Looks for people in the sources as they read now: which rows are theirs, where, and what the mapping filters.

It takes as long as an import does, and is for where the state alone does not answer: people that it does not know, or
whose records are absent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from sqlalchemy import Connection

from connectors.contract import Record, Source
from connectors.errors import ConnectorError
from eadm_sync.app.context import Context
from eadm_sync.app.tracing import Found, SourceRow, Stranger, quarantined
from eadm_sync.errors import ConfigError
from eadm_sync.expression import Clause, Origin, compile_condition, record_scope
from eadm_sync.importing import compile_mapping, national_id
from eadm_sync.importing.keys import KeyMask
from eadm_sync.importing.mapping import Entry, Values
from eadm_sync.importing.values import Unconvertible

_MOST_ROWS = 200
"""Rows told of: more than anybody has, and few enough to print where a name is everybody's."""


def stranger(context: Context, connection: Connection, name: str) -> Stranger | None:
    """What is known of somebody whom the state does not have, named by key, id or full name; None: nothing."""
    wanted = {source: {name, name.removeprefix(f"{source}:")} for source in context.loaded.settings.sources}
    found = find(context, wanted, name)
    places = {(source, key) for source, keys in wanted.items() for key in keys}
    places |= {(row.source, row.key) for row in found.rows}
    rows = quarantined(connection, sorted(places))
    return Stranger(name, rows, found) if rows or found.rows else None


def find(context: Context, wanted: Mapping[str, set[str]], name: str | None = None) -> Found:
    """Reads the sources for the rows of some people.

    Args:
        context: The installation.
        wanted: Source → keys.
        name: A full name, as another way of being the one who is looked for.
    """
    failures: dict[str, str] = {}
    rows: list[SourceRow] = []
    for source, opened in context.make_sources().items():
        if not wanted.get(source):
            continue
        try:
            rows += _Finder(context, source, opened, wanted[source], name).rows()
        except ConfigError as error:
            failures[source] = "; ".join(map(str, error.problems))
        except ConnectorError as error:
            failures[source] = str(error)
    return Found(tuple(rows[:_MOST_ROWS]), failures)


class _Finder:
    """Looks through one source."""

    def __init__(self, context: Context, source: str, opened: Source, keys: set[str], name: str | None) -> None:
        self._context = context
        self._source = source
        self._opened = opened
        self._mask = KeyMask(context.vault)
        self._keys = set(keys)
        self._words = (name or "").split()
        settings = context.loaded.settings.sources[source]
        self._mapping = compile_mapping(
            settings.map,
            settings.dates,
            opened.tables,
            opened.columns,
            lambda path: context.origin(("sources", source, "map", *path)),
        )

    def rows(self) -> Iterator[SourceRow]:
        """Rows of people first: who is found by name there is known by key in the others."""
        numbers: Counter[str] = Counter()
        entries = []
        for entry in self._mapping.entries:
            entries.append((entry, numbers[entry.role]))
            numbers[entry.role] += 1
        for roles in ({"people"}, {"affiliations", "class_memberships"}):
            for entry, number in entries:
                if entry.role in roles:
                    yield from self._of_entry(entry, number)

    def _of_entry(self, entry: Entry, number: int) -> Iterator[SourceRow]:
        for row in self._opened.read(entry.table):
            if isinstance(row, Record):
                values = entry.pick(row.values)
                key = self._key(entry, values)
                if key is not None:
                    yield self._row(entry, number, row, values, key)

    def _key(self, entry: Entry, values: Values) -> str | None:
        """The row's key, if it is one that is looked for."""
        try:
            key = self._mask(entry.owner(values))
        except Unconvertible:
            return None
        if key not in self._keys and not (entry.role == "people" and self._is_called(entry, values)):
            return None
        self._keys.add(key)
        return key

    def _is_called(self, entry: Entry, values: Values) -> bool:
        """Whether the row's person has the name that is looked for."""
        if len(self._words) < 2 or any(all(word not in value for value in values) for word in self._words):  # noqa: PLR2004 - given and family name
            return False
        fields, _ = entry.convert(values)
        return f"{fields.get('given_name', '')} {fields.get('family_name', '')}".split() == self._words

    def _row(self, entry: Entry, number: int, row: Record, values: Values, key: str) -> SourceRow:
        where, clauses = self._filter(entry, number, values)
        is_filtered = entry.where is not None and not entry.where(values)
        return SourceRow(self._source, key, entry.role, row.file, row.line, is_filtered, where, clauses)

    def _filter(self, entry: Entry, number: int, values: Values) -> tuple[str | None, tuple[Clause, ...]]:
        """Where the entry's condition is written, and what it says of a row."""
        text: str | None = getattr(self._context.loaded.settings.sources[self._source].map, entry.role)[number].where
        if text is None:
            return None, ()
        origin = self._context.origin(("sources", self._source, "map", entry.role, number, "where"))
        traced = compile_condition(text, record_scope(entry.columns), Origin(entry.table)).trace(values)
        return f"{origin.file}:{origin.locate(0)[0]}", tuple(map(_without_national_ids, traced))


def _without_national_ids(clause: Clause) -> Clause:
    """A clause that shows no national id, in whichever column it stood."""
    seen = tuple(
        (name, national_id.mask(value, lambda _: "***") if isinstance(value, str) else value)
        for name, value in clause.values
    )
    return Clause(clause.text, clause.truth, seen, tuple(map(_without_national_ids, clause.clauses)))
