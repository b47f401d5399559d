"""Runs a program to its end, or to ours: no shell, a time limit, and the end of what it said.

What it started, and that did not leave its process group on purpose, ends with it: nothing is left running that nobody
knows of. On Windows only the program itself is ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TAIL_BYTES = 4_000
"""Of what a program says: enough for a stack trace, and no place to store files in."""

_CHUNK_BYTES = 65_536
_STEP_SECONDS = 0.1
_FIRST_STEP_SECONDS = 0.002
"""Most programs end within some hundredths of a second: they are looked for often at first, then less and less."""

_GRACE_SECONDS = 5.0
"""Between asking a program to end and ending it."""

_READ_SECONDS = 1.0
"""How long to wait for the end of what it said, should something that left its group still hold the pipe."""

_POSIX = os.name == "posix"


@dataclass(frozen=True)
class Ended:
    """How a program ended.

    Attributes:
        code: Its exit code; below 0 the signal that ended it.
        why: Why it was ended early, in words, or None.
        cut_off: Whether it was ended early for no fault of its own.
        output: The end of what it said, at most `TAIL_BYTES` bytes of it.
    """

    code: int
    why: str | None
    cut_off: bool
    output: str


def run_program(
    arguments: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    limit_seconds: float,
    must_end: Callable[[], bool],
) -> Ended:
    """Runs a program.

    Args:
        arguments: The program and its arguments, handed over one by one.
        folder: Where.
        environment: All of its variables.
        limit_seconds: After so long it is ended.
        must_end: Asked often; ends it at once when true.

    Raises:
        OSError: It cannot be started.
        ValueError: An argument or a variable holds a NUL.
    """
    process = subprocess.Popen(  # noqa: S603 - the caller's own words, each an argument
        arguments,
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # so that it can be ended with all that it started
    )
    tail = _Tail(process)
    why, cut_off = None, False
    try:
        why, cut_off = _watched(process, time.monotonic() + limit_seconds, limit_seconds, must_end)
    finally:
        _end(process, at_once=why is None)
    return Ended(process.returncode, why, cut_off, tail.text())


def _watched(
    process: subprocess.Popen[bytes], until: float, limit_seconds: float, must_end: Callable[[], bool]
) -> tuple[str | None, bool]:
    """Waits for the end of a program; why it has to be ended, and whether that is no fault of its own."""
    step = _FIRST_STEP_SECONDS
    while not _has_ended(process):
        if must_end():
            return "the program that runs it had to stop", True
        if time.monotonic() > until:
            return f"it took longer than {limit_seconds:g} seconds", False
        time.sleep(step)
        step = min(step * 1.5, _STEP_SECONDS)
    return None, False


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether a program has ended; it is not waited for, so that its process group cannot become another's yet."""
    if not hasattr(os, "waitid"):  # Windows, macOS
        return process.poll() is not None
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


def _end(process: subprocess.Popen[bytes], *, at_once: bool) -> None:
    """Ends a program with all that it started; unless `at_once`, it is asked to end first."""
    if not at_once:
        _signal(process, signal.SIGTERM)
        until = time.monotonic() + _GRACE_SECONDS
        while not _has_ended(process) and time.monotonic() < until:
            time.sleep(_STEP_SECONDS)
    _signal(process, getattr(signal, "SIGKILL", signal.SIGTERM))
    process.wait()


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    if _POSIX:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS refuses a group of zombies
            os.killpg(process.pid, number)
    else:
        process.terminate()


class _Tail:
    """Reads all that a program says and keeps the end of it, so that neither memory nor a disk fills up."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._kept = b""
        self._is_cut = False
        self._thread = threading.Thread(target=self._read, name=f"output of {process.pid}", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        with self._process.stdout as pipe:
            while chunk := os.read(pipe.fileno(), _CHUNK_BYTES):
                kept = self._kept + chunk
                self._is_cut = self._is_cut or len(kept) > TAIL_BYTES
                self._kept = kept[-TAIL_BYTES:]

    def text(self) -> str:
        """The end of what was said, from the beginning of a line where it was cut; NULs are left out."""
        self._thread.join(_READ_SECONDS)
        said = self._kept.decode(errors="replace").replace("\0", "")
        return said.partition("\n")[2] or said if self._is_cut else said
