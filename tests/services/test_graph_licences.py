"""The local Graph service's products, seats and group-based licensing."""

from __future__ import annotations

import httpx
import pytest

from tests.services.conftest import Client, message, reference
from tests.services.graph.config import Config
from tests.services.graph.control import GraphService
from tests.services.graph.licences import PLANS, plan_id, sku_id

FACULTY, STUDENT = sku_id("STANDARDWOFFPACK_FACULTY"), sku_id("STANDARDWOFFPACK_STUDENT")


def _assign(
    client: Client, kind: str, key: str, add: tuple[str, ...] = (), remove: tuple[str, ...] = ()
) -> httpx.Response:
    body = {"addLicenses": [{"skuId": sku} for sku in add], "removeLicenses": list(remove)}
    return client.post(f"/{kind}/{key}/assignLicense", json=body)


def _used(client: Client) -> dict[str, int]:
    return {one["skuPartNumber"]: one["consumedUnits"] for one in client.get("/subscribedSkus").json()["value"]}


def _held(client: Client, key: str) -> list[str]:
    return [one["skuId"] for one in client.get(f"/users/{key}?$select=assignedLicenses").json()["assignedLicenses"]]


def test_seats_run_out_and_come_back(client: Client, graph: GraphService):
    """Who has a product does not take a second seat; who is deleted leaves theirs."""
    graph.empty(Config(skus={"STANDARDWOFFPACK_FACULTY": 1}))
    first, second = client.make_user("first")["id"], client.make_user("second")["id"]

    given = [_assign(client, "users", key, (FACULTY,)) for key in (first, first, second)]
    client.delete(f"/users/{first}")
    later = _assign(client, "users", second, (FACULTY,))

    assert [one.status_code for one in given] == [200, 200, 400]
    assert message(given[2])[1] == f"Subscription with SKU {FACULTY} does not have any available licenses."
    assert later.status_code == 200
    assert _used(client) == {"STANDARDWOFFPACK_FACULTY": 1}


@pytest.mark.parametrize(
    ("add", "remove", "words"),
    [
        ((FACULTY[::-1].replace("-", "")[:8] + FACULTY[8:],), (), "does not correspond to a valid company License"),
        ((), (FACULTY,), "User does not have a corresponding license"),
    ],
)
def test_impossible_assignments_are_refused(client: Client, add: tuple[str, ...], remove: tuple[str, ...], words: str):
    """In the words that Graph has for them."""
    user = client.make_user("kari")["id"]

    assert words in message(_assign(client, "users", user, add, remove))[1]


def test_a_licence_needs_a_usage_location(client: Client):
    """400 without."""
    user = client.make_user("kari", usageLocation=None)["id"]

    assert "invalid usage location" in message(_assign(client, "users", user, (FACULTY,)))[1]


def test_both_lists_have_to_be_there(client: Client):
    """Also the empty one."""
    user = client.make_user("kari")["id"]

    answer = client.post(f"/users/{user}/assignLicense", json={"addLicenses": [{"skuId": FACULTY}]})

    assert message(answer)[1].endswith("The missing parameters are: removeLicenses.")


def test_plans_can_be_left_out(client: Client):
    """Those of the product, no others."""
    user = client.make_user("kari")["id"]
    plan = plan_id("STANDARDWOFFPACK_FACULTY", PLANS[0])

    for plans, status in (([plan], 200), ([plan_id("EMS", PLANS[0])], 400)):
        body = {"addLicenses": [{"skuId": FACULTY, "disabledPlans": plans}], "removeLicenses": []}
        assert client.post(f"/users/{user}/assignLicense", json=body).status_code == status
    read = client.get(f"/users/{user}?$select=assignedLicenses").json()
    assert read["assignedLicenses"] == [{"skuId": FACULTY, "disabledPlans": [plan]}]


def test_products_that_exclude_one_another_are_changed_in_one_request(client: Client, graph: GraphService):
    """Adding beside is refused; adding and removing at once is not."""
    graph.empty(Config(exclusive=[["STANDARDWOFFPACK_FACULTY", "STANDARDWOFFPACK_STUDENT"]]))
    user = client.make_user("kari")["id"]
    _assign(client, "users", user, (FACULTY,))

    beside = _assign(client, "users", user, (STUDENT,))
    instead = _assign(client, "users", user, (STUDENT,), (FACULTY,))

    assert "mutually exclusive" in message(beside)[1]
    assert instead.status_code == 200
    assert _held(client, user) == [STUDENT]


def test_a_group_gives_licences_in_the_background(client: Client, graph: GraphService):
    """After a while; failures are told at the user; what is inherited cannot be taken directly."""
    graph.empty(Config(skus={"STANDARDWOFFPACK_FACULTY": 1}, group_licence_seconds=30.0))
    users = [client.make_user(f"user{number}")["id"] for number in range(2)]
    group = client.make_group("staff")["id"]
    for user in users:
        client.post(f"/groups/{group}/members/$ref", json=reference(user))

    answer = _assign(client, "groups", group, (FACULTY,))
    early = [_held(client, user) for user in users]
    graph.forward(seconds=31)
    late = sorted(len(_held(client, user)) for user in users)

    assert (answer.status_code, early, late) == (202, [[], []], [0, 1])
    wrong = client.get(f"/groups/{group}/membersWithLicenseErrors").json()["value"]
    failing = client.get("/groups?$filter=hasMembersWithLicenseErrors eq true&$select=id").json()["value"]
    assert failing == [{"id": group}]
    states = client.get(f"/users/{wrong[0]['id']}?$select=licenseAssignmentStates").json()["licenseAssignmentStates"]
    assert [(one["assignedByGroup"], one["error"]) for one in states] == [(group, "CountViolation")]
    lucky = next(user for user in users if _held(client, user))
    assert "inherited from a group membership" in message(_assign(client, "users", lucky, remove=(FACULTY,)))[1]


def test_who_leaves_the_group_loses_its_licence(client: Client):
    """And the group cannot be deleted while it gives any."""
    user, group = client.make_user("kari")["id"], client.make_group("staff")["id"]
    client.post(f"/groups/{group}/members/$ref", json=reference(user))
    _assign(client, "groups", group, (FACULTY,))

    before = _held(client, user)
    refused = client.delete(f"/groups/{group}")
    client.delete(f"/groups/{group}/members/{user}/$ref")

    assert (before, _held(client, user)) == ([FACULTY], [])
    assert refused.status_code == 400
    assert _used(client)["STANDARDWOFFPACK_FACULTY"] == 0
