"""The local Graph service's delta: https://learn.microsoft.com/graph/delta-query-overview."""

from __future__ import annotations

from typing import Any

import pytest

from tests.services.conftest import Client, reference
from tests.services.graph.config import Config, Faults
from tests.services.graph.control import GraphService

USERS = "/users/delta()?$select=displayName,jobTitle"


def _ids(found: list[dict[str, Any]]) -> list[str]:
    return [one["id"] for one in found]


def test_only_what_changed_since_comes(client: Client, graph: GraphService):
    """New, changed, deleted and purged ones, each in its own way; what is not selected does not count."""
    (changed, other, deleted, purged), _ = graph.seed(users=4)
    everybody, link = client.walk(USERS)

    client.patch(f"/users/{changed}", json={"jobTitle": "Teacher"})
    client.patch(f"/users/{other}", json={"city": "Bodø"})
    for key in (deleted, purged):
        client.delete(f"/users/{key}")
    client.delete(f"/directory/deletedItems/{purged}")
    new = client.make_user("new")["id"]
    found, next_link = client.walk(str(link))

    assert len(everybody) == 4
    told = {one["id"]: one for one in found}
    assert set(told) == {changed, deleted, purged, new}
    assert told[changed]["jobTitle"] == "Teacher"
    assert told[deleted]["@removed"] == {"reason": "changed"}
    assert told[purged]["@removed"] == {"reason": "deleted"}
    assert client.walk(str(next_link))[0] == []


def test_a_restored_user_comes_again(client: Client):
    """Without an annotation, as a new one."""
    user = client.make_user("kari")["id"]
    client.delete(f"/users/{user}")
    _, link = client.walk(USERS)
    client.post(f"/directory/deletedItems/{user}/restore")

    found, _ = client.walk(str(link))

    assert _ids(found) == [user]
    assert "@removed" not in found[0]


def test_members_come_with_their_groups(client: Client, graph: GraphService):
    """All at first, then those that came and went; a large group on several pages."""
    graph.empty(Config(delta_page_size=10))
    users, (group,) = graph.seed(users=25, groups=1, groups_each=1)
    pages, link = client.walk("/groups/delta()?$select=displayName,members")
    client.delete(f"/groups/{group}/members/{users[0]}/$ref")
    new = client.make_user("new")["id"]
    client.post(f"/groups/{group}/members/$ref", json=reference(new))

    found, _ = client.walk(str(link))

    assert _ids(pages) == [group] * 3
    assert sorted(one["id"] for page in pages for one in page["members@delta"]) == sorted(users)
    members = {one["id"]: "@removed" in one for one in found[0]["members@delta"]}
    assert members == {users[0]: True, new: False}


def test_a_changed_manager_comes_where_it_is_asked_for(client: Client):
    """As a reference that came, and one that went."""
    user, old, new = (client.make_user(name)["id"] for name in ("kari", "old", "new"))
    client.put(f"/users/{user}/manager/$ref", json=reference(old))
    _, link = client.walk("/users/delta?$select=displayName,manager")
    client.put(f"/users/{user}/manager/$ref", json=reference(new))

    found, _ = client.walk(str(link))

    assert {one["id"]: "@removed" in one for one in found[0]["manager@delta"]} == {old: True, new: False}


def test_empty_and_repeated_pages_lose_nobody(client: Client, graph: GraphService):
    """Whoever follows the links to the end has everybody, some of them more than once."""
    graph.empty(Config(delta_page_size=5, faults=Faults(delta_empty=0.4, delta_repeated=0.4)))
    users, _ = graph.seed(users=60)

    found, link = client.walk(USERS)

    assert set(_ids(found)) == set(users)
    assert len(found) > len(users)
    assert client.walk(str(link))[0] == []


def test_what_changes_while_pages_are_read_comes_at_last(client: Client, graph: GraphService):
    """With this round or the next."""
    graph.empty(Config(delta_page_size=5))
    graph.seed(users=20)
    page = client.get(USERS).json()

    late = client.make_user("late")["id"]
    rest, link = client.walk(page["@odata.nextLink"])
    next_round, _ = client.walk(str(link))

    assert len(page["value"]) + len(rest) == 20
    assert _ids(next_round) == [late]


def test_what_is_not_visible_yet_is_not_forgotten(client: Client, graph: GraphService):
    """It comes in the first round after it can be seen."""
    _, link = client.walk(USERS)
    graph.change(visible_seconds=60.0)
    user = client.make_user("kari")["id"]

    early, link = client.walk(str(link))
    graph.forward(seconds=61)
    late, _ = client.walk(str(link))

    assert (early, _ids(late)) == ([], [user])


@pytest.mark.parametrize(
    ("how", "status", "code"), [("expired", 400, "syncStateNotFound"), ("reset", 410, "resyncRequired")]
)
def test_tokens_can_go_bad(client: Client, graph: GraphService, how: str, status: int, code: str):
    """A full read is what is left; a reset says where."""
    graph.seed(users=2)
    _, link = client.walk(USERS)

    graph.refuse_delta_tokens(how)
    answer = client.get(str(link))

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert len(client.walk(answer.headers.get("Location", USERS))[0]) == 2


def test_tokens_last_seven_days(client: Client, graph: GraphService):
    """And not eight."""
    _, link = client.walk(USERS)
    graph.forward(days=6)
    good = client.get(str(link)).status_code

    graph.forward(days=2)

    assert (good, client.get(str(link)).json()["error"]["code"]) == (200, "syncStateNotFound")


def test_one_can_begin_from_now_on(client: Client, graph: GraphService):
    """`$deltatoken=latest` gives a link and nobody."""
    graph.seed(users=3)

    found, link = client.walk("/users/delta()?$deltatoken=latest")
    new = client.make_user("new")["id"]

    assert found == []
    assert _ids(client.walk(str(link))[0]) == [new]
