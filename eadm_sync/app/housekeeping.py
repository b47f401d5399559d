"""Removes what only operators looked at, once it is old: finished items, runs, requests, daemons that are gone.

First passwords that nobody has used in time are destroyed.

Nothing is touched that says who has what, or who changed it: people, known state, ruleset versions and the audit. Rows
go in small transactions of their own, so that deliveries and imports go on in between.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, Table, func, select

from eadm_sync.app.context import Context
from eadm_sync.app.giving import expire_passwords
from eadm_sync.app.runs import recorded
from eadm_sync.events import get_logger
from eadm_sync.state import tables
from eadm_sync.state.database import Database
from eadm_sync.state.passwords import is_over
from exportqueue.item import to_micros
from exportqueue.tables import IS_FINISHED

log = get_logger(__name__)

COMMAND = "housekeeping"
"""As the book of runs has it."""

_ROWS_AT_ONCE = 1_000
"""In one transaction: some milliseconds, for which an embedded database lets nobody else write."""

_DAEMON_DAYS = 1
"""After so long a daemon that says nothing is not one that is just being restarted."""

_CHECKPOINT_WAIT_MS = 1_000
"""How long to wait for readers; after that the write-ahead log keeps its size until the next time."""


class HousekeepingReport(msgspec.Struct, frozen=True):
    """What was removed, or would be.

    Attributes:
        passwords: First passwords whose last day is over; their values are destroyed.
        items: Finished items of the export queue.
        runs: Runs with their reports.
        plans: Plans that changed nothing.
        requests: Finished requests to run a job.
        daemons: Daemons that have said nothing for a day.
        truncated: Whether SQLite's write-ahead log was emptied; False on PostgreSQL and where somebody was reading.
    """

    items: int = 0
    runs: int = 0
    plans: int = 0
    requests: int = 0
    daemons: int = 0
    passwords: int = 0
    truncated: bool = False

    @property
    def total(self) -> int:
        """All rows."""
        return self.items + self.runs + self.plans + self.requests + self.daemons + self.passwords


def housekeep(context: Context) -> HousekeepingReport:
    """Removes what is older than `housekeeping` of the configuration says, as a run of its own in the book of runs.

    Raises:
        StateError: The state cannot be used.
    """
    with context.writing() as database, recorded(context, database, COMMAND) as run:
        old = _Old(context)
        report = HousekeepingReport(
            items=_purge_items(context, database, old.finished_before),
            runs=_delete(database, tables.runs, old.runs),
            plans=_delete(database, tables.plans, old.plans),
            requests=_delete(database, tables.job_requests, old.requests),
            daemons=_delete(database, tables.daemons, old.daemons),
            passwords=_expire(context, database, run.id),
        )
        report = msgspec.structs.replace(report, truncated=tidy(database))
        run.report["removed"] = msgspec.to_builtins(report)
        log.info("housekeeping.done", **msgspec.to_builtins(report))
        return report


def preview(context: Context) -> HousekeepingReport:
    """What `housekeep` would remove now; removes nothing.

    Raises:
        StateError: The state cannot be read.
    """
    old, items = _Old(context), context.queue.tables.items
    with context.reading() as database, database.read() as connection:

        def count(table: Table, condition: sa.ColumnElement[bool]) -> int:
            return connection.scalar(select(func.count()).select_from(table).where(condition)) or 0

        finished = sa.and_(IS_FINISHED, items.c.finished_at < to_micros(old.finished_before))
        return HousekeepingReport(
            items=count(items, finished),
            runs=count(tables.runs, old.runs(connection)),
            plans=count(tables.plans, old.plans(connection)),
            requests=count(tables.job_requests, old.requests(connection)),
            daemons=count(tables.daemons, old.daemons(connection)),
            passwords=count(tables.passwords, is_over(context.clock.now())),
        )


Condition = Callable[[Connection], sa.ColumnElement[bool]]


class _Old:
    """What is old, as conditions on the rows of each table."""

    def __init__(self, context: Context) -> None:
        settings, now = context.loaded.settings.housekeeping, context.clock.now()
        self.finished_before = now - timedelta(days=settings.keep_finished_days)
        self._runs_before = (now - timedelta(days=settings.keep_runs_days)).isoformat()
        self._unseen_since = (now - timedelta(days=_DAEMON_DAYS)).isoformat()

    def runs(self, connection: Connection) -> sa.ColumnElement[bool]:
        """All but the latest of each command: `status` and the report of the last run speak of those."""
        runs = tables.runs.c
        latest = list(connection.scalars(select(func.max(runs.id)).group_by(runs.command)))
        planned = connection.scalar(select(func.max(tables.plans.c.run_id)))  # the latest that was not declined
        return sa.and_(runs.started_at < self._runs_before, runs.id.not_in([*latest, planned or ""]))

    def plans(self, connection: Connection) -> sa.ColumnElement[bool]:
        """Those that changed nothing; the others say with which rules an access was given."""
        plans = tables.plans.c
        latest = connection.scalar(select(func.max(plans.id)))
        return sa.and_(plans.created_at < self._runs_before, plans.summary == b"{}", plans.id != latest)

    def requests(self, _connection: Connection) -> sa.ColumnElement[bool]:
        """Those that were answered as long ago as finished items go."""
        return tables.job_requests.c.finished_at < self.finished_before.isoformat()

    def daemons(self, _connection: Connection) -> sa.ColumnElement[bool]:
        """Those that died; one that stops in good order takes its row along."""
        return tables.daemons.c.seen_at < self._unseen_since


def _expire(context: Context, database: Database, run_id: str) -> int:
    def portion() -> int:
        with database.write() as connection:
            return expire_passwords(context, connection, _ROWS_AT_ONCE, run_id)

    return sum(_portions(portion))


def _purge_items(context: Context, database: Database, finished_before: Any) -> int:
    def portion() -> int:
        with database.write() as connection:
            return context.queue.purge(connection, finished_before, _ROWS_AT_ONCE)

    return sum(_portions(portion))


def _delete(database: Database, table: Table, old: Condition) -> int:
    (key,) = table.primary_key.columns

    def portion() -> int:
        with database.write() as connection:
            chosen = select(key).where(old(connection)).order_by(key).limit(_ROWS_AT_ONCE)
            return connection.execute(table.delete().where(key.in_(chosen))).rowcount

    return sum(_portions(portion))


def _portions(portion: Callable[[], int]) -> Iterator[int]:
    """What each portion removed, until one was not full."""
    removed = _ROWS_AT_ONCE
    while removed == _ROWS_AT_ONCE:
        removed = portion()
        yield removed


def tidy(database: Database) -> bool:
    """Renews SQLite's statistics and empties its write-ahead log; returns whether that was done.

    PostgreSQL's autovacuum does both by itself.
    """
    if database.engine.dialect.name != "sqlite":
        return False
    with contextlib.closing(database.engine.raw_connection()) as pooled:
        connection: Any = pooled.driver_connection
        (former,) = connection.execute("PRAGMA busy_timeout").fetchone()
        connection.execute("PRAGMA query_only=OFF")
        connection.execute(f"PRAGMA busy_timeout={_CHECKPOINT_WAIT_MS}")
        try:
            connection.execute("PRAGMA optimize")
            (busy, _pages, _moved) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            connection.execute(f"PRAGMA busy_timeout={former}")
    return not busy
