"""The book of runs: who started what when, and what came of it."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from eadm_sync.app.context import Context
from eadm_sync.app.reporting import as_text, assembled
from eadm_sync.errors import EadmError
from eadm_sync.events import bound, get_logger
from eadm_sync.state import tables
from eadm_sync.state.database import Database

log = get_logger(__name__)


@dataclass
class Run:
    """One run while it is under way.

    Attributes:
        id: Sorts by time: `20261122T220342-1f0c7a92`.
        status: What will be written down at the end: `done`, `declined`, or `failed` if an exception ends it.
        report: What will be written down beside it; JSON can hold it. `app.reporting` reads it, and adds the text.
    """

    id: str
    status: str = "done"
    report: dict[str, Any] = field(default_factory=dict)

    def spent(self, part: str, since: datetime, until: datetime) -> None:
        """Notes how long a part of it took."""
        self.report.setdefault("seconds", {})[part] = (until - since).total_seconds()


@contextlib.contextmanager
def recorded(context: Context, database: Database, command: str) -> Iterator[Run]:
    """Writes down that a run began, and at its end how it ended. A run that crashed stays `running`."""
    started = context.clock.now()
    # Milliseconds before chance: ids sort by time also where two runs begin within a second, and "last" is the last.
    run = Run(f"{started:%Y%m%dT%H%M%S}-{started.microsecond // 1000:03}{secrets.token_hex(3)[:5]}")
    row = {
        "id": run.id,
        "command": command,
        "actor": context.actor,
        "started_at": started.isoformat(),
        "status": "running",
    }
    with database.write() as connection:
        connection.execute(tables.runs.insert(), row)
    with bound(run=run.id):
        log.info("run.started", command=command)
        yield from _carried_out(context, database, run, row)


def _carried_out(context: Context, database: Database, run: Run, row: dict[str, str]) -> Iterator[Run]:
    try:
        yield run
    except BaseException as error:
        run.status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        # The words of foreign exceptions can hold data; ours never do.
        run.report["error"] = str(error) if isinstance(error, EadmError) else type(error).__name__
        raise
    finally:
        ended = {"finished_at": context.clock.now().isoformat(), "status": run.status}
        run.report["text"] = as_text(assembled({**row, **ended}, run.report))
        with database.write() as connection:
            connection.execute(
                tables.runs.update()
                .where(tables.runs.c.id == run.id)
                .values(report=msgspec.json.encode(run.report), **ended)
            )
        log.info("run.ended", status=run.status)
