"""Changes as chains of calls, and many chains side by side in as few HTTP requests as possible."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
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
class Memory:
    """What this process made not long ago, and Google may therefore not find yet.

    Attributes:
        settling_seconds: For how long.
        clock: Monotonic, in seconds.
    """

    settling_seconds: float
    clock: Callable[[], float] = time.monotonic
    _made: dict[str, tuple[float, str]] = field(default_factory=dict)
    _by_mark: dict[str, str] = field(default_factory=dict)

    def note(self, anchor: str, mark: str) -> None:
        """An object was made, with that mark."""
        self._forget_settled()
        self._made.pop(anchor, None)
        self._made[anchor] = (self.clock(), mark)
        self._by_mark[mark] = anchor

    def forget(self, anchor: str) -> None:
        """An object was deleted."""
        _, mark = self._made.pop(anchor, (0.0, ""))
        if self._by_mark.get(mark) == anchor:
            del self._by_mark[mark]

    def is_settling(self, anchor: str | None) -> bool:
        """Whether an object that is not found may be there all the same."""
        self._forget_settled()
        return anchor in self._made

    def made_for(self, mark: str) -> str | None:
        """The object that was made with a mark, or None."""
        self._forget_settled()
        return self._by_mark.get(mark)

    def _forget_settled(self) -> None:
        limit = self.clock() - self.settling_seconds
        while self._made:
            anchor, (made, _) = next(iter(self._made.items()))
            if made > limit:
                break
            self.forget(anchor)


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
