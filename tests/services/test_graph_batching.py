"""The local Graph service's batches: https://learn.microsoft.com/graph/json-batching."""

from __future__ import annotations

from typing import Any

import pytest

from tests.services.conftest import PASSWORD, Client, reference
from tests.services.graph.config import Config
from tests.services.graph.control import GraphService


def _creation(name: str, **more: Any) -> dict[str, Any]:
    body = {"accountEnabled": True, "displayName": name, "mailNickname": name, "passwordProfile": PASSWORD}
    return {
        "id": name,
        "method": "POST",
        "url": "/users",
        "body": {**body, "userPrincipalName": f"{name}@kommune.example"},
    } | more


def test_every_request_of_a_batch_has_its_own_outcome(client: Client, graph: GraphService):
    """In another order, with error bodies as outside of a batch; it counts as one HTTP request."""
    graph.reset()

    answers = client.batch([_creation(f"user{at}") for at in range(10)] + [_creation("USER3", id="twice")])

    statuses = {name: one["status"] for name, one in answers.items()}
    conflict = [name for name, status in statuses.items() if status == 400]
    assert sorted(statuses.values()) == [201] * 10 + [400]
    assert conflict[0] in {"twice", "user3"}  # whichever came second: the order is not that of the requests
    assert answers[conflict[0]]["body"]["error"]["details"][0]["target"] == "userPrincipalName"
    assert list(answers) != [f"user{at}" for at in range(10)] + ["twice"]
    assert (graph.counters()["http_requests"], graph.counters()["operations"]) == (1, 11)


def test_what_depends_on_a_failure_is_not_done(client: Client, graph: GraphService):
    """424, also for what depends on that; the rest is done."""
    group = client.make_group("staff")["id"]
    add = {"method": "POST", "url": f"/groups/{group}/members/$ref", "body": reference(group[::-1])}

    answers = client.batch(
        [
            {"id": "1", **add},
            {"id": "2", "method": "PATCH", "url": f"/groups/{group}", "body": {"description": "a"}, "dependsOn": ["1"]},
            {"id": "3", "method": "PATCH", "url": f"/groups/{group}", "body": {"description": "b"}, "dependsOn": ["2"]},
            {"id": "4", "method": "GET", "url": f"/groups/{group}?$select=id"},
        ]
    )

    assert {name: one["status"] for name, one in answers.items()} == {"1": 404, "2": 424, "3": 424, "4": 200}
    assert "description" not in graph.contents()["groups"][group]


def test_dependent_requests_are_done_in_their_order(client: Client):
    """Twenty in a row, whatever the order of the rest."""
    user = client.make_user("kari")["id"]
    requests = [
        {"id": str(at), "method": "PATCH", "url": f"/users/{user}", "body": {"jobTitle": f"step {at}"}}
        | ({"dependsOn": [str(at - 1)]} if at else {})
        for at in range(20)
    ]

    client.batch(requests[::-1])

    assert client.get(f"/users/{user}").json()["jobTitle"] == "step 19"


@pytest.mark.parametrize(
    ("requests", "words"),
    [
        ([{"id": str(at), "method": "GET", "url": "/users"} for at in range(21)], "maximum value of 20"),
        ([{"id": "1", "method": "GET", "url": "/users"}] * 2, "more than once"),
        ([{"id": "1", "method": "GET", "url": "https://graph.microsoft.com/v1.0/users"}], "relative"),
        ([{"id": "1", "method": "GET", "url": "/users", "depends_on": []}], "unknown properties"),
        ([{"id": "1", "method": "GET", "url": "/users", "dependsOn": ["2"]}], "not there"),
        ([{"id": "1", "method": "GET", "url": "/users", "dependsOn": ["1"]}], "circle"),
        ([{"id": "1", "method": "POST", "url": "/users", "body": {}}], "Content-Type"),
        ([], "missing"),
    ],
)
def test_a_batch_that_is_wrong_is_refused_as_a_whole(client: Client, requests: list[dict[str, Any]], words: str):
    """What msgraph-core 1.5.2 sends among it: absolute addresses, `depends_on`."""
    answer = client.post("/$batch", json={"requests": requests})

    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]


def test_requests_of_a_batch_are_throttled_one_by_one(client: Client, graph: GraphService):
    """The batch is 200, those over the quota 429 with a time to wait, and they are not done."""
    graph.empty(Config(quota="1000/5/100"))

    answers = client.batch([_creation(f"user{at}") for at in range(8)])

    refused = [one for one in answers.values() if one["status"] == 429]
    assert sorted(one["status"] for one in answers.values()) == [201] * 5 + [429] * 3
    assert all(int(one["headers"]["Retry-After"]) >= 90 for one in refused)
    assert len(graph.contents()["users"]) == 5
