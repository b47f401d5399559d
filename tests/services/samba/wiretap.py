"""Between a client and a server: hears what is said, and breaks off when it is told to."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Any


class Wiretap:
    """Passes bytes on between whoever connects and a server, and keeps them.

    Attributes:
        heard: All bytes of both directions.
        server: Where it listens, as settings name a server.
    """

    def __init__(self, server: str, cut_after: int | None = None) -> None:
        """Listens beside `server`; cuts the connection when the server has said `cut_after` bytes."""
        self.heard = bytearray()
        address, _, port = server.rpartition(":")
        self._to = (address, int(port))
        self._left = cut_after
        self._listener = socket.create_server((address, 0))
        self.server = f"{address}:{self._listener.getsockname()[1]}"
        self._threads = [self._start(self._accept)]

    def close(self) -> None:
        """Ends; whoever is connected has to leave first."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._to)
                self._threads += [self._start(self._pass, near, far), self._start(self._pass_back, far, near)]

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                self.heard += data
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        source.close()

    def _pass_back(self, source: socket.socket, sink: socket.socket) -> None:
        if self._left is None:
            return self._pass(source, sink)
        with suppress(OSError):
            while self._left > 0 and (data := source.recv(1 << 10)):
                self._left -= len(data)
                sink.sendall(data)
            for one in (sink, source):
                one.shutdown(socket.SHUT_RDWR)
        return source.close()

    def _start(self, work: Callable[..., None], *arguments: Any) -> Thread:
        thread = Thread(target=work, args=arguments, daemon=True)
        thread.start()
        return thread
