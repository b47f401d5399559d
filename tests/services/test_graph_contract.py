"""The local Graph service's idea of Graph, held against Microsoft's own description where somebody has it.

EADM_GRAPH_OPENAPI names a file with an OpenAPI description of Graph v1.0, or of a part of it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.services.conftest import Client, reference
from tests.services.graph.config import Config
from tests.services.graph.contract import PROPERTIES, READ_ONLY
from tests.services.graph.control import GraphService
from tests.services.graph.routes import ROUTES

TYPES = {
    "text": "string",
    "country": "string",
    "moment": "string",
    "bool": "boolean",
    "texts": "array",
    "list": "array",
}


@pytest.fixture(scope="module")
def description_file() -> str:
    """The file, or the test is skipped."""
    file = os.environ.get("EADM_GRAPH_OPENAPI")
    if not file:
        pytest.skip("EADM_GRAPH_OPENAPI names no OpenAPI description of Graph")
    return file


@pytest.fixture(scope="module")
def description(description_file: str) -> dict[str, Any]:
    """What it says."""
    return dict(yaml.safe_load(Path(description_file).read_text(encoding="utf-8")))


def _properties(description: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in [description["components"]["schemas"][name]]:
        for piece in part.get("allOf", [part]):
            if "$ref" in piece:
                found |= _properties(description, piece["$ref"].rpartition("/")[2])
            found |= piece.get("properties", {})
    return found


@pytest.mark.parametrize("kind", ["microsoft.graph.user", "microsoft.graph.group"])
def test_our_properties_are_microsofts(description: dict[str, Any], kind: str):
    """Every one of them is described, and is of the type that we say."""
    theirs = _properties(description, kind)

    for name, ours in PROPERTIES[kind].items():
        expected = TYPES.get(ours.rstrip(READ_ONLY))
        assert name in theirs, name
        if expected:
            assert theirs[name].get("type") == expected, name


def test_described_operations_are_carried_out(description: dict[str, Any]):
    """All that the description has: what it has not, we do not claim to be measured by."""
    ours = set(ROUTES)
    missing = []
    for path, operations in description["paths"].items():
        route = "/".join("{}" if part.startswith("{") else part for part in path.strip("/").split("/"))
        route = route.replace("delta()", "delta").replace("/graph.", "/microsoft.graph.")
        missing += [
            (method.upper(), route)
            for method in operations
            if method in {"get", "post", "patch", "put", "delete"} and (method.upper(), route) not in ours
        ]

    assert missing == [("POST", "$batch")]  # which is no operation, but holds them


def test_a_session_passes_microsofts_own_check(graph: GraphService, client: Client, description_file: str):
    """Each of its requests, also those within a batch; one that is wrong does not."""
    graph.empty(Config(openapi=description_file))
    user, boss = client.make_user("kari")["id"], client.make_user("boss")["id"]
    group = client.make_group("staff", **{"members@odata.bind": [reference(user)["@odata.id"]]})["id"]
    sku = client.get("/subscribedSkus").json()["value"][0]["skuId"]

    licence = {"addLicenses": [{"skuId": sku}], "removeLicenses": []}
    asked: list[tuple[str, str, Any]] = [
        ("PATCH", f"/users/{user}", {"jobTitle": None, "businessPhones": ["1"]}),
        ("PUT", f"/users/{user}/manager/$ref", reference(boss)),
        ("POST", f"/groups/{group}/owners/$ref", reference(boss)),
        ("DELETE", f"/groups/{group}/members/{user}/$ref", None),
        ("POST", f"/users/{user}/revokeSignInSessions", None),
        ("POST", f"/users/{user}/assignLicense", licence),
        ("GET", "/users?$select=id,displayName&$top=5&$expand=manager", None),
        ("GET", "/groups/delta()?$select=displayName,members", None),
    ]

    good = client.batch(
        [
            {"id": str(at), "method": method, "url": url} | ({"body": body} if body else {})
            for at, (method, url, body) in enumerate(asked)
        ]
    )
    bad = client.patch(f"/users/{user}", json={"businessPhones": "1"})

    assert {one["status"] for one in good.values()} <= {200, 204}, good
    assert bad.json()["error"]["message"].startswith("OpenAPI")
