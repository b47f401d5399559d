"""The calls that Google's client builds, by the discovery documents that come with it. Imports the client."""

from __future__ import annotations

import json
from functools import cache, cached_property
from typing import Any, NamedTuple

import httplib2
from googleapiclient.discovery import build_from_document
from googleapiclient.discovery_cache import get_static_doc
from googleapiclient.http import HttpRequest

DOCUMENTS = {
    "directory": ("admin", "directory_v1"),
    "licensing": ("licensing", "v1"),
    "groupsSettings": ("groupssettings", "v1"),
    "datatransfer": ("admin", "datatransfer_v1"),
}
"""Name and version of each API, by what the ids of its methods begin with."""


class Api(NamedTuple):
    """One API.

    Attributes:
        root: Its calls, as resources of Google's client.
        batch_url: Where its batches go.
    """

    root: Any
    batch_url: str


class Apis:
    """Calls of all four APIs. Nothing is sent from here: each call is an `HttpRequest` that `Connection` sends."""

    def __init__(self, endpoint: str | None = None) -> None:
        """`endpoint` stands in the place of Google's own addresses; None: Google."""
        self._endpoint = None if endpoint is None else endpoint.rstrip("/") + "/"
        self._apis: dict[str, Api] = {}

    def api(self, name: str) -> Api:
        """One API, by what the ids of its methods begin with ("directory")."""
        if name not in self._apis:
            self._apis[name] = self._built(name)
        return self._apis[name]

    def batch_url_of(self, request: HttpRequest) -> str:
        """Where a batch with this call goes: each API has an endpoint of its own."""
        return self.api(str(request.methodId).partition(".")[0]).batch_url

    def _built(self, name: str) -> Api:
        document: dict[str, Any] = json.loads(get_static_doc(*DOCUMENTS[name]))
        root = self._endpoint or document["rootUrl"]
        # `api_endpoint` takes the place of the service's path too.
        options = {"api_endpoint": root + document["servicePath"]}
        http = httplib2.Http()  # only there so that the client signs nobody in
        return Api(build_from_document(document, http=http, client_options=options), root + document["batchPath"])

    @cached_property
    def users(self) -> Any:
        """Of the Directory API."""
        return self.api("directory").root.users()

    @cached_property
    def aliases(self) -> Any:
        """Of users; of the Directory API."""
        return self.users.aliases()

    @cached_property
    def orgunits(self) -> Any:
        """Of the Directory API."""
        return self.api("directory").root.orgunits()

    @cached_property
    def groups(self) -> Any:
        """Of the Directory API."""
        return self.api("directory").root.groups()

    @cached_property
    def group_aliases(self) -> Any:
        """Of the Directory API."""
        return self.groups.aliases()

    @cached_property
    def members(self) -> Any:
        """Of groups; of the Directory API."""
        return self.api("directory").root.members()

    @cached_property
    def schemas(self) -> Any:
        """Custom ones, of users; of the Directory API."""
        return self.api("directory").root.schemas()

    @cached_property
    def licences(self) -> Any:
        """Assignments, of the licensing API."""
        return self.api("licensing").root.licenseAssignments()

    @cached_property
    def settings(self) -> Any:
        """Of groups, by their address; of the Groups Settings API."""
        return self.api("groupsSettings").root.groups()

    @cached_property
    def transfers(self) -> Any:
        """Of the Data Transfer API."""
        return self.api("datatransfer").root.transfers()

    @cached_property
    def applications(self) -> Any:
        """Whose data can be transferred; of the Data Transfer API."""
        return self.api("datatransfer").root.applications()


@cache
def apis_of(endpoint: str | None) -> Apis:
    """The calls to this endpoint: made once, since reading the documents takes longer than a request."""
    return Apis(endpoint)
