"""Does what a job says, as the shell would do it unattended: same plan, same brakes, nothing released."""

from __future__ import annotations

import copy
import threading
import traceback
from collections.abc import Callable
from datetime import datetime
from typing import Any

from eadm_sync.app import jobs
from eadm_sync.app.auditing import checkpoint
from eadm_sync.app.commanding import command
from eadm_sync.app.context import Context
from eadm_sync.app.housekeeping import housekeep
from eadm_sync.app.jobs import Ended
from eadm_sync.app.purging import purge
from eadm_sync.app.reconciling import reconcile
from eadm_sync.app.retaining import retain
from eadm_sync.app.syncing import sync
from eadm_sync.config.cron import seconds_of
from eadm_sync.config.schedule import JobSettings
from eadm_sync.errors import EadmError, StateBusy
from eadm_sync.events import get_logger
from eadm_sync.state.database import Database

log = get_logger(__name__)

_BUSY_STEP_SECONDS = 1.0
"""How often it is looked whether a run from the shell has ended."""

BUSY_SECONDS = 120.0
"""How long a job waits for one: most plans are shown, and answered, within two minutes."""

_PLANNING = frozenset({"sync", "retention"})
"""Jobs that nobody else may plan beside."""


def work(
    context: Context,
    database: Database,
    name: str,
    *,
    who: str,
    cut_off: threading.Event,
    busy_seconds: float = BUSY_SECONDS,
) -> Ended:
    """Carries a job out and says how it ended; only what ends the process is raised.

    Args:
        context: The installation.
        database: The state.
        name: A job of the configuration.
        who: Who is at work: the daemon's user, or whoever asked for it.
        cut_off: Set when there is no time left: what can end early does.
        busy_seconds: How long to wait for a planning run of somebody else.
    """
    job = context.loaded.settings.schedule[name]
    by = jobs.actor(who, name)
    mine = copy.copy(context)  # rules and keys stay those that were checked; a new context would read them again
    mine.actor = by
    began = context.clock.now()
    try:
        if job.do in _PLANNING:
            _patiently(lambda: _do(mine, job, cut_off), database, busy_seconds, cut_off)
        else:
            _do(mine, job, cut_off)
    except StateBusy as error:
        log.warning("job.missed", job=name, holder=error.holder)
        return Ended("missed", None, f"{error}; it is done at its next time")
    except EadmError as error:
        return _ended(database, by, began, str(error))
    except Exception as error:  # noqa: BLE001 - one broken job must not end the daemon
        # The error's own words may hold data: only its type, and where it came from.
        where = "".join(traceback.format_tb(error.__traceback__))
        log.error("job.crashed", job=name, error=type(error).__name__, where=where)  # noqa: TRY400 - as above
        return _ended(database, by, began, type(error).__name__)
    return _ended(database, by, began, None)


def _do(context: Context, job: JobSettings, cut_off: threading.Event) -> None:
    match job.do:
        case "sync":
            sync(context, lambda _: True, deliver=False)
        case "retention":
            retain(context)
        case "reconcile":
            reconcile(context, only=job.target, incremental=job.incremental)
        case "housekeeping":
            housekeep(context)
            checkpoint(context)
            purge(context)  # last: it waits for its next time where somebody plans
        case "command":
            command(context, job.command, limit_seconds=seconds_of(job.time_limit), cut_off=cut_off)


def _patiently(do: Callable[[], Any], database: Database, seconds: float, cut_off: threading.Event) -> None:
    """Does it as soon as nobody else plans; a run that could not begin would otherwise stand in the book each time.

    Raises:
        StateBusy: Somebody still does, after so many seconds.
    """
    waited = 0.0
    while True:
        try:
            with database.run_lock():
                pass
            do()
        except StateBusy:
            if waited >= seconds or cut_off.wait(_BUSY_STEP_SECONDS):
                raise
            waited += _BUSY_STEP_SECONDS
        else:
            return


def _ended(database: Database, by: str, began: datetime, error: str | None) -> Ended:
    """What the book of runs says of it, and the exit semantics of the shell."""
    try:
        with database.read() as connection:
            found = jobs.run_of(connection, by, began)
    except EadmError as lost:
        return Ended("failed", None, error or str(lost))
    if found is None:
        return Ended("failed" if error else "done", None, error)
    run_id, status, report = found
    error = error or report.get("error")
    if error and status not in {"interrupted", "incomplete"}:
        return Ended("failed", run_id, error)
    if status == "done" and report.get("problems"):
        return Ended("incomplete", run_id, f"the rules could not serve {len(report['problems'])} people")
    if status == "incomplete" and report.get("failed_sources"):
        return Ended(status, run_id, f"not read: {', '.join(sorted(report['failed_sources']))}")
    return Ended("held" if status == "done" and report.get("holds") else status, run_id, error)
