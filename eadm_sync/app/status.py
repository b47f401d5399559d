"""One look at an installation: what there is, how the last run went, what is queued. Reads only."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Table, TextClause, func, select

from eadm_sync.app.context import Context
from eadm_sync.app.jobs import JobRow, listed
from eadm_sync.app.listing import RunRow
from eadm_sync.app.triggering import DaemonRow, daemons
from eadm_sync.state import tables
from exportqueue import OpenCircuit, TargetStats

_WITHOUT_PLAN = ("deliver", "reconcile", "housekeeping", "command", "retention")
"""Runs that put nothing right of what a plan met: of sources, `retention` knows nothing."""


class AccountCount(msgspec.Struct, frozen=True):
    """How many accounts a target is known to hold."""

    target: str
    enabled: int = 0
    disabled: int = 0


class LastRun(msgspec.Struct, frozen=True):
    """The latest run, and what the latest plan met: a delivery after it has put nothing of that right.

    Attributes:
        run: The latest run, whatever it did.
        error: Why it failed, or the latest run that was to make a plan; or None.
        stopped_targets: Targets that it could not deliver everything to, with the reason.
        planned_by: Id of the latest run that made a plan, or None. What follows is from there.
        holds: Names of the holds it met and did not let go.
        held_changes: How many changes are held, by "<target>.<kind>.<action>".
        failed_sources: Sources it could not read, with the reason.
        problems: People whom the rules could not serve.
        undecided: Accounts that somebody has to say of whose they are.
        silent: Target → why it did not say whether it had made or deleted accounts of which no answer came.
    """

    run: RunRow
    error: str | None
    stopped_targets: dict[str, str]
    planned_by: str | None
    holds: tuple[str, ...]
    held_changes: dict[str, int]
    failed_sources: dict[str, str]
    problems: int
    undecided: int = 0
    silent: dict[str, str] = {}


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
        unbelieved: Why the latest reading of a target by `reconcile` was not believed, by target.
        drift: How much was changed in targets by hand and waits for a decision, by target.
        queue: By target; no rate is taken here.
        away: Targets that do not answer.
        orphans: Targets that are not configured any more, with changes in the queue.
        left_sources: Of sources that are not configured any more, how many records are still believed.
        last: The latest run, or None.
        jobs: The jobs of the configuration, with how each went last.
        daemons: Those that run, and those that died within a day or so.
    """

    organisation: str
    exists: bool
    people: int
    pending: int
    absent: int
    quarantined: dict[str, int]
    accounts: tuple[AccountCount, ...]
    unbelieved: dict[str, tuple[str, ...]]
    drift: dict[str, int]
    queue: tuple[TargetStats, ...]
    away: tuple[OpenCircuit, ...]
    orphans: tuple[str, ...]
    left_sources: dict[str, int]
    last: LastRun | None
    jobs: tuple[JobRow, ...]
    daemons: tuple[DaemonRow, ...]


def status(context: Context) -> Status:
    """The state of things. Counts come from indexes: it takes the same for a village and for a city.

    Raises:
        StateError: The state cannot be read.
    """
    with context.reading() as database, database.read() as connection:
        return status_of(context, connection, exists=database.exists)


def status_of(context: Context, connection: Connection, *, exists: bool = True) -> Status:
    """As `status`, within a transaction."""
    queue = tuple(context.queue.stats(connection, finished=False))
    targets = tuple(context.loaded.settings.targets)
    return Status(
        organisation=context.loaded.settings.organisation.name,
        exists=exists,
        people=_count(connection, tables.people),
        pending=_count(connection, tables.people, tables.IS_PENDING),
        absent=_count(connection, tables.source_records, tables.IS_ABSENT),
        quarantined=_quarantined(connection),
        accounts=_accounts(connection, targets),
        unbelieved=_unbelieved(connection, targets),
        drift=_drift(connection),
        queue=queue,
        away=tuple(one.circuit for one in queue if one.circuit is not None),
        orphans=tuple(one.target for one in queue if one.target not in targets and one.oldest is not None),
        left_sources=_left_sources(connection, context.loaded.settings.sources),
        last=_last(connection),
        jobs=tuple(listed(context, connection)),
        daemons=daemons(connection, context.clock.now()),
    )


def _count(connection: Connection, table: Table, condition: TextClause | None = None) -> int:
    query = select(func.count()).select_from(table)
    return connection.scalar(query if condition is None else query.where(condition)) or 0


def _quarantined(connection: Connection) -> dict[str, int]:
    source = tables.quarantine.c.source
    rows = connection.execute(select(source, func.count()).group_by(source).order_by(source))
    return {name: number for name, number in rows}  # noqa: C416 - rows are no pairs to mypy


def _left_sources(connection: Connection, configured: Collection[str]) -> dict[str, int]:
    """Records that are not absent, as the difference of two counts, each of which an index holds."""
    source = tables.source_records.c.source
    by_source = select(source, func.count()).group_by(source).order_by(source)
    absent = {name: number for name, number in connection.execute(by_source.where(tables.IS_ABSENT))}  # noqa: C416 - as above
    believed = ((name, number - absent.get(name, 0)) for name, number in connection.execute(by_source))
    return {name: number for name, number in believed if number and name not in configured}


def _drift(connection: Connection) -> dict[str, int]:
    columns = tables.drift.c
    query = select(columns.target, func.count()).where(columns.accepted_at.is_(None)).group_by(columns.target)
    rows = connection.execute(query.order_by(columns.target))
    return {target: number for target, number in rows}  # noqa: C416 - rows are no pairs to mypy


def _unbelieved(connection: Connection, targets: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Target → why nothing was written down of what its latest whole reading told, of those where that is so."""
    runs = tables.runs.c
    query = select(runs.report).where(runs.command == "reconcile", runs.finished_at.is_not(None))
    latest: dict[str, tuple[str, ...]] = {}
    for data in connection.scalars(query.order_by(runs.started_at.desc()).limit(_READINGS_LOOKED_AT)):
        told = (msgspec.json.decode(data) if data else {}).get("drift", {})
        for name in targets:
            if name in told and not told[name].get("error"):
                latest.setdefault(name, tuple(told[name].get("held", ())))
        if latest.keys() >= set(targets):
            break
    return {name: reasons for name, reasons in sorted(latest.items()) if reasons}


_READINGS_LOOKED_AT = 20  # jobs can read one target each; what is older than that says little of today


def _accounts(connection: Connection, targets: tuple[str, ...]) -> tuple[AccountCount, ...]:
    """The configured targets in their order, then what is known of others."""
    columns = tables.known_accounts.c
    counts: dict[str, dict[bool, int]] = {name: {} for name in targets}
    query = select(columns.target, columns.enabled, func.count()).group_by(columns.target, columns.enabled)
    for target, enabled, number in connection.execute(query.order_by(columns.target)):
        counts.setdefault(target, {})[bool(enabled)] = number
    return tuple(AccountCount(name, each.get(True, 0), each.get(False, 0)) for name, each in counts.items())


def _last(connection: Connection) -> LastRun | None:
    query = select(tables.runs).order_by(tables.runs.c.started_at.desc())
    row = connection.execute(query.limit(1)).first()
    if row is None:
        return None
    planning_error, made_by, plan = _last_plan(connection)
    report = _report(row)
    targets: dict[str, dict[str, Any]] = report.get("targets", {})
    return LastRun(
        run=RunRow(row.id, row.command, row.actor, row.started_at, row.finished_at, row.status),
        error=report.get("error") or planning_error,
        stopped_targets={name: str(each["error"]) for name, each in targets.items() if each.get("error")},
        planned_by=made_by,
        holds=tuple(hold.get("name") or hold["brake"] for hold in plan.get("holds", ())),
        held_changes=plan.get("held_changes", {}),
        failed_sources=plan.get("failed_sources", {}),
        problems=plan.get("unserved", len(plan.get("problems", ()))),
        undecided=plan.get("undecided", 0),
        silent=plan.get("silent_targets", {}),
    )


def _last_plan(connection: Connection) -> tuple[str | None, str | None, dict[str, Any]]:
    """Why the latest run that was to make a plan failed; the latest one that did make one, and its report."""
    runs = tables.runs
    query = select(runs).where(runs.c.command.not_in(_WITHOUT_PLAN)).order_by(runs.c.started_at.desc())
    error = None
    with connection.execute(query) as rows:
        for number, row in enumerate(rows):
            report = _report(row)
            error = report.get("error") if not number else error
            if "plan" in report:
                return error, row.id, report
    return error, None, {}


def _report(row: Row[Any]) -> dict[str, Any]:
    report: dict[str, Any] = msgspec.json.decode(row.report) if row.report else {}
    return report
