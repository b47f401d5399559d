"""The shell on small installations: the program runs in this process, with real files, and ends as it would end."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from eadm_sync.app.context import open_context
from eadm_sync.app.starting import start
from eadm_sync.app.syncing import sync
from eadm_sync.cli.failing import run
from eadm_sync.cli.program import program
from eadm_sync.clock import SystemClock

_HOSTILE = "[bold]x[/]\x1b[31m<script>|\t\n\r\x9b2J\u202eend"
_DANGEROUS = "\x1b\t\r\x9b\u202e"


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, standard output and standard error."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)

    @property
    def rows(self) -> list[list[str]]:
        """Standard output as tab-separated rows, without the headings."""
        return [row.split("\t") for row in self.out.splitlines()[1:]]


Shell = Callable[..., Ended]


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Runs a command line, as if it had been typed."""

    def typed(*words: object) -> Ended:
        monkeypatch.setattr("sys.argv", ["eadm-sync", *map(str, words)])
        capsys.readouterr()
        code = run(program)
        printed = capsys.readouterr()
        return Ended(code, printed.out, printed.err)

    return typed


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new installation as `init` leaves it, and the folder one stands in."""
    start(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(folder: Path, faults: str = "") -> Path:
    """The starter installation after a first run, whose target misbehaves as told."""
    start(folder)
    config = folder / "config.yaml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("    unique: [mail]\n", f"    unique: [mail]\n{faults}"), encoding="utf-8")
    sync(open_context(config, SystemClock()), lambda _: True)
    return folder


@pytest.fixture(scope="session")
def _settled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("settled") / "town")


@pytest.fixture
def settled(_settled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The starter installation after its first run; one stands in its folder."""
    folder = tmp_path / "town"
    shutil.copytree(_settled, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="session")
def _refused(tmp_path_factory: pytest.TempPathFactory) -> Path:
    faults = "    faults:\n      fail: [{kind: rejected, operations: [1], object_kind: account}]\n"
    return make(tmp_path_factory.mktemp("refused") / "town", faults)


@pytest.fixture
def refused(_refused: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As `settled`, but the target refused the first account, which now holds a membership."""
    folder = tmp_path / "town"
    shutil.copytree(_refused, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="session")
def hostile() -> str:
    """A name that would colour, clear, forge columns and lines, and turn the direction of writing round."""
    return _HOSTILE


@pytest.fixture(scope="session")
def dangerous() -> frozenset[str]:
    """What of it must never be printed, but for tabs between columns; a line break only ends lines."""
    return frozenset(_DANGEROUS)
