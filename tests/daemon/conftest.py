"""Daemons as real processes, on a small installation: started, asked, signalled, killed, and read by their logs."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pytest
import yaml
from sqlalchemy import Row, select

from connectors.contract import Kind, RemoteObject
from eadm_sync.app.context import Context, open_context
from eadm_sync.app.jobs import Ended
from eadm_sync.app.starting import start
from eadm_sync.app.triggering import follow, trigger
from eadm_sync.cli.failing import run
from eadm_sync.cli.program import program
from eadm_sync.clock import SystemClock
from eadm_sync.state import tables

PEOPLE = 6
_PATIENCE_SECONDS = 60.0


@dataclass
class Process:
    """One process of the program: a fork of this one, which has loaded everything already.

    Attributes:
        id: The process id.
        out: What it writes to standard output.
        log: What it writes to standard error.
    """

    id: int
    out: Path
    log: Path
    _code: int | None = None

    def events(self, event: str | None = None, **values: object) -> list[dict[str, Any]]:
        """What it has logged, in order: events of a name, with these values."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return [
            one
            for one in found
            if event in {None, one["event"]} and all(one.get(name) == value for name, value in values.items())
        ]

    def wait_for(self, event: str, count: int = 1, **values: object) -> dict[str, Any]:
        """The event, as soon as it has been logged so often."""
        wait_until(lambda: len(self.events(event, **values)) >= count, f"{event} {values}", self.log)
        return self.events(event, **values)[count - 1]

    def signal(self, number: int) -> None:
        """Sends a signal."""
        os.kill(self.id, number)

    @property
    def code(self) -> int | None:
        """The exit code, below zero where a signal ended it; None while it runs."""
        if self._code is None:
            ended, status = os.waitpid(self.id, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if ended else None
        return self._code

    def ended(self) -> int:
        """The exit code, when it has ended."""
        wait_until(lambda: self.code is not None, "it ends", self.log)
        assert self.code is not None
        return self.code

    def kill(self) -> None:
        """Ends it as a power failure would."""
        self.signal(signal.SIGKILL)
        self.ended()


def wait_until(condition: Callable[[], object], what: str, log: Path | None = None) -> None:
    """Waits for something that is to happen soon.

    Raises:
        AssertionError: It did not.
    """
    until = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"never: {what}\n{log.read_text(encoding='utf-8') if log else ''}")
        time.sleep(0.05)


@dataclass
class Installation:
    """A small installation that processes work on.

    Attributes:
        folder: Where it stands.
    """

    folder: Path
    _processes: list[Process] = field(default_factory=list)

    @property
    def config(self) -> Path:
        """Its configuration file."""
        return self.folder / "config.yaml"

    @property
    def context(self) -> Context:
        """Opened anew."""
        return open_context(self.config, SystemClock())

    def configure(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Changes the configuration."""
        settings = yaml.safe_load(self.config.read_text(encoding="utf-8"))
        change(settings)
        self.config.write_text(yaml.safe_dump(settings, allow_unicode=True, sort_keys=False), encoding="utf-8")

    def schedule(self, **jobs: dict[str, Any]) -> None:
        """Sets the schedule."""
        self.configure(lambda settings: settings.update(schedule=jobs))

    def slow_down(self, milliseconds: int) -> None:
        """Has the target take its time for each change, one at a time."""
        fault = {"latency_ms": milliseconds}
        self.configure(
            lambda settings: settings["targets"]["directory"].update(faults=fault, batch_size=1, concurrency=1)
        )

    def start(self, *words: str, environ: dict[str, str] | None = None) -> Process:
        """Starts a command that goes on."""
        number = len(self._processes)
        out, log = self.folder / f"out-{number}", self.folder / f"log-{number}"
        for file in (out, log):
            file.touch()
        pid = os.fork()
        if not pid:
            _become([*words, "--config", str(self.config)], out, log, environ or {})
        self._processes.append(Process(pid, out, log))
        return self._processes[-1]

    def daemon(self, *words: str, **options: Any) -> Process:
        """Starts a daemon and waits until it runs."""
        process = self.start(*(words or ("run",)), **options)
        process.wait_for("daemon.started")
        return process

    def leader(self) -> Process:
        """Starts a daemon and waits until it leads."""
        process = self.daemon()
        process.wait_for("leader.began")
        return process

    def command(self, *words: str) -> Process:
        """Runs a command to its end."""
        process = self.start(*words)
        process.ended()
        return process

    def ask(self, job: str, *, wait: bool = True) -> Ended:
        """Asks the running daemon for a job, as `trigger` does, and waits for its end."""
        context = self.context
        wait_until(lambda: "leader" in [row.role for row in self.rows(tables.daemons)], "somebody leads")
        request = trigger(context, job)
        return follow(context, request) if wait else Ended("asked")

    def rows(self, table: Any, *conditions: Any) -> list[Row[Any]]:
        """Rows of a table of the state."""
        context = self.context
        with context.reading() as database, database.read() as connection:
            return list(connection.execute(select(table).where(*conditions)))

    def accounts(self) -> list[str | None]:
        """Whose accounts the target holds."""
        with self.context.make_target("directory") as target:
            found = [one for one in target.read(Kind.ACCOUNT) if isinstance(one, RemoteObject)]
        return sorted(str(one.owner) for one in found)

    def enabled(self) -> list[str | None]:
        """Whose accounts are enabled there."""
        with self.context.make_target("directory") as target:
            found = [one for one in target.read(Kind.ACCOUNT) if isinstance(one, RemoteObject)]
        return sorted(str(one.owner) for one in found if one.enabled)

    def unfinished(self) -> int:
        """How many changes are still in the queue."""
        context = self.context
        with context.reading() as database, database.read() as connection:
            return sum(1 for _ in context.queue.unfinished(connection))

    def end(self) -> None:
        """Ends what is still running."""
        for process in self._processes:
            if process.code is None:
                process.kill()


def _become(words: list[str], out: Path, log: Path, environ: dict[str, str]) -> NoReturn:
    """Makes this process, a fork, the program; never returns."""
    code = 1
    try:
        for descriptor, file in ((1, out), (2, log)):
            os.dup2(os.open(file, os.O_WRONLY | os.O_APPEND), descriptor)
        sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115 - for the rest of the process
        sys.stdout, sys.stderr = (os.fdopen(descriptor, "w", buffering=1) for descriptor in (1, 2))
        sys.argv = ["eadm-sync", *words]
        os.environ.update(environ)
        logging.getLogger().handlers.clear()  # pytest's
        code = run(program)
    except BaseException:  # noqa: BLE001 - a fork must never go on as the test run
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """An installation of six people on SQLite, before its first run, with nothing on its schedule."""
    start(tmp_path / "town")
    made = Installation(tmp_path / "town")

    def change(settings: dict[str, Any]) -> None:
        settings["schedule"] = {}
        settings["daemon"] = {"http": None, "stop_seconds": 10}
        settings["logging"] = {"level": "info", "format": "json"}

    made.configure(change)
    yield made
    made.end()


@pytest.fixture
def shared(installation: Installation, postgresql_url: str) -> Installation:
    """The same on PostgreSQL, where several daemons can run; they look every fifth of a second who leads."""

    def change(settings: dict[str, Any]) -> None:
        settings["state"]["url"] = postgresql_url
        settings["daemon"]["leader_check_seconds"] = 0.2

    installation.configure(change)
    return installation


if not hasattr(signal, "SIGHUP"):
    collect_ignore_glob = ["test_*.py"]
