"""Users as the customer has them, deleted ones too. Google tells no changes since, so always all of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from connectors.contract import Kind, RemoteObject, Value
from connectors.errors import ConnectorError
from connectors.google_workspace import refusals, searching
from connectors.google_workspace.accounts import is_administrator, owner_of
from connectors.google_workspace.connection import Connection
from connectors.google_workspace.schema import ACCOUNT_NAME, Table

_PAGE = 500


class Reader:
    """Reads the users of one customer."""

    def __init__(self, connection: Connection, table: Table, customer: str) -> None:
        """`table` says what accounts have."""
        self._connection = connection
        self._table = table
        self._customer = customer

    def read(self, attributes: Collection[str] | None) -> Iterator[RemoteObject]:
        """Every account, and behind them those of the recycle bin; who is deleted meanwhile is told of once.

        Raises:
            ConnectorError: As `Connection.get`.
        """
        told: set[str] = set()
        for one in self._users(attributes):
            told.add(str(one["id"]))
            yield self._account(one, attributes)
        for one in self._users(attributes, showDeleted="true"):
            if str(one["id"]) not in told:
                yield self._account(one, attributes, deleted=True)

    def find(self, wanted: Mapping[str, Value]) -> list[RemoteObject]:
        """Accounts in which every named attribute equals the value, without case.

        Raises:
            Rejected: An attribute is unknown or cannot be searched for.
            ConnectorError: As `Connection.get`.
        """
        query = searching.search(self._table, wanted)
        if query is None:
            return []
        # Google's searches lag behind: an address is asked for, all else looked for.
        address = wanted.get(ACCOUNT_NAME)
        told = self._users(None, query=query) if address is None else self._of_address(str(address))
        found = [self._account(one, None) for one in told]
        return [one for one in found if searching.has_all(one.attributes, wanted)]

    def administrators(self) -> frozenset[str]:
        """Ids of super administrators, and of those with delegated rights.

        Raises:
            ConnectorError: As `Connection.get`.
        """
        queries = ("isAdmin=true", "isDelegatedAdmin=true")
        return frozenset(str(one["id"]) for query in queries for one in self._users((), query=query))

    def _of_address(self, address: str) -> Sequence[Mapping[str, Any]]:
        """Who has it, also as an alias."""
        call = self._connection.apis.users.get(userKey=address, fields=self._table.fields(), **self._table.projection())
        (reply,), error = self._connection.send([call])
        if reply is None:
            raise error or ConnectorError("an answer got lost")
        if reply.ok:
            return [reply.body]
        if refusals.is_nobodys(reply):
            return []
        raise refusals.as_a_whole(refusals.refusal(reply, Kind.ACCOUNT, None))

    def _users(self, attributes: Collection[str] | None, **more: str) -> Iterator[Mapping[str, Any]]:
        users = self._connection.apis.users
        call = users.list(
            customer=self._customer,
            maxResults=_PAGE,
            fields=f"nextPageToken,users({self._table.fields(attributes)})",
            **self._table.projection(attributes),
            **more,
        )
        for page in self._connection.pages(call, users.list_next):
            yield from page.get("users") or ()

    def _account(
        self, told: Mapping[str, Any], attributes: Collection[str] | None, *, deleted: bool = False
    ) -> RemoteObject:
        return RemoteObject(
            Kind.ACCOUNT,
            str(told["id"]),
            self._table.attributes_of(told, attributes),
            container=str(told.get("orgUnitPath") or "/"),
            enabled=not (told.get("suspended") or told.get("archived")),
            deleted=deleted,
            owner=owner_of(self._table.mark_of(told)),
            protected=is_administrator(told),
        )
