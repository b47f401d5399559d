"""What systemd is told, and what it asks."""

from __future__ import annotations

import os
import socket
import uuid

import pytest

from eadm_sync.daemon.notify import Notifier


def test_nobody_is_told_where_nobody_listens():
    """Started from a shell, or where the listener has gone, nothing happens."""
    Notifier({}).ready()
    Notifier({"NOTIFY_SOCKET": "/no/such/socket"}).ready()


def test_an_abstract_address_is_understood():
    """The leading NUL is written as `@`."""
    name = f"eadm-sync-test-{uuid.uuid4()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0{name}")
        listener.settimeout(5)

        Notifier({"NOTIFY_SOCKET": f"@{name}"}).status("leader, 4 jobs")

        assert listener.recv(100) == b"STATUS=leader, 4 jobs"


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),  # meant for another process
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_known(environ: dict[str, str], seconds: float | None):
    """How often a sign of life is expected, if it is expected of this process."""
    assert Notifier(environ).watchdog_seconds == seconds
