"""The installed command, killed as an impatient operator or the system would."""

from __future__ import annotations

import os
import subprocess
import sys

from .conftest import ROOT, Town


def start(town: Town, *words: str) -> subprocess.Popen[bytes]:
    """The command in the installation's folder, today."""
    return subprocess.Popen(
        [sys.executable, "-m", "eadm_sync", *words],
        cwd=town.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_a_killed_command_is_completed_by_the_next(small_town: Town):
    """Whenever it is killed, the same command typed again goes on to the end, and says so with 0."""
    for seconds in (0.9, 1.2, 1.5):
        process = start(small_town, "sync", "--yes")
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    code = start(small_town, "sync", "--yes").wait()

    assert code == 0
    assert small_town.content("entra")["accounts"]
    small_town.assert_settled()
