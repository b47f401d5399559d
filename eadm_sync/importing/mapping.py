"""The `map:` of a source becomes functions: from a row's values to typed fields, or to faults that say why not."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from operator import itemgetter
from typing import Any, NamedTuple

from eadm_sync.config.mapping import MapSettings
from eadm_sync.errors import ConfigError, Problem
from eadm_sync.expression import (
    Namespace,
    Origin,
    Scope,
    check_template,
    compile_condition,
    compile_template,
    record_scope,
    to_function,
)
from eadm_sync.importing.fields import Reader, read_extra, readers
from eadm_sync.importing.values import Unconvertible

Values = tuple[str, ...]
Render = Callable[[Values], str]
Locate = Callable[[tuple[str | int, ...]], Origin]
"""Where a template of the mapping is written: path below `map:` ("people", 0, "given_name") → its Origin."""

MAX_KEY_LENGTH = 200
_VERSION = 1  # raise it when the same mapping makes other fields of the same row: all records are read anew then


class Fault(NamedTuple):
    """One field of a row that cannot be converted: its mapped name (None: the row as a whole) and why."""

    field: str | None
    reason: str


def nowhere(path: tuple[str | int, ...]) -> Origin:
    """The place of a template whose file is not at hand: only its path is told."""
    return Origin("map", place=".".join(map(str, path)), locate=lambda _offset: (0, 0))


def _filled(texts: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in texts.items() if text}


_OWNERS = {
    "units": "code",
    "class_groups": "code",
    "affiliations": "person",
    "class_memberships": "person",
    "people": "key",
}
"""The template that says whose a row is, by role, in the order in which roles are read."""

_FIELDS = {role: tuple(fields) for role, fields in readers(()).items()}


@dataclass(frozen=True)
class Entry:
    """One entry of the mapping, compiled against the columns of its table.

    All functions but `pick` take the values that `pick` has chosen.

    Attributes:
        role: `people`, `affiliations`, `units`, `class_groups` or `class_memberships`.
        table: The source's table it reads.
        pick: The values of the columns the entry reads, out of all the row's.
        columns: Their names.
        where: Whether the row counts; None: every row does.
        owner: Key of the person, or code of the unit or class group, that the row belongs to.
        key: For affiliations: the row's own key.
        class_group: For class memberships that name no unit: the class group, whose unit then counts.
        whole: All typed fields of a row in which nothing is wrong; raises Unconvertible at the first that is.
        constants: Typed fields that are the same for every row.
        fields: (mapped field, template, reader) of the others.
        extra: (configured name, template).
    """

    role: str
    table: str
    pick: Callable[[Values], Values]
    columns: tuple[str, ...]
    where: Callable[[Values], bool] | None
    owner: Render
    key: Render | None
    class_group: Render | None
    whole: Callable[[Values], dict[str, Any]]
    constants: dict[str, Any]
    fields: tuple[tuple[str, Render, Reader], ...]
    extra: tuple[tuple[str, Render], ...]

    def convert(self, values: Values) -> tuple[dict[str, Any], list[Fault]]:
        """The typed fields that could be read, and a fault for each that could not."""
        try:
            return self.whole(values), []
        except Unconvertible:
            return self.piecemeal(values)

    def piecemeal(self, values: Values) -> tuple[dict[str, Any], list[Fault]]:
        """As `convert`, field by field: four times as slow, and tells all that is wrong."""
        typed = self.constants.copy()
        faults: list[Fault] = []
        for name, render, read in self.fields:
            try:
                typed[name] = read(render(values))
            except Unconvertible as error:
                faults.append(Fault(name, error.reason))
        if self.extra:
            extra: dict[str, str] = {}
            for name, render in self.extra:
                try:
                    if text := read_extra(render(values)):
                        extra[name] = text
                except Unconvertible as error:
                    faults.append(Fault(f"extra.{name}", error.reason))
            typed["extra"] = extra
        return typed, faults


@dataclass(frozen=True)
class CompiledMapping:
    """A whole mapping, compiled.

    Attributes:
        entries: Units and class groups first, people last; within a role in the order of the configuration.
        fingerprint: Text that changes whenever the same row could be mapped otherwise.
    """

    entries: tuple[Entry, ...]
    fingerprint: str

    def of(self, *roles: str) -> dict[str, list[Entry]]:
        """The entries of these roles, by table."""
        tables: dict[str, list[Entry]] = {}
        for entry in self.entries:
            if entry.role in roles:
                tables.setdefault(entry.table, []).append(entry)
        return tables


def compile_mapping(
    settings: MapSettings,
    dates: Sequence[str],
    tables: Sequence[str],
    columns: Callable[[str], tuple[str, ...]],
    locate: Locate = nowhere,
) -> CompiledMapping:
    """Compiles every template of a mapping against the columns that its source really has.

    Args:
        settings: The mapping.
        dates: Date formats, tried in order.
        tables: Names of the tables there are.
        columns: Names of a table's columns (`Source.columns`).
        locate: Where each template is written, for problems.

    Raises:
        ConfigError: Unknown tables and columns, and broken expressions: all of them.
    """
    written = settings.model_dump_json(by_alias=True)
    used = sorted({each.from_ for role in _OWNERS for each in getattr(settings, role)}.intersection(tables))
    asked = written, tuple(dates), tuple((table, columns(table)) for table in used)
    if (known := _COMPILED.get(asked)) is not None:
        return known
    compiler = _Compiler(readers(tuple(dates)), tuple(tables), columns, locate)
    entries = tuple(
        entry
        for role in _OWNERS
        for index, each in enumerate(getattr(settings, role))
        if (entry := compiler.entry(role, index, each)) is not None
    )
    if compiler.problems:
        raise ConfigError(tuple(compiler.problems))
    fingerprint = f"{_VERSION}\n{written}\n{list(dates)}\n{[entry.columns for entry in entries]}"
    if len(_COMPILED) >= _MOST_COMPILED:
        _COMPILED.clear()
    return _COMPILED.setdefault(asked, CompiledMapping(entries, fingerprint))


_COMPILED: dict[tuple[str, tuple[str, ...], tuple[tuple[str, tuple[str, ...]], ...]], CompiledMapping] = {}
"""Mappings that this process compiled, by all that they come from: in a small town it is an eighth of a run's time."""

_MOST_COMPILED = 64
"""More than an installation has sources; behind it, a daemon whose columns change each night keeps nothing old."""


class _Compiler:
    """Compiles entries and collects the problems of all of them."""

    def __init__(
        self,
        readers: dict[str, dict[str, Reader]],
        tables: tuple[str, ...],
        columns: Callable[[str], tuple[str, ...]],
        locate: Locate,
    ) -> None:
        self.problems: list[Problem] = []
        self._readers = readers
        self._tables = tables
        self._columns = columns
        self._locate = locate

    def entry(self, role: str, index: int, settings: Any) -> Entry | None:
        """One entry of the mapping, or None where it has problems."""
        table: str = settings.from_
        place = (role, index)
        if table not in self._tables:
            near = get_close_matches(table, self._tables, 1) or self._tables
            problem = self._locate((*place, "from")).problem(
                0, f"the source has no table '{table}'", f"it has {', '.join(near)}", len(table)
            )
            self.problems.append(problem)
            return None
        known = len(self.problems)
        columns = self._columns(table)
        texts = self._texts(role, settings)
        used = {name for path, text in texts.items() for name in self._fields(text, columns, (*place, *path))}
        if len(self.problems) > known:
            return None
        return self._build(role, table, texts, columns, tuple(name for name in columns if name in used))

    @staticmethod
    def _texts(role: str, settings: Any) -> dict[tuple[str, ...], str]:
        """Every template and condition of an entry, by its path within the entry."""
        names = (_OWNERS[role], "key", *_FIELDS[role], "where")
        texts = {(name,): text for name in names if (text := getattr(settings, name, None)) is not None}
        extra = getattr(settings, "extra", None) or {}
        return texts | {("extra", name): text for name, text in extra.items()}

    def _fields(self, text: str, columns: tuple[str, ...], place: tuple[str | int, ...]) -> set[str]:
        """Columns that a template or condition reads."""
        compiler = compile_condition if place[2:] == ("where",) else compile_template
        try:
            compiled = compiler(text, record_scope(columns), self._locate(place))
        except ConfigError as error:
            self.problems.extend(error.problems)
            return set()
        return {name.removeprefix("row.") for name in compiled.fields}

    def _build(
        self, role: str, table: str, texts: dict[tuple[str, ...], str], columns: tuple[str, ...], used: tuple[str, ...]
    ) -> Entry:
        """The entry, compiled anew against only the columns it reads; they have been found free of problems."""
        scope, origin = record_scope(used), Origin(table)

        def render(path: tuple[str, ...]) -> Render | None:
            return compile_template(texts[path], scope, origin).render if path in texts else None

        owner = _OWNERS[role]
        where = texts.get(("where",))
        constants, fields = self._typed(role, texts, scope)
        return Entry(
            role=role,
            table=table,
            pick=_picker(columns, used),
            columns=used,
            where=compile_condition(where, scope, origin).test if where else None,
            owner=render((owner,)) or _nothing,
            key=render(("key",)) if owner != "key" else None,
            class_group=render(("class_group",)) if ("unit",) not in texts else None,
            whole=self._whole(role, texts, scope, constants),
            constants=constants,
            fields=fields,
            extra=tuple((path[1], template) for path in texts if path[0] == "extra" and (template := render(path))),
        )

    def _typed(
        self, role: str, texts: dict[tuple[str, ...], str], scope: Scope
    ) -> tuple[dict[str, Any], tuple[tuple[str, Render, Reader], ...]]:
        """The fields that are the same for every row, and those that are not. A bad constant is every row's fault."""
        constants: dict[str, Any] = {}
        fields: list[tuple[str, Render, Reader]] = []
        for name, read in self._readers[role].items():
            if (name,) not in texts:
                continue
            template = compile_template(texts[name,], scope, Origin(name))
            if template.constant is not None:
                with contextlib.suppress(Unconvertible):
                    constants[name] = read(template.constant)
                    continue
            fields.append((name, template.render, read))
        return constants, tuple(fields)

    def _whole(
        self, role: str, texts: dict[tuple[str, ...], str], scope: Scope, constants: dict[str, Any]
    ) -> Callable[[Values], dict[str, Any]]:
        """One function of a row for all its fields, with their templates' code built in: a column costs no call."""
        namespace = Namespace()

        def code(path: tuple[str, ...], read: Reader) -> ast.expr:
            rendered = check_template(texts[path], scope, Origin(role), namespace).code
            return ast.Call(namespace.bind("read", read), [rendered], [])

        fields = {
            name: namespace.bind(name, constants[name]) if name in constants else code((name,), read)
            for name, read in self._readers[role].items()
            if (name,) in texts
        }
        if extra := {path[1]: code(path, read_extra) for path in texts if path[0] == "extra"}:
            fields["extra"] = ast.Call(namespace.bind("filled", _filled), [_dict_of(extra)], [])
        made: Callable[[Values], dict[str, Any]] = to_function(_dict_of(fields), scope.parameters, namespace)
        return made


def _dict_of(fields: Mapping[str, ast.expr]) -> ast.expr:
    return ast.Dict([ast.Constant(name) for name in fields], list(fields.values()))


def _picker(columns: tuple[str, ...], used: tuple[str, ...]) -> Callable[[Values], Values]:
    """Chooses the used columns' values out of a row's."""
    positions = [columns.index(name) for name in used]
    if len(positions) > 1:
        return itemgetter(*positions)
    return lambda values: tuple(values[position] for position in positions)


def _nothing(_values: Values) -> str:
    return ""
