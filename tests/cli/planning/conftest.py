"""A small municipality, and a shell to work on it with."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from eadm_sync.cli.failing import run
from eadm_sync.cli.program import program
from eadm_sync.config.keys import write_key_file
from eadm_sync.sample.write import write

ROOT = Path(__file__).parents[3]
PEOPLE = 30


@dataclass(frozen=True)
class Said:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Shell:
    """Runs the program in a folder, as the console script does; nothing is a terminal."""

    folder: Path

    def __call__(self, *arguments: str) -> Said:
        """Runs one command."""
        out, err, before = io.StringIO(), io.StringIO(), sys.argv
        sys.argv = ["eadm-sync", *arguments]
        try:
            with contextlib.chdir(self.folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = run(program)
        finally:
            sys.argv = before
        return Said(code, out.getvalue(), err.getvalue())

    def on_terminal(self, *arguments: str, answer: str = "") -> tuple[int, str]:
        """Runs one command in a process with a terminal of its own; returns exit code and all that was shown."""
        ours, theirs = os.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "eadm_sync", *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "200"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        os.write(ours, answer.encode())
        shown = b""
        with contextlib.suppress(OSError):  # Linux reports the closed terminal as an error
            while part := os.read(ours, 65536):
                shown += part
        os.close(ours)
        return process.wait(), shown.decode()

    def edit(self, name: str, change: Callable[[str], str]) -> None:
        """Rewrites a file."""
        path = self.folder / name
        path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")

    def lines(self, name: str) -> list[list[str]]:
        """The rows of an HR file, its header left out."""
        text = (self.folder / name).read_text(encoding="utf-8")
        return [line.split(";") for line in text.splitlines()[1:]]

    def content(self) -> dict[str, bytes]:
        """Every file, byte by byte."""
        return {str(path): path.read_bytes() for path in sorted(self.folder.rglob("*")) if path.is_file()}


PERSONS = "examples/kommune/hr/persons.csv"


@pytest.fixture(scope="session")
def _new_town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("new") / "town"
    folder.mkdir()
    shutil.copy(ROOT / "config.example.yaml", folder / "config.yaml")
    shutil.copytree(ROOT / "rulesets", folder / "rulesets", ignore=shutil.ignore_patterns("tests"))
    write(folder / "examples" / "kommune", people=PEOPLE, seed=1)
    write_key_file(folder / "var" / "eadm-sync.key")
    return folder


@pytest.fixture
def new(tmp_path: Path, _new_town: Path) -> Shell:
    """A shell in an installation before its first run."""
    return Shell(Path(shutil.copytree(_new_town, tmp_path / "new")))


@pytest.fixture(scope="session")
def _settled_town(tmp_path_factory: pytest.TempPathFactory, _new_town: Path) -> Path:
    folder = Path(shutil.copytree(_new_town, tmp_path_factory.mktemp("settled") / "town"))
    assert Shell(folder)("sync", "--yes").code == 0
    return folder


@pytest.fixture
def settled(tmp_path: Path, _settled_town: Path) -> Shell:
    """A shell in an installation after its first run."""
    return Shell(Path(shutil.copytree(_settled_town, tmp_path / "settled")))
