"""What writing to Entra ID costs, against one call of Microsoft's SDK after the other, on the same local service.

    python -m benchmarks.entra                     2 000 users, each in three groups and with a licence; 50 ms a request
    python -m benchmarks.entra --count 200

Three figures, each with a floor. **write**: the SDK does the same for fewer users, since it takes so long for each;
rates are compared. **requests**: what the connector sends is counted, beside what perfect batching would need, twenty
requests in each batch and twenty members in each of those; the seconds are what the service's delays add up to.
**quota**: changes to accounts under a quota of resource units, over three of its windows of ten seconds; the floor is
the time in which the quota allows as many. Ends with 1 where the connector stays below a floor, and where more than
two in a hundred requests are refused for the quota.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import math
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import httpx
from azure.identity.aio import ClientSecretCredential
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
from msgraph.generated.models.assigned_license import AssignedLicense
from msgraph.generated.models.password_profile import PasswordProfile
from msgraph.generated.models.reference_create import ReferenceCreate
from msgraph.generated.models.user import User
from msgraph.generated.users.item.assign_license.assign_license_post_request_body import AssignLicensePostRequestBody
from msgraph.graph_request_adapter import GraphRequestAdapter
from msgraph.graph_service_client import GraphServiceClient
from pydantic import SecretStr

from benchmarks.comparing import Comparison, cost_here, finish
from benchmarks.measuring import Cost
from connectors.contract import Action, Kind, Operation, Target
from connectors.entra import open_target
from connectors.entra.options import EntraOptions
from connectors.errors import Throttled
from tests.services.graph.config import Config
from tests.services.graph.control import GraphService
from tests.services.graph.licences import sku_id

FLOOR = 5.0
MOST_REQUESTS = 1.1
OF_THE_QUOTA, MOST_REFUSED = 0.9, 0.02
UNITS, WINDOW_SECONDS, WINDOWS = 1000, 10, 3
DELAY_SECONDS = 0.05
GROUPS, GROUPS_EACH = 40, 3
SKU = "STANDARDWOFFPACK_STUDENT"
TOGETHER = 20
BATCH = 300
FELLOWS = 100
"""Users next to one another who are in the same groups, as those who work in one place are."""


def main() -> None:
    """Measures, prints, and ends with 1 below a floor."""
    options = _options()
    with GraphService() as graph:
        comparisons = [*_writing(graph, options.count), _under_quota(graph)]
    finish(comparisons, as_json=options.json)


def _writing(graph: GraphService, count: int) -> Iterator[Comparison]:
    graph.empty(Config(skus={SKU: 2 * count}, delay_seconds=DELAY_SECONDS))
    _, groups = graph.seed(groups=GROUPS)
    operations = 0
    with _target(graph) as target:
        target.check()
        graph.reset()

        def ours() -> None:
            nonlocal operations
            operations = _sync(target, count, groups)

        cost = cost_here(ours)
    sent = graph.counters()["http_requests"]
    few = max(20, count // 50)
    one_by_one = cost_here(lambda: asyncio.run(_by_sdk(graph, groups, few)))
    yield Comparison("write", "msgraph-sdk", operations, FLOOR, [cost], [_scaled(one_by_one, count / few)])
    perfect = _perfect(count)
    requests = [[replace(cost, seconds=number * DELAY_SECONDS)] for number in (sent, perfect)]
    yield Comparison("requests", "perfect batching", operations, 1 / MOST_REQUESTS, *requests)


def _under_quota(graph: GraphService) -> Comparison:
    """Changes for as long as it takes to see some windows of the quota; the first, which begins empty, is left out.

    Raises:
        RuntimeError: Too much was refused.
    """
    graph.empty(Config(delay_seconds=DELAY_SECONDS, quota=f"{UNITS}/1000000/{WINDOW_SECONDS}"))
    users, _ = graph.seed(users=BATCH)
    enough = threading.Event()
    with _target(graph) as target:
        working = threading.Thread(target=_change, args=(target, users, enough))
        working.start()
        try:
            time.sleep(WINDOW_SECONDS)
            before, started, busy = graph.counters(), time.perf_counter(), time.process_time()
            time.sleep(WINDOWS * WINDOW_SECONDS)
            after, seconds = graph.counters(), time.perf_counter() - started
            cpu_seconds = time.process_time() - busy
        finally:
            enough.set()
            working.join()
    done = after["status_204"] - before["status_204"]
    refused = after.get("throttled", 0) / after["operations"]
    if refused > MOST_REFUSED:
        raise RuntimeError(f"{refused:.1%} of the requests were refused for the quota")
    cost = Cost(seconds, cpu_seconds, 0.0)
    floor = replace(cost, seconds=done / UNITS * WINDOW_SECONDS, cpu_seconds=0.0)
    return Comparison("quota", "the quota", done, OF_THE_QUOTA, [cost], [floor])


def _change(target: Target, users: Sequence[str], enough: threading.Event) -> None:
    """Changes accounts again and again; waits as long as it is told to."""
    for number in itertools.count():
        if enough.is_set():
            return
        changes = [
            Operation(f"c{key}", Kind.ACCOUNT, Action.UPDATE, anchor=key, attributes={"jobTitle": f"Number {number}"})
            for key in users
        ]
        try:
            wishes = [
                outcome.error.retry_after_seconds or 0.0
                for outcome in target.apply(changes)
                if isinstance(outcome.error, Throttled)
            ]
        except Throttled as error:
            wishes = [error.retry_after_seconds or 0.0]
        enough.wait(max(wishes, default=0.0))


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


async def _by_sdk(graph: GraphService, groups: Sequence[str], count: int) -> None:
    """The same as `_sync`, for so many users."""
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
        product = AssignedLicense(sku_id=UUID(sku_id(SKU)), disabled_plans=[])
        for number in range(count):
            user = await client.users.post(_user(number))
            key = str(user.id if user else "")
            for at in range(GROUPS_EACH):
                reference = ReferenceCreate(odata_id=f"{graph.url}/directoryObjects/{key}")
                await client.groups.by_group_id(groups[at]).members.ref.post(reference)
            gift = AssignLicensePostRequestBody(add_licenses=[product], remove_licenses=[])
            await client.users.by_user_id(key).assign_license.post(gift)


def _user(number: int) -> User:
    return User(
        account_enabled=True,
        display_name=f"User {number}",
        mail_nickname=f"sdk{number}",
        user_principal_name=f"sdk{number}@kommune.example",
        usage_location="NO",
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
