"""What writing to Entra ID costs, against one call of Microsoft's SDK after the other, on the same local service.

    python -m benchmarks.entra                     2 000 users, each in three groups and with a licence; 50 ms a request
    python -m benchmarks.entra --count 200

The SDK makes fewer users, since it takes so long for each; rates are compared. What the connector sends is counted,
beside what perfect batching would need: twenty requests in each batch, twenty members in each of those. Ends with 1
where the connector stays below its floors: 5 times the SDK's rate, and at most 1.1 times the requests.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import httpx
from azure.identity.aio import ClientSecretCredential
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
from msgraph.generated.models.password_profile import PasswordProfile
from msgraph.generated.models.user import User
from msgraph.graph_request_adapter import GraphRequestAdapter
from msgraph.graph_service_client import GraphServiceClient
from pydantic import SecretStr

from benchmarks.comparing import Comparison, cost_here, finish
from benchmarks.measuring import Cost
from connectors.contract import Action, Kind, Operation, Target
from connectors.entra import open_target
from connectors.entra.options import EntraOptions
from tests.services.graph.config import Config
from tests.services.graph.control import GraphService

FLOOR = 5.0
MOST_REQUESTS = 1.1
DELAY_SECONDS = 0.05
GROUPS, GROUPS_EACH = 40, 3
SKU = "STANDARDWOFFPACK_STUDENT"
TOGETHER = 20
FELLOWS = 100
"""Users next to one another who are in the same groups, as those who work in one place are."""


def main() -> None:
    """Measures, prints, and ends with 1 below a floor."""
    options = _options()
    config = Config(skus={SKU: options.count}, delay_seconds=DELAY_SECONDS)
    with GraphService(config) as graph, _target(graph) as target:
        _, groups = graph.seed(groups=GROUPS)
        target.check()
        graph.reset()
        operations = 0

        def ours() -> None:
            nonlocal operations
            operations = _sync(target, options.count, groups)

        cost = cost_here(ours)
        sent = graph.counters()["http_requests"]
        few = max(20, options.count // 20)
        one_by_one = cost_here(lambda: asyncio.run(_by_sdk(graph, few)))
    perfect = _perfect(options.count)
    print(f"{sent} HTTP requests; perfect batching needs {perfect}: {sent / perfect:.2f} times")
    rate = Comparison("write", "msgraph-sdk", operations, FLOOR, [cost], [_scaled(one_by_one, operations / few)])
    if sent > perfect * MOST_REQUESTS and not options.json:
        sys.exit(f"{rate}\nmore than {MOST_REQUESTS} times the requests")
    finish([rate], as_json=options.json)


def _sync(target: Target, count: int, groups: Sequence[str]) -> int:
    """Makes everybody, then puts them into groups and gives licences; returns how many operations that was."""
    numbers = range(count)
    accounts = _apply(target, [_creation(number) for number in numbers])
    links = [
        Operation(f"m{number}-{at}", Kind.MEMBERSHIP, Action.CREATE, anchor=group, account=accounts[f"u{number}"])
        for number in numbers
        for at in range(GROUPS_EACH)
        for group in [groups[(number // FELLOWS + at) % GROUPS]]
    ]
    _apply(target, links)
    gifts = [
        Operation(f"l{number}", Kind.LICENCE, Action.CREATE, account=accounts[f"u{number}"], sku=SKU)
        for number in numbers
    ]
    _apply(target, gifts)
    return count + len(links) + len(gifts)


def _apply(target: Target, operations: Sequence[Operation]) -> dict[str, str]:
    """Anchors by operation.

    Raises:
        RuntimeError: One was refused.
    """
    told: dict[str, str] = {}
    for some in _portions(operations, target.capabilities.batch_size):
        for outcome in target.apply(some):
            if outcome.error is not None:
                raise RuntimeError(str(outcome.error))
            told[outcome.operation_id] = str(outcome.anchor)
    return told


def _portions(operations: Sequence[Operation], size: int) -> Iterator[Sequence[Operation]]:
    for start in range(0, len(operations), size):
        yield operations[start : start + size]


def _creation(number: int) -> Operation:
    attributes = {
        "userPrincipalName": f"bench{number}@kommune.example",
        "displayName": f"User {number}",
        "usageLocation": "NO",
    }
    return Operation(
        f"u{number}", Kind.ACCOUNT, Action.CREATE, owner=f"hr:{number}", enabled=True, attributes=dict(attributes)
    )


def _perfect(count: int) -> int:
    """HTTP requests that would do: users, twenty members at a time, licences; twenty of each in one."""
    members = math.ceil(count * GROUPS_EACH / TOGETHER)
    return sum(math.ceil(each / TOGETHER) for each in (count, members, count))


async def _by_sdk(graph: GraphService, count: int) -> None:
    config = graph.config
    async with (
        ClientSecretCredential(
            config.tenant_id,
            config.client_id,
            config.secret,
            authority=graph.authority,
            disable_instance_discovery=True,
            connection_verify=graph.ca_file,
        ) as credential,
        httpx.AsyncClient(timeout=30) as http,
    ):
        provider = AzureIdentityAuthenticationProvider(
            credential, scopes=["https://graph.microsoft.com/.default"], allowed_hosts=["127.0.0.1"]
        )
        adapter = GraphRequestAdapter(provider, client=http)
        adapter.base_url = graph.url
        client = GraphServiceClient(request_adapter=adapter)
        for number in range(count):
            await client.users.post(_user(number))


def _user(number: int) -> User:
    return User(
        account_enabled=True,
        display_name=f"User {number}",
        mail_nickname=f"sdk{number}",
        user_principal_name=f"sdk{number}@kommune.example",
        password_profile=PasswordProfile(password="Correct-Horse-7"),  # noqa: S106 - of nobody
    )


def _scaled(cost: Cost, times: float) -> Cost:
    """What so many times the work would have cost."""
    return replace(cost, seconds=cost.seconds * times, cpu_seconds=cost.cpu_seconds * times)


def _target(graph: GraphService) -> Target:
    options = EntraOptions(
        tenant=graph.config.tenant_id,
        authentication="secret",
        client_id=graph.config.client_id,
        client_secret=SecretStr(graph.config.secret),
        authority=graph.authority,
        graph_url=graph.url,
        ca_file=graph.ca_file,
    )
    return open_target(options, Path())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.entra", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=2000, help="users")
    parser.add_argument("--json", action="store_true", help="figures as one line of JSON")
    return parser.parse_args()


if __name__ == "__main__":
    main()
