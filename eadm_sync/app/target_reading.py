"""Reads targets, fully or from where the last reading ended."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from connectors.contract import Kind, RemoteObject, ResumeToken, Target
from connectors.errors import Stale
from eadm_sync.state import bulk, tables

KINDS = (Kind.ACCOUNT, Kind.GROUP, Kind.MEMBERSHIP, Kind.NESTING, Kind.LICENCE)
"""What is compared, in the order in which it is read."""

_PREFIX = "read:"


@dataclass
class Reading:
    """One reading of a target.

    Attributes:
        target: Opened by the caller.
        since: Where the last one ended, by kind; of kinds left out, and of those it is no longer good for, all is read.
        names: Attributes that are asked for, by kind.
        ended: Where this one ended, by kind; complete when `objects` has come to its end.
        partial: Kinds of which only what changed was read; known as soon as the first of a kind is handed out.
    """

    target: Target
    since: Mapping[Kind, str]
    names: Mapping[Kind, Collection[str]]
    ended: dict[Kind, str] = field(default_factory=dict)
    partial: set[Kind] = field(default_factory=set)

    def objects(self) -> Iterator[RemoteObject]:
        """Everything of the kinds that are compared.

        Raises:
            ConnectorError: The target cannot be read (to the end).
        """
        for kind in KINDS:
            if kind in self.target.capabilities.kinds:
                yield from self._of(kind)

    def _of(self, kind: Kind) -> Iterator[RemoteObject]:
        since = self.since.get(kind)
        if since is not None:
            self.partial.add(kind)
            try:
                yield from self._read(kind, ResumeToken(since))
            except Stale:  # what was handed out already is looked at twice, which changes nothing
                self.partial.discard(kind)
            else:
                return
        yield from self._read(kind, None)

    def _read(self, kind: Kind, since: ResumeToken | None) -> Iterator[RemoteObject]:
        for one in self.target.read(kind, since, self.names.get(kind)):
            if isinstance(one, ResumeToken):
                self.ended[kind] = one.value
            else:
                yield one


def last_tokens(connection: Connection, target: str) -> dict[Kind, str]:
    """Where the last reading of a target ended, by kind."""
    columns = tables.meta.c
    rows = connection.execute(select(columns.name, columns.value).where(columns.name.startswith(f"{_PREFIX}{target}:")))
    return {Kind(name.rpartition(":")[2]): value for name, value in rows}


def keep_tokens(connection: Connection, target: str, ended: Mapping[Kind, str]) -> None:
    """Notes where a reading ended, for the next one."""
    rows: Iterable[tuple[str, str]] = ((f"{_PREFIX}{target}:{kind}", token) for kind, token in ended.items())
    bulk.upsert(connection, tables.meta, ("name", "value"), rows)
