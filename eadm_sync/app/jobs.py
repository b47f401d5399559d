"""The state's book of jobs: when each was handled last, how it ended, and who asked for it.

A job is taken up by whoever moves `due_at` from an earlier moment to the one at hand, in one statement: of two daemons
that both think they lead, one does. Moments are stored in whole seconds, so that they compare as text everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from eadm_sync.app.context import Context
from eadm_sync.config.schedule import JobSettings
from eadm_sync.state import tables


class Ended(msgspec.Struct, frozen=True):
    """How a job ended.

    Attributes:
        status: done, held (done but for what a brake holds), incomplete, failed, interrupted, or missed (it could not
            begin: somebody planned from the shell).
        run_id: Its run in the book of runs, or None where it had none.
        error: What was wrong, or None.
    """

    status: str
    run_id: str | None = None
    error: str | None = None

    @property
    def is_well(self) -> bool:
        """Whether everything was done that no brake holds."""
        return self.status in {"done", "held"}


class JobRow(msgspec.Struct, frozen=True):
    """A job of the schedule, and how it went. Moments are ISO text in UTC.

    Attributes:
        name: As in the configuration.
        do: What it does.
        schedule: When, as people read it.
        started_at: Of the last time it ran, or None.
        finished_at: None while it runs, or where its process died.
        status: As in `Ended`, or running; None where it never ran.
        run_id: Of the last time, or None.
        error: Of the last time, or None.
        succeeded_at: When it last ended well, or None.
        next_at: When it is due next, if a daemon is there; None where something else starts it.
    """

    name: str
    do: str
    schedule: str
    started_at: str | None = None
    finished_at: str | None = None
    status: str | None = None
    run_id: str | None = None
    error: str | None = None
    succeeded_at: str | None = None
    next_at: str | None = None


def jobs(context: Context) -> tuple[JobRow, ...]:
    """The jobs of the configuration, with how each went last.

    Raises:
        StateError: The state cannot be read.
    """
    with context.reading() as database, database.read() as connection:
        return tuple(listed(context, connection))


def listed(context: Context, connection: Connection) -> Iterator[JobRow]:
    """As `jobs`, within a transaction."""
    settings = context.loaded.settings
    columns = tables.jobs.c
    kept = [name for name in JobRow.__struct_fields__ if name in columns and name != "schedule"]
    found = {row["name"]: row for row in connection.execute(select(tables.jobs)).mappings()}
    for name, job in settings.schedule.items():
        following = job.times.following(context.clock.now(), settings.organisation.zone) if job.times else None
        row = found.get(name)
        known = {"name": name} if row is None else {key: row[key] for key in kept}
        yield JobRow(do=job.do, schedule=job.schedule, next_at=iso(following) if following else None, **known)


def iso(moment: datetime) -> str:
    """A moment as the book has it: UTC, in whole seconds."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")


# ---------------------------------------------------------------- by the clock


def enter(connection: Connection, name: str, job: JobSettings, now: datetime) -> None:
    """Enters a job, or notes that its schedule is another one: nothing was missed before now by that."""
    columns = tables.jobs.c
    known = connection.execute(select(columns.schedule).where(columns.name == name)).first()
    due = iso(now) if job.times is not None else None
    if known is None:
        connection.execute(tables.jobs.insert(), {"name": name, "schedule": job.schedule, "due_at": due})
    elif known.schedule != job.schedule:
        values = {"schedule": job.schedule, "due_at": due}
        connection.execute(tables.jobs.update().where(columns.name == name).values(**values))


def missed(connection: Connection, schedule: Mapping[str, JobSettings], context: Context) -> dict[str, datetime]:
    """Jobs whose time has passed without being handled, each with the last such moment."""
    now, zone = context.clock.now(), context.loaded.settings.organisation.zone
    columns = tables.jobs.c
    rows = connection.execute(select(columns.name, columns.due_at))
    handled = {name: due for name, due in rows}  # noqa: C416 - rows are no pairs to mypy
    latest = {name: job.times.latest(now, zone) for name, job in schedule.items() if job.times is not None}
    return {
        name: moment for name, moment in latest.items() if (due := handled.get(name)) is not None and due < iso(moment)
    }


def claim(connection: Connection, name: str, moment: datetime, now: datetime) -> bool:
    """Takes a job up for a moment of its schedule; False where it, or a later one, is handled already."""
    columns = tables.jobs.c
    mine = tables.jobs.update().where(columns.name == name, columns.due_at < iso(moment))
    return connection.execute(mine.values(due_at=iso(moment), **_begun(now))).rowcount == 1


def pass_over(connection: Connection, name: str, moment: datetime) -> None:
    """Marks a moment as handled without doing anything."""
    columns = tables.jobs.c
    late = tables.jobs.update().where(columns.name == name, columns.due_at < iso(moment))
    connection.execute(late.values(due_at=iso(moment)))


def begin(connection: Connection, name: str, now: datetime) -> None:
    """Notes that a job begins which no clock has started."""
    connection.execute(tables.jobs.update().where(tables.jobs.c.name == name).values(**_begun(now)))


def _begun(now: datetime) -> dict[str, Any]:
    return {"started_at": now.isoformat(), "finished_at": None, "status": "running", "run_id": None, "error": None}


def finish(connection: Connection, name: str, began: datetime, ended: Ended, now: datetime) -> None:
    """Notes how a job ended, unless it has begun anew elsewhere meanwhile."""
    columns = tables.jobs.c
    values = {**msgspec.structs.asdict(ended), "finished_at": now.isoformat()}
    if ended.is_well:
        values["succeeded_at"] = now.isoformat()
    mine = tables.jobs.update().where(columns.name == name, columns.started_at == began.isoformat())
    connection.execute(mine.values(**values))


def interrupt_orphans(connection: Connection, now: datetime) -> tuple[str, ...]:
    """Marks what began and never ended as interrupted, in all books; returns the names of the jobs.

    For a leader that has just begun: whoever led before is gone, or has lost the state.
    """
    gone = {"finished_at": now.isoformat(), "status": "interrupted", "error": "the daemon that ran it is gone"}
    columns, requests, runs = tables.jobs.c, tables.job_requests.c, tables.runs.c
    unfinished = (columns.started_at.is_not(None), columns.finished_at.is_(None))
    names = tuple(connection.scalars(select(columns.name).where(*unfinished).order_by(columns.name)))
    connection.execute(tables.jobs.update().where(*unfinished).values(**gone))
    begun = (requests.started_at.is_not(None), requests.finished_at.is_(None))
    connection.execute(tables.job_requests.update().where(*begun).values(**gone))
    of_a_job = (runs.status == "running", runs.actor.contains(_JOB))
    values = {name: value for name, value in gone.items() if name != "error"}
    connection.execute(tables.runs.update().where(*of_a_job).values(**values))
    return names


_JOB = " (job "


def actor(who: str, name: str) -> str:
    """Who the book of runs says is at work: somebody, by a job."""
    return f"{who}{_JOB}{name})"


def run_of(connection: Connection, by: str, since: datetime) -> tuple[str, str, dict[str, Any]] | None:
    """The latest run of an actor since a moment: (id, status, report), or None."""
    runs = tables.runs.c
    query = select(runs.id, runs.status, runs.report).where(runs.actor == by, runs.started_at >= since.isoformat())
    row = connection.execute(query.order_by(runs.started_at.desc()).limit(1)).first()
    if row is None:
        return None
    report: dict[str, Any] = msgspec.json.decode(row.report) if row.report else {}
    return row.id, row.status, report
