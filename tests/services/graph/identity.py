"""Signing in: the token endpoint and what leads clients to it.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow and, for managed identities,
https://learn.microsoft.com/azure/app-service/overview-managed-identity
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import Certificate

from .config import Config, stable_id
from .errors import Refused
from .service import Answer

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
FEDERATION_AUDIENCE, FEDERATION_SUBJECT = "api://AzureADTokenExchange", "system:serviceaccount:eadm:eadm-sync"


class Identity:
    """The tenant's sign-in. Tokens are signed, not stored: they outlive a restart."""

    def __init__(self, config: Config, certificate: Certificate) -> None:
        self.config = config
        self.certificate = certificate
        self.issued = 0
        self._key = hashlib.sha256(f"local graph/{config.tenant_id}".encode()).digest()

    def answer(self, method: str, path: str, form: Mapping[str, str], base: str) -> Answer | None:
        """What a request for signing in is answered with; None if it is no such request.

        Args:
            method: "GET" or "POST".
            path: Without query.
            form: Fields of a POST, or the query of a GET.
            base: "https://127.0.0.1:port".
        """
        tenant, _, rest = path.strip("/").partition("/")
        if path == "/common/discovery/instance":
            return Answer(200, self._instance(base))
        if rest == "v2.0/.well-known/openid-configuration":
            return self._configuration(tenant, base)
        if rest == "discovery/v2.0/keys":
            return Answer(200, {"keys": []})
        if rest == "oauth2/v2.0/token" and method == "POST":
            return self._token(tenant, form, f"{base}{path}")
        if path in {"/msi/token", "/metadata/identity/oauth2/token"}:
            token = self._granted(form.get("resource", ""))
            return Answer(200, {**token, "expires_on": str(int(time.time()) + token["expires_in"]),
                                "resource": form.get("resource", "")})  # fmt: skip
        return None

    def _instance(self, base: str) -> dict[str, Any]:
        host = base.partition("://")[2]
        configuration = f"{base}/{self.config.tenant_id}/v2.0/.well-known/openid-configuration"
        known = {"preferred_network": host, "preferred_cache": host, "aliases": [host]}
        return {"tenant_discovery_endpoint": configuration, "api-version": "1.1", "metadata": [known]}

    def _configuration(self, tenant: str, base: str) -> Answer:
        if tenant.lower() not in {self.config.tenant_id, *self.config.domains}:
            return _refusal(400, "invalid_tenant", f"AADSTS90002: Tenant '{tenant}' not found.")
        root = f"{base}/{self.config.tenant_id}"
        return Answer(
            200,
            {
                "issuer": f"{root}/v2.0",
                "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
                "token_endpoint": f"{root}/oauth2/v2.0/token",
                "jwks_uri": f"{root}/discovery/v2.0/keys",
                "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
                "response_types_supported": ["code", "id_token", "token"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
            },
        )

    def _token(self, tenant: str, form: Mapping[str, str], endpoint: str) -> Answer:
        if tenant.lower() not in {self.config.tenant_id, *self.config.domains}:
            return _refusal(400, "invalid_request", f"AADSTS90002: Tenant '{tenant}' not found.")
        if form.get("grant_type") != "client_credentials":
            return _refusal(400, "unsupported_grant_type", "AADSTS70003: The grant type is not supported.")
        if not form.get("scope", "").endswith("/.default"):
            return _refusal(400, "invalid_scope", "AADSTS1002012: The scope must end with '/.default'.")
        if form.get("client_id") != self.config.client_id:
            return _refusal(400, "unauthorized_client",
                            f"AADSTS700016: Application '{form.get('client_id')}' was not found.")  # fmt: skip
        wrong = self._wrong_credential(form, endpoint)
        return (
            _refusal(401, "invalid_client", wrong)
            if wrong
            else Answer(200, self._granted(form["scope"].removesuffix("/.default")))
        )

    def _wrong_credential(self, form: Mapping[str, str], endpoint: str) -> str | None:
        if form.get("client_assertion_type") == ASSERTION:
            return self._wrong_assertion(form.get("client_assertion", ""), endpoint)
        if form.get("client_secret") != self.config.secret:
            return "AADSTS7000215: Invalid client secret provided."
        return None

    def _wrong_assertion(self, assertion: str, endpoint: str) -> str | None:
        """What is wrong with an assertion: signed with the certificate, or a federated token of a workload."""
        try:
            header = jwt.get_unverified_header(assertion)
            if "x5t" not in header and "x5t#S256" not in header:
                self._check_federated(assertion)
                return None
            if not self._is_ours(header):
                return "AADSTS700027: The certificate with this thumbprint is not registered on the application."
            claims = jwt.decode(
                assertion, self.certificate.public_key(), algorithms=["PS256", "RS256"], audience=endpoint,
                options={"require": ["exp", "iss", "sub", "jti"]},
            )  # type: ignore[arg-type]  # fmt: skip
        except jwt.ExpiredSignatureError:
            return "AADSTS700024: Client assertion is not within its valid time range."
        except jwt.InvalidAudienceError:
            return "AADSTS700023: Client assertion audience claim does not match the token endpoint."
        except jwt.InvalidTokenError as error:
            return f"AADSTS700027: Client assertion failed signature validation: {error}"
        ours = claims["iss"] == claims["sub"] == self.config.client_id
        return None if ours else "AADSTS700021: Client assertion subject or issuer is not the application."

    def _is_ours(self, header: Mapping[str, str]) -> bool:
        algorithm, name = (hashes.SHA256(), "x5t#S256") if "x5t#S256" in header else (hashes.SHA1(), "x5t")  # noqa: S303 - the older of the two thumbprints is defined so
        digest = base64.urlsafe_b64encode(self.certificate.fingerprint(algorithm)).decode().rstrip("=")
        return header[name].rstrip("=") == digest

    def federated_token(self) -> str:
        """A token as a cluster writes it into the file of a workload; good for one hour."""
        claims = {
            "iss": "https://cluster.example",
            "sub": FEDERATION_SUBJECT,
            "aud": FEDERATION_AUDIENCE,
            "exp": int(time.time()) + 3600,
        }
        return jwt.encode(claims, self._key, algorithm="HS256")

    def _check_federated(self, assertion: str) -> None:
        jwt.decode(assertion, self._key, algorithms=["HS256"], audience=FEDERATION_AUDIENCE)

    def _granted(self, audience: str) -> dict[str, Any]:
        self.issued += 1
        now, seconds = int(time.time()), self.config.token_seconds
        claims = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{self.config.tenant_id}/",
            "iat": now,
            "exp": now + seconds,
            "appid": self.config.client_id,
            "oid": stable_id(f"principal/{self.config.client_id}"),
            "tid": self.config.tenant_id,
            "roles": self.config.roles,
            "jti": str(self.issued),
        }
        token = jwt.encode(claims, self._key, algorithm="HS256")
        return {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token}

    def application(self, authorization: str) -> str:
        """The application that a request comes from.

        Raises:
            Refused: 401.
        """
        word, _, token = authorization.partition(" ")
        if word.lower() != "bearer" or not token:
            raise Refused(401, "InvalidAuthenticationToken", "Access token is empty.")
        try:
            claims = jwt.decode(token, self._key, algorithms=["HS256"], audience=self.config.audience)
        except jwt.ExpiredSignatureError:
            raise Refused(
                401, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired."
            ) from None
        except jwt.InvalidAudienceError:
            raise Refused(
                401, "InvalidAuthenticationToken", "Access token validation failure. Invalid audience."
            ) from None
        except jwt.InvalidTokenError:
            raise Refused(401, "InvalidAuthenticationToken", "IDX14100: JWT is not well formed.") from None
        return str(claims["appid"])


def _refusal(status: int, error: str, description: str) -> Answer:
    codes = [int(description.partition(":")[0].removeprefix("AADSTS"))]
    return Answer(status, {"error": error, "error_description": description, "error_codes": codes})
