"""Several requests to Graph in one: which go together, how they are written, what their answers say. No I/O.

msgraph-core 1.5.2 has batches too, but drops JSON bodies and writes absolute addresses and `depends_on`, which Graph
refuses; so we write them ourselves. https://learn.microsoft.com/graph/json-batching
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

MOST = 20
"""Requests in one batch. Graph refuses a batch with more as a whole."""
_PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.LOCKED, HTTPStatus.FAILED_DEPENDENCY}


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        id: Its own among those that are sent together.
        method: "GET", "POST", ...
        url: Relative, with its query: "/users/{id}".
        body: JSON, or None.
        depends_on: Ids of requests without whose success this one must not be tried.
        headers: Beside the content type of a body.
    """

    id: str
    method: str
    url: str
    body: Mapping[str, Any] | None = None
    depends_on: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Response:
    """What became of one request.

    Attributes:
        id: `Request.id`.
        status: HTTP status; 424 where what it depends on failed.
        body: Parsed JSON, or None.
        headers: By lower-case name.
    """

    id: str
    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether it was done."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def is_throttled(self) -> bool:
        """Whether it was refused for the quota."""
        return self.status == HTTPStatus.TOO_MANY_REQUESTS

    @property
    def is_passing(self) -> bool:
        """Whether it failed in a way that time cures."""
        return self.is_throttled or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR or self.status in _PASSING

    @property
    def error(self) -> Mapping[str, Any]:
        """Graph's error object, with `code` and `message`; empty where there is none."""
        found = self.body.get("error") if isinstance(self.body, dict) else None
        return found if isinstance(found, dict) else {}

    @property
    def retry_after_seconds(self) -> float | None:
        """How long Graph wants to be left alone, or None where it does not say so in seconds."""
        return seconds_of(self.headers.get("retry-after"))

    @property
    def load(self) -> float | None:
        """The share of the quota in use: Graph tells it from 0.8 on, up to 1.8; None below."""
        return seconds_of(self.headers.get("x-ms-throttle-limit-percentage"))


def seconds_of(text: str | None) -> float | None:
    """A number that is not negative, or None; Retry-After may be a date, which Graph does not use."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None


def bundles(requests: Sequence[Request], most: int = MOST) -> list[list[Request]]:
    """The requests in as few batches as their dependencies allow; what depends on one another stays together.

    Families are packed the largest first into the first batch with room (first fit decreasing: never more than 11/9
    of the fewest, and the fewest where every request stands alone).

    Raises:
        ValueError: More than `most` requests depend on one another, or one depends on a request that is not there.
    """
    packed: list[list[Request]] = []
    open_ones: list[list[Request]] = []
    for family in sorted(_families(requests), key=len, reverse=True):
        if len(family) > most:
            raise ValueError(f"{len(family)} requests depend on one another; a batch holds {most}")
        home = next((one for one in open_ones if len(one) + len(family) <= most), None)
        if home is None:
            home = []
            packed.append(home)
            open_ones.append(home)
        home.extend(family)
        if len(home) == most:
            open_ones.remove(home)
    return packed


def _families(requests: Sequence[Request]) -> list[list[Request]]:
    """Requests that depend on one another, directly or by way of others; each in the order given."""
    head = {one.id: one.id for one in requests}

    def head_of(name: str) -> str:
        while head[name] != name:
            name = head[name] = head[head[name]]
        return name

    for one in requests:
        for other in one.depends_on:
            if other not in head:
                raise ValueError(f"request {one.id} depends on {other}, which is not there")
            head[head_of(one.id)] = head_of(other)
    families: dict[str, list[Request]] = {}
    for one in requests:
        families.setdefault(head_of(one.id), []).append(one)
    return list(families.values())


def written(requests: Sequence[Request]) -> dict[str, Any]:
    """The body of a batch."""
    return {"requests": [_written(one) for one in requests]}


def _written(request: Request) -> dict[str, Any]:
    told: dict[str, Any] = {"id": request.id, "method": request.method, "url": request.url}
    headers = {**request.headers, **({"Content-Type": "application/json"} if request.body is not None else {})}
    if headers:
        told["headers"] = headers
    if request.body is not None:
        told["body"] = request.body
    if request.depends_on:
        told["dependsOn"] = list(request.depends_on)
    return told


def understood(requests: Sequence[Request], body: object) -> list[Response]:
    """One response for each request, in their order, whatever the order of the answer.

    A request that the answer passes over gets a 504: whether it was done is not known.
    """
    found = body.get("responses") if isinstance(body, dict) else None
    told = {one.get("id"): one for one in found or () if isinstance(one, dict)}
    return [_understood(one.id, told.get(one.id)) for one in requests]


def _understood(name: str, told: Mapping[str, Any] | None) -> Response:
    if told is None or not isinstance(told.get("status"), int):
        return Response(name, HTTPStatus.GATEWAY_TIMEOUT)
    headers = {str(key).lower(): str(value) for key, value in (told.get("headers") or {}).items()}
    return Response(name, told["status"], told.get("body"), headers)
