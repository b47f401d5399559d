"""The local Graph service's users, held against what Microsoft documents and what was measured."""

from __future__ import annotations

from typing import Any

import pytest

from tests.services.conftest import PASSWORD, Client, message, reference
from tests.services.graph.config import Config
from tests.services.graph.control import GraphService


def test_a_user_is_created_read_changed_and_cleared(client: Client):
    """Explicit nulls clear, and what is not selected is not told."""
    user = client.make_user("kari", jobTitle="Teacher", businessPhones=["1"])
    url = f"/users/{user['id']}"

    changed = client.patch(url, json={"jobTitle": None, "businessPhones": [], "department": "School"})
    read = client.get(url, params={"$select": "jobTitle,department,businessPhones,passwordProfile"}).json()

    assert changed.status_code == 204
    del read["@odata.context"]
    assert read == {
        "id": user["id"],
        "jobTitle": None,
        "department": "School",
        "businessPhones": [],
        "passwordProfile": None,
    }


@pytest.mark.parametrize(
    ("change", "target"),
    [
        ({"accountEnabld": True}, "accountEnabld"),  # misspelt: openapi-core lets it through, Graph does not
        ({"accountEnabled": "true"}, "accountEnabled"),  # a wrong type
        ({"displayName": ""}, "displayName"),  # nothing is said by null, not by ""
        ({"employeeId": "12345678901234567"}, "employeeId"),  # one character too long
        ({"id": "x"}, "id"),  # read-only
        ({"usageLocation": "Norway"}, "usageLocation"),  # no country code
        ({"userPrincipalName": "kari@elsewhere.example"}, "userPrincipalName"),  # not a verified domain
        ({"userPrincipalName": "kåri@kommune.example"}, "userPrincipalName"),  # a letter that it cannot have
        ({"passwordProfile": {"password": "password"}}, "passwordProfile.password"),  # too simple
    ],
)
def test_what_a_user_cannot_have_is_refused(client: Client, change: dict[str, Any], target: str):
    """The refusal names the property, and nothing is changed."""
    user = client.make_user("kari")

    answer = client.patch(f"/users/{user['id']}", json={"jobTitle": "Teacher", **change})

    assert answer.status_code == 400
    assert answer.json()["error"]["details"][0]["target"] == target
    assert client.get(f"/users/{user['id']}").json()["jobTitle"] is None


@pytest.mark.parametrize("missing", ["accountEnabled", "displayName", "mailNickname", "userPrincipalName"])
def test_what_a_new_user_needs_is_asked_for(client: Client, missing: str):
    """Each of the documented properties, by its name."""
    body = {"accountEnabled": True, "displayName": "K", "mailNickname": "k", "userPrincipalName": "k@kommune.example"}
    del body[missing]

    answer = client.post("/users", json={**body, "passwordProfile": PASSWORD})

    assert answer.status_code == 400
    assert missing in answer.json()["error"]["message"]


def test_names_are_unique_over_users_groups_and_the_recycle_bin(client: Client, graph: GraphService):
    """User principal names, mail addresses of others, and immutable ids; without case."""
    gone = client.make_user("gone", onPremisesImmutableId="abc=")
    client.delete(f"/users/{gone['id']}")
    graph.put(
        "user", displayName="Post", userPrincipalName="p@kommune.example", proxyAddresses=["smtp:kari@kommune.example"]
    )
    client.make_group("team", groupTypes=["Unified"], mailEnabled=True)
    rest = {"accountEnabled": True, "displayName": "K", "mailNickname": "k", "passwordProfile": PASSWORD}

    for name, more, target in (
        ("GONE", {}, "userPrincipalName"),
        ("kari", {}, "userPrincipalName"),
        ("team", {}, "userPrincipalName"),
        ("other", {"onPremisesImmutableId": "abc="}, "onPremisesImmutableId"),
        ("other", {"mail": "p@kommune.example"}, "mail"),
    ):
        answer = client.post("/users", json={**rest, "userPrincipalName": f"{name}@kommune.example", **more})
        assert answer.status_code == 400
        assert answer.json()["error"]["details"][0]["code"] == "ObjectConflict"
        assert answer.json()["error"]["details"][0]["target"] == target


def test_a_new_mail_address_leaves_the_old_one_as_an_alias(client: Client):
    """As Exchange does it for who renames."""
    user = client.make_user("kari", mail="kari@kommune.example")

    client.patch(f"/users/{user['id']}", json={"mail": "kari.moen@kommune.example"})

    read = client.get(f"/users/{user['id']}?$select=proxyAddresses").json()
    assert read["proxyAddresses"] == ["SMTP:kari.moen@kommune.example", "smtp:kari@kommune.example"]


def test_a_deleted_user_comes_back_with_what_it_had(client: Client):
    """Memberships and licences too; its id stays the same."""
    user, group = client.make_user("kari"), client.make_group("staff")
    sku = client.get("/subscribedSkus").json()["value"][0]["skuId"]
    client.post(f"/groups/{group['id']}/members/$ref", json=reference(user["id"]))
    client.post(f"/users/{user['id']}/assignLicense", json={"addLicenses": [{"skuId": sku}], "removeLicenses": []})

    client.delete(f"/users/{user['id']}")
    gone = client.get(f"/users/{user['id']}").status_code
    members = client.get(f"/groups/{group['id']}/members").json()["value"]
    bin_ = client.get("/directory/deletedItems/microsoft.graph.user?$select=id,userPrincipalName").json()["value"]
    back = client.post(f"/directory/deletedItems/{user['id']}/restore")

    assert (gone, members, [one["id"] for one in bin_]) == (404, [], [user["id"]])
    assert back.status_code == 200
    read = client.get("/users/kari@kommune.example?$select=id,assignedLicenses").json()
    assert read["id"] == user["id"]
    assert [one["skuId"] for one in read["assignedLicenses"]] == [sku]
    assert len(client.get(f"/groups/{group['id']}/members").json()["value"]) == 1


def test_restoring_fails_where_somebody_else_has_the_name(graph: GraphService, client: Client):
    """Where the recycle bin does not keep names."""
    graph.empty(Config(keep_deleted_names=False))
    old = client.make_user("kari")
    client.delete(f"/users/{old['id']}")
    client.make_user("kari")

    answer = client.post(f"/directory/deletedItems/{old['id']}/restore")

    assert message(answer) == (400, "Another object with the same value for property userPrincipalName already exists.")


def test_after_thirty_days_or_by_order_a_deleted_user_is_gone(client: Client, graph: GraphService):
    """And cannot be restored."""
    early, late = client.make_user("early"), client.make_user("late")
    for one in (early, late):
        client.delete(f"/users/{one['id']}")

    purged = client.delete(f"/directory/deletedItems/{early['id']}")
    graph.forward(days=31)

    assert purged.status_code == 204
    for one in (early, late):
        assert client.post(f"/directory/deletedItems/{one['id']}/restore").status_code == 404


def test_of_a_synchronised_user_only_what_the_cloud_masters_is_written(client: Client, graph: GraphService):
    """Everything else is refused in the words that were measured, manager included."""
    key = graph.put("user", displayName="S", userPrincipalName="s@kommune.example", onPremisesSyncEnabled=True)
    boss = client.make_user("boss")
    refused = "on-premises mastered Directory Sync objects"

    for answer in (
        client.patch(f"/users/{key}", json={"jobTitle": "x"}),
        client.patch(f"/users/{key}", json={"accountEnabled": False}),
        client.patch(f"/users/{key}", json={"usageLocation": "NO", "surname": "x"}),
        client.put(f"/users/{key}/manager/$ref", json=reference(boss["id"])),
    ):
        assert answer.status_code == 400
        assert refused in answer.json()["error"]["message"]
    assert client.patch(f"/users/{key}", json={"usageLocation": "NO"}).status_code == 204


def test_a_manager_is_set_read_along_and_taken_away(client: Client):
    """By reference; `$expand` gives it with each user of a page."""
    user, boss = client.make_user("kari"), client.make_user("boss")

    put = client.put(f"/users/{user['id']}/manager/$ref", json=reference(boss["id"]))
    listed = client.get("/users?$select=id&$expand=manager($select=id)").json()["value"]
    taken = client.delete(f"/users/{user['id']}/manager/$ref")

    assert (put.status_code, taken.status_code) == (204, 204)
    assert {one["id"]: one.get("manager", {}).get("id") for one in listed} == {user["id"]: boss["id"], boss["id"]: None}
    assert client.get(f"/users/{user['id']}/manager").status_code == 404


def test_signing_out_is_remembered(client: Client, graph: GraphService):
    """Tests can see that it was asked for."""
    user = client.make_user("kari")

    answer = client.post(f"/users/{user['id']}/revokeSignInSessions")

    assert answer.json()["value"] is True
    assert graph.contents()["users"][user["id"]]["_sessions"] == 1


@pytest.mark.parametrize(
    ("filter_", "found"),
    [
        ("userPrincipalName eq 'USER00003@kommune.example'", 1),  # without case, by the index
        ("employeeId eq '000004'", 1),
        ("startswith(userPrincipalName,'user0000')", 10),
        ("employeeId in ('000001','000002')", 2),
        ("startswith(displayName,'Kari') and employeeId eq '000012'", 1),
        ("employeeId eq '000001' or employeeId eq '000002'", 2),
        ("proxyAddresses/any(p:p eq 'SMTP:user00005@kommune.example')", 1),
        ("otherMails/Any(m:m eq 'x')", 0),
        ("displayName eq 'O''Hara'", 0),
    ],
)
def test_filters_find_what_they_say(client: Client, graph: GraphService, filter_: str, found: int):
    """The ones that a connector needs."""
    graph.seed(users=25)

    assert len(client.get("/users", params={"$filter": filter_}).json()["value"]) == found


@pytest.mark.parametrize("filter_", ["not(startswith(displayName,'K'))", "displayName ne 'x'", "endsWith(mail,'.no')"])
def test_advanced_queries_need_eventual_consistency(client: Client, graph: GraphService, filter_: str):
    """The header, and a count."""
    graph.seed(users=3)

    plain = client.get("/users", params={"$filter": filter_})
    advanced = client.get(
        "/users", params={"$filter": filter_, "$count": "true"}, headers={"ConsistencyLevel": "eventual"}
    )

    assert plain.json()["error"]["code"] == "Request_UnsupportedQuery"
    assert advanced.json()["@odata.count"] == len(advanced.json()["value"])


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("$top=1000", 400),
        ("$select=displayNam", 400),
        ("$slect=id", 400),
        ("$filter=displayName is 'x'", 400),
        ("$top=5", 200),
        ("$orderby=displayName", 501),  # not played, and says so
    ],
)
def test_query_options_are_checked(client: Client, query: str, status: int):
    """Misspelt ones too."""
    assert client.get(f"/users?{query}").status_code == status


def test_pages_hold_everybody_once(client: Client, graph: GraphService):
    """Whatever their size."""
    users, _ = graph.seed(users=250)

    found, _ = client.walk("/users?$select=id&$top=99")

    assert sorted(one["id"] for one in found) == sorted(users)


def test_a_new_object_is_not_seen_for_a_while(client: Client, graph: GraphService):
    """Reads, references and licences meet it later; its name is taken at once."""
    group = client.make_group("staff")
    graph.forward(seconds=200)
    graph.change(visible_seconds=100.0)
    user = client.make_user("kari")
    graph.forward(seconds=50)

    early = [
        client.get(f"/users/{user['id']}"),
        client.patch(f"/groups/{group['id']}", json={"members@odata.bind": [reference(user["id"])["@odata.id"]]}),
        client.post(f"/users/{user['id']}/assignLicense", json={"addLicenses": [], "removeLicenses": []}),
        client.post("/users", json={"accountEnabled": True, "displayName": "x", "mailNickname": "x",
                                    "userPrincipalName": "kari@kommune.example", "passwordProfile": PASSWORD}),
    ]  # fmt: skip
    graph.forward(seconds=60)

    assert [one.status_code for one in early] == [404, 400, 404, 400]
    assert client.get(f"/users/{user['id']}").status_code == 200
