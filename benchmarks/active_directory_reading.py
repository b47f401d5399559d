"""What reading Active Directory costs, against bare ldap3 in the same run on the same domain controller.

    python -m benchmarks.active_directory_reading                 a Samba domain controller of its own, 10 000 users
    python -m benchmarks.active_directory_reading --count 2000 --rounds 1

Everybody with ten attributes, page by page: by ldap3's own paged search, which hands over text, and by the connector,
which also tells who is protected, enabled, and where. Then the members of one group of them all, with everybody's
primary group: by ldap3 as names, and by the connector as memberships with the anchors of both ends. By turns within
each round. Ends with 1 where the connector stays below its floor: 0.8 of the rate of ldap3.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from benchmarks.comparing import Comparison, cost_here, finish
from benchmarks.measuring import Cost
from connectors.active_directory import open_target
from connectors.active_directory.options import ActiveDirectoryOptions
from connectors.contract import Kind, Target
from tests.samba import DomainController, start_new, what_is_missing

FLOOR = 0.8
PAGE = 1000
_IN_USE = ("displayName", "mail", "givenName", "sn", "title", "department", "employeeID", "userPrincipalName")
_LEAST = ("objectGUID", "sAMAccountName")


def main() -> None:
    """Measures, prints, and ends with 1 below the floor."""
    options = _options()
    missing = what_is_missing()
    if missing:
        sys.exit(missing)
    controller = start_new()
    try:
        container = controller.new_container("Many")
        controller.seed(options.count, container)
        with controller.administrator() as bare, _target(controller, container) as target:
            _group(bare, container)
            accounts = _measure(
                options,
                lambda: sum(1 for _ in _paged(bare, container, "(sAMAccountType=805306368)", [*_LEAST, *_IN_USE])),
                lambda: _read(target, Kind.ACCOUNT),
            )
            members = _measure(options, lambda: _bare_members(bare, container), lambda: _read(target, Kind.MEMBERSHIP))
    finally:
        controller.remove()
    works = {"accounts": accounts, "members": members}
    comparisons = [
        Comparison(f"read {work}", "ldap3, paged", options.count, FLOOR, ours, bare)
        for work, (bare, ours) in works.items()
    ]
    finish(comparisons, as_json=options.json)


def _group(bare: Any, container: str) -> None:
    """One group of all there are."""
    dns = [one["dn"] for one in _paged(bare, container, "(objectClass=user)", ["cn"])]
    done = bare.add(f"CN=Everybody,{container}", "group", {"sAMAccountName": "bench-everybody", "member": dns})
    if not done:
        raise RuntimeError(bare.result)


def _bare_members(bare: Any, container: str) -> int:
    """How many are listed; and everybody's primary group, in which nobody is."""
    listed = sum(len(one["attributes"]["member"]) for one in _paged(bare, container, "(member=*)", ["member"]))
    primary = _paged(bare, container, "(sAMAccountType=805306368)", ["objectGUID", "primaryGroupID"])
    return listed + sum(not one["attributes"]["primaryGroupID"] for one in primary)


def _paged(bare: Any, container: str, filter_: str, attributes: list[str]) -> Any:
    return bare.extend.standard.paged_search(container, filter_, attributes=attributes, paged_size=PAGE, generator=True)


def _read(target: Target, kind: Kind) -> int:
    return sum(1 for _ in target.read(kind, None, _IN_USE)) - 1  # the last is a token


def _measure(
    options: argparse.Namespace, bare: Callable[[], int], ours: Callable[[], int]
) -> tuple[list[Cost], list[Cost]]:
    """What each run cost, of either."""

    def whole(who: Callable[[], int]) -> None:
        if (found := who()) != options.count:
            raise RuntimeError(f"{found} of {options.count} were read")

    rounds = [[cost_here(partial(whole, who)) for who in (bare, ours)] for _ in range(options.rounds)]
    return [one for one, _ in rounds], [one for _, one in rounds]


def _target(controller: DomainController, container: str) -> Target:
    options = ActiveDirectoryOptions(
        servers=(controller.server,),
        ca_file=str(controller.ca_file),
        user=controller.admin_dn,
        password=SecretStr(controller.admin_password),
        account_containers=(container,),
        group_containers=(container,),
    )
    return open_target(options, Path())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.active_directory_reading",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--count", type=int, default=10_000, help="users, all in one group")
    parser.add_argument("--rounds", type=int, default=3, help="of which everybody's best counts")
    parser.add_argument("--json", action="store_true", help="figures for `python -m benchmarks`")
    return parser.parse_args()


if __name__ == "__main__":
    main()
