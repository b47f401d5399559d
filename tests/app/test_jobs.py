"""The book of jobs: what is claimed, missed, orphaned and shown."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from eadm_sync.app import jobs, triggering
from eadm_sync.app.context import Context, open_context
from eadm_sync.app.jobs import Ended
from eadm_sync.app.starting import start
from eadm_sync.clock import FixedClock
from eadm_sync.state import tables
from eadm_sync.state.database import Database

NIGHT = datetime(2026, 11, 24, 2, 15, tzinfo=UTC)  # 03:15 in Oslo
SCHEDULE = """
  nightly: {do: sync, cron: "15 3 * * *"}
  often: {do: retention, every: 15m}
  asked: {do: reconcile}
"""

Begin = Callable[[], Context]


@pytest.fixture
def clock() -> FixedClock:
    """A minute before the nightly job."""
    return FixedClock(NIGHT - timedelta(minutes=1))


@pytest.fixture(params=["sqlite", "postgresql"])
def context(request: pytest.FixtureRequest, tmp_path: Path, clock: FixedClock) -> Context:
    """A small installation with a schedule, on each database."""
    start(tmp_path)
    path = tmp_path / "config.yaml"
    text = path.read_text(encoding="utf-8")
    before, _, rest = text.partition("\nschedule:\n")
    text = f"{before}\nschedule:{SCHEDULE}\n{rest[rest.index('logging:') :]}"
    if request.param == "postgresql":
        text = text.replace("sqlite:///var/eadm-sync.db", request.getfixturevalue("postgresql_url"))
    path.write_text(text, encoding="utf-8")
    return open_context(path, clock)


def enter(context: Context, connection: Connection) -> None:
    """Enters every job, as a leader that begins does."""
    for name, job in context.loaded.settings.schedule.items():
        jobs.enter(connection, name, job, context.clock.now())


def missed(context: Context, connection: Connection) -> dict[str, str]:
    """What was missed, as text in UTC."""
    found = jobs.missed(connection, context.loaded.settings.schedule, context)
    return {name: f"{moment:%H:%M}" for name, moment in found.items()}


def test_nothing_was_missed_before_a_job_was_known(context: Context):
    """A new job waits for its first time, however long ago the last one would have been."""
    with context.writing() as database, database.write() as connection:
        enter(context, connection)

        assert missed(context, connection) == {}


def test_a_time_that_passed_is_missed_once(context: Context, clock: FixedClock):
    """Of many that passed the last one stands for all."""
    with context.writing() as database, database.write() as connection:
        enter(context, connection)
        clock.moment += timedelta(days=3, minutes=5)

        assert missed(context, connection) == {"nightly": "02:15", "often": "02:15"}
        assert jobs.claim(connection, "nightly", NIGHT + timedelta(days=3), clock.now())
        jobs.pass_over(connection, "often", NIGHT + timedelta(days=3))
        assert missed(context, connection) == {}


def test_another_schedule_begins_anew(context: Context, clock: FixedClock):
    """Whoever edits a job's time at ten does not start it by that, though the new time was at six."""
    with context.writing() as database, database.write() as connection:
        enter(context, connection)
        clock.moment = NIGHT + timedelta(hours=8)
        other = context.loaded.settings.schedule["nightly"].model_copy(update={"cron": "0 6 * * *"})
        jobs.enter(connection, "nightly", other, clock.now())

        assert missed(context, connection).keys() == {"often"}


def test_a_moment_is_claimed_by_one(context: Context, clock: FixedClock):
    """Eight who try at the same time; and nobody gets it, or an earlier one, afterwards."""
    with context.writing() as database:
        with database.write() as connection:
            enter(context, connection)
        clock.moment = NIGHT
        won = _race(database, lambda connection: jobs.claim(connection, "nightly", NIGHT, NIGHT))

        assert sorted(won) == [False] * 7 + [True]
        with database.write() as connection:
            assert not jobs.claim(connection, "nightly", NIGHT - timedelta(days=1), NIGHT)
            assert jobs.claim(connection, "nightly", NIGHT + timedelta(days=1), NIGHT + timedelta(days=1))


def test_a_request_is_taken_up_by_one(context: Context, clock: FixedClock):
    """Likewise for what somebody asks for."""
    with context.writing() as database:
        with database.write() as connection:
            enter(context, connection)
            triggering.beat(connection, "host:1", role="leader", version="1", started_at=NIGHT, now=clock.now())
        job = context.loaded.settings.schedule["asked"]
        triggering.trigger(context, "asked")
        with database.read() as connection:
            (request,) = triggering.waiting(connection)

        won = _race(database, lambda connection: triggering.start(connection, request, job, NIGHT))

        assert sorted(won) == [False] * 7 + [True]
        with database.read() as connection:
            assert triggering.waiting(connection) == ()


def _race(database: Database, attempt: Callable[[Connection], bool]) -> list[bool]:
    """What eight threads get that try at once."""
    won: list[bool] = []
    gate = threading.Barrier(8)

    def run() -> None:
        gate.wait()
        with database.write() as connection:
            got = attempt(connection)
        won.append(got)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return won


def test_how_a_job_ended_is_kept(context: Context, clock: FixedClock):
    """Its run, its error, and when it last did what it should."""
    with context.writing() as database, database.write() as connection:
        enter(context, connection)
        jobs.claim(connection, "nightly", NIGHT, NIGHT)
        jobs.finish(connection, "nightly", NIGHT, Ended("held", "run-1"), NIGHT + timedelta(minutes=2))
        later = NIGHT + timedelta(days=1)
        jobs.claim(connection, "nightly", later, later)
        jobs.finish(connection, "nightly", later, Ended("failed", "run-2", "no file"), later)
        clock.moment = later + timedelta(hours=1)
        row = next(row for row in jobs.listed(context, connection) if row.name == "nightly")

    assert (row.status, row.run_id, row.error) == ("failed", "run-2", "no file")
    assert row.succeeded_at == (NIGHT + timedelta(minutes=2)).isoformat()
    assert row.next_at == "2026-11-26T02:15:00+00:00"


def test_who_has_lost_a_job_does_not_end_it(context: Context):
    """A daemon that comes back late does not write over the run of whoever leads now."""
    later = NIGHT + timedelta(days=1)
    with context.writing() as database, database.write() as connection:
        enter(context, connection)
        jobs.claim(connection, "nightly", NIGHT, NIGHT)
        jobs.claim(connection, "nightly", later, later)
        jobs.finish(connection, "nightly", NIGHT, Ended("done"), later)
        row = connection.execute(select(tables.jobs).where(tables.jobs.c.name == "nightly")).one()

    assert (row.status, row.finished_at) == ("running", None)


def test_what_a_dead_daemon_ran_is_interrupted(context: Context, clock: FixedClock):
    """In all books: of jobs, of requests, and of runs; runs from the shell are left alone."""
    with context.writing() as database:
        with database.write() as connection:
            enter(context, connection)
            triggering.beat(connection, "host:1", role="leader", version="1", started_at=NIGHT, now=clock.now())
            for number, actor in enumerate((jobs.actor("root", "nightly"), "ola")):
                row = {"id": f"run-{number}", "command": "sync", "actor": actor, "started_at": NIGHT.isoformat()}
                connection.execute(tables.runs.insert().values(status="running", **row))
        request_id = triggering.trigger(context, "asked")
        with database.write() as connection:
            (request,) = triggering.waiting(connection)
            triggering.start(connection, request, context.loaded.settings.schedule["asked"], NIGHT)
            jobs.claim(connection, "nightly", NIGHT, NIGHT)

            assert jobs.interrupt_orphans(connection, NIGHT) == ("asked", "nightly")
            assert jobs.interrupt_orphans(connection, NIGHT) == ()
            statuses = dict(connection.execute(select(tables.runs.c.id, tables.runs.c.status)).fetchall())

    assert statuses == {"run-0": "interrupted", "run-1": "running"}
    assert triggering.follow(context, request_id).status == "interrupted"


def test_without_a_daemon_nothing_is_asked_for(context: Context, clock: FixedClock):
    """One that has died, or a worker, is none."""
    with context.writing() as database, database.write() as connection:
        triggering.beat(connection, "host:1", role="leader", version="1", started_at=NIGHT, now=clock.now())
        triggering.beat(
            connection, "host:2", role="worker", version="1", started_at=NIGHT, now=NIGHT + timedelta(hours=1)
        )
    clock.moment += timedelta(seconds=100)

    with pytest.raises(triggering.NoDaemon):
        triggering.trigger(context, "nightly")

    with context.reading() as database, database.read() as connection:
        assert triggering.waiting(connection) == ()


def test_who_waits_is_told_when_the_last_daemon_dies(context: Context, clock: FixedClock):
    """Nobody waits for ever."""
    with context.writing() as database, database.write() as connection:
        triggering.beat(connection, "host:1", role="leader", version="1", started_at=NIGHT, now=clock.now())
    request = triggering.trigger(context, "nightly")

    def wait(_seconds: float) -> None:
        clock.moment += timedelta(seconds=5)

    with pytest.raises(triggering.NoDaemon):
        triggering.follow(context, request, sleep=wait)
