"""Tells systemd how the daemon is (sd_notify(3)): a datagram of a few words. Does nothing elsewhere."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Mapping


class Notifier:
    """Speaks to the service manager that started the process, if one did.

    Attributes:
        watchdog_seconds: It expects a sign of life at least so often, or None where it does not.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        env = os.environ if environ is None else environ
        self._address = env.get("NOTIFY_SOCKET", "")
        meant = env.get("WATCHDOG_PID") in {None, str(os.getpid())}
        micros = env.get("WATCHDOG_USEC", "")
        self.watchdog_seconds = int(micros) / 1e6 if meant and micros.isdecimal() and int(micros) else None
        self._alive_at = 0.0

    def ready(self) -> None:
        """Started, or reloaded."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Reading the configuration again; systemd matches the time against its own (Type=notify-reload)."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """On the way out."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """A sign of life for the watchdog, if there is one: three within the time that it waits."""
        if self.watchdog_seconds is not None and time.monotonic() >= self._alive_at:
            self._alive_at = time.monotonic() + self.watchdog_seconds / 3
            self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send(f"STATUS={text}")

    def _send(self, words: str) -> None:
        if not self._address:
            return
        # "@" stands for the NUL that an address in the abstract namespace begins with.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(words.encode(), address)
