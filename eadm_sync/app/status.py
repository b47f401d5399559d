"""One look at an installation: what there is, how the last run went, what is queued. Reads only."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from eadm_sync.app.context import Context
from eadm_sync.app.listing import RunRow
from eadm_sync.state import tables
from exportqueue import TargetStats


class AccountCount(msgspec.Struct, frozen=True):
    """How many accounts a target is known to hold."""

    target: str
    enabled: int = 0
    disabled: int = 0


class LastRun(msgspec.Struct, frozen=True):
    """The latest run.

    Attributes:
        run: Which it is.
        error: Why it failed, or None.
        holds: Names of the holds it met and did not let go.
        failed_sources: Sources it could not read, with the reason.
        problems: People whom the rules could not serve.
    """

    run: RunRow
    error: str | None
    holds: tuple[str, ...]
    failed_sources: dict[str, str]
    problems: int


class Status(msgspec.Struct, frozen=True):
    """What there is to know at a glance.

    Attributes:
        organisation: Whose accounts these are.
        exists: Whether there is a state yet; without one all else is empty.
        people: How many there are.
        pending: How many of them the next run looks at whatever the sources say.
        absent: Records that their source does not have any more.
        quarantined: What imports left out, by source.
        accounts: By target.
        queue: By target.
        last: The latest run, or None.
    """

    organisation: str
    exists: bool
    people: int
    pending: int
    absent: int
    quarantined: dict[str, int]
    accounts: tuple[AccountCount, ...]
    queue: tuple[TargetStats, ...]
    last: LastRun | None


def status(context: Context) -> Status:
    """The state of things.

    Raises:
        StateError: The state cannot be read.
    """
    people, records = tables.people, tables.source_records
    with context.reading() as database, database.read() as connection:
        return Status(
            organisation=context.loaded.settings.organisation.name,
            exists=database.exists,
            people=_count(connection, select(func.count()).select_from(people)),
            pending=_count(connection, select(func.count()).select_from(people).where(people.c.pending.is_(True))),
            absent=_count(
                connection, select(func.count()).select_from(records).where(records.c.absent_since.is_not(None))
            ),
            quarantined=_quarantined(connection),
            accounts=_accounts(connection, tuple(context.loaded.settings.targets)),
            queue=tuple(context.queue.stats(connection)),
            last=_last(connection),
        )


def _count(connection: Connection, query: Any) -> int:
    return connection.scalar(query) or 0


def _quarantined(connection: Connection) -> dict[str, int]:
    source = tables.quarantine.c.source
    rows = connection.execute(select(source, func.count()).group_by(source).order_by(source))
    return {name: number for name, number in rows}  # noqa: C416 - rows are no pairs to mypy


def _accounts(connection: Connection, targets: tuple[str, ...]) -> tuple[AccountCount, ...]:
    """The configured targets in their order, then what is known of others."""
    columns = tables.known_accounts.c
    counts: dict[str, dict[bool, int]] = {name: {} for name in targets}
    query = select(columns.target, columns.enabled, func.count()).group_by(columns.target, columns.enabled)
    for target, enabled, number in connection.execute(query.order_by(columns.target)):
        counts.setdefault(target, {})[bool(enabled)] = number
    return tuple(AccountCount(name, each.get(True, 0), each.get(False, 0)) for name, each in counts.items())


def _last(connection: Connection) -> LastRun | None:
    row = connection.execute(select(tables.runs).order_by(tables.runs.c.id.desc()).limit(1)).first()
    if row is None:
        return None
    report: dict[str, Any] = msgspec.json.decode(row.report) if row.report else {}
    return LastRun(
        run=RunRow(row.id, row.command, row.actor, row.started_at, row.finished_at, row.status),
        error=report.get("error"),
        holds=tuple(hold.get("name") or hold["brake"] for hold in report.get("holds", ())),
        failed_sources=report.get("failed_sources", {}),
        problems=len(report.get("problems", ())),
    )
