"""A batch of operations, in as few HTTP requests as Google allows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from connectors.contract import Action, Kind, Operation, Outcome
from connectors.errors import ConnectorError, PutOff, Rejected
from connectors.google_workspace.accounts import Accounts, Policy, find_owned, mark_of
from connectors.google_workspace.chains import Chain, run
from connectors.google_workspace.connection import Connection
from connectors.google_workspace.former import Former
from connectors.google_workspace.groups import Groups
from connectors.google_workspace.licences import Licences
from connectors.google_workspace.members import Members
from connectors.google_workspace.options import GoogleOptions
from connectors.google_workspace.reading import Reader
from connectors.google_workspace.refusals import as_a_whole
from connectors.google_workspace.schema import Table
from connectors.google_workspace.transfers import hand_over
from connectors.google_workspace.units import Units
from connectors.memory import Memory

_LINKS = (Kind.MEMBERSHIP, Kind.NESTING)
ADMINISTRATORS_SECONDS = 60.0
"""For how long is known who is an administrator: asking is a call or two for a whole batch."""


class Writer:
    """Writes to one customer."""

    def __init__(
        self,
        connection: Connection,
        options: GoogleOptions,
        table: Table,
        reader: Reader,
        password: Callable[[], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`password` makes one that nobody knows; `clock` is monotonic, in seconds."""
        self._connection = connection
        self._options = options
        self._table = table
        self._reader = reader
        self._password = password
        self._clock = clock
        self._memory = Memory(options.settling_seconds)
        self._units = Units(options.customer)
        self._former = Former()
        self._administrators: frozenset[str] = frozenset()
        self._asked = float("-inf")

    def apply(self, operations: Sequence[Operation]) -> Iterator[Outcome]:
        """As `connectors.contract.Target.apply`.

        Raises:
            Unavailable, Throttled, AuthenticationFailed: The batch as a whole.
        """
        if not operations:
            return
        late = self._late(operations)
        yield from (Outcome(one.id, PutOff("Google takes no more licences in so little time")) for one in late)
        put_off = {one.id for one in late}
        now = [one for one in operations if one.id not in put_off]
        owned, unplaced = self._look(now)
        for outcomes in run(self._connection, self._chains(now, owned, unplaced)):
            yield from outcomes

    def _late(self, operations: Sequence[Operation]) -> list[Operation]:
        """Those on licences for which there is no time; one account's are never torn apart."""
        licences = [one for one in operations if one.kind is Kind.LICENCE]
        accounts = list(dict.fromkeys(one.account for one in licences))
        fits = self._connection.fits("licences")
        late = {account for at, account in enumerate(accounts) if at >= fits}
        return [one for one in licences if one.account in late]

    def _look(self, operations: Sequence[Operation]) -> tuple[Mapping[str, str], Mapping[str, ConnectorError]]:
        """Accounts that were made for the owners of new ones, and why containers cannot be had."""
        accounts = [one for one in operations if one.kind is Kind.ACCOUNT]
        if not accounts:
            return {}, {}
        marks = list(dict.fromkeys(mark_of(one) for one in accounts if one.action is Action.CREATE))
        containers = list(dict.fromkeys(one.container for one in accounts if one.container is not None))
        apis, most = self._connection.apis, self._connection.fits("units")
        try:
            self._know_administrators()
            (owned,) = run(self._connection, [find_owned(apis, self._table, self._options.customer, marks)])
            (unplaced,) = run(self._connection, [self._units.ensure(apis, containers, most)])
        except ConnectorError as error:
            raise as_a_whole(error) from error
        return owned, unplaced

    def _know_administrators(self) -> None:
        if self._clock() - self._asked > ADMINISTRATORS_SECONDS:
            self._administrators = self._reader.administrators()
            self._asked = self._clock()

    def _chains(
        self, operations: Sequence[Operation], owned: Mapping[str, str], unplaced: Mapping[str, ConnectorError]
    ) -> Iterator[Chain[list[Outcome]]]:
        apis = self._connection.apis
        accounts = self._accounts(owned, unplaced)
        options = self._options
        groups = Groups(apis, self._memory, options.owner_type, options.keep_former_address, self._former)
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
                yield _nothing([Outcome(operation.id, Rejected(f"a customer has no {operation.kind}"))])
        members = Members(apis, self._memory)
        for group, each in links.items():
            yield members.chain(group, each)
        giving = Licences(apis, self._memory, self._options.licences)
        for account, each in licences.items():
            yield giving.chain(account, each)

    def _accounts(self, owned: Mapping[str, str], unplaced: Mapping[str, ConnectorError]) -> Accounts:
        apis, options = self._connection.apis, self._options
        receiver = options.transfer_to
        handing_over = None if receiver is None else (lambda user: hand_over(apis, user, receiver))
        return Accounts(
            apis=apis,
            table=self._table,
            policy=Policy(
                options.archive, options.keep_former_address, handing_over, options.password_hash is not None
            ),
            memory=self._memory,
            password=self._password,
            owned=owned,
            administrators=self._administrators,
            unplaced=unplaced,
            forget_unit=self._units.forget,
            former=self._former,
        )


def _one(chain: Chain[Outcome]) -> Chain[list[Outcome]]:
    return [(yield from chain)]


def _nothing(outcomes: list[Outcome]) -> Chain[list[Outcome]]:
    return outcomes
    yield  # makes it a chain, of no call
