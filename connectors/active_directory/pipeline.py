"""Many requests under way on one connection at once, each object's own still one after another.

What is to be done to one object is a chain: a generator that yields a request, is sent its answer, and returns a
result. A server may carry out what it was sent at once in any order (RFC 4511 section 3.1), so a chain's next request
leaves only when its last was answered, while those of other chains are under way.

ldap3 opens, secures and binds the connection; requests go over its socket. Its own asynchronous strategy mixes up
sockets when connections follow one another quickly, and its synchronous ones wait for every answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from connectors.active_directory.ber import Answer, Entry, Request, Search, decode, encode, message_end
from connectors.active_directory.errors import Attempt, Code, general_error, is_signed_out
from connectors.errors import Unavailable

Result = TypeVar("Result")
Chain = Generator[Request, Answer, Result]
"""What is done to one object: yields requests, is sent their answers, returns a result."""

_WINDOW = 64  # beyond it nothing is gained: the server writes one after another
_RECEIVE_BYTES = 1 << 16


class Pipeline:
    """Runs chains over the socket of a bound ldap3 connection that nobody else uses meanwhile."""

    def __init__(self, connection: Any, window: int = _WINDOW) -> None:
        self._connection = connection
        self._window = window
        self._received = bytearray()
        self._entries: dict[int, list[Entry]] = {}

    def run(self, chains: Iterable[Chain[Result]]) -> Iterator[Result]:
        """The results of all chains, each as soon as it is there; answers owed to whoever stops early are awaited.

        Args:
            chains: In order; to a deque, chains may be added while it is run.

        Raises:
            Unavailable: The connection broke; what the chains under way came to is not known.
        """
        under_way: dict[int, Chain[Result]] = {}
        waiting = chains if isinstance(chains, deque) else deque(chains)
        try:
            ready: deque[tuple[Chain[Result], Answer | None]] = deque()
            while True:
                ready.extend((chain, None) for chain in _take(waiting, self._window - len(under_way)))
                if not ready:
                    return
                yield from self._advance(ready, under_way)
                if under_way:
                    ready.extend((under_way.pop(message_id), answer) for message_id, answer in self._answers())
        finally:
            self._settle(len(under_way))

    def ask(self, request: Request) -> Answer:
        """The answer to one request alone.

        Raises:
            Unavailable: As `run`.
        """
        return next(self.run([_single(request)]))

    def found(self, searches: Iterable[Search], doing: str) -> Iterator[Entry]:
        """What several searches found; one answer is taken in while the server works at the next.

        Args:
            searches: In order.
            doing: For an operator, where one fails.

        Raises:
            Unavailable, Throttled, AuthenticationFailed: One of them failed.
        """
        for answer in self.run(map(_single, searches)):
            yield from entries_of(answer, doing)

    def _advance(
        self, ready: deque[tuple[Chain[Result], Answer | None]], under_way: dict[int, Chain[Result]]
    ) -> Iterator[Result]:
        """Lets each chain that is ready go on, sends all their requests at once; yields results of those that ended."""
        outgoing, leaving, results = bytearray(), {}, []
        while ready:
            chain, answer = ready.popleft()
            try:
                request = next(chain) if answer is None else chain.send(answer)
            except StopIteration as end:
                results.append(end.value)
                continue
            message_id = self._connection.server.next_message_id()
            leaving[message_id] = chain
            outgoing += encode(request, message_id)
        if outgoing:
            self._send(outgoing)
            under_way.update(leaving)  # not before: a chain that raises keeps the others' requests from leaving
        yield from results

    def _send(self, outgoing: bytearray) -> None:
        try:
            self._connection.socket.sendall(outgoing)
        except (OSError, AttributeError) as error:  # ldap3 leaves None for a socket it closed
            raise self._broken(error) from error

    def _answers(self) -> list[tuple[int, Answer]]:
        """The answers that are there; waits until there is one."""
        found: list[tuple[int, Answer]] = []
        while not found:
            self._receive()
            start = 0
            while (end := message_end(self._received, start)) is not None:
                self._take_message(bytes(self._received[start:end]), found)
                start = end
            del self._received[:start]
        return found

    def _take_message(self, message: bytes, found: list[tuple[int, Answer]]) -> None:
        message_id, said = decode(message)
        if message_id == 0:  # a notice of disconnection: RFC 4511 section 4.4.1
            raise self._broken(None)
        if isinstance(said, Entry):
            self._entries.setdefault(message_id, []).append(said)
        elif said is not None:
            if is_signed_out(said.text):  # whatever is asked on it would be refused for ever
                raise self._broken(None)
            entries = self._entries.pop(message_id, ())
            found.append((message_id, Answer(said.code, said.text, entries)))

    def _receive(self) -> None:
        try:
            data = self._connection.socket.recv(_RECEIVE_BYTES)
        except (OSError, AttributeError) as error:
            raise self._broken(error) from error
        if not data:
            raise self._broken(None)
        self._received += data

    def _settle(self, owed: int) -> None:
        """Takes answers off the connection that nobody waits for any more, so that the next request gets its own."""
        while owed and not self._connection.closed:
            owed -= len(self._answers())

    def _broken(self, error: BaseException | None) -> Unavailable:
        """Gives the connection up: what is on the way could be taken for the answer to something else."""
        self._connection.strategy.close()
        return Unavailable(f"the domain controller broke off the connection{f': {error}' if error else ''}")


def entries_of(answer: Answer, doing: str) -> Sequence[Entry]:
    """What a search found.

    Args:
        answer: To the search.
        doing: For an operator, where it failed.

    Raises:
        Unavailable, Throttled, AuthenticationFailed: It failed.
    """
    if answer.code != Code.SUCCESS:
        raise general_error(answer.code, answer.text, Attempt(doing)) or Unavailable(f"could not {doing}")
    return answer.entries


def _take(chains: deque[Chain[Result]], count: int) -> Iterator[Chain[Result]]:
    while chains and count > 0:
        yield chains.popleft()
        count -= 1


def _single(request: Request) -> Chain[Answer]:
    return (yield request)
