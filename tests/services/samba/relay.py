"""Runs a domain controller without being root: in a network of its own, with three of its ports led outside.

    relay.py PORTS LDAP-PORT LDAPS-PORT KERBEROS-PORT COMMAND...

Samba's ports 389, 636 and 88 are compiled in, and an ordinary user may not listen there; in a user namespace of one's
own one may. 0 as a port picks a free one; the three that were taken are written to the file PORTS.
"""

import ctypes
import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import FrameType

NEW_USER, NEW_NETWORK = 0x10000000, 0x40000000  # sched.h
SET_INTERFACE_FLAGS, UP_AND_RUNNING = 0x8914, 0x41  # sockios.h, if.h
INSIDE = "127.0.0.1"


def enter_own_network() -> None:
    """Leaves the machine's network for one with nothing but a loopback interface; sockets made before stay outside."""
    libc, user, group = ctypes.CDLL(None, use_errno=True), os.getuid(), os.getgid()
    if libc.unshare(NEW_NETWORK | (NEW_USER if user else 0)):
        sys.exit(f"no namespace of our own: {os.strerror(ctypes.get_errno())}")
    if user:
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
            Path("/proc/self", name).write_text(text)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SET_INTERFACE_FLAGS, struct.pack("16sH14x", b"lo", UP_AND_RUNNING))


def pump(source: socket.socket, sink: socket.socket) -> None:
    """Copies one direction of a connection until either end is done."""
    with suppress(OSError):
        while data := source.recv(1 << 17):
            sink.sendall(data)
    for end, how in ((sink, socket.SHUT_WR), (source, socket.SHUT_RD)):
        with suppress(OSError):
            end.shutdown(how)


def lead(client: socket.socket, port: int) -> None:
    """Serves one connection from outside."""
    with client, socket.socket() as server, suppress(OSError):
        server.connect((INSIDE, port))
        back = threading.Thread(target=pump, args=(server, client), daemon=True)
        back.start()
        pump(client, server)
        back.join()


def accept(listener: socket.socket, port: int) -> None:
    """Serves one port for ever."""
    while True:
        client, _ = listener.accept()
        threading.Thread(target=lead, args=(client, port), daemon=True).start()


def main(ports: str, ldap: str, ldaps: str, kerberos: str, *command: str) -> None:
    """Listens outside, starts the command inside, and ends with it."""
    led = ((ldap, 389), (ldaps, 636), (kerberos, 88))
    pairs = [(socket.create_server((INSIDE, int(outside))), inside) for outside, inside in led]
    enter_own_network()
    server = subprocess.Popen(command)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        server.terminate()

    signal.signal(signal.SIGTERM, stop)
    for listener, port in pairs:
        threading.Thread(target=accept, args=(listener, port), daemon=True).start()
    Path(ports).write_text(" ".join(str(listener.getsockname()[1]) for listener, _ in pairs))
    sys.exit(server.wait())


if __name__ == "__main__":
    main(*sys.argv[1:])
