"""Every ruleset version that was applied: kept once, with each time it came into force, by whom, and the difference."""

from __future__ import annotations

import difflib
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, select

from eadm_sync.app.context import Context
from eadm_sync.config.yaml import Document, load_yaml
from eadm_sync.state import bulk, tables
from eadm_sync.state.auditing import AuditEntry, append_audit

APPLIED = "ruleset"
"""Kind of the audit's lines on rulesets, and the name in `meta` of the version in force."""

_RULES = ("accounts", "groups", "licences")
_NAMED = ("conditions", "identifiers", "tables")


class Applied(msgspec.Struct, frozen=True):
    """What the audit keeps of a version that came into force.

    Attributes:
        former: The version before it, or None for the first.
        diff: Unified difference between their files and tables.
    """

    former: str | None
    diff: str


def note_ruleset(context: Context, connection: Connection, run_id: str, author: str | None = None) -> None:
    """Keeps the ruleset that a run applies, and writes into the audit that it came into force if it just did.

    A version keeps the time and author of its first time; each later return to it is a line in the audit.

    Args:
        context: The installation.
        connection: The transaction that accepts the run's plan.
        run_id: The run.
        author: Who answers for the rules; None: whoever is at work.
    """
    version = context.ruleset.version
    former = version_in_force(connection)
    if version == former:
        return
    now, who = context.clock.now().isoformat(), author or context.actor
    files = {file.path: file.text for file in (*context.ruleset.files, *context.ruleset.tables)}
    columns = tables.ruleset_versions.c
    if connection.scalar(select(columns.version).where(columns.version == version)) is None:
        row = (version, now, who, msgspec.json.encode(files))
        bulk.insert(connection, tables.ruleset_versions, ("version", "applied_at", "actor", "files"), [row])
    before = {} if former is None else files_of(connection, former)
    detail = msgspec.msgpack.encode(Applied(former, files_diff(before, files)))
    entry = AuditEntry(now, run_id, who, None, APPLIED, "apply", version, None, detail)
    append_audit(connection, context.vault, [entry])
    bulk.upsert(connection, tables.meta, ("name", "value"), [(APPLIED, version)])


def version_in_force(connection: Connection) -> str | None:
    """The version that was applied last."""
    in_force: str | None = connection.scalar(select(tables.meta.c.value).where(tables.meta.c.name == APPLIED))
    if in_force is not None:
        return in_force
    columns = tables.ruleset_versions.c
    latest: str | None = connection.scalar(select(columns.version).order_by(columns.applied_at.desc()).limit(1))
    return latest


def files_of(connection: Connection, version: str) -> dict[str, str]:
    """Path → text of a version's files and tables; empty where it is not kept."""
    columns = tables.ruleset_versions.c
    stored = connection.scalar(select(columns.files).where(columns.version == version))
    return {} if stored is None else msgspec.json.decode(stored, type=dict[str, str])


def files_diff(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    """Unified difference between two sets of files."""
    return "".join(
        text_diff(old.get(path, ""), new.get(path, ""), path)
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path)
    )


def text_diff(old: str, new: str, path: str) -> str:
    """Unified difference between two texts; empty where there is none."""
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), path, path, lineterm="")
    return "".join(f"{line}\n" for line in lines)


# ---------------------------------------------------------------- the text of one rule


@dataclass(frozen=True)
class Definition:
    """What one version says of a rule, condition, table or identifier.

    Attributes:
        name: "<ruleset>/<rule>" for a rule; else the bare name.
        file: Path as it was then.
        line: 1-based line of its first line.
        text: Its own lines.
        rules: Its lines with those of everything that it names, directly or through others.
        tables: What stands in the tables among them; empty where there are none.
        is_complete: Whether the contents of all of these tables are kept; older programs kept none.
    """

    name: str
    file: str
    line: int
    text: str
    rules: str
    tables: str = ""
    is_complete: bool = True

    @property
    def whole(self) -> str:
        """All that decides what it gives."""
        return self.rules + self.tables

    def differs(self, other: Definition) -> bool:
        """Whether it gives something else than in another version, as far as both are kept."""
        if self.is_complete and other.is_complete:
            return self.whole != other.whole
        return self.rules != other.rules


@dataclass(frozen=True)
class _Part:
    """One entry of a file; `table` is the path of the table that it names, if it is one."""

    file: str
    line: int
    text: str
    table: str | None


def definitions(files: Mapping[str, str]) -> dict[str, Definition]:
    """Every rule, condition, table and identifier in a version's files, by name."""
    parts: dict[str, _Part] = {}
    for path, text in files.items():
        if path.endswith(_RULESET_SUFFIXES):
            parts.update(_parts(load_yaml(text, path), path))
    return {name: _definition(name, parts, files) for name in parts}


_RULESET_SUFFIXES = (".yaml", ".yml")


def _parts(document: Document, path: str) -> Iterator[tuple[str, _Part]]:
    """Every entry of a file, by name."""
    folder = posixpath.dirname(path)
    tables = (document.data or {}).get("tables") or {}
    for name, place in _places(document):
        first, last = _lines(document, place)
        text = "\n".join(document.line_text(line) for line in range(first, last + 1)) + "\n"
        table = posixpath.normpath(posixpath.join(folder, tables[name])) if place == ("tables", name) else None
        yield name, _Part(path, first, text, table)


def _places(document: Document) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    """Names with their places."""
    data = document.data or {}
    for section in _RULES:
        for number, entry in enumerate(data.get(section) or ()):
            yield f"{data['ruleset']}/{entry['rule']}", (section, number)
    for section in _NAMED:
        for name in data.get(section) or {}:
            yield name, (section, name)


def _lines(document: Document, place: tuple[str | int, ...]) -> tuple[int, int]:
    """First and last line of an entry; comments and blank lines behind it belong to what follows."""
    first = document.position(place, key=True).line
    margin = _margin(document.line_text(first))
    last = line = first
    while line < document.text.count("\n") + 1:
        line += 1
        text = document.line_text(line)
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        if _margin(text) <= margin:
            break
        last = line
    return first, last


def _margin(text: str) -> int:
    return len(text) - len(text.lstrip())


def _definition(name: str, parts: Mapping[str, _Part], files: Mapping[str, str]) -> Definition:
    """A definition with everything that it names."""
    own = parts[name]
    used: set[str] = set()
    waiting = [own.text]
    while waiting:
        for word in re.findall(r"[a-z][a-z0-9_]*", waiting.pop()):
            if word in parts and word not in used and word != name:
                used.add(word)
                waiting.append(parts[word].text)
    tables = sorted({table for word in (name, *used) if (table := parts[word].table) is not None})
    return Definition(
        name,
        own.file,
        own.line,
        own.text,
        own.text + "".join(parts[word].text for word in sorted(used)),
        "".join(files.get(table, "") for table in tables),
        is_complete=all(table in files for table in tables),
    )
