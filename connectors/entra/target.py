"""A tenant as the engine sees it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from connectors.contract import Capabilities, Kind, LicenceStock, Operation, Outcome, RemoteObject, ResumeToken, Value
from connectors.entra.accounts import RULES, nobodys_password
from connectors.entra.checking import check
from connectors.entra.connection import Connection
from connectors.entra.licences import Product, stocks
from connectors.entra.options import EntraOptions
from connectors.entra.reading import Reader
from connectors.entra.schema import ACCOUNT_NAME, GROUP, GROUP_NAME, user_table
from connectors.entra.writing import Writer
from connectors.memory import Memory

_KINDS = frozenset({Kind.ACCOUNT, Kind.GROUP, Kind.MEMBERSHIP, Kind.NESTING, Kind.LICENCE})


class EntraTarget:
    """`connectors.contract.Target` on a tenant; the anchor is the object id."""

    def __init__(self, options: EntraOptions, folder: Path, password: Callable[[], str] = nobodys_password) -> None:
        """Relative files are relative to `folder`; `password` makes one that nobody knows. Touches nothing."""
        self._options = options
        self._connection = Connection(options, folder)
        self._synchronised = options.accounts == "synchronised"
        self._table = user_table(options.owner_attribute, options.required, synchronised=self._synchronised)
        self._reader = Reader(self._connection, self._table)
        self._products: Mapping[str, Product] | None = None
        memory = Memory(options.settling_seconds)
        self._writer = Writer(self._connection, options, self._table, memory, password, self._known_products)

    @cached_property
    def capabilities(self) -> Capabilities:
        """What a tenant can do; known without a connection."""
        attributes = self._table.attributes
        return Capabilities(
            kinds=_KINDS,
            batch_size=self._options.batch_size,
            soft_delete=not self._synchronised,  # who comes back is brought up again, perhaps as somebody new
            incremental=True,
            account_name=ACCOUNT_NAME,
            group_name=GROUP_NAME,
            unique=tuple(dict.fromkeys(name for name in (ACCOUNT_NAME, *self._options.unique) if name in attributes)),
            required=self._table.required,
            attributes={name: one.type for name, one in attributes.items()},
            group_attributes={name: one.type for name, one in GROUP.items()},
            max_lengths={name: one.max_length for name, one in attributes.items() if one.max_length is not None},
            passwords=not self._synchronised,
            password_rules=RULES,
            # Every member may read every user, unless the tenant forbids it:
            # https://learn.microsoft.com/entra/fundamentals/users-default-permissions
            world_readable=frozenset(attributes),
            refuses_national_ids=True,
        )

    def check(self) -> str | None:
        """Signs in, and names every permission that is missing; changes nothing.

        Returns:
            What an operator should know, or None; as `checking.check`.

        Raises:
            ConnectorError: Unavailable, Throttled, AuthenticationFailed (names permissions), Rejected (a product).
        """
        return check(self._connection, self._reader, self._options)

    def read(
        self, kind: Kind, since: ResumeToken | None = None, attributes: Collection[str] | None = None
    ) -> Iterator[RemoteObject | ResumeToken]:
        """Every object of one kind in the tenant; with `since`, those that changed; then a token.

        Raises:
            Stale: The token is no longer good, or Graph does not tell what ended; read fully.
            ConnectorError: Unavailable, Throttled, AuthenticationFailed.
        """
        return self._reader.read(kind, since, attributes)

    def find(self, kind: Kind, attributes: Mapping[str, Value]) -> Sequence[RemoteObject]:
        """Accounts or groups in which every named attribute equals the value, without case.

        Raises:
            ConnectorError: As `read`; Rejected where an attribute cannot be searched.
        """
        return self._reader.find(kind, attributes)

    def apply(self, operations: Sequence[Operation]) -> Iterator[Outcome]:
        """Carries out a batch, twenty requests at a time and several batches of them at once.

        Raises:
            ConnectorError: Unavailable, Throttled, AuthenticationFailed.
        """
        return self._writer.apply(operations)

    def licences(self) -> Sequence[LicenceStock]:
        """Seats by product, as they are now.

        Raises:
            ConnectorError: As `read`.
        """
        self._products = self._reader.products()
        return stocks(self._products)

    def close(self) -> None:
        """Lets go of the connection; safe to call twice."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _known_products(self) -> Mapping[str, Product]:
        """What the tenant has bought: asked once, since only seats change from hour to hour."""
        if self._products is None:
            self._products = self._reader.products()
        return self._products
