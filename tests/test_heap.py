"""Threads use the heap that is there already: told by glibc's own figures, in processes of their own."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from eadm_sync.app.starting import start
from eadm_sync.heap import share_heap

THREADS = """
import ctypes, threading
{first}
blocks = []
threads = [threading.Thread(target=lambda: blocks.extend(bytes(5_000) for _ in range(100))) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
ctypes.CDLL(None).malloc_stats()
"""
SYNC = """
import ctypes, sys
from eadm_sync.cli import main
sys.argv[1:] = ["sync", "--yes"]
try: main()
except SystemExit as end: assert end.code == 0, end
ctypes.CDLL(None).malloc_stats()
"""
SHARED = "from eadm_sync.heap import share_heap; share_heap()"

DECIDED = {"MALLOC_ARENA_MAX": "3", "GLIBC_TUNABLES": "glibc.malloc.arena_max=3"}

is_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")


def run(code: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A Python program, in which nobody has decided on heaps but by what is given."""
    given = {name: value for name, value in os.environ.items() if name not in DECIDED} | environment
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True, env=given
    )


def heaps(first: str, **environment: str) -> int:
    """How many heaps there are after some threads have allocated."""
    return run(THREADS.format(first=first), Path.cwd(), **environment).stderr.count("Arena ")


@is_glibc
def test_threads_share_one_heap() -> None:
    """Left alone, glibc makes more."""
    assert heaps("") > 1
    assert heaps(SHARED) == 1


@is_glibc
@pytest.mark.parametrize(("name", "value"), list(DECIDED.items()))
def test_whoever_has_decided_decides(name: str, value: str) -> None:
    """What the environment says is kept."""
    assert 1 < heaps(SHARED, **{name: value}) <= 3


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no such option; nothing fails."""
    for name in DECIDED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("eadm_sync.heap.ctypes.CDLL", lambda _name: object())

    share_heap()


@is_glibc
def test_a_delivery_takes_no_heaps_of_its_own(tmp_path: Path) -> None:
    """A first `sync`, delivered by threads."""
    start(tmp_path)
    told = run(SYNC, tmp_path)

    assert "Everything was delivered." in told.stdout
    assert told.stderr.count("Arena ") == 1
