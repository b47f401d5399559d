"""A domain as the engine sees it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from connectors.active_directory.connection import Session
from connectors.active_directory.links import Links
from connectors.active_directory.options import ActiveDirectoryOptions
from connectors.active_directory.reading import Reader
from connectors.contract import Capabilities, Kind, LicenceStock, RemoteObject, ResumeToken, Value

_MAX_LENGTHS = {
    "sAMAccountName": 20,  # 256 in the schema; but nobody signs in with a longer one
    "userPrincipalName": 1024,
    "cn": 64,
    "displayName": 256,
    "givenName": 64,
    "sn": 64,
    "initials": 6,
    "title": 128,
    "department": 64,
    "company": 64,
    "division": 256,
    "employeeID": 16,
    "employeeNumber": 512,
    "employeeType": 256,
    "mail": 256,
    "mobile": 64,
    "telephoneNumber": 64,
    "physicalDeliveryOfficeName": 128,
    "streetAddress": 1024,
    "postalCode": 40,
    "l": 128,
    "info": 1024,
    "description": 1024,
    "adminDescription": 256,
}
"""rangeUpper of the schema of Windows Server 2012 R2 ([MS-ADA1] to [MS-ADA3])."""


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
        return Capabilities(
            kinds=frozenset({Kind.ACCOUNT, Kind.GROUP, Kind.MEMBERSHIP, Kind.NESTING}),
            batch_size=self._options.batch_size,
            containers=True,
            incremental=True,
            account_name="sAMAccountName",
            group_name="sAMAccountName",
            unique=("sAMAccountName", *self._options.unique),
            required=("sAMAccountName", *self._options.required),
            max_lengths=_MAX_LENGTHS,
            concurrency=8,
        )

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
