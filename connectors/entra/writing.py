"""A batch of operations, in as few HTTP requests as Graph allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from connectors.contract import Action, Kind, Operation, Outcome
from connectors.entra.accounts import Accounts, find_owned, mark_of
from connectors.entra.chains import Chain, Memory, run
from connectors.entra.connection import Connection
from connectors.entra.groups import Groups, find_named
from connectors.entra.licences import Licences, Product
from connectors.entra.members import Members
from connectors.entra.options import EntraOptions
from connectors.entra.refusals import as_a_whole
from connectors.entra.schema import GROUP_NAME, Table
from connectors.errors import ConnectorError, Rejected

_LINKS = (Kind.MEMBERSHIP, Kind.NESTING)
Found = tuple[Mapping[str, str], Mapping[str, Sequence[tuple[str, str]]]]


class Writer:
    """Writes to one tenant."""

    def __init__(
        self,
        connection: Connection,
        options: EntraOptions,
        table: Table,
        memory: Memory,
        password: Callable[[], str],
        products: Callable[[], Mapping[str, Product]],
    ) -> None:
        """`password` makes one that nobody knows; `products` tells what the tenant has, by folded part number."""
        self._connection = connection
        self._options = options
        self._table = table
        self._memory = memory
        self._password = password
        self._products = products

    def apply(self, operations: Sequence[Operation]) -> Iterator[Outcome]:
        """As `connectors.contract.Target.apply`.

        Raises:
            Unavailable, Throttled, AuthenticationFailed: The batch as a whole.
        """
        if not operations:
            return
        owned, named = self._look(operations)
        for outcomes in run(self._connection, self._chains(operations, owned, named)):
            yield from outcomes

    def _look(self, operations: Sequence[Operation]) -> Found:
        """Accounts that were made for the owners of new ones, and groups of the names that groups shall have."""
        creates = [one for one in operations if one.kind is Kind.ACCOUNT and one.action is Action.CREATE]
        groups = [one for one in operations if one.kind is Kind.GROUP]
        marks = dict.fromkeys(mark_of(one) for one in creates)
        names = dict.fromkeys(str(one.attributes[GROUP_NAME]) for one in groups if one.attributes.get(GROUP_NAME))
        if not marks and not names:
            return {}, {}
        try:
            (found,) = run(self._connection, [_both(self._table, list(marks), list(names))])
        except ConnectorError as error:
            raise as_a_whole(error) from error
        return found

    def _chains(
        self,
        operations: Sequence[Operation],
        owned: Mapping[str, str],
        named: Mapping[str, Sequence[tuple[str, str]]],
    ) -> Iterator[Chain[list[Outcome]]]:
        accounts = Accounts(self._table, self._memory, self._password, owned)
        groups = Groups(self._memory, named)
        links: dict[str, list[Operation]] = {}
        licences: dict[str, list[Operation]] = {}
        for operation in operations:
            if operation.kind in _LINKS:
                links.setdefault(operation.anchor or "", []).append(operation)
            elif operation.kind is Kind.LICENCE:
                licences.setdefault(operation.account or "", []).append(operation)
            elif operation.kind is Kind.ACCOUNT:
                yield _one(accounts.chain(operation))
            elif operation.kind is Kind.GROUP:
                yield _one(groups.chain(operation))
            else:
                yield _nothing([Outcome(operation.id, Rejected(f"a tenant has no {operation.kind}"))])
        members = Members(self._options.graph_url, self._memory)
        for group, each in links.items():
            yield members.chain(group, each)
        if licences:
            off = {part.casefold(): plans for part, plans in self._options.disabled_plans.items()}
            giving = Licences(self._products(), off, self._memory)
            for account, each in licences.items():
                yield giving.chain(account, each)


def _both(table: Table, marks: Sequence[str], names: Sequence[str]) -> Chain[Found]:
    return (yield from find_owned(table, marks)), (yield from find_named(names))


def _one(chain: Chain[Outcome]) -> Chain[list[Outcome]]:
    return [(yield from chain)]


def _nothing(outcomes: list[Outcome]) -> Chain[list[Outcome]]:
    return outcomes
    yield  # makes it a chain, of no request
