"""The local Graph service's groups, memberships and teams."""

from __future__ import annotations

from typing import Any

import pytest

from tests.services.conftest import Client, message, reference
from tests.services.graph.control import GraphService

EXISTS = "One or more added object references already exist for the following modified properties: 'members'."
MISSING = "One or more removed object references do not exist for the following modified properties: 'members'."


def _bind(*keys: str) -> dict[str, list[str]]:
    return {"members@odata.bind": [reference(key)["@odata.id"] for key in keys]}


def _members(client: Client, group: str) -> set[str]:
    return {one["id"] for one in client.walk(f"/groups/{group}/members?$select=id")[0]}


def test_members_come_and_go(client: Client):
    """Twenty at a time, one by one, and refused in the measured words where there is nothing to do."""
    users = [client.make_user(f"user{number}")["id"] for number in range(3)]
    group = client.make_group("staff")["id"]

    bound = client.patch(f"/groups/{group}", json=_bind(*users[:2]))
    added = client.post(f"/groups/{group}/members/$ref", json=reference(users[2]))
    again = client.post(f"/groups/{group}/members/$ref", json=reference(users[2]))
    removed = client.delete(f"/groups/{group}/members/{users[0]}/$ref")
    twice = client.delete(f"/groups/{group}/members/{users[0]}/$ref")

    assert [one.status_code for one in (bound, added, removed)] == [204, 204, 204]
    assert message(again) == (400, EXISTS)
    assert message(twice) == (400, MISSING)
    assert _members(client, group) == {users[1], users[2]}
    assert client.delete(f"/groups/{group}/members/{group[::-1]}/$ref").status_code == 404


def test_a_bundle_of_members_is_added_wholly_or_not_at_all(client: Client, graph: GraphService):
    """One that is there already, one that is nowhere, or one too many spoils it."""
    users, _ = graph.seed(users=21)
    group = client.make_group("staff")["id"]
    client.patch(f"/groups/{group}", json=_bind(users[0]))

    there = client.patch(f"/groups/{group}", json=_bind(users[1], users[0]))
    nowhere = client.patch(f"/groups/{group}", json=_bind(users[1], group[::-1]))
    many = client.patch(f"/groups/{group}", json=_bind(*users))

    assert message(there) == (400, EXISTS)
    assert "do not exist" in message(nowhere)[1]
    assert many.status_code == 400
    assert _members(client, group) == {users[0]}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"onPremisesSyncEnabled": True}, "on-premises mastered"),  # Active Directory's
        ({"mailEnabled": True}, "mail-enabled security groups and or distribution list"),  # Exchange's
        ({"groupTypes": ["DynamicMembership"], "membershipRule": "x"}, "dynamic group"),  # the rule's
    ],
)
def test_groups_of_others_are_not_written(client: Client, graph: GraphService, data: dict[str, Any], words: str):
    """Neither by reference nor by a bundle."""
    user = client.make_user("kari")["id"]
    key = graph.put("group", **{"displayName": "G", "mailNickname": "g", "securityEnabled": True, **data})

    answers = [
        client.post(f"/groups/{key}/members/$ref", json=reference(user)),
        client.patch(f"/groups/{key}", json=_bind(user)),
    ]

    assert all(words in message(one)[1] for one in answers)
    assert _members(client, key) == set()


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({}, 201),
        ({"groupTypes": ["Unified"], "mailEnabled": True, "securityEnabled": False}, 201),
        ({"mailEnabled": True}, 400),  # a distribution list
        ({"groupTypes": ["Unified"]}, 400),  # Microsoft 365 groups have mail
        ({"groupTypes": ["DynamicMembership"]}, 400),  # without a rule
        ({"mailNickname": "a b"}, 400),
        ({"displayNam": "x"}, 400),
    ],
)
def test_only_security_and_microsoft_365_groups_are_made(client: Client, more: dict[str, Any], status: int):
    """What Exchange makes is refused, and what is misspelt."""
    body = {"displayName": "G", "mailNickname": "g", "mailEnabled": False, "securityEnabled": True, **more}

    assert client.post("/groups", json=body).status_code == status


def test_nested_groups_are_read_through(client: Client):
    """Everybody once, also where groups hold one another."""
    users = [client.make_user(f"user{number}")["id"] for number in range(2)]
    outer, inner = client.make_group("outer")["id"], client.make_group("inner")["id"]
    client.patch(f"/groups/{outer}", json=_bind(users[0], inner))
    client.patch(f"/groups/{inner}", json=_bind(users[1], users[0], outer))

    found, _ = client.walk(f"/groups/{outer}/transitiveMembers/microsoft.graph.user?$select=id&$top=1")
    kinds = {one["@odata.type"] for one in client.walk(f"/groups/{outer}/members")[0]}

    assert sorted(one["id"] for one in found) == sorted(users)
    assert kinds == {"#microsoft.graph.user", "#microsoft.graph.group"}
    assert len(client.walk(f"/users/{users[1]}/transitiveMemberOf")[0]) == 2


def test_leaving_out_ref_deletes_the_user_itself(client: Client):
    """As Microsoft warns: a connector must never send this."""
    user, group = client.make_user("kari")["id"], client.make_group("staff")["id"]
    client.patch(f"/groups/{group}", json=_bind(user))

    assert client.delete(f"/groups/{group}/members/{user}").status_code == 204
    assert client.get(f"/users/{user}").status_code == 404


def test_a_security_group_is_gone_and_a_microsoft_365_group_comes_back(client: Client):
    """Only the latter goes through the recycle bin."""
    plain = client.make_group("plain")["id"]
    team = client.make_group("team", groupTypes=["Unified"], mailEnabled=True)["id"]

    for key in (plain, team):
        client.delete(f"/groups/{key}")

    assert client.post(f"/directory/deletedItems/{plain}/restore").status_code == 404
    assert client.post(f"/directory/deletedItems/{team}/restore").status_code == 200
    assert client.get(f"/groups/{team}").status_code == 200


def test_a_group_becomes_a_team_once_it_is_ready(client: Client, graph: GraphService):
    """It needs time and an owner; a second time is a conflict; it keeps its last owner."""
    owner = client.make_user("teacher")["id"]
    team = client.make_group("class1a", groupTypes=["Unified"], mailEnabled=True)["id"]
    graph.change(team_seconds=60.0)

    early = client.put(f"/groups/{team}/team", json={})
    graph.forward(seconds=61)
    alone = client.put(f"/groups/{team}/team", json={})
    client.post(f"/groups/{team}/owners/$ref", json=reference(owner))
    made = client.put(f"/groups/{team}/team", json={"memberSettings": {"allowCreateUpdateChannels": False}})

    assert [early.status_code, alone.status_code, made.status_code] == [404, 400, 201]
    assert client.put(f"/groups/{team}/team", json={}).status_code == 409
    assert client.get(f"/groups/{team}").json()["resourceProvisioningOptions"] == ["Team"]
    assert "at least one owner" in message(client.delete(f"/groups/{team}/owners/{owner}/$ref"))[1]


def test_a_class_team_is_made_by_its_template(client: Client):
    """`POST /teams` answers with an operation to ask after."""
    owner = client.make_user("teacher")["id"]
    group = client.make_group("class1a", groupTypes=["Unified"], mailEnabled=True)["id"]
    client.post(f"/groups/{group}/owners/$ref", json=reference(owner))
    address = "https://graph.microsoft.com/v1.0"

    answer = client.post(
        "/teams",
        json={
            "template@odata.bind": f"{address}/teamsTemplates('educationClass')",
            "group@odata.bind": f"{address}/groups('{group}')",
        },
    )

    assert answer.status_code == 202
    assert client.get(answer.headers["Location"]).json()["status"] == "succeeded"
    assert client.get(f"/teams/{group}").status_code == 200
