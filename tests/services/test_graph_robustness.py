"""The local Graph service refuses nonsense as Graph would: with a 4xx, never with an error of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.services.common.process import ROOT
from tests.services.conftest import Client
from tests.services.graph.contract import PROPERTIES, check_body
from tests.services.graph.errors import Refused
from tests.services.graph.query import parse
from tests.services.graph.routes import ROUTES
from tests.services.graph.store import Directory, Item, Kind

NONSENSE: list[Any] = [None, {}, [], "x", {"a": 1}, {"@odata.id": 5}, {"members@odata.bind": "x"}, {"addLicenses": [1]}]
WORDS = st.sampled_from(
    [
        "displayName",
        "eq",
        "ne",
        "'a'",
        "(",
        ")",
        "and",
        "or",
        "not",
        "in",
        ",",
        "null",
        "startswith",
        "proxyAddresses/any",
        "p:p",
        "true",
        "''",
        "@",
        "ge",
    ]
)


def test_every_operation_survives_nonsense(client: Client):
    """Each route with bodies that it cannot have, for objects that are and that are not."""
    user, group = client.make_user("kari")["id"], client.make_group("staff")["id"]
    requests = []
    for method, route in ROUTES:
        for body in NONSENSE:
            key = (user if route.startswith("users") else group) if len(requests) % 2 else "nobody"
            url = "/" + route.replace("{}", key, 1).replace("{}", user)
            requests.append({"id": str(len(requests)), "method": method, "url": url, "body": body})

    statuses: set[int] = set()
    for at in range(0, len(requests), 20):
        statuses |= {one["status"] for one in client.batch(requests[at : at + 20]).values()}

    assert statuses <= {200, 201, 202, 204, 400, 404}
    assert statuses >= {200, 400, 404}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 400),
        ("GET", "/", 400),
        ("PUT", "/users", 405),
        ("GET", "/$batch", 405),
        ("GET", "/users/a/b/c", 400),
        ("GET", "/users?$skiptoken=x", 400),
        ("GET", "/users/delta()?$deltatoken=x", 400),
        ("GET", "/users/delta()?$top=5", 400),
    ],
)
def test_addresses_that_lead_nowhere_are_refused(client: Client, method: str, path: str, status: int):
    """As are tokens that are none."""
    assert client.request(method, path).status_code == status


def test_a_body_that_is_no_json_is_refused(client: Client):
    """With a word about it."""
    answer = client.post("/users", content=b"{", headers={"Content-Type": "application/json"})

    assert answer.status_code == 400
    assert "JSON" in answer.json()["error"]["message"]


@given(st.lists(WORDS, max_size=12))
def test_a_filter_is_understood_or_refused(words: list[str]):
    """And what is understood can be asked of any object."""
    status, test = 200, None
    try:
        test = parse({"$filter": " ".join(words)}).test
    except Refused as refused:
        status = refused.status

    assert status == (200 if test else 400)
    assert test is None or test({"displayName": "a", "proxyAddresses": ["a"]}) in {True, False}


@given(
    st.dictionaries(
        st.sampled_from(sorted(PROPERTIES["microsoft.graph.user"])),
        st.none()
        | st.booleans()
        | st.text(max_size=3)
        | st.lists(st.text(max_size=2))
        | st.dictionaries(st.text(), st.none()),
        max_size=3,
    )
)
def test_a_body_is_taken_as_it_is_or_refused(body: dict[str, Any]):
    """Nothing else comes of it."""
    try:
        outcome: Any = check_body("microsoft.graph.user", "PATCH", body)
    except Refused as refused:
        outcome = refused.status

    assert outcome is body or outcome == 400


STEPS = st.tuples(
    st.sampled_from(["link", "unlink", "rename", "delete", "restore", "purge"]),
    st.sampled_from(["u0", "u1", "u2"]),
    st.sampled_from(["g0", "g1"]),
    st.sampled_from([None, "a@x", "b@x"]),
)


@given(st.lists(STEPS, max_size=12))
def test_the_journal_gives_the_directory_back(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, str, str | None]]
):
    """Objects, names, memberships and versions, whatever was done; a half-written line is as if it had not been."""
    journal = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    with closing(Directory(journal)) as directory:
        for key in ("g0", "g1", "u0", "u1", "u2"):
            kind: Kind = "group" if key.startswith("g") else "user"
            directory.put(Item(kind, key, {}, 0.0), {"userPrincipalName": f"{key}@x"})
        for step in steps:
            _do(directory, *step)
            directory.commit()
        directory.commit()
    with journal.open("ab") as torn:
        torn.write(b'[["put","user","u9"')

    with closing(Directory(journal)) as again:
        for name in ("items", "names", "references", "removed_members", "purged", "version", "counts"):
            assert getattr(again, name) == getattr(directory, name), name


def _do(directory: Directory, what: str, key: str, group: str, mail: str | None) -> None:
    item = directory.items.get(key)
    if item is None:
        return
    if what == "link":
        directory.link("members", group, key)
    elif what == "unlink":
        directory.unlink("members", group, key)
    elif what == "rename":
        directory.change(item, mail=mail)
    elif what == "purge":
        directory.purge(key)
    else:
        directory.put(item, item.data, deleted=1.0 if what == "delete" else None)


def test_started_by_hand_it_says_what_is_needed(tmp_path: Path):
    """Addresses and credentials; and the tenant is kept in the folder named."""
    command = [sys.executable, "-m", "tests.services.graph", "--port", "0", "--secure-port", "0", "--users", "3"]
    for _ in range(2):  # the second time the town is there already
        with subprocess.Popen(
            [*command, "--state", str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(14)]
            address = lines[2].partition("http://")[2].partition("/v1.0")[0]
            with urllib.request.urlopen(f"http://{address}/_control/contents", timeout=10) as answer:
                users = json.load(answer)["users"]
            process.terminate()

        assert process.returncode == 0
        assert "client secret    local-secret" in "".join(lines)
        assert len(users) == 3
