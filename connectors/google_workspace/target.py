"""A customer of Google Workspace as the engine sees it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from connectors.contract import Capabilities, Kind, LicenceStock, Operation, Outcome, RemoteObject, ResumeToken, Value
from connectors.errors import Rejected, Stale
from connectors.google_workspace import group_attributes
from connectors.google_workspace.accounts import RULES, nobodys_password
from connectors.google_workspace.checking import check
from connectors.google_workspace.connection import Connection
from connectors.google_workspace.listing import Listing
from connectors.google_workspace.options import GoogleOptions
from connectors.google_workspace.reading import Reader
from connectors.google_workspace.schema import ACCOUNT_NAME, Table
from connectors.google_workspace.writing import Writer

_KINDS = frozenset({Kind.ACCOUNT, Kind.GROUP, Kind.MEMBERSHIP, Kind.NESTING, Kind.LICENCE})


class GoogleTarget:
    """`connectors.contract.Target` on a customer; the anchor of an account or a group is its id."""

    def __init__(self, options: GoogleOptions, folder: Path, password: Callable[[], str] = nobodys_password) -> None:
        """Relative files are relative to `folder`; `password` makes one that nobody knows. Touches nothing."""
        self._options = options
        self._connection = Connection(options, folder)
        self._table = Table(options.owner_type, options.custom_fields, options.external_ids, options.required)
        self._reader = Reader(self._connection, self._table, options.customer)
        self._listing = Listing(self._connection, options)
        self._writer = Writer(self._connection, options, self._table, self._reader, password)

    @cached_property
    def capabilities(self) -> Capabilities:
        """What a customer can do; known without a connection."""
        attributes = self._table.attributes
        return Capabilities(
            kinds=_KINDS,
            batch_size=self._options.batch_size,
            containers=True,
            soft_delete=True,
            purges=False,
            account_name=ACCOUNT_NAME,
            group_name=group_attributes.GROUP_NAME,
            unique=(ACCOUNT_NAME,),
            required=self._table.required,
            attributes={name: one.type for name, one in attributes.items()},
            group_attributes={name: one.type for name, one in group_attributes.GROUP.items()},
            max_lengths={name: one.max_length for name, one in attributes.items() if one.max_length is not None},
            passwords=True,
            password_rules=RULES,
            # Whoever is in the directory is shown to everybody in it: https://support.google.com/a/answer/1628009
            world_readable=frozenset(attributes),
            refuses_national_ids=True,
        )

    def check(self) -> None:
        """Signs in, and names every scope that is missing and every API that is not enabled; changes nothing.

        Raises:
            ConnectorError: Unavailable, Throttled, AuthenticationFailed (names scopes and APIs), Rejected (a setting).
        """
        check(self._connection, self._options)

    def read(
        self, kind: Kind, since: ResumeToken | None = None, attributes: Collection[str] | None = None
    ) -> Iterator[RemoteObject | ResumeToken]:
        """Every object of one kind. Google does not tell what changed, so there is no token.

        Raises:
            Stale: There was one all the same.
            ConnectorError: Unavailable, Throttled, AuthenticationFailed.
        """
        if since is not None:
            raise Stale("Google does not tell what changed")
        if kind is Kind.ACCOUNT:
            yield from self._reader.read(attributes)
        else:
            yield from self._listing.read(kind, attributes)

    def find(self, kind: Kind, attributes: Mapping[str, Value]) -> Sequence[RemoteObject]:
        """Accounts or groups in which every named attribute equals the value, without case.

        Raises:
            ConnectorError: As `read`; Rejected where an attribute cannot be searched.
        """
        if kind is Kind.ACCOUNT:
            return self._reader.find(attributes)
        if kind is Kind.GROUP:
            return self._listing.find_groups(attributes)
        raise Rejected(f"a {kind} cannot be searched for here")

    def apply(self, operations: Sequence[Operation]) -> Iterator[Outcome]:
        """Carries out a batch, fifty calls at a time and several batches of them at once, at the rates Google allows.

        Raises:
            ConnectorError: Unavailable, Throttled, AuthenticationFailed.
        """
        return self._writer.apply(operations)

    def licences(self) -> Sequence[LicenceStock]:
        """Seats by product, as they are now.

        Raises:
            ConnectorError: As `read`.
        """
        return self._listing.stocks()

    def close(self) -> None:
        """Lets go of the connection; safe to call twice."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
