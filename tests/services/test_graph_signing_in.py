"""Signing in to the local Graph service with the real azure-identity, and what the application may do then."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.services.conftest import Client
from tests.services.graph.config import PASSWORD_ROLE, SUFFICIENT_ROLES, Config
from tests.services.graph.control import GraphService

identity = pytest.importorskip("azure.identity")
SCOPE = "https://graph.microsoft.com/.default"


def _trusting(graph: GraphService) -> dict[str, Any]:
    return {"authority": graph.authority, "disable_instance_discovery": True, "connection_verify": graph.ca_file}


def _secret(graph: GraphService, **more: Any) -> Any:
    config = graph.config
    return identity.ClientSecretCredential(config.tenant_id, config.client_id, config.secret, **more)


def _certificate(graph: GraphService, _folder: Path) -> Any:
    config, file = graph.config, str(graph.files.client)
    return identity.CertificateCredential(config.tenant_id, config.client_id, file, **_trusting(graph))


def _workload(graph: GraphService, folder: Path) -> Any:
    file = folder / "token"
    file.write_text(graph.federated_token())
    config = graph.config
    return identity.WorkloadIdentityCredential(
        tenant_id=config.tenant_id, client_id=config.client_id, token_file_path=str(file), **_trusting(graph)
    )


@pytest.mark.parametrize(
    "credential",
    [
        pytest.param(lambda graph, _folder: _secret(graph, **_trusting(graph)), id="secret"),
        pytest.param(_certificate, id="certificate"),
        pytest.param(_workload, id="workload identity"),
    ],
)
def test_every_kind_of_credential_signs_in(
    graph: GraphService, tmp_path: Path, credential: Callable[[GraphService, Path], Any]
):
    """And what it gets is good for Graph, over https too."""
    with credential(graph, tmp_path) as signed_in:
        token = signed_in.get_token(SCOPE).token

    answer = httpx.get(
        f"{graph.secure_url}/organization",
        headers={"Authorization": f"Bearer {token}"},
        verify=ssl.create_default_context(cafile=graph.ca_file),
    )
    assert answer.json()["value"][0]["id"] == graph.config.tenant_id


def test_a_managed_identity_signs_in(graph: GraphService, monkeypatch: pytest.MonkeyPatch):
    """By the endpoint that a machine in the cloud has."""
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{graph.port}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "anything")

    with identity.ManagedIdentityCredential() as credential:
        assert credential.get_token(SCOPE).token.count(".") == 2


def test_the_asynchronous_credentials_sign_in_alike(graph: GraphService):
    """As msgraph-sdk uses them."""
    aio = pytest.importorskip("azure.identity.aio")
    config = graph.config

    async def sign_in() -> str:
        async with aio.ClientSecretCredential(
            config.tenant_id, config.client_id, config.secret, **_trusting(graph)
        ) as credential:
            return str((await credential.get_token(SCOPE)).token)

    assert asyncio.run(sign_in()).count(".") == 2


def test_the_authority_can_be_trusted_by_the_environment(graph: GraphService, monkeypatch: pytest.MonkeyPatch):
    """REQUESTS_CA_BUNDLE does, for the synchronous credentials; so a rehearsal needs no setting for it."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", graph.ca_file)

    with _secret(graph, authority=graph.authority, disable_instance_discovery=True) as credential:
        assert credential.get_token(SCOPE).token.count(".") == 2


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"client_secret": "wrong"}, "AADSTS7000215"),
        ({"client_id": "11111111-2222-3333-4444-555555555555"}, "AADSTS700016"),
        ({"tenant_id": "11111111-2222-3333-4444-555555555555"}, "tenant name or GUID"),
    ],
)
def test_who_is_not_known_is_refused(graph: GraphService, wrong: dict[str, str], words: str):
    """With Entra's own numbers, as far as azure-identity passes them on."""
    config = graph.config
    known = {"tenant_id": config.tenant_id, "client_id": config.client_id, "client_secret": config.secret}
    exceptions = pytest.importorskip("azure.core.exceptions")

    with (
        identity.ClientSecretCredential(**{**known, **wrong}, **_trusting(graph)) as credential,
        pytest.raises(exceptions.ClientAuthenticationError, match=words),
    ):
        credential.get_token(SCOPE)


def test_another_certificate_is_refused(graph: GraphService, tmp_path: Path):
    """One that is not registered on the application."""
    with GraphService(folder=tmp_path) as other:
        stranger = str(other.files.client)
    exceptions = pytest.importorskip("azure.core.exceptions")
    config = graph.config

    with (
        identity.CertificateCredential(config.tenant_id, config.client_id, stranger, **_trusting(graph)) as credential,
        pytest.raises(exceptions.ClientAuthenticationError, match="AADSTS700027"),
    ):
        credential.get_token(SCOPE)


def test_without_a_token_or_with_an_old_one_nothing_is_told(graph: GraphService):
    """401, and 200 with a good one."""
    graph.empty(Config(token_seconds=-1))
    old = graph.access_token()

    for header in ({}, {"Authorization": "Bearer x"}, {"Authorization": f"Bearer {old}"}):
        answer = httpx.get(f"{graph.url}/users", headers=header)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")


@pytest.mark.parametrize(
    ("missing", "method", "path", "body"),
    [
        ("User.ReadWrite.All", "POST", "/users", {}),
        ("Group.ReadWrite.All", "POST", "/groups", {}),
        ("Directory.Read.All", "GET", "/directoryObjects/x", None),
    ],
)
def test_what_is_not_granted_is_refused(
    graph: GraphService, client: Client, missing: str, method: str, path: str, body: dict[str, Any] | None
):
    """403; granted, the same request gets further."""
    granted = client.request(method, path, json=body)
    graph.change(roles=[one for one in SUFFICIENT_ROLES if one != missing])

    refused = client.request(method, path, json=body)

    assert granted.status_code in {400, 404}
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "Authorization_RequestDenied")


def test_the_granted_permissions_can_be_asked_for(graph: GraphService, client: Client):
    """By their ids, which the service principal of Graph has names for."""
    principal = client.get(f"/servicePrincipals(appId='{graph.config.client_id}')").json()
    grants = client.get(f"/servicePrincipals/{principal['id']}/appRoleAssignments").json()["value"]
    graph_app = "00000003-0000-0000-c000-000000000000"
    roles = client.get("/servicePrincipals", params={"$filter": f"appId eq '{graph_app}'"}).json()["value"][0][
        "appRoles"
    ]

    names = {one["id"]: one["value"] for one in roles}
    assert {names[one["appRoleId"]] for one in grants} == {*SUFFICIENT_ROLES, PASSWORD_ROLE}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the SDK is full of what it deprecates itself
def test_the_sdk_works_with_it(graph: GraphService):
    """Reads, writes, delta and the recycle bin, as msgraph-sdk writes their addresses."""
    pytest.importorskip("msgraph")
    asyncio.run(_use_the_sdk(graph))

    assert {one["displayName"] for one in graph.contents()["users"].values()} == {"Kari"}


async def _use_the_sdk(graph: GraphService) -> None:
    from azure.identity.aio import ClientSecretCredential  # noqa: PLC0415 - the test is skipped without it
    from kiota_authentication_azure.azure_identity_authentication_provider import (  # noqa: PLC0415 - as above
        AzureIdentityAuthenticationProvider,
    )
    from msgraph import GraphRequestAdapter, GraphServiceClient  # noqa: PLC0415 - half a second
    from msgraph.generated.models.password_profile import PasswordProfile  # noqa: PLC0415 - as above
    from msgraph.generated.models.user import User  # noqa: PLC0415 - as above

    config = graph.config
    async with (
        ClientSecretCredential(config.tenant_id, config.client_id, config.secret, **_trusting(graph)) as credential,
        httpx.AsyncClient() as http,
    ):
        provider = AzureIdentityAuthenticationProvider(credential, scopes=[SCOPE], allowed_hosts=["127.0.0.1"])
        adapter = GraphRequestAdapter(provider, client=http)
        adapter.base_url = graph.url
        sdk = GraphServiceClient(request_adapter=adapter)
        user = await sdk.users.post(
            User(
                account_enabled=True,
                display_name="Kari",
                mail_nickname="kari",
                user_principal_name="kari@kommune.example",
                password_profile=PasswordProfile(password="Correct-Horse-7"),
            )
        )
        assert user is not None
        assert user.id is not None
        assert (await sdk.users.delta.get()).value[0].id == user.id  # type: ignore[union-attr,index]
        await sdk.users.by_user_id(user.id).revoke_sign_in_sessions.post()
        await sdk.users.by_user_id(user.id).delete()
        deleted = await sdk.directory.deleted_items.graph_user.get()
        assert [one.id for one in deleted.value] == [user.id]  # type: ignore[union-attr]
        await sdk.directory.deleted_items.by_directory_object_id(user.id).restore.post()
