"""Ctrl-C while changes are delivered: what is in flight is finished and recorded, and the rest is left in order."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from eadm_sync.errors import StateError
from eadm_sync.state import tables
from exportqueue import State

from .conftest import ROOT, Town, make_town

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of a terminal are POSIX's")

_IN_A_TERMINAL = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from eadm_sync.cli import main
main()
"""
"""The program as a terminal starts it: what a shell starts in the background ignores SIGINT, these tests as well."""


@pytest.fixture
def slow_town(tmp_path: Path) -> Town:
    """A municipality of 15 people before its first run, with a target that takes a second for each batch."""
    town = make_town(tmp_path / "town", 15)
    town.configure(lambda settings: settings["targets"]["ad"].update(faults={"latency_ms": 1000}, batch_size=3))
    return town


def is_delivering(town: Town) -> bool:
    """Whether changes are on their way to the slow target; there may be no state yet, or half of one."""
    with contextlib.suppress(StateError, OperationalError):
        return bool(town.items(State.RUNNING))
    return False


def start(town: Town) -> subprocess.Popen[str]:
    """The main job, as an operator starts it, when its first changes are on their way to the slow target."""
    process = subprocess.Popen(
        [sys.executable, "-c", _IN_A_TERMINAL, "sync", "--yes", "--config", str(town.folder / "config.yaml")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not is_delivering(town):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    return process


def test_an_interrupted_run_finishes_what_is_in_flight(slow_town: Town):
    """Exit code 130, nothing half known, and the next run completes it."""
    process = start(slow_town)

    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)

    assert process.returncode == 130
    assert "interrupted" in told
    assert slow_town.items(State.RUNNING) == []
    assert "ad" in {item.target for item in slow_town.items()}
    assert {item.attempts for item in slow_town.items()} == {0}
    slow_town.assert_known_is_true()
    assert [row.status for row in slow_town.rows(tables.runs)] == ["interrupted"]


def test_a_second_interruption_ends_at_once(slow_town: Town):
    """Whatever is in flight; the next run takes it up again without blame, and doubles nothing."""
    slow_town.configure(lambda settings: settings["targets"]["ad"].update(faults={"latency_ms": 30_000}))
    process = start(slow_town)

    process.send_signal(signal.SIGINT)
    time.sleep(2)  # two that it sees at the same time are one
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=25)

    assert process.returncode == 130
    slow_town.configure(lambda settings: settings["targets"]["ad"].pop("faults"))
    assert slow_town.sync().is_complete
    slow_town.assert_settled()
    told = [(row.target, row.object, row.action) for row in slow_town.told()]
    assert len(told) == len(set(told))
