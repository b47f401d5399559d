"""Google's own client, pointed at the service: how it has to be built, and what tests ask by it most."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import google_auth_httplib2
import httplib2
from google.oauth2 import service_account
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError
from googleapiclient.http import BatchHttpRequest, HttpRequest

from .config import SUFFICIENT_SCOPES
from .control import GoogleService


class Google:
    """All four APIs, for one administrator. Not for several threads: httplib2's objects are of one."""

    def __init__(
        self,
        service: GoogleService,
        subject: str = "admin@kommune.example",
        scopes: Sequence[str] = SUFFICIENT_SCOPES,
    ) -> None:
        self.service = service
        self.credentials = service_account.Credentials.from_service_account_file(  # type: ignore[no-untyped-call]
            str(service.key_file), scopes=list(scopes), subject=subject
        )
        self._plain = httplib2.Http(timeout=30)
        self.http = google_auth_httplib2.AuthorizedHttp(self.credentials, http=self._plain)
        self.directory = self._build("admin", "directory_v1", service.url)
        self.licensing = self._build("licensing", "v1", service.url)
        self.transfer = self._build("admin", "datatransfer_v1", service.url)
        self.settings = self._build("groupssettings", "v1", service.settings_url)

    def _build(self, name: str, version: str, address: str) -> Any:
        return build(name, version, http=self.http, static_discovery=True, client_options={"api_endpoint": address})

    def close(self) -> None:
        """Lets go of the connections."""
        self._plain.close()

    @property
    def users(self) -> Any:
        """Of the Directory API."""
        return self.directory.users()

    @property
    def groups(self) -> Any:
        """Of the Directory API."""
        return self.directory.groups()

    @property
    def members(self) -> Any:
        """Of the Directory API."""
        return self.directory.members()

    @property
    def units(self) -> Any:
        """Of the Directory API."""
        return self.directory.orgunits()

    @property
    def licences(self) -> Any:
        """Of the licensing API."""
        return self.licensing.licenseAssignments()

    def make_user(self, nick: str, **more: Any) -> dict[str, Any]:
        """A new user, as Google answers it."""
        body = {
            "primaryEmail": f"{nick}@kommune.example",
            "name": {"givenName": nick.title(), "familyName": "Moen"},
            "password": "hemmelig1",
            **more,
        }
        return dict(self.users.insert(body=body).execute())

    def make_group(self, name: str, *members: str) -> str:
        """A new group with members by their addresses; its id."""
        body = {"email": f"{name}@kommune.example", "name": name}
        key = str(self.groups.insert(body=body).execute()["id"])
        for one in members:
            self.members.insert(groupKey=key, body={"email": one}).execute()
        return key

    def find(self, query: str) -> list[str]:
        """Primary addresses of the users that a query finds."""
        found = self.users.list(customer="my_customer", query=query).execute()
        return [one["primaryEmail"] for one in found.get("users", ())]

    def admin_id(self) -> str:
        """The id of the administrator."""
        return str(self.users.get(userKey=self.service.config.admin).execute()["id"])

    def batch(self, *requests: HttpRequest, path: str = "/admin/directory_v1") -> list[Any]:
        """What each request of a batch is answered with: an object, or the pair of status and reason.

        `new_batch_http_request()` goes to Google whatever the endpoint is, so the address is given here.
        """
        answers: dict[str, Any] = {}

        def keep(key: str, answer: Any, error: HttpError | None) -> None:
            answers[key] = answer if error is None else _told(error)[:2]

        batch = BatchHttpRequest(callback=keep, batch_uri=self.service.batch_url + path)
        for at, one in enumerate(requests):
            batch.add(one, request_id=str(at))
        batch.execute(http=self.http)
        return [answers[str(at)] for at in range(len(requests))]


def refusal(request: HttpRequest) -> tuple[int, str, str]:
    """Status, reason and message of a request that is refused; 200 for one that is not."""
    try:
        request.execute(num_retries=0)
    except HttpError as error:
        return _told(error)
    return 200, "", ""


def _told(error: HttpError) -> tuple[int, str, str]:
    if not error.content:
        return error.status_code, "", ""
    body = json.loads(error.content)["error"]
    return error.status_code, body["errors"][0]["reason"], body["message"]
