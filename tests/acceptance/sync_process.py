"""Runs the main job in processes that can be killed, without paying for the imports each time.

    echo "FOLDER<tab>MOMENT<tab>SECONDS" | python sync_process.py

For each line, a fork runs `sync` on the installation in FOLDER at MOMENT, and is killed after SECONDS if they are
given. Prints how it ended and after how many seconds.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import sys
import time
from datetime import datetime
from pathlib import Path

import alembic.command  # noqa: F401 - as the next lines: what the job imports late is there already

import connectors.csv_files
import connectors.embedded
import connectors.file
import connectors.oneroster  # noqa: F401 - see above
from eadm_sync.app.context import open_context
from eadm_sync.app.syncing import sync
from eadm_sync.clock import FixedClock


def run(folder: str, moment: str) -> None:
    """The main job; the process ends with it."""
    status = 2
    try:
        context = open_context(Path(folder) / "config.yaml", FixedClock(datetime.fromisoformat(moment)))
        status = 0 if sync(context, lambda _: True).is_complete else 1
    finally:
        sys.stderr.flush()
        os._exit(status)


def watch(folder: str, moment: str, kill_after: str) -> str:
    """Starts the job, kills it if it takes longer than it may, and says how it ended."""
    started = time.monotonic()
    process = os.fork()
    if not process:
        run(folder, moment)
    ended = os.pidfd_open(process)
    if kill_after and not select.select([ended], [], [], float(kill_after))[0]:
        os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    os.close(ended)
    word = "killed" if os.WIFSIGNALED(status) else "failed" if os.WEXITSTATUS(status) else "done"
    return f"{word} {time.monotonic() - started}"


if __name__ == "__main__":
    logging.disable(logging.ERROR)  # stdout is for answers
    for line in sys.stdin:
        print(watch(*line.rstrip("\n").split("\t")), flush=True)  # noqa: T201 - the answer
