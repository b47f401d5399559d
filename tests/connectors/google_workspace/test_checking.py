"""Signing in and checking: what is missing is named."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google import auth
from google.auth.exceptions import DefaultCredentialsError
from google.oauth2.credentials import Credentials

from connectors.contract import Kind
from connectors.errors import AuthenticationFailed, Rejected, Unavailable
from connectors.google_workspace.connection import SCOPES, scopes_of
from connectors.google_workspace.target import GoogleTarget
from tests.connectors.google_workspace.conftest import Settings
from tests.services.google.config import SCOPE, SUFFICIENT_SCOPES
from tests.services.google.control import GoogleService

EVERYTHING = {
    "licences": {"edu-plus": {"product": "101031", "sku": "1010310008"}},
    "custom_fields": {"Skole.klasse": "str"},
    "transfer_to": "admin@kommune.example",
}
Open = Callable[..., GoogleTarget]


@pytest.fixture
def open_target(settings: Settings, google: GoogleService) -> Iterator[Open]:
    """Opens the customer, which has a custom field, with settings of one's own."""
    google.put("schema", schemaName="Skole", fields=[{"fieldName": "klasse", "fieldType": "STRING"}])
    opened: list[GoogleTarget] = []

    def made(**given: Any) -> GoogleTarget:
        opened.append(GoogleTarget(settings(**given), Path()))
        return opened[-1]

    yield made
    for one in opened:
        one.close()


def test_all_is_well(open_target: Open):
    """With every setting that asks for a scope or an API of its own."""
    open_target(**EVERYTHING).check()


def test_each_scope_that_is_missing_is_named(open_target: Open, google: GoogleService):
    """Google says only that it does not grant all of them."""
    lacking = {SCOPE + "apps.licensing", SCOPE + "admin.directory.orgunit"}
    google.change(scopes=[one for one in SUFFICIENT_SCOPES if one not in lacking])

    with pytest.raises(AuthenticationFailed) as told:
        open_target(**EVERYTHING).check()

    assert {one for one in SCOPES if f"{one} ({SCOPES[one]})" in told.value.reason} == lacking


def test_scopes_that_nothing_needs_are_not_asked_for(open_target: Open, settings: Settings, google: GoogleService):
    """Delegation stays as narrow as the settings are."""
    google.change(scopes=list(scopes_of(settings())))

    open_target().check()

    assert set(SCOPES) - set(scopes_of(settings())) == {
        SCOPE + "admin.directory.userschema.readonly",
        SCOPE + "apps.licensing",
        SCOPE + "admin.datatransfer",
    }


@pytest.mark.parametrize(
    ("api", "name"),
    [
        ("admin", "Admin SDK API"),
        ("licensing", "Enterprise License Manager API"),
        ("groupssettings", "Groups Settings API"),
    ],
)
def test_an_api_that_is_not_enabled_is_named(open_target: Open, google: GoogleService, api: str, name: str):
    """As Google's console calls it."""
    google.change(disabled_apis=[api])

    with pytest.raises(AuthenticationFailed, match=f"{name}: 403 accessNotConfigured"):
        open_target(**EVERYTHING).check()


@pytest.mark.parametrize(
    ("subject", "words"), [("nobody@kommune.example", "nobody of the address"), ("ola", "403 forbidden")]
)
def test_the_subject_has_to_be_an_administrator(open_target: Open, google: GoogleService, subject: str, words: str):
    """Who is not there cannot be acted for, and who is no administrator may not."""
    google.put("user", primaryEmail="ola@kommune.example", name={"givenName": "Ola", "familyName": "Moen"})

    with pytest.raises(AuthenticationFailed, match=words):
        open_target(subject=subject if "@" in subject else f"{subject}@kommune.example").check()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"Skole.kull": "str"}, "no custom field 'Skole.kull'"),
        ({"Skole.klasse": "list"}, "'Skole.klasse' holds a str"),
    ],
)
def test_custom_fields_have_to_be_there(open_target: Open, fields: dict[str, str], words: str):
    """And to hold what the settings say."""
    with pytest.raises(Rejected, match=words):
        open_target(custom_fields=fields).check()


# Rows: no file; no JSON; a file that is no key; one whose key is damaged.
@pytest.mark.parametrize("content", [None, "no JSON", "{}", '{"private_key": "hemmelig"}'])
def test_a_key_that_cannot_be_read_is_our_fault(open_target: Open, tmp_path: Path, content: str | None):
    """Nothing works until somebody sees to it."""
    path = tmp_path / "key.json"
    if content is not None:
        path.write_text(content)

    with pytest.raises(AuthenticationFailed, match=r"key file .*key\.json") as caught:
        open_target(key_file=str(path)).check()
    assert "hemmelig" not in str(caught.value)


def test_a_key_that_is_no_longer_good_says_so(open_target: Open, google: GoogleService, tmp_path: Path):
    """Google's words are of JWTs and grants; an administrator is told what to look for."""
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    told = json.loads(google.key_file.read_text())
    pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    path = tmp_path / "key.json"
    path.write_text(json.dumps({**told, "private_key": pem}))

    with pytest.raises(AuthenticationFailed, match="the key was deleted, has expired"):
        open_target(key_file=str(path)).check()


def test_missing_delegation_says_so(open_target: Open, google: GoogleService):
    """Also where nothing is granted at all, and no scope can be named."""
    google.change(scopes=[])

    with pytest.raises(AuthenticationFailed, match="domain-wide delegation is missing"):
        open_target().check()


def test_a_service_that_is_away_is_away(open_target: Open, google: GoogleService, tmp_path: Path):
    """Whether it is the token endpoint that is asked, or an API."""
    elsewhere = tmp_path / "key.json"
    elsewhere.write_text(google.key_file.read_text().replace(f":{google.port}/", ":9/"))

    with pytest.raises(Unavailable):
        open_target(key_file=str(elsewhere)).check()
    with pytest.raises(Unavailable):
        open_target(endpoint="http://127.0.0.1:9/").check()


# ---------------------------------------------------------------- without a key


@pytest.fixture
def keyless(open_target: Open, google: GoogleService, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], GoogleTarget]:
    """Opens the customer without a key, by the token that this machine has from Google Cloud."""

    def made(token: str) -> GoogleTarget:
        monkeypatch.setattr(auth, "default", lambda **_: (Credentials(token), None))
        return open_target(
            authentication="keyless",
            key_file=None,
            service_account=google.config.service_account,
            token_url=google.url + "token",
            iam_url=google.url,
        )

    return made


def test_iam_signs_where_there_is_no_key(keyless: Callable[[str], GoogleTarget], google: GoogleService):
    """The token is the same that the key would have brought."""
    target = keyless(google.config.source_token)

    target.check()
    assert len(list(target.read(Kind.ACCOUNT))) == 1


def test_iam_does_not_sign_for_anybody(keyless: Callable[[str], GoogleTarget]):
    """Whoever this machine is has to be allowed to."""
    with pytest.raises(AuthenticationFailed, match="Invalid Credentials"):
        keyless("of somebody else").check()


def test_a_machine_that_is_nobody_to_google_cloud_cannot_sign_in(
    keyless: Callable[[str], GoogleTarget], monkeypatch: pytest.MonkeyPatch
):
    """google-auth's own words say what to do."""

    def nobody(**_: Any) -> None:
        raise DefaultCredentialsError("Your default credentials were not found.")

    target = keyless("")
    monkeypatch.setattr(auth, "default", nobody)
    with pytest.raises(AuthenticationFailed, match="default credentials were not found"):
        target.check()


# ---------------------------------------------------------------- tokens


def test_a_token_is_fetched_once(open_target: Open):
    """And again only when it ends."""
    target = open_target()
    signer = target._connection.signer
    fetch, fetched = signer._request, []

    def counted(*args: Any, **kwargs: Any) -> Any:
        fetched.append(1)
        return fetch(*args, **kwargs)

    signer._request = counted
    for _ in range(3):
        list(target.read(Kind.ACCOUNT))
    assert len(fetched) == 1
    signer._credentials.expiry = datetime(2000, 1, 1)  # noqa: DTZ001 - as google-auth keeps it
    list(target.read(Kind.ACCOUNT))
    assert len(fetched) == 2
