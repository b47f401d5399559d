"""A relay in front of a domain controller that sets the limits which Windows sets and Samba does not.

Windows gives 1000 objects to a search that is not paged, 1000 to a page, and 1500 values of an attribute at a time
("LDAP policies": MaxPageSize, MaxValRange). The relay can also be told to break connections off.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from tests.samba import DomainController

_PAGED = b"1.2.840.113556.1.4.319"
_SEARCH, _ENTRY, _DONE = 0x63, 0x64, 0x65
_SIZE_LIMIT_EXCEEDED = 4


class WindowsLimits:
    """Listens on a loopback port with the domain controller's certificate; a context manager.

    Attributes:
        searches: How many were asked for.
        connections: How many were made.
        silent: Whether it keeps answers, and everything else, to itself.
    """

    def __init__(
        self, controller: DomainController, *, objects: int = 1000, values: int = 1500, address: str = ""
    ) -> None:
        """`address`: where to listen, if not where the domain controller does."""
        self._objects = objects
        self._values = values
        self._to = controller.address, controller.ports[1]
        self._trust = ssl.create_default_context(cafile=controller.ca_file)
        self._certificate = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls = controller.folder / "private" / "tls"
        self._certificate.load_cert_chain(tls / "cert.pem", tls / "key.pem")
        self._listener = socket.create_server((address or controller.address, 0))
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.searches = 0
        self.connections = 0
        self.silent = False

    @property
    def server(self) -> str:
        """As settings name it."""
        address, port = self._listener.getsockname()
        return f"{address}:{port}"

    def break_off(self) -> None:
        """Closes every connection, as a firewall does with idle ones; new ones are welcome."""
        for one in list(self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes whoever accepts
        self._listener.close()
        while any(thread.is_alive() for thread in self._threads):
            self.break_off()
            self._threads[-1].join(0.05)

    def _start(self, work: Callable[..., None], *arguments: Any) -> threading.Thread:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._start(self._serve, plain)

    def _serve(self, plain: socket.socket) -> None:
        with suppress(OSError), plain, self._certificate.wrap_socket(plain, server_side=True) as client:
            behind = socket.create_connection(self._to)
            with behind, self._trust.wrap_socket(behind, server_hostname=self._to[0]) as server:
                pair = [client, server]
                self._open += pair
                unpaged: dict[int, int] = {}
                back = self._start(self._relay, server, client, self._answer, unpaged)
                self._relay(client, server, self._ask, unpaged)
                back.join()
                for one in pair:
                    self._open.remove(one)

    def _relay(self, source: socket.socket, sink: socket.socket, change: Any, unpaged: dict[int, int]) -> None:
        with suppress(OSError, ValueError):
            for raw in _messages(source):
                (message,) = _parsed(raw)
                if change(message[1], unpaged) and not self.silent:
                    sink.sendall(_written(message))
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _ask(self, message: Any, unpaged: dict[int, int]) -> bool:
        """Has the domain controller give as many values as Windows would; remembers searches without pages."""
        number, (what, content), *controls = message
        if what != _SEARCH:
            return True
        self.searches += 1
        if _PAGED not in _written([0xA0, controls]):
            unpaged[int.from_bytes(number[1], "big")] = 0
        for name in content[-1][1]:
            first = _first_of_range(name[1].decode())
            if first is not None:
                name[1] = f"member;range={first}-{first + self._values - 1}".encode()
        return True

    def _answer(self, message: Any, unpaged: dict[int, int]) -> bool:
        """Withholds objects beyond the limit, and says so at the end."""
        id_, (what, content), *_ = message
        number = int.from_bytes(id_[1], "big")
        if number not in unpaged:
            return True
        if what == _ENTRY:
            unpaged[number] += 1
            return unpaged[number] <= self._objects
        if what == _DONE and unpaged.pop(number) > self._objects:
            content[0][1] = bytes([_SIZE_LIMIT_EXCEEDED])
        return True


def _parsed(data: bytes) -> list[list[Any]]:
    """BER as tags and contents, those of what is made of others as lists."""
    elements, place = [], 0
    while place < len(data):
        end = place + (_end(data[place:]) or 0)
        begin = place + 2 + (data[place + 1] & 0x7F if data[place + 1] & 0x80 else 0)
        content = data[begin:end]
        elements.append([data[place], _parsed(content) if data[place] & 0x20 else content])
        place = end
    return elements


def _written(element: list[Any]) -> bytes:
    """The reverse."""
    tag, content = element
    body = b"".join(map(_written, content)) if isinstance(content, list) else content
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8 or 1, "big")
    length = size if len(body) < 0x80 else bytes([0x80 | len(size)]) + size
    return bytes([tag]) + length + body


def _first_of_range(name: str) -> int | None:
    """The first of the members that are asked for, from 0; None where others than members are."""
    attribute, _, range_ = name.partition(";range=")
    if attribute.lower() != "member":
        return None
    return int(range_.partition("-")[0]) if range_ else 0


def _messages(source: socket.socket) -> Iterator[bytes]:
    received = b""
    while data := source.recv(1 << 16):
        received += data
        while (end := _end(received)) is not None and len(received) >= end:
            yield received[:end]
            received = received[end:]


def _end(data: bytes) -> int | None:
    """The length of the message that begins here, or None while it cannot be told."""
    if len(data) < 2:
        return None
    if data[1] < 0x80:
        return 2 + data[1]
    wide = data[1] & 0x7F
    return None if len(data) < 2 + wide else 2 + wide + int.from_bytes(data[2 : 2 + wide], "big")
