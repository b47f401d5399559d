"""Reads a OneRoster export as tables in one form, whatever its version and its dirt.

What the files spread over several tables is joined here, because a mapping sees one row at a time: the roles that 1.1
keeps in users.csv, birth dates from demographics.csv, the dates of an enrolment from its class's terms. Joining keeps
ids and dates in memory (about 15 MiB for a hundred thousand people), never rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from connectors.contract import BadRecord, Record
from connectors.delimited import read_rows
from connectors.errors import Unreadable
from connectors.oneroster.container import Container, find_files
from connectors.oneroster.format import FAMILY_ROLES, LEFT_OUT, NEEDED, TABLES
from connectors.oneroster.layout import DIALECT, Layout, layout_of
from connectors.textfiles import Encoding, TextFile, TextPass


class OneRosterOptions(BaseModel):
    """Settings of a `oneroster` source."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Annotated[str, Field(min_length=1)] = Field(
        description="The folder or the .zip with the CSV files, relative to the configuration file."
    )
    version: Literal["auto", "1.1", "1.2"] = Field(
        "auto", description="Version of the standard; auto: what manifest.csv says, else 1.2 if there is a roles.csv."
    )
    encoding: Encoding = Field("utf-8", description="Encoding of the files. A byte order mark wins over it.")


class OneRosterSource:
    """Reads OneRoster CSV. See `connectors.contract.Source`."""

    def __init__(self, options: OneRosterOptions, base: Path) -> None:
        self._options = options
        self._base = base
        self._layouts: dict[str, Layout] = {}

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables there are; all of them where the files cannot be found, so that reading says why."""
        try:
            return tuple(table for table in TABLES if self._expected(table))
        except Unreadable:
            return tuple(TABLES)

    def columns(self, table: str) -> tuple[str, ...]:
        """The standard's columns of both versions, then the file's own further ones."""
        if table == "roles" and self._version == "1.1":
            return TABLES["roles"].columns
        return self._layout(table).columns

    def read(self, table: str) -> Iterator[Record | BadRecord]:
        """Rows but those marked `tobedeleted` or `inactive`, and what belongs to such users and classes."""
        if table == "users":
            return self._users()
        if table == "enrollments":
            return self._enrolments()
        if table == "roles":
            return self._roles_of_users() if self._version == "1.1" else self._without_gone("roles", "users")
        return self._present(table)

    def check(self) -> None:
        """Reads the manifest and all headers."""
        for table in self.tables:
            self.columns(table)

    # ------------------------------------------------------------ files

    @cached_property
    def _container(self) -> Container:
        return find_files(self._base, self._options.path, self._options.encoding)

    @cached_property
    def _manifest(self) -> dict[str, str]:
        """What manifest.csv says, by lower-case property; empty where there is none."""
        file = self._container.files.get("manifest.csv")
        if file is None:
            return {}
        rows = read_rows(file, DIALECT, "manifest")
        return {
            row.values[0].lower(): row.values[1].lower() for row in rows if isinstance(row, Record) and row.values[1:]
        }

    @cached_property
    def _version(self) -> str:
        if self._options.version != "auto":
            return self._options.version
        stated = self._manifest.get("oneroster.version", "")
        if stated:
            return "1.2" if stated.startswith("1.2") else "1.1"
        return "1.2" if "roles.csv" in self._container.files else "1.1"

    def _stated(self, table: str) -> str:
        """`bulk`, `delta`, `absent`, or empty where the manifest says nothing."""
        return self._manifest.get(f"file.{table}".lower(), "")

    def _expected(self, table: str) -> bool:
        needed = table in NEEDED or table == "roles" or self._stated(table) in ("bulk", "delta")
        return needed or f"{table}.csv".lower() in self._container.files

    def _file(self, table: str) -> TextFile:
        """The file of one table.

        Raises:
            Unreadable: It is missing; or it holds only what has changed, which would read as everybody else's leaving.
        """
        if self._stated(table) == "delta":
            reason = f"holds only the changes of {table}.csv (manifest.csv says delta): export in bulk"
            raise Unreadable(reason, file=self._options.path)
        file = self._container.files.get(f"{table}.csv".lower())
        if file is None:
            raise Unreadable(f"has no {table}.csv", file=self._options.path)
        return file

    def _layout(self, table: str) -> Layout:
        if table not in self._layouts:
            layout = layout_of(table, self._file(table))
            if table == "users" and self._version == "1.1":
                _require_roles(layout)
            self._layouts[table] = layout
        return self._layouts[table]

    # ------------------------------------------------------------ rows

    def _present(self, table: str) -> Iterator[Record | BadRecord]:
        """Rows that are not marked as gone."""
        layout = self._layout(table)
        status = layout.columns.index("status")
        for row in layout.rows():
            if isinstance(row, BadRecord) or row.values[status] not in LEFT_OUT:
                yield row

    def _without_gone(self, table: str, *others: str) -> Iterator[Record | BadRecord]:
        """Rows that refer to no user or class that is marked as gone: nobody needs to hear of them."""
        layout = self._layout(table)
        places = {other: layout.columns.index(_REFERENCES[other]) for other in others}
        gone = {places[other]: ids for other in others if (ids := self._gone(other))}
        if not gone:
            yield from self._present(table)
            return
        for row in self._present(table):
            if isinstance(row, BadRecord) or not any(row.values[place] in ids for place, ids in gone.items()):
                yield row

    def _gone(self, table: str) -> frozenset[str]:
        """Ids that only rows marked as gone have; files that mark none are merely searched for the words."""
        if not self._expected(table) or not _mentions(self._file(table), LEFT_OUT):
            return frozenset()
        layout = self._layout(table)
        status = layout.columns.index("status")
        gone: set[str] = set()
        there: set[str] = set()
        for row in layout.rows():
            if isinstance(row, Record):
                (gone if row.values[status] in LEFT_OUT else there).add(row.values[0])
        return frozenset(gone - there)

    def _users(self) -> Iterator[Record | BadRecord]:
        """Users with birth date and sex, and in 1.2 the role too: parents can be told from pupils in every version."""
        columns = self.columns("users")
        role, birth, sex = (columns.index(name) for name in ("role", "birthDate", "sex"))
        births = _Births(self._present("demographics") if self._expected("demographics") else iter(()))
        roles = self._first_roles() if self._version == "1.2" else {}
        for row in self._present("users"):
            if isinstance(row, BadRecord):
                yield row
                continue
            known = births.of(row.values[0])
            if known is None:
                reason = "its row in demographics.csv cannot be read"
                yield BadRecord("users", row.file, row.line, None, reason, dict(zip(columns, row.values, strict=True)))
                continue
            cells = list(row.values)
            cells[birth], cells[sex] = known[0] or cells[birth], known[1] or cells[sex]
            cells[role] = roles.get(cells[0]) or cells[role]
            yield Record(row.table, tuple(cells), row.file, row.line)

    def _first_roles(self) -> dict[str, str]:
        """Each user's first role; one in the school comes before one in the family."""
        found: dict[str, str] = {}
        columns = self.columns("roles")
        user, role = columns.index("userSourcedId"), columns.index("role")
        for row in self._present("roles"):
            if isinstance(row, Record) and found.get(row.values[user], FAMILY_ROLES[0]) in FAMILY_ROLES:
                found[row.values[user]] = row.values[role]
        return found

    def _roles_of_users(self) -> Iterator[Record | BadRecord]:
        """1.1: one role for each organisation that a user's row names; the first is the primary one."""
        columns = self.columns("users")
        role, orgs = columns.index("role"), columns.index("orgSourcedIds")
        for row in self._present("users"):
            if isinstance(row, BadRecord):
                known = {"userSourcedId": row.values["sourcedId"]} if "sourcedId" in row.values else {}
                yield msgspec.structs.replace(row, table="roles", column=None, values=known)
                continue
            user, status, *_ = row.values
            for number, org in enumerate(_listed(row.values[orgs])):
                rank = "secondary" if number else "primary"
                made = ("", status, "", user, rank, row.values[role], "", "", org, "")  # in the order of 1.2's columns
                yield Record("roles", made, row.file, row.line)

    def _enrolments(self) -> Iterator[Record | BadRecord]:
        """Enrolments, with the dates of their class's terms where they have none of their own.

        The standard's end dates are the first day after; they are given as they stand, so that read as the last day
        an enrolment lasts a day longer rather than a day too short.
        """
        columns = self.columns("enrollments")
        class_, begin, end = (columns.index(name) for name in ("classSourcedId", "beginDate", "endDate"))
        terms = self._terms_of_classes()
        for row in self._without_gone("enrollments", "users", "classes"):
            if isinstance(row, BadRecord) or (row.values[begin] and row.values[end]):
                yield row
                continue
            cells = list(row.values)
            first, last = terms.get(cells[class_], ("", ""))
            cells[begin], cells[end] = cells[begin] or first, cells[end] or last
            yield Record(row.table, tuple(cells), row.file, row.line)

    def _terms_of_classes(self) -> dict[str, tuple[str, str]]:
        """First and last date of each class's terms; a class whose terms are not all known has none."""
        if not (self._expected("classes") and self._expected("academicSessions")):
            return {}
        columns = self.columns("academicSessions")
        start, end = columns.index("startDate"), columns.index("endDate")
        sessions = {
            row.values[0]: (row.values[start], row.values[end])
            for row in self._present("academicSessions")
            if isinstance(row, Record) and row.values[start] and row.values[end]
        }
        terms = self.columns("classes").index("termSourcedIds")
        found: dict[str, tuple[str, str]] = {}
        for row in self._present("classes"):
            dates = [sessions.get(term) for term in _listed(row.values[terms])] if isinstance(row, Record) else []
            known = [pair for pair in dates if pair is not None]
            if isinstance(row, Record) and known and len(known) == len(dates):
                found[row.values[0]] = min(first for first, _ in known), max(last for _, last in known)
        return found


_REFERENCES = {"users": "userSourcedId", "classes": "classSourcedId"}


class _Births:
    """Birth date and sex by user, from the rows of demographics.csv."""

    def __init__(self, rows: Iterator[Record | BadRecord]) -> None:
        columns = TABLES["demographics"].columns
        birth, sex = columns.index("birthDate"), columns.index("sex")
        self._found: dict[str, tuple[str, str] | None] = {}
        self._rest: tuple[str, str] | None = ("", "")
        shared: dict[tuple[str, str], tuple[str, str]] = {}
        for row in rows:
            if isinstance(row, Record):
                pair = row.values[birth], row.values[sex]
                self._found[row.values[0]] = shared.setdefault(pair, pair)
            elif row.truncated or not row.values.get("sourcedId"):
                self._rest = None
            else:
                self._found[row.values["sourcedId"]] = None

    def of(self, user: str) -> tuple[str, str] | None:
        """Birth date and sex, empty where unknown; None where they may have been in a row that cannot be read."""
        return self._found.get(user, self._rest)


def _require_roles(layout: Layout) -> None:
    """In 1.1 users.csv says who is a pupil where; without that everybody would be nobody.

    Raises:
        Unreadable: It does not.
    """
    own = len(layout.header)
    places = dict(zip(layout.columns, layout.places, strict=True))
    missing = [name for name in ("orgSourcedIds", "role") if places[name] == own]
    if missing:
        raise Unreadable(
            f"has no column {', '.join(missing)}, and there is no roles.csv", file=layout.file.name, line=1
        )


def _listed(value: str) -> list[str]:
    """The parts of a comma-separated list, each once."""
    return list(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))


def _mentions(file: TextFile, sought: tuple[str, ...]) -> bool:
    """Whether one of some lower-case words occurs anywhere in a file."""
    overlap = max(map(len, sought))
    before = ""
    with closing(TextPass(file).chunks()) as chunks:
        for chunk in chunks:
            text = before + chunk.lower()
            if any(word in text for word in sought):
                return True
            before = text[-overlap:]
    return False
