"""Asks a running daemon to do a job now, and follows it to its end. And knows which daemons are running."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection, select

from eadm_sync.app.context import Context
from eadm_sync.app.jobs import Ended, begin, enter
from eadm_sync.app.naming import known_name
from eadm_sync.config.schedule import RELOAD, JobSettings
from eadm_sync.errors import EadmError
from eadm_sync.state import tables

ALIVE_SECONDS = 90
"""A daemon that has said nothing for longer is taken for dead. It speaks every five seconds, but must be silent while
a large import is being committed to an embedded database: for up to a minute."""

LEADER = "leader"
"""Role of the one daemon that does the jobs."""

_LOOK_SECONDS = 0.3


class NoDaemon(EadmError):
    """No daemon is running that could do a job."""

    def __init__(self) -> None:
        super().__init__("no daemon is running on this state")


class DaemonRow(msgspec.Struct, frozen=True):
    """A process that runs jobs or delivers. Moments are ISO text in UTC.

    Attributes:
        name: host:process.
        role: leader, standby or worker.
        version: Of the program.
        started_at: When it began.
        seen_at: When it last spoke.
        is_alive: Whether that is not long ago.
    """

    name: str
    role: str
    version: str
    started_at: str
    seen_at: str
    is_alive: bool


class Request(msgspec.Struct, frozen=True):
    """A request to do a job that a leader took up."""

    id: int
    job: str
    actor: str


def daemons(connection: Connection, now: datetime) -> tuple[DaemonRow, ...]:
    """Every process that has spoken and did not end in good order, by name."""
    oldest = (now - timedelta(seconds=ALIVE_SECONDS)).isoformat()
    columns = tables.daemons.c
    query = select(columns.name, columns.role, columns.version, columns.started_at, columns.seen_at)
    return tuple(
        DaemonRow(*row, is_alive=row.seen_at >= oldest) for row in connection.execute(query.order_by(columns.name))
    )


def beat(connection: Connection, name: str, *, role: str, version: str, started_at: datetime, now: datetime) -> None:
    """Notes that a process lives; and where it leads, that nobody else does any more, who may have died leading."""
    columns = tables.daemons.c
    if role == LEADER:
        former = tables.daemons.update().where(columns.role == LEADER, columns.name != name)
        connection.execute(former.values(role="standby"))
    said = {"role": role, "version": version, "started_at": started_at.isoformat(), "seen_at": now.isoformat()}
    if not connection.execute(tables.daemons.update().where(columns.name == name).values(**said)).rowcount:
        connection.execute(tables.daemons.insert().values(name=name, **said))


def leave(connection: Connection, name: str) -> None:
    """Notes that a process ends in good order."""
    connection.execute(tables.daemons.delete().where(tables.daemons.c.name == name))


# ---------------------------------------------------------------- who asks


def trigger(context: Context, job: str) -> int:
    """Asks for a job, or with `reload` for the configuration to be read again; returns the request's id.

    Raises:
        NotFound: There is no such job.
        NoDaemon: Nobody would do it.
        StateError: The state cannot be used.
    """
    known_name("job", job, (*context.loaded.settings.schedule, RELOAD))
    with context.reading() as database, database.read() as connection:
        _require_daemon(context, connection)
    row = {"job": job, "requested_at": context.clock.now().isoformat(), "actor": context.actor}
    with context.writing() as database, database.write() as connection:
        made = connection.execute(tables.job_requests.insert().values(**row)).inserted_primary_key
    assert made is not None  # noqa: S101 - an insert of one row has a key
    return int(made[0])


def follow(context: Context, request: int, *, sleep: Callable[[float], None] = time.sleep) -> Ended:
    """Waits until a request has been carried out, and says how the job ended.

    Raises:
        NoDaemon: All daemons are gone; the request stands, and the next one sees to it.
        StateError: The state cannot be read.
    """
    requests = tables.job_requests
    query = select(requests.c.status, requests.c.run_id, requests.c.error, requests.c.finished_at)
    with context.reading() as database:
        while True:
            with database.read() as connection:
                row = connection.execute(query.where(requests.c.id == request)).one()
                if row.finished_at is not None:
                    return Ended(row.status, row.run_id, row.error)
                _require_daemon(context, connection)
            sleep(_LOOK_SECONDS)


def _require_daemon(context: Context, connection: Connection) -> None:
    found = daemons(connection, context.clock.now())
    if not any(one.is_alive and one.role != "worker" for one in found):
        raise NoDaemon


# ---------------------------------------------------------------- who is asked


def waiting(connection: Connection) -> tuple[Request, ...]:
    """Requests that nobody has taken up yet, the oldest first."""
    columns = tables.job_requests.c
    query = select(columns.id, columns.job, columns.actor).where(columns.started_at.is_(None))
    return tuple(Request(*row) for row in connection.execute(query.order_by(columns.id)))


def take_up(connection: Connection, request: Request, now: datetime) -> bool:
    """Takes a request up; False where somebody else has."""
    columns = tables.job_requests.c
    mine = tables.job_requests.update().where(columns.id == request.id, columns.started_at.is_(None))
    return connection.execute(mine.values(started_at=now.isoformat())).rowcount == 1


def start(connection: Connection, request: Request, job: JobSettings, now: datetime) -> bool:
    """Takes a request up and notes that its job begins; False where somebody else has."""
    if not take_up(connection, request, now):
        return False
    enter(connection, request.job, job, now)
    begin(connection, request.job, now)
    return True


def answer(connection: Connection, request: Request, ended: Ended, now: datetime) -> None:
    """Notes what came of a request."""
    values = {**msgspec.structs.asdict(ended), "finished_at": now.isoformat()}
    connection.execute(tables.job_requests.update().where(tables.job_requests.c.id == request.id).values(**values))
