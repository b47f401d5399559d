"""Signing in to the local Google service, and what it lets through: by Google's own libraries."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import Request
from google.oauth2 import service_account
from hypothesis import given
from hypothesis import strategies as st

from tests.services.common.process import ROOT
from tests.services.google import masks
from tests.services.google.client import Google, refusal
from tests.services.google.config import SCOPE, SUFFICIENT_SCOPES, Config
from tests.services.google.contract import check_body, methods, resolve
from tests.services.google.errors import Refused
from tests.services.google.routes import HANDLERS

ADMIN = "admin@kommune.example"


@pytest.fixture(scope="module")
def plain() -> Iterator[httpx.Client]:
    """An HTTP client that knows nothing; one for all, as each takes a tenth of a second to make."""
    with httpx.Client(timeout=30) as client:
        yield client


def _sign_in(google: Google, scopes: list[str], subject: str | None = ADMIN) -> str:
    credentials = service_account.Credentials.from_service_account_file(
        str(google.service.key_file), scopes=scopes, subject=subject
    )
    credentials.refresh(Request())
    return str(credentials.token)


def test_delegation_is_for_exact_scopes(google: Google):
    """One that is missing refuses them all; the answer does not say which."""
    missing = [*SUFFICIENT_SCOPES, SCOPE + "admin.directory.userschema"]

    with pytest.raises(RefreshError, match="unauthorized_client"):
        _sign_in(google, missing)
    assert _sign_in(google, list(SUFFICIENT_SCOPES)).startswith("ya29.")


@pytest.mark.parametrize("subject", ["nobody@kommune.example", "suspended@kommune.example"])
def test_nobody_is_acted_for_who_cannot_sign_in(google: Google, subject: str):
    """Unknown or suspended."""
    google.make_user("suspended", suspended=True)

    with pytest.raises(RefreshError, match="invalid_grant"):
        _sign_in(google, [SCOPE + "admin.directory.user"], subject)


def test_only_administrators_may(google: Google, plain: httpx.Client):
    """Neither an ordinary user nor the service account itself."""
    google.make_user("kari")
    url = google.service.url + "admin/directory/v1/users?customer=my_customer"
    answers = [
        plain.get(url, headers={"Authorization": f"Bearer {_sign_in(google, [SCOPE + 'admin.directory.user'], who)}"})
        for who in ("kari@kommune.example", None, ADMIN)
    ]

    assert [one.status_code for one in answers] == [403, 403, 200]
    assert answers[0].json()["error"]["message"] == "Not Authorized to access this resource/api"


def test_a_token_is_for_what_was_asked(google: Google, plain: httpx.Client):
    """Another scope, no token, a broken or an expired one, an API that is not enabled."""
    narrow = google.service.access_token(scopes=[SCOPE + "admin.directory.group"])
    url = google.service.url + "admin/directory/v1/"

    def ask(token: str, path: str = "users?customer=my_customer") -> tuple[int, str]:
        answer = plain.get(url + path, headers={"Authorization": token})
        error = answer.json().get("error", {"errors": [{"reason": ""}]})
        return answer.status_code, error["errors"][0]["reason"]

    assert ask("Bearer " + narrow) == (403, "insufficientPermissions")
    assert ask("Bearer " + narrow, "groups?customer=my_customer") == (200, "")
    assert ask("") == (401, "authError")
    assert ask("Bearer ya29.x") == (401, "authError")
    google.service.change(token_seconds=-1)
    assert ask("Bearer " + google.service.access_token()) == (401, "authError")
    google.service.change(disabled_apis=["admin"])
    assert ask("Bearer " + narrow) == (403, "accessNotConfigured")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"iss": "somebody@else.iam.gserviceaccount.com"}, "invalid_grant"),
        ({"aud": "https://login.example/token"}, "invalid_grant"),
        ({"exp": time.time() + 7200}, "invalid_grant"),  # longer than an hour
        ({"exp": time.time() - 10}, "invalid_grant"),
        ({"scope": ""}, "invalid_scope"),
        ({}, None),
    ],
)
def test_assertions_are_checked(google: Google, plain: httpx.Client, changes: dict[str, Any], error: str | None):
    """Issuer, audience, times and scopes; as is the signature."""
    key = json.loads(google.service.key_file.read_text())
    claims = {
        "iss": key["client_email"], "sub": ADMIN, "aud": "https://oauth2.googleapis.com/token",
        "scope": SCOPE + "admin.directory.user", "iat": int(time.time()), "exp": int(time.time()) + 3600, **changes,
    }  # fmt: skip
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": jwt.encode(claims, key["private_key"], algorithm="RS256"),
    }

    answer = plain.post(key["token_uri"], data=form)
    forged = plain.post(key["token_uri"], data={**form, "assertion": form["assertion"][:-8] + "AAAAAAAA"})

    assert answer.json().get("error") == error
    assert forged.json()["error"] == "invalid_grant"


def test_a_jwt_is_signed_for_who_has_no_key(google: Google, plain: httpx.Client):
    """As IAM does for a workload that may impersonate the service account."""
    config = google.service.config
    payload = {
        "iss": config.service_account, "sub": ADMIN, "aud": "https://oauth2.googleapis.com/token",
        "scope": SCOPE + "admin.directory.user", "iat": int(time.time()), "exp": int(time.time()) + 3600,
    }  # fmt: skip
    url = f"{google.service.url}v1/projects/-/serviceAccounts/{config.service_account}:signJwt"
    body = {"payload": json.dumps(payload)}

    signed = plain.post(url, json=body, headers={"Authorization": f"Bearer {config.source_token}"}).json()["signedJwt"]
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": signed}

    assert "access_token" in plain.post(google.service.url + "token", data=form).json()
    assert plain.post(url, json=body).status_code == 401


def test_misspelt_requests_are_refused(google: Google):
    """Past the client, which would not send them: paths, parameters, properties and types."""
    token = {"Authorization": f"Bearer {google.service.access_token()}"}
    with httpx.Client(base_url=google.service.url + "admin/directory/v1", headers=token) as client:
        statuses = [
            client.get("/user?customer=my_customer").status_code,
            client.get("/users?customr=my_customer").status_code,
            client.get("/users?customer=my_customer&projection=all").status_code,
            client.get("/users?customer=my_customer&alt=media").status_code,
            client.put("/users/admin@kommune.example", json={"surname": "x"}).status_code,
            client.put("/users/admin@kommune.example", json={"suspended": "true"}).status_code,
            client.put("/users/admin@kommune.example", json={"externalIds": {"value": "1"}}).status_code,
            client.put("/users/admin@kommune.example", json={"externalIds": [{"id": "1"}]}).status_code,
            client.put("/users/admin@kommune.example", json=[]).status_code,
            client.put("/users/admin@kommune.example", content=b"{").status_code,
            client.post("/users/admin@kommune.example/signOut", json={"now": True}).status_code,
            client.get("/users/admin@kommune.example/photos/thumbnail").status_code,
        ]

    assert statuses == [404, 400, 400, 501, 400, 400, 400, 400, 400, 400, 400, 501]


def test_what_is_output_only_is_dropped_and_counted(google: Google):
    """Google drops it without a word; a connector that sends it is mistaken."""
    google.make_user("kari", isAdmin=True, aliases=["k@kommune.example"])

    user = google.users.get(userKey="kari@kommune.example").execute()

    assert (user["isAdmin"], "aliases" in user) == (False, False)
    assert google.service.counters()["output_only_properties"] == 2


def test_another_customer_can_be_played(google: Google):
    """With domains, an id and an administrator of its own."""
    google.service.empty(Config(customer_id="C0abc", admin="root@by.example", domains=["by.example"]))
    with closing(Google(google.service, "root@by.example")) as other:
        customer = other.directory.customers().get(customerKey="my_customer").execute()
        domains = other.directory.domains().list(customer="C0abc").execute()["domains"]

    assert (customer["id"], customer["customerDomain"]) == ("C0abc", "by.example")
    assert [(one["domainName"], one["isPrimary"]) for one in domains] == [("by.example", True)]
    assert refusal(google.users.list(customer="my_customer"))[0] == 403  # who signed in is gone


def test_it_can_be_started_by_hand(tmp_path: Path):
    """And says how it is reached; what is in its folder is there again."""
    command = [sys.executable, "-m", "tests.services.google", "--port", "0", "--state", str(tmp_path), "--users", "3"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(6)]
        process.terminate()
        process.stdout.read()
    told = "".join(lines)
    key = json.loads((tmp_path / "service-account.json").read_text())

    assert f"{tmp_path}/service-account.json" in told
    assert key["token_uri"].removesuffix("/token") in told
    assert "admin@kommune.example" in told
    assert (tmp_path / "journal.jsonl").read_text().count("user0000") == 3
    assert process.returncode == 0


def test_every_method_that_is_played_is_one_of_googles():
    """By the names of the discovery documents."""
    assert set(HANDLERS) <= {method.id for group in methods().values() for method in group}


@given(st.text(alphabet="ab*/(), ", max_size=12))
def test_a_mask_is_understood_or_refused(text: str):
    """Nothing else comes of it."""
    try:
        mask = masks.parse(text)
    except Refused as refused:
        assert refused.status == 400  # noqa: PT017 - one of two outcomes
    else:
        assert masks.apply(mask, {"a": {"b": 1}, "b": [{"a": 2}]}) is not None


@given(
    st.dictionaries(
        st.sampled_from(["name", "emails", "suspended", "password", "customSchemas", "gender", "etag", "aliases", "x"]),
        st.none() | st.booleans() | st.text(max_size=3) | st.lists(st.text(max_size=2)) | st.just({"value": None}),
        max_size=3,
    )
)
def test_a_body_is_taken_as_it_is_or_refused(body: dict[str, Any]):
    """Nothing else comes of it."""
    method, _ = resolve("PUT", "/admin/directory/v1/users/1")
    try:
        kept, dropped = check_body(method, body)
    except Refused as refused:
        assert refused.status == 400  # noqa: PT017 - one of two outcomes
    else:
        assert set(kept) | set(dropped) | {"etag"} >= set(body)


def test_control_says_what_it_does_not_know(google: Google):
    """A name or a setting that is none of its own."""
    with pytest.raises(ValueError, match="no such"):
        google.service.ask("such")
    with pytest.raises(ValueError, match="speed"):
        google.service.change(speed=1)


NONSENSE: list[Any] = [None, {}, [], "x", {"a": 1}, {"name": 5}, {"email": None}, {"fields": [{}]}, {"userId": ""}]
KNOWN = {
    "userKey": "kari@kommune.example", "memberKey": "kari@kommune.example", "userId": "kari@kommune.example",
    "groupKey": "laerere@kommune.example", "groupUniqueId": "laerere@kommune.example", "customer": "my_customer",
    "customerId": "my_customer", "customerKey": "my_customer", "productId": "101031", "skuId": "1010310008",
}  # fmt: skip


def _nonsense() -> Iterator[tuple[str, str, dict[str, str], object]]:
    """Every method that is played, but deletions: path, query and body, with names that are there and that are not."""
    pairs = [(verb, method) for verb, group in methods().items() for method in group if method.id in HANDLERS]
    for verb, method in pairs:
        for names in ({}, KNOWN) if verb != "DELETE" else ({},):
            path = re.sub(
                r"\(\?P<(\w+)>[^)]*\)", lambda match, names=names: names.get(match[1], "x"), method.pattern.pattern
            )
            query = {
                name: KNOWN.get(name, "json")
                for name in ("customer", "customerId", "alt")
                if method.parameters.get(name, {}).get("location") == "query"
            }
            for body in NONSENSE if method.request else [None]:
                yield verb, path.replace("\\", ""), query, body


def test_every_operation_survives_nonsense(google: Google):
    """It is refused or done; never a mistake of the service's own."""
    google.make_user("kari")
    google.make_group("laerere", "kari@kommune.example")
    token = {"Authorization": f"Bearer {google.service.access_token()}"}

    with httpx.Client(base_url=google.service.url, headers=token) as client:
        statuses = {
            client.request(verb, path, params=query, json=body).status_code for verb, path, query, body in _nonsense()
        }

    assert statuses <= {200, 204, 400, 403, 404, 412}
    assert statuses >= {200, 400, 403, 404}
