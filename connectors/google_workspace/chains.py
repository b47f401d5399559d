"""Changes as chains of calls, and many chains side by side in as few HTTP requests as possible."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from connectors.google_workspace.connection import Connection

if TYPE_CHECKING:  # as in `connection`
    from googleapiclient.http import HttpRequest

    from connectors.google_workspace.batching import Reply

T = TypeVar("T")
Chain = Generator[Sequence["HttpRequest"], Sequence["Reply"], T]
"""A chain yields calls whose order does not matter, is sent the replies in theirs, and ends with its result."""


@dataclass
class _Running:
    chain: Chain[Any]
    asks: Sequence[HttpRequest]
    replies: dict[int, Reply] = field(default_factory=dict)

    @property
    def is_answered(self) -> bool:
        return len(self.replies) == len(self.asks)

    def go_on(self) -> _Running:
        """What the chain asks next.

        Raises:
            StopIteration: It ended, with its result.
        """
        return _Running(self.chain, self.chain.send([self.replies[at] for at in range(len(self.asks))]))


def run(connection: Connection, chains: Iterable[Chain[T]]) -> Iterator[T]:
    """Results of chains as they end. All of them take a step, then all the next.

    Raises:
        ConnectorError: Something as a whole was refused or got lost; results of chains that had all their replies were
            yielded before.
    """
    running: list[_Running] = []
    for chain in chains:
        try:
            running.append(_Running(chain, next(chain)))
        except StopIteration as end:
            yield end.value
    while running:
        following: list[_Running] = []
        for one in _answered(connection, running):
            try:
                following.append(one.go_on())
            except StopIteration as end:
                yield end.value
        running = following


def _answered(connection: Connection, running: Sequence[_Running]) -> Iterator[_Running]:
    """The chains, each as soon as it has all its replies."""
    yield from (one for one in running if not one.asks)
    askers = [(one, at) for one in running for at in range(len(one.asks))]
    for position, reply in connection.stream([one.asks[at] for one, at in askers]):
        one, at = askers[position]
        one.replies[at] = reply
        if one.is_answered:
            yield one
