"""What passes between the connector and a domain controller, byte by byte."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest
from pydantic import ValidationError

from connectors.active_directory import ActiveDirectoryTarget
from connectors.contract import Action, Kind, Operation, Password
from tests.samba import DomainController

Home = Any
Open = Callable[..., ActiveDirectoryTarget]
SECRET = "Gul-Hest7-hopper-over-Aasen"


class Wiretap:
    """Passes bytes on between whoever connects and a server, and keeps them.

    Attributes:
        heard: All bytes of both directions.
    """

    def __init__(self, address: str, port: int) -> None:
        self.heard = bytearray()
        self._to = (address, port)
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
                self._threads += [self._start(self._pass, near, far), self._start(self._pass, far, near)]

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                self.heard += data
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        source.close()

    def _start(self, work: Callable[..., None], *arguments: Any) -> Thread:
        thread = Thread(target=work, args=arguments, daemon=True)
        thread.start()
        return thread


@pytest.fixture
def wiretap(domain_controller: DomainController) -> Iterator[Callable[[str], Wiretap]]:
    """Listens in on the port of a kind of encryption."""
    taps = []

    def tap(encryption: str) -> Wiretap:
        server = domain_controller.server if encryption == "tls" else domain_controller.plain_server
        address, _, port = server.rpartition(":")
        taps.append(Wiretap(address, int(port)))
        return taps[-1]

    yield tap
    for one in taps:
        one.close()


@pytest.mark.parametrize("encryption", ["tls", "start_tls"])
def test_no_password_passes_in_clear(
    target: Open, home: Home, domain_controller: DomainController, wiretap: Callable[[str], Wiretap], encryption: str
) -> None:
    """Neither that of an account nor our own, in no encoding; nor does a name."""
    tap = wiretap(encryption)
    name = f"u{uuid4().hex[:12]}"
    create = Operation(
        uuid4().hex,
        Kind.ACCOUNT,
        Action.CREATE,
        uuid4().hex,
        attributes={"sAMAccountName": name},
        container=home.dn,
        enabled=True,
        password=Password(SECRET),
    )
    ours = target(servers=[tap.server], encryption=encryption)
    (outcome,) = ours.apply([create])
    assert outcome.error is None
    ours.close()
    assert len(tap.heard) > 2000
    assert (b"1.3.6.1.4.1.1466.20037" in tap.heard) is (encryption == "start_tls")
    for word in (SECRET, domain_controller.admin_password, name, "unicodePwd", "Administrator"):
        for encoding in ("utf-8", "utf-16-le"):
            assert word.encode(encoding) not in tap.heard, word


@pytest.mark.parametrize("encryption", ["none", "", "plain", None, False])
def test_there_is_no_setting_for_plain_text(target: Open, encryption: object) -> None:
    """Not even for tests."""
    with pytest.raises(ValidationError):
        target(encryption=encryption)
