"""Runs a program as a job: no shell, a time limit, and the end of what it said."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from typing import IO

from eadm_sync.app.context import Context
from eadm_sync.app.runs import recorded

COMMAND = "command"
"""As the book of runs has it."""

_TAIL_BYTES = 4_000
"""Of what the program says: enough for a stack trace, and no place to store files in."""

_STEP_SECONDS = 0.1
_GRACE_SECONDS = 5.0
"""Between asking a program to end and ending it."""

_OURS = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC")
"""What systemd tells the daemon, and is nobody else's business."""


def command(context: Context, arguments: Sequence[str], *, limit_seconds: float, cut_off: threading.Event) -> None:
    """Runs the program in the configuration's folder, as a run of its own: `failed` unless its exit code is 0.

    Args:
        context: The installation.
        arguments: The program and its arguments.
        limit_seconds: After so long it is ended, with all that it started.
        cut_off: Ends it at once when set; the run then is `interrupted`.

    Raises:
        StateError: The state cannot be used.
    """
    with context.writing() as database, recorded(context, database, COMMAND) as run, tempfile.TemporaryFile() as output:
        run.report["program"] = os.path.basename(arguments[0])  # noqa: PTH119 - arguments may hold a secret; the name says enough
        try:
            code, why = _run(context, arguments, output, limit_seconds, cut_off)
        except OSError as error:
            run.status, run.report["error"] = "failed", f"it cannot be started: {error.strerror}"
            return
        run.report |= {"exit_code": code, "output": _tail(output)}
        if why is not None or code:
            run.status = "interrupted" if cut_off.is_set() else "failed"
            run.report["error"] = why or f"it ended with exit code {code}"


def _run(
    context: Context, arguments: Sequence[str], output: IO[bytes], limit_seconds: float, cut_off: threading.Event
) -> tuple[int, str | None]:
    """The exit code, and why it was ended early, or None."""
    process = subprocess.Popen(  # noqa: S603 - the administrator's own words, each an argument
        arguments,
        cwd=context.loaded.base_dir,
        env={name: value for name, value in os.environ.items() if name not in _OURS},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # so that it can be ended with all that it started
    )
    why = None
    limit = time.monotonic() + limit_seconds
    while process.poll() is None and why is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STEP_SECONDS)
            break
        if cut_off.is_set():
            why = "the daemon had to stop"
        elif time.monotonic() > limit:
            why = f"it took longer than {limit_seconds:g} seconds"
    if why is not None:
        _end(process)
    return process.wait(), why


def _end(process: subprocess.Popen[bytes]) -> None:
    """Asks the program and all that it started to end, and ends them if they do not."""
    _signal(process, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE_SECONDS)
    _signal(process, getattr(signal, "SIGKILL", signal.SIGTERM))


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
    else:
        process.terminate()


def _tail(output: IO[bytes]) -> str:
    """The end of what was said, from the beginning of a line where it was cut."""
    size = output.seek(0, os.SEEK_END)
    output.seek(max(size - _TAIL_BYTES, 0))
    text = output.read().decode(errors="replace")
    return text.partition("\n")[2] or text if size > _TAIL_BYTES else text
