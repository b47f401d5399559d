"""Plans what the passing of time has made due, from people as they are stored: no source is read.

Where HR's files are missing for a week, whoever's contract ends in it is still disabled on the day, and deleted when
retention is over. Brakes hold what they hold in every run.
"""

from __future__ import annotations

from eadm_sync.app.context import Context
from eadm_sync.app.planning import Progress, silent
from eadm_sync.app.syncing import SyncReport, sync

COMMAND = "retention"
"""As the book of runs has it."""


def retain(context: Context, *, progress: Progress = silent) -> SyncReport:
    """Puts what is due into the export queue, as a run of its own.

    Raises:
        As `sync`.
    """
    return sync(context, lambda _: True, deliver=False, progress=progress, read_sources=False, command=COMMAND)
