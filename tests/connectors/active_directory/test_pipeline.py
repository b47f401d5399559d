"""Many requests under way at once, against a server that answers as a test wants."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from itertools import count
from threading import Thread
from typing import Any

import pytest

from connectors.active_directory.ber import Answer, Delete, message_end
from connectors.active_directory.pipeline import Chain, Pipeline
from connectors.errors import Unavailable

Answering = Callable[[list[int]], list[int]]
"""Takes the ids of messages that wait and returns those to answer now, in that order."""


class Server:
    """Stands where ldap3's connection would, with a server behind it.

    Attributes:
        most: Most requests that waited for an answer at once.
        last_id: Of the newest message.
        asked: The requests, in their order.
    """

    def __init__(self, answering: Answering, breaks_after: int | None = None, says: str = "") -> None:
        self.socket, self._far = socket.socketpair()
        self.socket.settimeout(10)
        self.server = self.strategy = self
        self.closed = False
        self.most = self.last_id = 0
        self.asked: list[str] = []
        self._answering = answering
        self._left = breaks_after
        self._says = says
        self._ids = count(1)
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def next_message_id(self) -> int:
        """As ldap3's server."""
        self.last_id = next(self._ids)
        return self.last_id

    def close(self) -> None:
        """As ldap3's strategy."""
        self.closed = True
        self.socket.close()
        self._thread.join()

    def _serve(self) -> None:
        data, waiting = bytearray(), []
        while chunk := self._far.recv(1 << 16):
            data += chunk
            while (end := message_end(data, 0)) is not None:
                waiting.append(data[4] if data[1] < 0x80 else 0)
                self.asked.append(bytes(data[:end])[7:].decode())
                del data[:end]
            self.most = max(self.most, len(waiting))
            for id_ in self._answering(list(waiting)):
                waiting.remove(id_)
                if self._left == 0:
                    self._far.close()
                    return
                self._left = None if self._left is None else self._left - 1
                self._far.sendall(_answer(id_, self._says or str(id_)))
        self._far.close()


def _answer(id_: int, words: str) -> bytes:
    """A delResponse: success, with a text."""
    text = words.encode()
    body = bytes.fromhex("0a01000400") + bytes((4, len(text))) + text
    body = bytes((2, 1, id_, 0x6B, len(body))) + body
    return bytes((0x30, len(body))) + body


def in_order(waiting: list[int]) -> list[int]:
    """Answers everything, first come first served."""
    return waiting


def backwards(waiting: list[int]) -> list[int]:
    """Answers everything, the last first."""
    return waiting[::-1]


def steps(name: str, number: int) -> Chain[tuple[str, list[str]]]:
    """A chain of so many requests."""
    told = []
    for step in range(number):
        answer: Answer = yield Delete(f"{name}{step}")
        told.append(answer.text)
    return name, told


@pytest.fixture
def served() -> Iterator[Callable[..., Any]]:
    """Starts servers and ends them."""
    servers: list[Server] = []

    def start(answering: Answering = in_order, **settings: Any) -> Server:
        servers.append(Server(answering, **settings))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.mark.parametrize("answering", [in_order, backwards])
def test_each_chain_gets_its_own_answers(served: Callable[..., Server], answering: Answering) -> None:
    """Whatever the order in which the server answers."""
    server = served(answering)
    results = dict(Pipeline(server, 5).run(steps(name, 3) for name in "abcdefgh"))
    assert set(results) == set("abcdefgh")
    assert sorted(int(id_) for told in results.values() for id_ in told) == list(range(1, 25))


@pytest.mark.parametrize("answering", [in_order, backwards])
def test_the_requests_of_one_chain_follow_one_another(served: Callable[..., Server], answering: Answering) -> None:
    """The next one leaves when the last was answered."""
    server = served(answering)
    list(Pipeline(server, 8).run(steps(name, 4) for name in "abcd"))
    for name in "abcd":
        assert [one for one in server.asked if one.startswith(name)] == [f"{name}{number}" for number in range(4)]


def test_no_more_are_under_way_than_allowed(served: Callable[..., Server]) -> None:
    """And as many as that."""
    server = served(lambda waiting: waiting[:1] if len(server.asked) < 30 else waiting)
    list(Pipeline(server, 6).run(steps(str(number), 1) for number in range(30)))
    assert server.most == 6


def test_a_chain_without_requests_ends_at_once(served: Callable[..., Server]) -> None:
    """What is refused beforehand needs no server."""
    server = served()
    assert dict(Pipeline(server).run([steps("a", 0), steps("b", 1), steps("c", 0)])) == {"a": [], "b": ["1"], "c": []}


@pytest.mark.parametrize("number", [0, 3, 4, 5, 200])
def test_many_chains_without_requests_all_end(served: Callable[..., Server], number: int) -> None:
    """More than may be under way at once, before and behind those that need the server."""
    server = served()
    idle = [steps(str(one), 0) for one in range(number)]
    results = dict(Pipeline(server, 4).run([*idle, steps("a", 2), *[steps(f"b{one}", 0) for one in range(number)]]))
    assert len(results) == 2 * number + 1
    assert results["a"] == ["1", "2"]


def test_who_stops_early_leaves_no_answers_behind(served: Callable[..., Server]) -> None:
    """The next request on the connection gets its own answer, not one that is owed to somebody who left."""
    server = served(backwards)
    pipeline = Pipeline(server, 4)
    results = pipeline.run(steps(name, 2) for name in "abcdef")
    next(results)
    results.close()
    assert pipeline.ask(Delete("z")).text == str(server.last_id)


def test_a_broken_connection_is_unavailable_and_given_up(served: Callable[..., Server]) -> None:
    """What was told before stands; nothing is read from that connection any more."""
    server = served(lambda waiting: waiting[:1], breaks_after=2)
    told = []
    with pytest.raises(Unavailable):
        told.extend(Pipeline(server, 3).run(steps(name, 1) for name in "abcdef"))
    assert server.closed


def test_a_failing_chain_leaves_no_answers_behind(served: Callable[..., Server]) -> None:
    """An error that is about the server ends all chains; the connection can be used on."""
    server = served(backwards)
    pipeline = Pipeline(server, 4)

    def failing() -> Chain[object]:
        yield Delete("x")
        raise Unavailable("going down")

    with pytest.raises(Unavailable):
        list(pipeline.run([steps("a", 3), failing(), steps("b", 3)]))
    assert pipeline.ask(Delete("z")).text == str(server.last_id)


@pytest.mark.parametrize("message", [b"\x30\x0c\x02\x01\x00\x78\x07\x0a\x01\x34\x04\x00\x04\x00", b""])
def test_a_notice_of_disconnection_is_unavailable(message: bytes) -> None:
    """Message 0 (RFC 4511 section 4.4.1), or the end of the connection."""
    near, far = socket.socketpair()
    server = Server(lambda _: [])
    server.socket.close()
    server.socket = near
    far.sendall(message)
    far.close()
    with pytest.raises(Unavailable):
        Pipeline(server).ask(Delete("a"))


def test_a_connection_that_was_signed_out_is_given_up(served: Callable[..., Server]) -> None:
    """As Windows does when a ticket has run out: the next one signs in anew, this one never would."""
    server = served(says="000004DC: LdapErr: DSID-0C090A5C, comment: a successful bind must be completed")
    with pytest.raises(Unavailable):
        Pipeline(server).ask(Delete("a0"))
    assert server.closed
