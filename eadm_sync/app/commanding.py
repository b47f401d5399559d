"""Runs a program as a job: no shell, a time limit, and the end of what it said."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence

from eadm_sync.app.context import Context
from eadm_sync.app.runs import recorded
from eadm_sync.delivery.running import run_program

COMMAND = "command"
"""As the book of runs has it."""

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
    with context.writing() as database, recorded(context, database, COMMAND) as run:
        run.report["program"] = os.path.basename(arguments[0])  # noqa: PTH119 - arguments may hold a secret; the name says enough
        try:
            ended = run_program(
                arguments,
                folder=context.loaded.base_dir,
                environment={name: value for name, value in os.environ.items() if name not in _OURS},
                limit_seconds=limit_seconds,
                must_end=cut_off.is_set,
            )
        except OSError as error:
            run.status, run.report["error"] = "failed", f"it cannot be started: {error.strerror}"
            return
        run.report |= {"exit_code": ended.code, "output": ended.output}
        if ended.why is not None or ended.code:
            run.status = "interrupted" if ended.cut_off else "failed"
            why = "the daemon had to stop" if ended.cut_off else ended.why
            run.report["error"] = why or f"it ended with exit code {ended.code}"
