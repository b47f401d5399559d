"""Active Directory domain controllers of the tests' (and the benchmarks') own: Samba, in temporary folders.

Making a domain takes a quarter of a minute, so one is made per user and Samba version and kept beside the temporary
folders; each server works on a copy of it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests import sharing
from tests.services.samba.certificates import write_certificates

SERVICES = Path(__file__).parent / "services" / "samba"
SAMBA = Path("/usr/sbin/samba")
SYSTEM_PYTHON = Path("/usr/bin/python3")
REALM, DOMAIN, HOST = "EADM.TEST", "EADM", "dc1"
BASE_DN = "DC=eadm,DC=test"
PASSWORD = "Prøve-passord.1"
"""Of the domain's administrator."""

_CONFIGURATION = """[global]
workgroup = {domain}
realm = {realm}
netbios name = {host}
server role = active directory domain controller
server services = ldap, kdc
ldap server require strong auth = allow_sasl_over_tls
interfaces = {address}/8
bind interfaces only = yes
private dir = {folder}/private
state directory = {folder}/state
cache directory = {folder}/cache
lock directory = {folder}/lock
pid directory = {folder}/run
ncalrpc dir = {folder}/run/ncalrpc
binddns dir = {folder}/dns
log file = {folder}/log
logging = file
log level = {log_level}
max log size = 0
disable netbios = yes
load printers = no
printcap name = /dev/null
prefork children = 4
ldb:nosync = true
[sysvol]
path = {folder}/state/sysvol
[netlogon]
path = {folder}/state/sysvol/scripts
"""
"""`nosync`: writes are two to three times as fast; what a crash of the machine would leave is not asked.

`allow_sasl_over_tls`: Kerberos within TLS, as Windows takes it.
"""

_KERBEROS = """[libdefaults]
default_realm = {realm}
dns_lookup_kdc = false
dns_canonicalize_hostname = false
udp_preference_limit = 1
[realms]
{realm} = {{
kdc = {address}:{port}
}}
"""

_WATCH = """(
    folder=$2
    send() { pid=$(cat "$folder/pid" 2>/dev/null) && kill "$1" "$pid" 2>/dev/null; }
    while [ -d "$folder" ] && kill -0 "$1" 2>/dev/null; do sleep 1; done
    send -TERM
    for _ in 1 2 3 4 5 6 7 8 9 10; do send -0 && sleep 1; done
    rm -rf "$folder"
) &"""
"""Ends a server and removes its folder as soon as a process is gone: `$1`; the folder is `$2`."""


@dataclass
class DomainController:
    """A domain controller, running or not.

    Attributes:
        folder: Holds its data, its configuration and its log.
        address: Where it listens, an address of the loopback network.
        ports: For LDAP with StartTLS, for LDAPS, and for Kerberos.
    """

    folder: Path
    address: str
    ports: tuple[int, int, int]

    base_dn = BASE_DN
    admin_dn = f"CN=Administrator,CN=Users,{BASE_DN}"
    admin_password = PASSWORD

    @property
    def note(self) -> str:
        """What another process has to know of it."""
        return " ".join(map(str, (self.address, *self.ports, self.folder)))

    @classmethod
    def of_note(cls, note: str) -> DomainController:
        """The one that another process has noted."""
        address, ldap, ldaps, kerberos, folder = note.split(" ", 4)
        return cls(Path(folder), address, (int(ldap), int(ldaps), int(kerberos)))

    @property
    def ca_file(self) -> Path:
        """Of the authority that signed the server's certificate."""
        return self.folder / "private" / "tls" / "ca.pem"

    @property
    def server(self) -> str:
        """The server as settings name it: "<address>:<port>", for LDAPS."""
        return f"{self.address}:{self.ports[1]}"

    @property
    def plain_server(self) -> str:
        """Likewise for LDAP, where StartTLS is spoken."""
        return f"{self.address}:{self.ports[0]}"

    @property
    def configuration(self) -> Path:
        """Its smb.conf."""
        return self.folder / "smb.conf"

    @property
    def kerberos(self) -> str:
        """What Kerberos' own configuration (krb5.conf) has to say to find this domain."""
        return _KERBEROS.format(realm=REALM, address=self.address, port=self.ports[2])

    def log(self) -> str:
        """What the server has written down so far."""
        return (self.folder / "log").read_text(errors="replace")

    def start(self) -> None:
        """Starts the server and waits until it answers over TLS."""
        command = [str(SAMBA), "-s", str(self.configuration), "-l", str(self.folder), "-F", "-M", "prefork"]
        if os.geteuid():
            ports = [str(self.folder / "ports"), *map(str, self.ports)]
            command = [str(SYSTEM_PYTHON), str(SERVICES / "relay.py"), *ports, *command]
        with (self.folder / "output").open("wb") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        (self.folder / "pid").write_text(str(process.pid))
        self._wait_until_it_answers(process)
        process.returncode = 0  # whoever comes last ends it, not this process: no warning about a child left behind

    def stop(self) -> None:
        """Ends the server in an orderly way and waits until it is gone; its data stay."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends the server and all its processes at once, as a crash would."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Ends and starts the server."""
        self.stop()
        self.start()

    def remove(self) -> None:
        """Ends the server and removes its folder, into which processes that are ending may still write."""
        self.stop()
        for _ in range(100):
            shutil.rmtree(self.folder, ignore_errors=True)
            if not self.folder.exists():
                return
            time.sleep(0.05)
        raise TimeoutError(f"{self.folder} is still written to")

    def seed(self, number: int, container: str, prefix: str = "") -> None:
        """Adds disabled users named `prefix` and five digits to a container, offline; the server may be running."""
        prefix = prefix or f"s{uuid4().hex[:8]}"
        _run_offline("seed", self.configuration, str(number), container, prefix)

    def new_container(self, name: str = "") -> str:
        """The DN of a new organisational unit of a test's own, right below the domain."""
        container = f"OU={name or uuid4().hex},{BASE_DN}"
        with self.administrator() as connection:
            connection.add(container, "organizationalUnit")
            assert connection.result["result"] == 0, connection.result
        return container

    @contextmanager
    def administrator(self) -> Iterator[Any]:
        """A connection of bare ldap3 (strategy SYNC) as the domain's administrator, to prepare and to look."""
        import ldap3  # noqa: PLC0415 - where only the server is needed, so is only the server loaded

        tls = ldap3.Tls(validate=ssl.CERT_NONE)
        server = ldap3.Server(self.address, self.ports[1], use_ssl=True, tls=tls, get_info=ldap3.NONE)
        connection = ldap3.Connection(server, self.admin_dn, PASSWORD, auto_bind=True, auto_range=False)
        try:
            yield connection
        finally:
            connection.unbind()

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        context = ssl.create_default_context(cafile=self.ca_file)
        for _ in range(1200):
            assert process.poll() is None, (self.folder / "output").read_text()
            try:
                if not self.ports[0]:
                    self._note_ports()
                with (
                    socket.create_connection((self.address, self.ports[1]), 5) as plain,
                    context.wrap_socket(plain, server_hostname=self.address) as channel,
                ):
                    channel.sendall(_ANONYMOUS_BIND)
                    if channel.recv(64):
                        return
            except (OSError, ValueError):
                time.sleep(0.1)
        raise TimeoutError(self.log())

    def _note_ports(self) -> None:
        """Takes over the ports that the relay was given."""
        ldap, ldaps, kerberos = (self.folder / "ports").read_text().split()
        self.ports = int(ldap), int(ldaps), int(kerberos)

    def _end(self, how: signal.Signals) -> None:
        note = self.folder / "pid"
        if not note.exists():
            return
        pid = int(note.read_text())
        note.unlink()
        if how == signal.SIGKILL:
            os.killpg(pid, how)  # it leads a session of its own
        else:
            os.kill(pid, how)
        while _is_alive(pid):
            time.sleep(0.02)


_PORTS = 389, 636, 88
_ANONYMOUS_BIND = bytes.fromhex("300c020101600702010304008000")


def what_is_missing() -> str | None:
    """What has to be installed before a domain controller can be started, or None."""
    if sys.platform != "linux":
        return "the tests start no domain controller but on Linux"
    install = SERVICES / "install.sh"
    check = subprocess.run([install, "--check"], check=False, capture_output=True, text=True)
    return check.stderr.strip() if check.returncode else None


def start_new(*, process: int | None = None, log_level: int = 1) -> DomainController:
    """A new, running server; whoever asked removes it. It ends with this process, or the one given, at the latest.

    A `log_level` of 10 has the server write down everything it is told.
    """
    made = _made_domain()
    folder = Path(tempfile.mkdtemp(prefix="eadm-sync-ad-"))
    root = os.geteuid() == 0
    controller = DomainController(folder, _free_address() if root else "127.0.0.1", _PORTS if root else (0, 0, 0))
    try:
        for name in ("private", "state"):
            shutil.copytree(made / name, folder / name, ignore=shutil.ignore_patterns("tls"))
        _write_configuration(folder, controller.address, log_level)
        write_certificates(folder / "private" / "tls", f"{HOST}.{REALM.lower()}", controller.address)
        controller.start()
        sharing.end_with(process or os.getpid(), _WATCH, folder)
    except BaseException:
        controller.stop()
        shutil.rmtree(folder)
        raise
    return controller


def shared(meeting_place: Path) -> AbstractContextManager[DomainController]:
    """One server for all processes that meet in a folder: the first one starts it, the last one removes it."""
    return sharing.shared(meeting_place, "samba", lambda process: start_new(process=process), DomainController.of_note)


def _is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has taken leave of does not."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # our own child, perhaps
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def _made_domain() -> Path:
    """A folder with a domain that has never been used; made if there is none yet."""
    import fcntl  # noqa: PLC0415 - not on Windows

    place = Path(tempfile.gettempdir()) / f"eadm-sync-samba-{os.geteuid()}"
    place.mkdir(mode=0o700, exist_ok=True)
    assert place.stat().st_uid == os.geteuid(), f"{place} is somebody else's"
    version = subprocess.run([SAMBA, "--version"], check=True, capture_output=True).stdout
    recipe = (SERVICES / "domain.py").read_bytes() + _CONFIGURATION.encode() + PASSWORD.encode()
    domain = place / hashlib.sha256(version + recipe).hexdigest()[:12]
    with (place / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not domain.exists():
            draft = place / "new"
            shutil.rmtree(draft, ignore_errors=True)
            _write_configuration(draft, "127.0.0.1")
            _run_offline("provision", draft / "smb.conf", PASSWORD)
            draft.rename(domain)
    return domain


def _write_configuration(folder: Path, address: str, log_level: int = 1) -> None:
    for name in ("private", "cache", "lock", "run", "dns", "state/sysvol/scripts"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    words = {"domain": DOMAIN, "realm": REALM, "host": HOST.upper(), "folder": folder, "address": address}
    (folder / "smb.conf").write_text(_CONFIGURATION.format(**words, log_level=log_level))


def _run_offline(what: str, configuration: Path, *arguments: str) -> None:
    """Works on a domain's files with Samba's own Python modules."""
    command = [str(SYSTEM_PYTHON), "-E", str(SERVICES / "domain.py"), what, str(configuration), *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _free_address() -> str:
    """A loopback address on which nobody listens; processes begin at different ones."""
    start = 16 * os.getpid()  # the addresses of one process are not the next one's
    for number in range(start, start + 1000):
        address = f"127.60.{number // 250 % 250}.{number % 250 + 1}"
        if all(_is_free(address, port) for port in _PORTS):
            return address
    raise RuntimeError("every loopback address is taken")


def _is_free(address: str, port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address, port))
        except OSError:
            return False
    return True
