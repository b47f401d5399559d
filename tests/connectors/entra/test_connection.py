"""The connection over the wire: whoever was let in and is no longer signs in anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.entra.batching import Request
from connectors.entra.connection import Connection
from connectors.entra.options import EntraOptions
from connectors.errors import AuthenticationFailed
from tests.services.graph.config import Config, stable_id
from tests.services.graph.control import GraphService

QUESTION = "/organization?$select=id"


class Keys:
    """A Graph whose key is changed: all tokens that it has given are void."""

    def __init__(self, graph: GraphService) -> None:
        self.graph = graph
        self._changes = 0

    def change(self, **more: Any) -> None:
        """Gives it another key, and other settings."""
        self._changes += 1
        self.graph.plain |= {"tenant_id": stable_id(f"another {self._changes}"), **more}
        self.graph.restart()


@pytest.fixture
def keys() -> Iterator[Keys]:
    """A process of the test's own."""
    with GraphService(Config()) as graph:
        yield Keys(graph)


@pytest.fixture
def connection(keys: Keys) -> Iterator[Connection]:
    """A connection to it, for a tenant that is called by its domain."""
    graph = keys.graph
    options = EntraOptions.model_validate(
        {
            "tenant": graph.config.domains[0],
            "authentication": "secret",
            "client_id": graph.config.client_id,
            "client_secret": graph.config.secret,
            "authority": graph.authority,
            "graph_url": graph.url,
            "ca_file": graph.ca_file,
        }
    )
    made = Connection(options, Path())
    yield made
    made.close()


def test_a_token_that_is_void_is_replaced(connection: Connection, keys: Keys):
    """Once, for pages, questions and changes alike; each change is made once."""
    body = {
        "accountEnabled": True,
        "displayName": "User",
        "mailNickname": "user",
        "userPrincipalName": "user@kommune.example",
        "passwordProfile": {"password": "Correct-Horse-7"},
    }
    assert connection.get(QUESTION)["value"]

    keys.change()
    assert connection.get(QUESTION)["value"]
    keys.change()
    assert connection.read([Request("1", "GET", QUESTION)])["1"].ok
    keys.change()
    told, error = connection.send([Request("1", "POST", "/users", body)])

    assert error is None
    assert told["1"].status == 201
    assert keys.graph.counters()["http_status_401"] == 1
    assert len(keys.graph.contents()["users"]) == 1


def test_who_is_not_let_in_is_told_so(connection: Connection, keys: Keys):
    """Where the secret is no longer good either: by what was to be read, and by what was to be changed."""
    assert connection.get(QUESTION)["value"]
    keys.change(secret="another")

    with pytest.raises(AuthenticationFailed, match="AADSTS7000215"):
        connection.get(QUESTION)
    told, error = connection.send([Request("1", "GET", QUESTION)])

    assert told == {}
    assert isinstance(error, AuthenticationFailed)
