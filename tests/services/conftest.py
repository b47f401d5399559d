"""The local services: one process for all tests of a worker, a tenant or customer of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest

from tests.services.google.client import Google
from tests.services.google.control import GoogleService
from tests.services.graph.control import GraphService

PASSWORD = {"password": "Correct-Horse-7", "forceChangePasswordNextSignIn": True}


class Client(httpx.Client):
    """An HTTP client that knows how Graph pages and batches."""

    def make_user(self, name: str, **more: Any) -> dict[str, Any]:
        """A new user, as Graph answers it."""
        body = {
            "accountEnabled": True,
            "displayName": name.title(),
            "mailNickname": name,
            "userPrincipalName": f"{name}@kommune.example",
            "usageLocation": "NO",
            "passwordProfile": PASSWORD,
            **more,
        }
        return dict(_good(self.post("/users", json=body)))

    def make_group(self, name: str, **more: Any) -> dict[str, Any]:
        """A new security group, as Graph answers it."""
        body = {"displayName": name, "mailNickname": name, "mailEnabled": False, "securityEnabled": True, **more}
        return dict(_good(self.post("/groups", json=body)))

    def walk(self, url: str) -> tuple[list[dict[str, Any]], str | None]:
        """All pages from a URL on: what is in them, and the delta link at their end."""
        found: list[dict[str, Any]] = []
        while True:
            page = _good(self.get(url))
            found += page["value"]
            if "@odata.nextLink" not in page:
                return found, page.get("@odata.deltaLink")
            url = page["@odata.nextLink"]

    def batch(self, requests: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """The responses of a batch, by id."""
        for one in requests:
            if "body" in one:
                one["headers"] = {"Content-Type": "application/json"}
        return {one["id"]: one for one in _good(self.post("/$batch", json={"requests": list(requests)}))["responses"]}


def _good(response: httpx.Response) -> Any:
    assert response.status_code < 300, response.text
    return response.json()


def reference(key: str) -> dict[str, str]:
    """The body of a request that refers to an object."""
    return {"@odata.id": f"https://graph.microsoft.com/v1.0/directoryObjects/{key}"}


def message(response: httpx.Response) -> tuple[int, str]:
    """Status and message of a refusal."""
    return response.status_code, response.json()["error"]["message"]


@pytest.fixture(scope="session")
def graph_process() -> Iterator[GraphService]:
    """The process."""
    with GraphService() as service:
        yield service


@pytest.fixture
def graph(graph_process: GraphService) -> Iterator[GraphService]:
    """An empty tenant that answers at once and never fails; a mistake of the service fails the test."""
    graph_process.empty()
    yield graph_process
    assert "mistakes" not in graph_process.counters()


@pytest.fixture(scope="session")
def _signed_in(graph_process: GraphService) -> Iterator[Client]:
    graph_process.empty()  # the tenant of a former test may give short-lived tokens
    headers = {"Authorization": f"Bearer {graph_process.access_token()}"}
    with Client(base_url=graph_process.url, headers=headers, timeout=30) as client:
        yield client


@pytest.fixture
def client(graph: GraphService, _signed_in: Client) -> Client:
    """A client that is signed in to that tenant."""
    del graph
    return _signed_in


@pytest.fixture(scope="session")
def google_process() -> Iterator[GoogleService]:
    """The process."""
    with GoogleService() as service:
        yield service


@pytest.fixture(scope="session")
def _built(google_process: GoogleService) -> Iterator[Google]:
    google_process.empty()  # as above
    client = Google(google_process)
    yield client
    client.close()


@pytest.fixture
def google(google_process: GoogleService, _built: Google) -> Iterator[Google]:
    """An empty account that answers at once and never fails; a mistake of the service fails the test."""
    google_process.empty()
    yield _built
    assert "mistakes" not in google_process.counters()
