"""What writing to Active Directory costs, against bare ldap3 in the same run on the same domain controller.

    python -m benchmarks.active_directory            a Samba domain controller of its own, 5 rounds of 1 000
    python -m benchmarks.active_directory --count 200 --rounds 1

Creations, changes of two attributes, and members joining one group: by bare ldap3 one after another (SYNC) and
asynchronously with 64 requests under way (ASYNC), and by the connector, in batches, with all that it does beside: it
looks whether an earlier attempt made the account, whether what it changes is protected, whether the container is
there, and tells every anchor. Accounts are made disabled and without a password by all three, since a controller takes
some 30 ms for each password, whoever sets it. By turns within each round, since adding slows down as a domain fills.
Ends with 1 where the connector stays below its floors: 0.85 of ldap3's asynchronous rate, 1.3 times its synchronous
one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import ldap3
from pydantic import SecretStr

from benchmarks.comparing import Comparison, cost_here, finish
from benchmarks.measuring import Cost
from connectors.active_directory import open_target
from connectors.active_directory.options import ActiveDirectoryOptions
from connectors.contract import Action, Kind, Operation, Outcome, Target
from tests.samba import DomainController, start_new, what_is_missing

ASYNCHRONOUS_FLOOR, SYNCHRONOUS_FLOOR = 0.85, 1.3
WINDOW = 64
BATCH = 500
CLASSES = ["top", "person", "organizationalPerson", "user"]
WORKS = ("create", "change", "join")


@dataclass
class Contender:
    """Somebody who writes to the domain.

    Attributes:
        name: For the table.
        works: The three pieces of work, each upon so many objects of a new prefix.
        costs: What each piece cost, round by round.
    """

    name: str
    works: dict[str, Callable[[str, int], None]]
    costs: dict[str, list[Cost]] = field(default_factory=lambda: {work: [] for work in WORKS})

    def run(self, work: str, prefix: str, count: int) -> None:
        """Does a piece of work and takes its time."""
        self.costs[work].append(cost_here(partial(self.works[work], prefix, count)))


class Bare:
    """ldap3 as it comes."""

    def __init__(self, connection: Any, container: str) -> None:
        self._connection = connection
        self._container = container

    def create(self, prefix: str, count: int) -> None:
        """New disabled accounts."""
        dns = (f"CN={prefix}{number},{self._container}" for number in range(count))
        self._all([("add", (dn, CLASSES, _new(prefix, number))) for number, dn in enumerate(dns)])

    def change(self, prefix: str, count: int) -> None:
        """Two attributes of each."""
        changes = {name: [(ldap3.MODIFY_REPLACE, [value])] for name, value in _CHANGE.items()}
        self._all([("modify", (f"CN={prefix}{number},{self._container}", changes)) for number in range(count)])

    def join(self, prefix: str, count: int) -> None:
        """One request for each member of a new group."""
        group = f"CN={prefix}-group,{self._container}"
        self._all([("add", (group, ["top", "group"], {"sAMAccountName": f"{prefix}-group"}))])
        members = (f"CN={prefix}{number},{self._container}" for number in range(count))
        self._all([("modify", (group, {"member": [(ldap3.MODIFY_ADD, [member])]})) for member in members])

    def _all(self, requests: Sequence[tuple[str, tuple[Any, ...]]]) -> None:
        for method, arguments in requests:
            if not getattr(self._connection, method)(*arguments):
                raise RuntimeError(self._connection.result)


class BareAsynchronous(Bare):
    """ldap3 with many requests under way."""

    def _all(self, requests: Sequence[tuple[str, tuple[Any, ...]]]) -> None:
        under_way: list[int] = []
        for method, arguments in requests:
            under_way.append(getattr(self._connection, method)(*arguments))
            if len(under_way) == WINDOW:
                self._await(under_way.pop(0))
        for message_id in under_way:
            self._await(message_id)

    def _await(self, message_id: int) -> None:
        _, result = self._connection.get_response(message_id)
        if result["result"]:
            raise RuntimeError(result)


class Ours:
    """The connector."""

    def __init__(self, target: Target, container: str) -> None:
        self._target = target
        self._container = container
        self._anchors: dict[str, list[str]] = {}

    def create(self, prefix: str, count: int) -> None:
        """New disabled accounts."""
        outcomes = self._all(
            Operation(
                uuid4().hex,
                Kind.ACCOUNT,
                Action.CREATE,
                f"{prefix}-{number}",
                attributes={name: value for name, value in _new(prefix, number).items() if name in _OURS},
                container=self._container,
                enabled=False,
            )
            for number in range(count)
        )
        self._anchors[prefix] = [str(outcome.anchor) for outcome in outcomes]

    def change(self, prefix: str, _count: int) -> None:
        """Two attributes of each."""
        self._all(
            Operation(uuid4().hex, Kind.ACCOUNT, Action.UPDATE, anchor=anchor, attributes=dict(_CHANGE))
            for anchor in self._anchors[prefix]
        )

    def join(self, prefix: str, _count: int) -> None:
        """One operation for each member of a new group."""
        name = f"{prefix}-group"
        create = Operation(
            uuid4().hex, Kind.GROUP, Action.CREATE, attributes={"sAMAccountName": name}, container=self._container
        )
        (group,) = (outcome.anchor for outcome in self._all([create]))
        self._all(
            Operation(uuid4().hex, Kind.MEMBERSHIP, Action.CREATE, anchor=group, account=account)
            for account in self._anchors[prefix]
        )

    def _all(self, operations: Iterator[Operation] | Sequence[Operation]) -> list[Outcome]:
        every = list(operations)
        outcomes: list[Outcome] = []
        for start in range(0, len(every), BATCH):
            outcomes += self._target.apply(every[start : start + BATCH])
        failed = [outcome.error for outcome in outcomes if outcome.error]
        if failed:
            raise RuntimeError(f"{len(failed)} failed, the first: {failed[0]!r}")
        return outcomes


_CHANGE = {"title": "Lærer", "department": "Skole"}
_OURS = ("sAMAccountName", "userPrincipalName", "givenName", "sn", "displayName", "employeeID")


def main() -> None:
    """Measures, prints, and ends with 1 below a floor."""
    options = _options()
    missing = what_is_missing()
    if missing:
        sys.exit(missing)
    controller = start_new()
    try:
        with _contenders(controller) as contenders:
            for number in range(options.rounds):
                _round(contenders, number, options.count)
    finally:
        controller.remove()
    finish([*_comparisons(contenders, options.count)], as_json=options.json)


def _round(contenders: Sequence[Contender], number: int, count: int) -> None:
    """Everybody does everything, each time in another order."""
    first = number % len(contenders)
    order = [*contenders[first:], *contenders[:first]]
    prefixes = {one.name: f"b{uuid4().hex[:7]}" for one in order}
    for work in WORKS:
        for one in order:
            one.run(work, prefixes[one.name], count)


def _comparisons(contenders: Sequence[Contender], count: int) -> Iterator[Comparison]:
    *others, ours = contenders
    for work in WORKS:
        for other, least in zip(others, (SYNCHRONOUS_FLOOR, ASYNCHRONOUS_FLOOR), strict=True):
            yield Comparison(work, other.name, count, least, ours.costs[work], other.costs[work])


@contextmanager
def _contenders(controller: DomainController) -> Iterator[list[Contender]]:
    """ldap3 one after another, ldap3 asynchronously, and the connector: each in a container of its own."""
    containers = [controller.new_container(name) for name in ("Synchronous", "Asynchronous", "Ours")]
    options = ActiveDirectoryOptions(
        servers=(controller.server,),
        ca_file=str(controller.ca_file),
        user=controller.admin_dn,
        password=SecretStr(controller.admin_password),
        random_password=False,
        batch_size=BATCH,
    )
    synchronous, asynchronous = (_bare(controller, strategy) for strategy in (ldap3.SYNC, ldap3.ASYNC))
    with open_target(options, Path()) as target:
        yield [
            _contender("ldap3 SYNC", Bare(synchronous, containers[0])),
            _contender("ldap3 ASYNC", BareAsynchronous(asynchronous, containers[1])),
            _contender("ours", Ours(target, containers[2])),
        ]
    for connection in (synchronous, asynchronous):
        connection.unbind()


def _contender(name: str, who: Bare | Ours) -> Contender:
    return Contender(name, {"create": who.create, "change": who.change, "join": who.join})


def _bare(controller: DomainController, strategy: str) -> Any:
    host, _, port = controller.server.rpartition(":")
    server = ldap3.Server(host, int(port), use_ssl=True, get_info=ldap3.NONE)
    return ldap3.Connection(
        server,
        controller.admin_dn,
        controller.admin_password,
        client_strategy=strategy,
        auto_bind=True,
        check_names=False,
    )


def _new(prefix: str, number: int) -> dict[str, str]:
    return {
        "sAMAccountName": f"{prefix}{number}",
        "userPrincipalName": f"{prefix}{number}@eadm.test",
        "givenName": f"Given{number}",
        "sn": f"Family{number}",
        "displayName": f"Given{number} Family{number}",
        "employeeID": str(number),
        "userAccountControl": "514",
        "msDS-cloudExtensionAttribute1": f"{prefix}-{number}",
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.active_directory",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--count", type=int, default=1000, help="objects of each contender in a round")
    parser.add_argument("--rounds", type=int, default=5, help="of which everybody's best counts")
    parser.add_argument("--json", action="store_true", help="figures for `python -m benchmarks`")
    return parser.parse_args()


if __name__ == "__main__":
    main()
