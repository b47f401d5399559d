"""The installations that are measured, made when they are first needed, in one temporary folder.

Their state is in SQLite files, or on a PostgreSQL server of the benchmark's own with the settings it comes with.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from functools import cache, cached_property
from pathlib import Path

from benchmarks.measuring import Cost, cost
from tests.postgresql import Server

DATABASES = ("eadm-sync.db", "ad.db", "entra.db", "google.db")
SYNC = ("sync", "--yes")
PLAN = ("plan", "--limit", "1")
_PLANNED = frozenset({0, 2, 3})  # nothing to do, changes, changes some of which are held
_SCRIPT = Path(sys.executable).with_name("eadm-sync")


class Installations:
    """Copies of one town: never synced, synced, and with changed people."""

    def __init__(self, folder: Path, people: int) -> None:
        self.people = people
        self._folder = folder

    @property
    def place(self) -> Path:
        """Where they are."""
        return self._folder

    @cached_property
    def larger(self) -> Installations:
        """Those of a town of ten times as many."""
        return Installations(self._folder / "larger", 10 * self.people)

    @cached_property
    def fresh(self) -> Path:
        """Never synced."""
        folder = self._folder / "fresh"
        run("benchmarks.town", str(folder), str(self.people))
        return folder

    @property
    def synced(self) -> Path:
        """Synced to the end, and then left alone."""
        folder = self._folder / "synced"
        if not folder.exists():
            self.sync_first()
        return folder

    def sync_first(self) -> Cost:
        """The first sync of a new copy, which is `synced` from then on."""
        folder = self._folder / "synced"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.fresh, folder)
        self._give_state(folder)
        return self.sync(folder)

    def sync_changed(self) -> Cost:
        """A sync of a copy of `synced` in which a thousand people have changed."""
        folder = self._folder / "changed"
        shutil.copytree(self.synced, folder)
        self._give_state(folder, self.synced)
        run("benchmarks.town", str(folder))
        os.sync()  # or every commit would wait for what the copy left to be written
        spent = self.sync(folder)
        shutil.rmtree(folder)
        return spent

    def _give_state(self, folder: Path, like: Path | None = None) -> None:
        """Hook: gives a copied installation a state of its own, as another one has it, or empty."""

    @staticmethod
    def sync(folder: Path) -> Cost:
        """What `eadm-sync sync` costs."""
        if knows(SYNC):
            return shell(*SYNC, folder=folder)
        return run("benchmarks.driver", "sync", str(folder / "config.yaml"))

    @staticmethod
    def plan(folder: Path) -> Cost:
        """What `eadm-sync plan` costs, of which hardly anything is shown: the floor shows nothing."""
        if knows(PLAN):
            return shell(*PLAN, folder=folder, accepted=_PLANNED)
        return run("benchmarks.driver", "plan", str(folder / "config.yaml"))

    def edited(self, kind: str) -> Path:
        """The rules of `synced` with an edit."""
        run("benchmarks.editing", "make", kind, str(self.synced))
        return self.synced / f"edited-{kind}"

    @staticmethod
    def compare(folder: Path, rulesets: Path) -> Cost:
        """What `eadm-sync plan --rulesets` costs, with counts and no people shown, as in a pull request."""
        arguments = (*PLAN[:1], "--rulesets", str(rulesets), "--format", "markdown", "--limit", "0")
        return shell(*arguments, folder=folder, accepted=_PLANNED)

    @cached_property
    def remembered(self) -> Path:
        """Where the floor of an unchanged run finds the hashes of last time."""
        database = self._folder / "floor.db"
        run("benchmarks.floors", "remember", str(self.fresh), str(database))
        return database


class OnPostgresql(Installations):
    """The same with their state on a server: a database for each."""

    def __init__(self, folder: Path, people: int, server: Server) -> None:
        super().__init__(folder, people)
        self._server = server

    def _give_state(self, folder: Path, like: Path | None = None) -> None:
        import psycopg  # noqa: PLC0415 - whoever measures must be small, and needs it for this only

        template = f" TEMPLATE {like.name}" if like else ""
        with psycopg.connect(self._server.url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {folder.name} WITH (FORCE)")
            connection.execute(f"CREATE DATABASE {folder.name}{template}")
        path = folder / "config.yaml"
        url = self._server.url_of(folder.name).replace("+psycopg", "")
        text, places = _DATABASE.subn(rf"\1{url}", path.read_text(encoding="utf-8"))
        if places != 1:
            raise RuntimeError("the example configuration names its database otherwise")
        path.write_text(text, encoding="utf-8")


_DATABASE = re.compile(r"^(  url: )(sqlite|postgresql)://\S+", re.MULTILINE)


def run(module: str, *arguments: str) -> Cost:
    """Runs one of our modules."""
    return cost((sys.executable, "-m", module, *arguments))


def output(module: str, *arguments: str) -> str:
    """The last line that one of our modules prints.

    Raises:
        RuntimeError: It failed; holds the end of what it wrote.
    """
    done = subprocess.run((sys.executable, "-m", module, *arguments), check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{module} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done.stdout.strip().rpartition("\n")[2]


def shell(*arguments: str, folder: Path | None = None, accepted: frozenset[int] = frozenset({0})) -> Cost:
    """Runs the installed command; with a folder, on the installation there."""
    where = ("--config", str(folder / "config.yaml")) if folder else ()
    return cost((str(_SCRIPT), *arguments, *where), accepted)


@cache
def knows(arguments: tuple[str, ...]) -> bool:
    """Whether the installed command has these arguments; where it does not, the driver stands in for it."""
    try:
        shell(*arguments, "--help")
    except (RuntimeError, OSError):
        return False
    return True
