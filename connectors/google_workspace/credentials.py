"""Who we are to Google: a service account in the name of an administrator. Imports google-auth.

https://developers.google.com/identity/protocols/oauth2/service-account#delegatingauthority
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import google.auth
import google_auth_httplib2
import httplib2
from google.auth import exceptions
from google.auth.credentials import Credentials
from google.oauth2 import service_account

from connectors.errors import AuthenticationFailed, ConnectorError, Unavailable
from connectors.google_workspace.options import GoogleOptions

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
IAM_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
LIFETIME_SECONDS = 3600
"""Of an assertion, and thus of the token: Google takes no longer one."""
HINTS = {
    "unauthorized_client": "domain-wide delegation is missing, of another client id, or lacks a scope",
    "Invalid email or User ID": "there is nobody of the address that `subject` names",
    "Invalid JWT Signature": "the key was deleted, has expired, or is of another service account",
    "account not found": "the service account is deleted",
    "disabled_client": "the service account is disabled",
}
"""What Google's words mean for whoever has to mend it, by a part of them."""


class Keyless(Credentials):
    """Credentials of a service account whose assertion IAM signs.

    google-auth's own impersonation does the same, but for one address that is built in.
    https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/signJwt
    """

    def __init__(
        self, options: GoogleOptions, scopes: Sequence[str], source: Credentials, clock: Callable[[], float] = time.time
    ) -> None:
        """`source` is who this machine is to Google Cloud; it needs the role Service Account Token Creator."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._options = options
        self._scopes = tuple(scopes)
        self._source = source
        self._clock = clock

    def refresh(self, request: Any) -> None:
        """Fetches another token.

        Raises:
            google.auth.exceptions.GoogleAuthError: IAM or the token endpoint refuses, or cannot be reached.
        """
        assertion = self._signed(request)
        form = urlencode({"grant_type": GRANT, "assertion": assertion})
        told = _asked(request, self._options.token_url, form, {"content-type": "application/x-www-form-urlencoded"})
        self.token = told["access_token"]
        moment = datetime.fromtimestamp(self._clock(), UTC) + timedelta(seconds=int(told["expires_in"]))
        self.expiry = moment.replace(tzinfo=None)  # as google-auth has it

    def _signed(self, request: Any) -> str:
        if not self._source.valid:
            self._source.refresh(request)  # type: ignore[no-untyped-call]
        account, now = str(self._options.service_account), int(self._clock())
        claims = {
            "iss": account,
            "sub": self._options.subject,
            "scope": " ".join(self._scopes),
            "aud": self._options.token_url,
            "iat": now,
            "exp": now + LIFETIME_SECONDS,
        }
        url = f"{self._options.iam_url}/v1/projects/-/serviceAccounts/{quote(account, safe='@')}:signJwt"
        headers: dict[str, str] = {"content-type": "application/json"}
        self._source.apply(headers)  # type: ignore[no-untyped-call]
        return str(_asked(request, url, json.dumps({"payload": json.dumps(claims)}), headers)["signedJwt"])


def _asked(request: Any, url: str, body: str, headers: dict[str, str]) -> dict[str, Any]:
    response = request(url=url, method="POST", body=body.encode(), headers=headers)
    try:
        told = json.loads(response.data)
    except ValueError:
        told = {}
    if response.status != HTTPStatus.OK:
        error = told.get("error", response.status)
        said = error.get("message") if isinstance(error, dict) else f"{error}: {told.get('error_description', '')}"
        later = response.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        raise exceptions.RefreshError(said, told, retryable=later)  # type: ignore[no-untyped-call]
    return dict(told)


class Signer:
    """Tokens for all scopes, fetched anew shortly before they end. One thread at a time."""

    def __init__(self, options: GoogleOptions, folder: Path, scopes: Sequence[str], http: httplib2.Http) -> None:
        """Relative files of the options are relative to `folder`; `http` is what tokens are fetched by. Asks nobody."""
        self._options = options
        self._folder = folder
        self._scopes = tuple(scopes)
        self._request = google_auth_httplib2.Request(http)
        self._credentials: Credentials | None = None

    def authorization(self) -> str:
        """The value of the header of that name, for the next few minutes.

        Raises:
            AuthenticationFailed: Google does not let us in, or not with all scopes.
            Unavailable: It cannot be asked.
        """
        try:
            if self._credentials is None:
                self._credentials = self._made(self._scopes)
            if not self._credentials.valid:
                self._credentials.refresh(self._request)  # type: ignore[no-untyped-call]
        except (exceptions.GoogleAuthError, OSError, ValueError, httplib2.HttpLib2Error) as error:
            raise refused(error) from error
        return f"Bearer {self._credentials.token}"

    def forget(self) -> None:
        """Google takes it no longer, whatever it was to be good for: the next one is fetched anew."""
        self._credentials = None

    def missing(self) -> list[str]:
        """Scopes that Google does not grant; each is asked for by itself.

        Raises:
            Unavailable: It cannot be asked.
        """
        found: list[str] = []
        for scope in self._scopes:
            try:
                self._made([scope]).refresh(self._request)  # type: ignore[no-untyped-call]
            except (exceptions.GoogleAuthError, OSError, ValueError, httplib2.HttpLib2Error) as error:
                told = refused(error)
                if isinstance(told, Unavailable):
                    raise told from error
                found.append(scope)
        return found

    def _made(self, scopes: Sequence[str]) -> Credentials:
        options = self._options
        if options.authentication == "keyless":
            source, _ = google.auth.default(scopes=[IAM_SCOPE])
            return Keyless(options, scopes, source)
        path = self._folder / str(options.key_file)
        try:
            made: Credentials = service_account.Credentials.from_service_account_file(  # type: ignore[no-untyped-call]
                str(path), scopes=list(scopes), subject=options.subject
            )
        except (OSError, ValueError) as error:  # of what is in it, neither says anything
            raise AuthenticationFailed(f"signing in is not possible with the key file {path}: {error}") from error
        return made


def refused(error: Exception) -> ConnectorError:
    """Why there is no token."""
    if isinstance(error, exceptions.TransportError | httplib2.HttpLib2Error):
        return Unavailable(f"{type(error).__name__}: {error}")
    if isinstance(error, exceptions.GoogleAuthError) and error.retryable:
        return Unavailable(f"signing in is not possible at the moment: {error.args[0]}")
    if isinstance(error, exceptions.GoogleAuthError):
        told = f"signing in failed: {error.args[0]}"
        hint = next((hint for words, hint in HINTS.items() if words in told), None)
        return AuthenticationFailed(told if hint is None else f"{told} ({hint})")
    if isinstance(error, ConnectionError | TimeoutError):
        return Unavailable(f"{type(error).__name__}: {error}")
    return AuthenticationFailed(f"signing in is not possible: {error}")
