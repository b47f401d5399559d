"""PostgreSQL servers of the tests' (and the benchmarks') own, from the system package, in temporary folders."""

from __future__ import annotations

import glob
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from tests import sharing

_WATCH = """(
    folder=$2
    send() { pid=$(head -n 1 "$folder/data/postmaster.pid" 2>/dev/null) && kill "$1" "$pid" 2>/dev/null; }
    while [ -d "$folder" ] && kill -0 "$1" 2>/dev/null; do sleep 1; done
    send -QUIT
    while send -0; do sleep 0.1; done
    rm -rf "$folder"
) &"""
"""Ends a server and removes its folder as soon as a process is gone: `$1`; the folder is `$2`."""

QUICK = ("fsync=off", "max_connections=200")
"""Good for tests: what a crash of the machine would leave is not asked, only what one of the server leaves."""

CUT_LOCKS = """
SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
WHERE datname = current_database() AND locktype = 'advisory' AND granted AND pid <> pg_backend_pid()
"""
"""Ends every session that holds a lock in this database, as a failing network would; other tests have their own."""


@dataclass
class Server:
    """A server, running or not.

    Attributes:
        folder: Holds its data, its socket and its log.
        port: On 127.0.0.1; kept over restarts.
        bin: The folder of its programs.
        settings: "name=value" each.
    """

    folder: Path
    port: int
    bin: Path
    settings: tuple[str, ...] = QUICK

    @property
    def note(self) -> str:
        """What another process has to know of it."""
        return f"{self.port} {self.bin} {self.folder}"

    @classmethod
    def of_note(cls, note: str) -> Server:
        """The one that another process has noted."""
        port, programs, folder = note.split(" ", 2)
        return cls(Path(folder), int(port), Path(programs))

    @property
    def url(self) -> str:
        """Where to connect, as SQLAlchemy takes it."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """Where one of its databases is."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def run(self, program: str, *arguments: str) -> None:
        """Runs one of the server's programs, as an ordinary user if we are root: it refuses to run as root."""
        command = [str(self.bin / program), *arguments]
        who = {"user": "postgres", "group": "postgres", "extra_groups": ()} if os.geteuid() == 0 else {}
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder, **who)

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        options = " ".join(f"-c {setting}" for setting in ("listen_addresses=127.0.0.1", *self.settings))
        log, data = str(self.folder / "log"), str(self.folder / "data")
        self.run("pg_ctl", "start", "-w", "-D", data, "-l", log, "-o", f"-p {self.port} -k {self.folder} {options}")

    def stop(self) -> None:
        """Ends the server at once, whoever is connected, as a crash would: it recovers when it starts again."""
        self.run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", str(self.folder / "data"))

    def remove(self) -> None:
        """Ends the server and removes its folder."""
        self.stop()
        shutil.rmtree(self.folder)

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of an empty database that is dropped afterwards, whoever is connected."""
        import psycopg  # noqa: PLC0415 - where there is no driver, tests are skipped, not broken

        name = f"test_{uuid4().hex}"
        with psycopg.connect(host="127.0.0.1", port=self.port, user="postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
            yield self.url_of(name)
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def what_is_missing() -> str | None:
    """What has to be installed before a server can be started, or None."""
    if sys.platform == "win32":
        return "the tests start no PostgreSQL on Windows"
    if _programs() is None:
        return "PostgreSQL is not installed: apt install postgresql"
    try:
        import psycopg  # noqa: F401, PLC0415 - only to see whether it is there
    except ImportError:
        return "psycopg is not installed: pip install 'eadm-sync[postgresql]'"
    return None


def start_new(settings: tuple[str, ...] = QUICK, *, process: int | None = None) -> Server:
    """A new, running server; whoever asked removes it. It ends with this process, or the one given, at the latest."""
    programs = _programs()
    assert programs is not None, what_is_missing()
    folder = Path(tempfile.mkdtemp(prefix="eadm-sync-pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    server = Server(folder, 0, programs, settings)
    try:
        data = str(folder / "data")
        server.run("initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C")
        server.port = _free_port()  # just before it is taken: others look for one, too
        server.start()
        sharing.end_with(process or os.getpid(), _WATCH, folder)
    except BaseException:
        shutil.rmtree(folder)
        raise
    return server


def shared(meeting_place: Path) -> AbstractContextManager[Server]:
    """One server for all processes that meet in a folder: the first one starts it, the last one removes it."""
    return sharing.shared(meeting_place, "postgresql", lambda process: start_new(process=process), Server.of_note)


def _programs() -> Path | None:
    """The folder of the newest installed server's programs, or None."""
    packaged = [Path(path) for path in glob.glob("/usr/lib/postgresql/*/bin")]  # noqa: PTH207 - from the root
    newest = max(packaged, key=lambda path: float(path.parent.name), default=None)
    elsewhere = shutil.which("pg_ctl")
    return newest or (Path(elsewhere).parent if elsewhere else None)


def _free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
