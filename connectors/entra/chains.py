"""Changes as chains of requests, and many chains side by side in as few HTTP requests as possible."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

from connectors.entra.batching import Request, Response
from connectors.entra.connection import Connection
from connectors.errors import NotFound

T = TypeVar("T")
Chain = Generator[Sequence["Ask"], Sequence[Response], T]
"""A chain yields what it asks, is sent the answers in the same order, and ends with its result.

One that asks for nothing waits until the others have the answers to what they ask for meanwhile."""

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class Ask(NamedTuple):
    """One request of a chain.

    Attributes:
        method: "GET", "POST", ...
        url: Relative.
        body: JSON, or None.
        headers: Beside the content type.
        after: Position of another one in the same yield without whose success this one must not be tried, or None.
    """

    method: str
    url: str
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = {}
    after: int | None = None


def is_object_id(text: str) -> bool:
    """Whether a text looks like the id of an object."""
    return _GUID.fullmatch(text) is not None


def object_id(kind: str, anchor: str | None) -> str:
    """The anchor, if it is one: what is put into an address must not lead anywhere else.

    Raises:
        NotFound: It cannot be an object's id.
    """
    if anchor is None or not is_object_id(anchor):
        raise NotFound(kind, anchor or "")
    return anchor


@dataclass
class _Running:
    chain: Chain[Any]
    asks: Sequence[Ask]
    first: int = 0


def run(connection: Connection, chains: Iterable[Chain[T]]) -> Iterator[T]:
    """Results of chains as they end. All of them take a step, then all the next.

    Raises:
        ConnectorError: Something as a whole was refused or got lost, or the quota is nearly used up; results of chains
            that had all their answers were yielded before.
    """
    running: list[_Running] = []
    for chain in chains:
        try:
            running.append(_Running(chain, next(chain)))
        except StopIteration as end:
            yield end.value
    while running:
        told, failure = connection.send(_numbered(running))
        waiting: list[_Running] = []
        for one in running:
            names = [str(one.first + at) for at in range(len(one.asks))]
            if any(name not in told for name in names):
                continue
            try:
                waiting.append(replace(one, asks=one.chain.send([told[name] for name in names])))
            except StopIteration as end:
                yield end.value
        if failure is not None:
            raise failure
        running = waiting


def _numbered(running: Sequence[_Running]) -> list[Request]:
    requests: list[Request] = []
    for one in running:
        one.first = len(requests)
        for at, ask in enumerate(one.asks):
            after = () if ask.after is None else (str(one.first + ask.after),)
            requests.append(Request(str(one.first + at), ask.method, ask.url, ask.body, after, ask.headers))
    return requests
