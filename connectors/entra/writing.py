"""A batch of operations, in as few HTTP requests as Graph allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from connectors.contract import Action, Kind, Operation, Outcome
from connectors.entra.accounts import Accounts, find_owned, mark_of
from connectors.entra.chains import Chain, run
from connectors.entra.connection import Connection
from connectors.entra.groups import Groups, find_named
from connectors.entra.licences import Licences, Product, find_given_by_groups
from connectors.entra.managers import Managers, find_managers
from connectors.entra.members import Members
from connectors.entra.options import EntraOptions
from connectors.entra.refusals import as_a_whole
from connectors.entra.schema import GROUP_NAME, MANAGER, Table
from connectors.entra.synchronised import Synchronised
from connectors.entra.teams import Teams
from connectors.errors import ConnectorError, Rejected
from connectors.memory import Memory

_LINKS = (Kind.MEMBERSHIP, Kind.NESTING)


class Found(NamedTuple):
    """What a look before a batch found.

    Attributes:
        owned: Ids of accounts by their marks.
        named: Groups by their folded names, each as id and mark.
        managers: Ids of accounts by what managers are meant by.
    """

    owned: Mapping[str, str]
    named: Mapping[str, Sequence[tuple[str, str]]]
    managers: Mapping[str, str]


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
        self._by_groups: dict[str, bool] = {}

    def apply(self, operations: Sequence[Operation]) -> Iterator[Outcome]:
        """As `connectors.contract.Target.apply`.

        Raises:
            Unavailable, Throttled, AuthenticationFailed: The batch as a whole.
        """
        if not operations:
            return
        found = self._look(operations)
        for outcomes in run(self._connection, self._chains(operations, found)):
            yield from outcomes

    def _look(self, operations: Sequence[Operation]) -> Found:
        """Accounts of the owners of new ones, groups of the names that groups shall have, and managers."""
        creates = [one for one in operations if one.kind is Kind.ACCOUNT and one.action is Action.CREATE]
        marks = dict.fromkeys(mark_of(one) for one in creates if self._options.accounts == "cloud")
        names = _values(operations, Kind.GROUP, GROUP_NAME)
        names += [name for one in operations for name in one.earlier_names]
        managers = _values(operations, Kind.ACCOUNT, MANAGER)
        if not marks and not names and not managers:
            return Found({}, {}, {})
        try:
            (found,) = run(self._connection, [_look(self._table, list(marks), names, managers)])
        except ConnectorError as error:
            raise as_a_whole(error) from error
        return found

    def _chains(self, operations: Sequence[Operation], found: Found) -> Iterator[Chain[list[Outcome]]]:
        managers = Managers(self._options.graph_url, self._memory, dict(found.managers))
        accounts: Accounts | Synchronised = Accounts(self._table, self._memory, self._password, found.owned, managers)
        if self._options.accounts == "synchronised":
            accounts = Synchronised(self._table)
        groups = Groups(self._memory, found.named, Teams(self._options.graph_url))
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
            giving = self._giving([one for each in licences.values() for one in each])
            for account, each in licences.items():
                yield giving.chain(account, each)

    def _giving(self, operations: Sequence[Operation]) -> Licences:
        """Gives licences; looks once which of the products groups give, too."""
        products = self._products()
        named = {(one.sku or "").casefold() for one in operations if one.action is Action.CREATE}
        skus = [products[name].sku_id for name in sorted(named) if name in products]
        if unknown := [sku for sku in skus if sku not in self._by_groups]:
            try:
                (found,) = run(self._connection, [find_given_by_groups(unknown)])
            except ConnectorError as error:
                raise as_a_whole(error) from error
            self._by_groups.update({sku: sku in found for sku in unknown})
        off = {part.casefold(): plans for part, plans in self._options.disabled_plans.items()}
        by_groups = {sku for sku in skus if self._by_groups[sku]}
        return Licences(products, off, self._memory, by_groups)


def _look(table: Table, marks: Sequence[str], names: Sequence[str], managers: Sequence[str]) -> Chain[Found]:
    owned = yield from find_owned(table, marks)
    named = yield from find_named(names)
    return Found(owned, named, (yield from find_managers(table, managers)))


def _values(operations: Sequence[Operation], kind: Kind, name: str) -> list[str]:
    """What an attribute shall be, each once."""
    values = (one.attributes.get(name) for one in operations if one.kind is kind)
    return list(dict.fromkeys(str(value) for value in values if value))


def _one(chain: Chain[Outcome]) -> Chain[list[Outcome]]:
    return [(yield from chain)]


def _nothing(outcomes: list[Outcome]) -> Chain[list[Outcome]]:
    return outcomes
    yield  # makes it a chain, of no request
