"""Signing in: a service account with domain-wide delegation, by its key or by a JWT that IAM signs for it.

https://developers.google.com/identity/protocols/oauth2/service-account,
https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/signJwt
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from .config import Config
from .errors import Refused, forbidden
from .service import Answer, Call, Service
from .store import DELETED

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
AUDIENCES = ("https://oauth2.googleapis.com/token", "https://www.googleapis.com/oauth2/v4/token")
KEY_ID = "0123456789abcdef0123456789abcdef01234567"
_SIGNS = "the local Google service signs its tokens with this, which is no secret"
_NO_DELEGATION = (
    "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the "
    "scopes requested."
)


def private_key(folder: Path) -> str:
    """The service account's key as PEM; made when it is asked for the first time."""
    path = folder / "service-account.pem"
    if not path.exists():
        key = generate_private_key(public_exponent=65537, key_size=2048)
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path.read_text()


def write_key_file(config: Config, folder: Path, port: int) -> Path:
    """The service account's key as Google Cloud would hand it out, but for this service's token endpoint."""
    path = folder / "service-account.json"
    content = {
        "type": "service_account",
        "project_id": config.project,
        "private_key_id": KEY_ID,
        "private_key": private_key(folder),
        "client_email": config.service_account,
        "client_id": config.client_id,
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": f"http://127.0.0.1:{port}/token",
    }
    path.write_text(json.dumps(content, indent=2))
    return path


class Identity:
    """Gives out access tokens and knows them again, after a restart too."""

    def __init__(self, service: Service, folder: Path) -> None:
        self.service = service
        self._private = private_key(folder)
        key = load_pem_private_key(self._private.encode(), None)
        assert isinstance(key, RSAPrivateKey)
        self._public = key.public_key()
        self._known: dict[str, dict[str, Any]] = {}  # decoding one for each item of a batch takes most of its time

    # ------------------------------------------------------------ giving out

    def answer(self, path: str, headers: Mapping[str, str], form: Mapping[str, str], body: object) -> Answer | None:
        """What a request to the token endpoint or to IAM is answered with; None for any other path."""
        if path == "/token":
            return self._token(form)
        account = path.removeprefix("/v1/projects/-/serviceAccounts/").removesuffix(":signJwt")
        if account != path and path.endswith(":signJwt"):
            return self._sign(account, headers, body)
        return None

    def _token(self, form: Mapping[str, str]) -> Answer:
        config = self.service.config
        if form.get("grant_type") != GRANT:
            return _failed("unsupported_grant_type", f"Invalid grant_type: {form.get('grant_type')}")
        try:
            claims = jwt.decode(
                form.get("assertion", ""), self._public, algorithms=["RS256"],
                options={"require": ["iat", "exp", "iss"], "verify_aud": False},
            )  # fmt: skip
        except jwt.PyJWTError as error:
            return _failed("invalid_grant", f"Invalid JWT Signature. ({error})")
        own = str(claims.get("aud", "")).endswith("/token") and "127.0.0.1" in str(claims.get("aud"))
        if claims["iss"] != config.service_account or (claims.get("aud") not in AUDIENCES and not own):
            return _failed("invalid_grant", "Invalid grant: account not found")
        if claims["exp"] - claims["iat"] > 3600 or claims["iat"] > time.time() + 300:
            return _failed("invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes)")
        return self._granted(claims)

    def _granted(self, claims: Mapping[str, Any]) -> Answer:
        subject, scopes = claims.get("sub", ""), str(claims.get("scope", "")).split()
        if not scopes:
            return _failed("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
        if subject and not set(scopes) <= set(self.service.config.scopes):
            return _failed("unauthorized_client", _NO_DELEGATION, 401)
        if subject and self._user(subject) is None:
            return _failed("invalid_grant", "Invalid email or User ID")
        return Answer(200, {"access_token": self.token(subject, scopes), "expires_in": self._seconds,
                            "token_type": "Bearer"})  # fmt: skip

    @property
    def _seconds(self) -> int:
        return self.service.config.token_seconds

    def token(self, subject: str, scopes: list[str]) -> str:
        """An access token."""
        claims = {"sub": subject, "scopes": scopes, "exp": int(time.time()) + self._seconds}
        return "ya29." + jwt.encode(claims, _SIGNS, algorithm="HS256")

    def _sign(self, account: str, headers: Mapping[str, str], body: object) -> Answer:
        config = self.service.config
        if headers.get("authorization") != f"Bearer {config.source_token}":
            return Answer(401, _unauthenticated().body)
        if account != config.service_account or not isinstance(body, dict):
            return Answer(404, Refused(404, "notFound", "Unknown service account").body)
        signed = jwt.encode(json.loads(body["payload"]), self._private, algorithm="RS256", headers={"kid": KEY_ID})
        return Answer(200, {"keyId": KEY_ID, "signedJwt": signed})

    # ------------------------------------------------------------ knowing again

    def claims(self, header: str) -> Mapping[str, Any]:
        """Subject and scopes of the token in an Authorization header.

        Raises:
            Refused: 401.
        """
        known = self._known.get(header)
        if known is not None and known["exp"] > time.time():
            return known
        try:
            claims = dict(jwt.decode(header.removeprefix("Bearer ya29."), _SIGNS, algorithms=["HS256"]))
        except jwt.PyJWTError:
            raise _unauthenticated() from None
        self._known[header] = claims
        return claims

    def refuse_unauthorised(self, call: Call, claims: Mapping[str, Any]) -> None:
        """Refuses what the API, the scopes or the subject do not allow.

        Raises:
            Refused: 403.
        """
        assert call.method is not None
        config, api = self.service.config, call.method.api.partition("/")[0]
        if api in config.disabled_apis:
            message = f"The API has not been used in project {config.project} before or it is disabled: {api}."
            raise Refused(403, "accessNotConfigured", message, domain="usageLimits")
        if not set(claims["scopes"]) & set(call.method.scopes):
            raise Refused(403, "insufficientPermissions", "Request had insufficient authentication scopes.")
        user = self._user(claims["sub"])
        if user is None or not user.get("isAdmin"):
            raise forbidden()

    def _user(self, address: str) -> Mapping[str, Any] | None:
        held = self.service.store.holders.get(address.lower())
        row = None if held is None else self.service.store.get(*held)
        return None if row is None or DELETED in row or row.get("suspended") else row


def _failed(error: str, description: str, status: int = 400) -> Answer:
    return Answer(status, {"error": error, "error_description": description})


def _unauthenticated() -> Refused:
    return Refused(401, "authError", "Invalid Credentials", location=("header", "Authorization"))
