"""The local Graph service, and a transport to it over msgraph-sdk's adapter."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
import pytest
from azure.identity.aio import ClientSecretCredential
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
from kiota_http.httpx_request_adapter import HttpxRequestAdapter

from connectors.entra.options import EntraOptions
from connectors.entra.transport import Transport
from tests.services.graph.control import GraphService

Connect = Callable[..., AbstractAsyncContextManager[Transport]]
Settings = Callable[..., EntraOptions]
PAUSES_SECONDS = (0.001, 0.001, 0.001, 0.001)
SCOPE = "https://graph.microsoft.com/.default"


@pytest.fixture(scope="session")
def graph_process() -> Iterator[GraphService]:
    """The process, shared by all tests of a worker."""
    with GraphService() as service:
        yield service


@pytest.fixture
def graph(graph_process: GraphService) -> Iterator[GraphService]:
    """An empty tenant that answers at once and never fails; a mistake of the service fails the test."""
    graph_process.empty()
    yield graph_process
    assert "mistakes" not in graph_process.counters()


@pytest.fixture
def settings(graph: GraphService) -> Settings:
    """Makes settings that lead to the tenant, with those given on top."""

    def made(**given: Any) -> EntraOptions:
        words = {
            "tenant": graph.config.tenant_id,
            "authentication": "secret",
            "client_id": graph.config.client_id,
            "client_secret": graph.config.secret,
            "authority": graph.authority,
            "graph_url": graph.url,
            "ca_file": graph.ca_file,
        }
        return EntraOptions.model_validate({**words, **given})

    return made


@pytest.fixture
def options(settings: Settings) -> EntraOptions:
    """Those settings."""
    return settings()


@pytest.fixture
def connect(graph: GraphService) -> Connect:
    """Opens a transport, within the event loop that uses it; `secret` is the right one by default."""

    @asynccontextmanager
    async def opened(secret: str | None = None, **more: Any) -> AsyncIterator[Transport]:
        config = graph.config
        async with (
            ClientSecretCredential(
                config.tenant_id,
                config.client_id,
                secret or config.secret,
                authority=graph.authority,
                disable_instance_discovery=True,
                connection_verify=graph.ca_file,
            ) as credential,
            httpx.AsyncClient(timeout=30) as http,
        ):
            provider = AzureIdentityAuthenticationProvider(credential, scopes=[SCOPE], allowed_hosts=["127.0.0.1"])
            adapter = HttpxRequestAdapter(provider, http_client=http)
            adapter.base_url = graph.url
            yield Transport(adapter, **{"pauses_seconds": PAUSES_SECONDS, **more})

    return opened
