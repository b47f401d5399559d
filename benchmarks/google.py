"""What writing to Google Workspace costs, against one call of Google's client after the other on the same service.

    python -m benchmarks.google                      1 000 members and updates, 50 ms a request; then Google's quotas
    python -m benchmarks.google --count 200 --seconds 20

The client does fewer, since it takes so long for each; rates are compared. With the quotas on (2 400 queries a minute,
ten new users and one licence a second) the connector is held against what they allow. Ends with 1 where it stays below
its floors: 5 times the client's rate, 0.9 of what the quotas allow, at most 2 % refused.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.comparing import Comparison, cost_here, finish
from benchmarks.measuring import Cost
from connectors.contract import Action, Kind, Operation, Target
from connectors.errors import PutOff
from connectors.google_workspace import open_target
from connectors.google_workspace.options import GoogleOptions
from connectors.google_workspace.pacing import QUERIES_SECONDS
from tests.services.google.client import Google
from tests.services.google.config import GOOGLES_QUOTAS, Config
from tests.services.google.control import GoogleService

FLOOR = 5.0
OF_THE_QUOTA = 0.9
MOST_REFUSED = 0.02
DELAY_SECONDS = 0.05
QUERIES, CREATIONS, LICENCES = 40, 10, 1
"""What the quotas allow in a second."""
SKU = "1010310009"
UNLIMITED = {"queries": 0, "creations": 0, "units": 0, "licences": 0}


def main() -> None:
    """Measures, prints, and ends with 1 below a floor."""
    options = _options()
    config = Config(delay_seconds=DELAY_SECONDS, products={"101031": {SKU: 10_000}})
    with GoogleService(config) as google:
        comparisons = list(_against_the_client(google, options.count))
        google.empty(config)
        google.change(**GOOGLES_QUOTAS)
        limited, refused = _against_the_quotas(google, options.seconds)
    print(f"with the quotas on, {refused:.2%} of all calls were refused", file=sys.stderr)
    if refused > MOST_REFUSED and not options.json:
        sys.exit(f"more than {MOST_REFUSED:.0%} refused")
    finish([*comparisons, *limited], as_json=options.json)


# ------------------------------------------------------------ the client


def _against_the_client(google: GoogleService, count: int) -> Iterator[Comparison]:
    users, (ours, theirs) = google.seed(users=count, groups=2)
    few = max(10, count // 20)
    with _target(google, UNLIMITED) as target:
        target.check()  # signed in, and everything imported
        client = Google(google)
        joins = [_joins(user, ours) for user in users]
        cost, floor = _both(
            target, joins, [client.members.insert(groupKey=theirs, body={"id": one}) for one in users[:few]]
        )
        yield Comparison("members", "googleapiclient", count, FLOOR, [cost], [_scaled(floor, count / few)])
        updates = [_update(user) for user in users]
        body = {"organizations": [{"title": "Rektor", "primary": True}]}
        cost, floor = _both(target, updates, [client.users.patch(userKey=one, body=body) for one in users[:few]])
        yield Comparison("updates", "googleapiclient", count, FLOOR, [cost], [_scaled(floor, count / few)])
        client.close()


def _both(target: Target, operations: Sequence[Operation], calls: Sequence[Any]) -> tuple[Cost, Cost]:
    """What ours cost, and what calls of the client do one after the other."""

    def one_by_one() -> None:
        for call in calls:
            call.execute()

    return cost_here(partial(_apply, target, operations)), cost_here(one_by_one)


# ------------------------------------------------------------ the quotas


def _against_the_quotas(google: GoogleService, seconds: int) -> tuple[list[Comparison], float]:
    """Against what the quotas allow; and the share of calls that were refused."""
    first = round(QUERIES * QUERIES_SECONDS)  # which may go at once: what follows is what counts, in whole windows
    following = first * max(1, round(seconds / QUERIES_SECONDS))
    users, (group,) = google.seed(users=first + following, groups=1)
    kinds: Sequence[tuple[str, int, Sequence[Operation]]] = (
        ("creations", CREATIONS, [_creation(number) for number in range(seconds * CREATIONS)]),
        ("licences", LICENCES, [_gift(user) for user in users[: seconds * LICENCES]]),
        ("", QUERIES, [_joins(user, group) for user in users[:first]]),
        ("members", QUERIES, [_joins(user, group) for user in users[first:]]),
    )
    found: list[Comparison] = []
    google.reset()
    with _target(google, None) as target:
        for what, allowed, operations in kinds:
            cost = cost_here(partial(_apply, target, operations))
            floor = replace(cost, seconds=len(operations) / allowed, cpu_seconds=0.0)
            found.append(Comparison(what, "its quota", len(operations), OF_THE_QUOTA, [cost], [floor]))
    counters = google.counters()
    return [one for one in found if one.what], counters.get("throttled", 0) / counters["operations"]


# ------------------------------------------------------------ what both need


def _apply(target: Target, operations: Sequence[Operation]) -> None:
    """Carries everything out, and again what there was no time for.

    Raises:
        RuntimeError: Something was refused.
    """
    size = target.capabilities.batch_size
    waiting = list(operations)
    while waiting:
        batch, waiting = {one.id: one for one in waiting[:size]}, waiting[size:]
        late: list[Operation] = []
        for outcome in target.apply(list(batch.values())):
            if isinstance(outcome.error, PutOff):
                late.append(batch[outcome.operation_id])
            elif outcome.error is not None:
                raise RuntimeError(str(outcome.error))
        waiting = late + waiting


def _joins(user: str, group: str) -> Operation:
    return Operation(f"m{user}", Kind.MEMBERSHIP, Action.CREATE, anchor=group, account=user)


def _update(user: str) -> Operation:
    attributes = {"organizations.title": "Rektor"}
    return Operation(f"u{user}", Kind.ACCOUNT, Action.UPDATE, anchor=user, attributes=dict(attributes))


def _gift(user: str) -> Operation:
    return Operation(f"l{user}", Kind.LICENCE, Action.CREATE, account=user, sku="student")


def _creation(number: int) -> Operation:
    attributes = {
        "primaryEmail": f"bench{number}@kommune.example",
        "givenName": "Ola",
        "familyName": f"Nordmann {number}",
    }
    return Operation(
        f"c{number}", Kind.ACCOUNT, Action.CREATE, owner=f"hr:{number}", enabled=True, attributes=dict(attributes)
    )


def _scaled(cost: Cost, times: float) -> Cost:
    """What so many times the work would have cost."""
    return replace(cost, seconds=cost.seconds * times, cpu_seconds=cost.cpu_seconds * times)


@contextmanager
def _target(google: GoogleService, rates: dict[str, int] | None) -> Iterator[Target]:
    """The customer; `rates` None: those that Google publishes."""
    words = {
        "key_file": str(google.key_file),
        "subject": google.config.admin,
        "endpoint": google.url,
        "licences": {"student": {"product": "101031", "sku": SKU}},
        **({} if rates is None else {"rates": rates}),
    }
    with open_target(GoogleOptions.model_validate(words), Path()) as target:
        yield target


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.google", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=1000, help="members and updates without quotas")
    parser.add_argument("--seconds", type=int, default=30, help="how long each quota is used")
    parser.add_argument("--json", action="store_true", help="figures as one line of JSON")
    return parser.parse_args()


if __name__ == "__main__":
    main()
