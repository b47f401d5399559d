"""Settings, and signing in by them."""

from __future__ import annotations

import importlib
import importlib.util
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import connectors.entra
from connectors.entra import EntraOptions, open_target
from connectors.entra.batching import Request
from connectors.entra.connection import Connection
from connectors.errors import AuthenticationFailed, Unavailable
from tests.connectors.entra.conftest import Settings
from tests.services.graph.config import Config
from tests.services.graph.control import GraphService

LEAST: dict[str, Any] = {"tenant": "kommune.example", "client_id": "an-id", "certificate_file": "entra.pem"}


def test_the_least_is_a_certificate():
    """Global cloud, and the attribute that nothing else uses."""
    options = EntraOptions.model_validate(LEAST)

    assert (options.authentication, options.owner_attribute) == ("certificate", "extensionAttribute15")
    assert options.graph_url == "https://graph.microsoft.com/v1.0"


# Rows: what is set beside the least, and what the message says.
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"authentication": "secret", "certificate_file": None}, "needs `client_secret`"),
        ({"authentication": "managed_identity"}, "knows no `certificate_file`"),
        ({"client_secret": "x"}, "knows no `client_secret`"),
        ({"certificate_file": None}, "needs `certificate_file`"),
        ({"graph_url": "http://graph.example/v1.0"}, "must begin with https://"),  # our token would be seen
        ({"authority": "login.example"}, "must begin with https://"),
        ({"owner_attribute": "employeeId"}, "extensionAttribute1"),
        ({"unique": ["mial"]}, "mial"),
        ({"required": ["extensionAttribute15"]}, "extensionAttribute15"),  # the mark is ours
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, Any], message: str):
    """With what would be right."""
    with pytest.raises(ValidationError, match=message):
        EntraOptions.model_validate({**LEAST, **given})


def test_packages_that_are_missing_are_missed_at_once(monkeypatch: pytest.MonkeyPatch):
    """When the connector is loaded, and not when the first change is sent."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "httpx" else object())

    with pytest.raises(ModuleNotFoundError, match="httpx"):
        importlib.reload(connectors.entra)


def test_secrets_are_not_shown():
    """Whoever prints settings prints no secret."""
    options = EntraOptions.model_validate({**LEAST, "certificate_password": "very-secret"})

    assert "very-secret" not in repr(options)


def test_a_certificate_signs_in(settings: Settings, graph: GraphService):
    """A relative file is relative to the configuration."""
    file = graph.files.client
    options = settings(authentication="certificate", client_secret=None, certificate_file=file.name)

    with open_target(options, file.parent) as target:
        target.check()


def test_a_workload_identity_signs_in(settings: Settings, graph: GraphService, tmp_path: Path):
    """By the token of the cluster."""
    (tmp_path / "token").write_text(graph.federated_token(), encoding="utf-8")
    options = settings(authentication="workload_identity", client_secret=None, token_file="token")

    with open_target(options, tmp_path) as target:
        target.check()


def test_a_managed_identity_signs_in(settings: Settings, graph: GraphService, monkeypatch: pytest.MonkeyPatch):
    """By the service that the machine has for it."""
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{graph.port}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "anything")
    options = settings(authentication="managed_identity", client_id=None, client_secret=None)
    named = settings(authentication="managed_identity", client_secret=None)

    with open_target(options, Path()) as target, open_target(named, Path()) as other:
        assert "cannot be looked up" in str(target.check())
        assert other.check() is None


def test_a_sovereign_cloud_has_an_audience_of_its_own(settings: Settings, graph: GraphService):
    """A token for the global one opens nothing there; addresses are those of the settings."""
    graph.empty(Config(audience="https://graph.microsoft.us"))

    with open_target(settings(audience="https://graph.microsoft.us"), Path()) as target:
        target.check()
    with open_target(settings(), Path()) as target, pytest.raises(AuthenticationFailed, match="audience"):
        target.check()


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_certificate_that_is_none_is_a_matter_of_signing_in(settings: Settings, tmp_path: Path, content: str | None):
    """Missing or broken."""
    if content is not None:
        (tmp_path / "entra.pem").write_text(content, encoding="utf-8")
    options = settings(authentication="certificate", client_secret=None, certificate_file="entra.pem")

    with open_target(options, tmp_path) as target, pytest.raises(AuthenticationFailed, match="not possible"):
        target.check()


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_an_authority_to_trust_that_is_none_is_named(settings: Settings, tmp_path: Path, content: str | None):
    """Missing or broken: with its path, which the library does not tell."""
    if content is not None:
        (tmp_path / "ca.pem").write_text(content, encoding="utf-8")
    options = settings(ca_file="ca.pem")

    with open_target(options, tmp_path) as target, pytest.raises(AuthenticationFailed, match=r"ca_file: .*ca\.pem"):
        target.check()


def test_a_token_of_a_cluster_that_is_not_there_is_named(settings: Settings, tmp_path: Path):
    """It is read with each sign-in."""
    options = settings(authentication="workload_identity", client_secret=None, token_file="token")

    with open_target(options, tmp_path) as target, pytest.raises(AuthenticationFailed, match="token"):
        target.check()


def test_a_tenant_that_cannot_be_reached_says_where_it_was_looked_for(settings: Settings):
    """The one host or the other; azure-identity does not try again by itself."""
    nobody = "http://127.0.0.1:9/v1.0"
    requests = [Request("1", "GET", "/users")]

    away = Connection(settings(authority="https://localhost:9"), Path())
    lost = Connection(settings(graph_url=nobody), Path())
    began = time.monotonic()
    _, signing_in = away.send(requests)
    took = time.monotonic() - began
    _, graph = lost.send(requests)
    away.close()
    lost.close()

    assert isinstance(signing_in, Unavailable)
    assert isinstance(graph, Unavailable)
    assert "localhost:9" in signing_in.reason
    assert "object at" not in signing_in.reason
    assert "127.0.0.1:9 does not answer" in graph.reason
    assert took < 5  # its three retries would sleep for longer
