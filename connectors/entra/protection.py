"""Who is an administrator: has a directory role, directly or by a group that gives one.

Roles that somebody may only activate (Privileged Identity Management), and those over an administrative unit, are not
told of here. https://learn.microsoft.com/graph/api/resources/directoryrole
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from connectors.contract import Kind
from connectors.entra.batching import Request
from connectors.entra.connection import Connection
from connectors.entra.refusals import as_a_whole, refusal

FRESH_SECONDS = 60.0
"""How long is believed who is an administrator. To ask for each account that is found would triple its cost."""
_GROUP = "#microsoft.graph.group"


class Administrators:
    """The administrators of one tenant."""

    def __init__(self, connection: Connection, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` is monotonic, in seconds."""
        self._connection = connection
        self._clock = clock
        self._ids: frozenset[str] = frozenset()
        self._read_at: float | None = None

    def ids(self) -> frozenset[str]:
        """Ids of their accounts, and of the groups that make somebody one.

        Raises:
            ConnectorError: As `Connection.get`.
        """
        now = self._clock()
        if self._read_at is None or now - self._read_at > FRESH_SECONDS:
            self._ids, self._read_at = self._read(), now
        return self._ids

    def _read(self) -> frozenset[str]:
        roles = self._connection.get("/directoryRoles?$select=id")["value"]
        holders = self._members(f"/directoryRoles/{role['id']}/members?$select=id" for role in roles)
        groups = {str(one["id"]) for one in holders if one.get("@odata.type") == _GROUP}
        inside = self._members(f"/groups/{key}/members?$select=id&$top=999" for key in sorted(groups))
        return frozenset(str(one["id"]) for one in (*holders, *inside))

    def _members(self, urls: Iterable[str]) -> list[dict[str, Any]]:
        requests = [Request(str(number), "GET", url) for number, url in enumerate(urls)]
        found: list[dict[str, Any]] = []
        for response in self._connection.read(requests).values() if requests else ():
            if response.ok:
                found += response.body["value"]
                if link := response.body.get("@odata.nextLink"):
                    found += (one for page in self._connection.pages(link) for one in page["value"])
            elif response.status != HTTPStatus.NOT_FOUND:  # has gone since
                raise as_a_whole(refusal(response, Kind.GROUP, None))
        return found
