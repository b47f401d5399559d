"""A domain as the engine sees it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from connectors.active_directory.checking import check
from connectors.active_directory.connection import Session
from connectors.active_directory.links import Links
from connectors.active_directory.options import ActiveDirectoryOptions
from connectors.active_directory.reading import Reader
from connectors.active_directory.settings import capabilities_of
from connectors.active_directory.writing import Writer
from connectors.contract import Capabilities, Kind, LicenceStock, Operation, Outcome, RemoteObject, ResumeToken, Value


class ActiveDirectoryTarget:
    """`connectors.contract.Target` on a domain; the anchor is objectGUID, written as a UUID."""

    def __init__(self, options: ActiveDirectoryOptions, folder: Path) -> None:
        """A relative `ca_file` is relative to `folder`. Touches nothing."""
        self._options = options
        self._session = Session(options, folder)
        self._reader = Reader(self._session, options)

    @cached_property
    def capabilities(self) -> Capabilities:
        """What a domain can do; known without a connection."""
        return capabilities_of(self._options)

    def check(self) -> str | None:
        """Connects, and proves the rights to read and to write in every container of the settings; changes nothing.

        Returns:
            What could not be proved, for an operator, or None.

        Raises:
            ConnectorError: Unavailable, AuthenticationFailed (names the rights), Rejected (an attribute is unknown).
        """
        return check(self._reader, self._options)

    def lacks(self, kind: Kind, attributes: Collection[str]) -> Sequence[str]:
        """Those of some attributes that the domain's schema has not: Exchange's are there only where it has been.

        Raises:
            ConnectorError: Unavailable, AuthenticationFailed.
        """
        return self._reader.lacks(kind, attributes)

    def read(
        self, kind: Kind, since: ResumeToken | None = None, attributes: Collection[str] | None = None
    ) -> Iterator[RemoteObject | ResumeToken]:
        """Every object of one kind in the containers of the settings; with `since`, those that changed; then a token.

        Raises:
            Stale: The token is no longer good; read fully.
            ConnectorError: Unavailable, Throttled, AuthenticationFailed.
        """
        if kind in (Kind.ACCOUNT, Kind.GROUP):
            yield from self._reader.read(kind, since, attributes)
        elif kind in (Kind.MEMBERSHIP, Kind.NESTING):
            yield from Links(self._reader).read(kind, since)

    def find(self, kind: Kind, attributes: Mapping[str, Value]) -> Sequence[RemoteObject]:
        """Accounts or groups in which every named attribute equals the value, without case.

        Raises:
            ConnectorError: As `read`; Rejected where an attribute cannot be searched.
        """
        return self._reader.find(kind, attributes)

    def apply(self, operations: Sequence[Operation]) -> Iterator[Outcome]:
        """Carries out a batch, many requests under way at once; what is protected is never changed.

        Raises:
            ConnectorError: Unavailable, Throttled, AuthenticationFailed.
        """
        return Writer(self._session, self._options).apply(operations)

    def licences(self) -> Sequence[LicenceStock]:
        """None: a domain has no licences."""
        return ()

    def close(self) -> None:
        """Lets go of the connection; safe to call twice."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
