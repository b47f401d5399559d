"""Several daemons on one PostgreSQL: one leads, another takes over, no job runs twice, and all deliver."""

from __future__ import annotations

import signal
import time
from collections import Counter

import sqlalchemy as sa

from eadm_sync.state import tables
from tests.postgresql import Server

from .conftest import PEOPLE, Installation, Process, wait_until


def led_by(*daemons: Process) -> list[str]:
    """The moments of the schedule at which any of them began the job, in order."""
    return sorted(one["moment"] for daemon in daemons for one in daemon.events("job.started") if "moment" in one)


def assert_none_twice(moments: list[str]) -> None:
    """Each moment of the schedule was seen to once, whoever led."""
    assert set(Counter(moments).values()) == {1}


def test_one_leads_and_another_takes_over(shared: Installation):
    """The leader is killed in the middle of a delivery: the other leads within seconds, and finishes it."""
    shared.schedule(often={"do": "sync", "every": "1s"})
    shared.slow_down(300)
    first = shared.leader()
    second = shared.daemon()
    first.wait_for("job.ended", count=2)
    wait_until(lambda: len(shared.accounts()) >= 2, "some accounts are there")
    wait_until(lambda: len(shared.rows(tables.daemons)) == 2, "both are in the book")
    roles = {row.name.partition(":")[2]: row.role for row in shared.rows(tables.daemons)}

    first.kill()
    began = time.monotonic()
    second.wait_for("leader.began")
    seconds = time.monotonic() - began
    second.wait_for("job.ended", count=3)
    wait_until(lambda: len(shared.accounts()) == PEOPLE, "all accounts are there")

    assert roles == {str(first.id): "leader", str(second.id): "standby"}
    assert seconds < 10
    assert_none_twice(led_by(first, second))
    runs = shared.rows(tables.runs, tables.runs.c.command == "sync")
    assert len(runs) <= len(first.events("job.started")) + len(second.events("job.started"))
    assert "running" not in [run.status for run in runs[:-1]]


def test_a_leader_that_stops_makes_way(shared: Installation):
    """In good order it takes one look of the other."""
    shared.schedule(often={"do": "sync", "every": "1s"})
    first, second = shared.leader(), shared.daemon()
    first.wait_for("job.ended")

    first.signal(signal.SIGTERM)

    assert first.ended() == 0
    second.wait_for("job.ended", count=2)
    assert second.events("job.orphaned") == []
    assert_none_twice(led_by(first, second))


def test_a_leader_that_loses_its_connection_leads_no_longer(shared: Installation):
    """Whatever it had planned to do: somebody leads again, and no moment is seen to twice."""
    shared.schedule(often={"do": "sync", "every": "1s"})
    first, second = shared.leader(), shared.daemon()
    first.wait_for("job.ended")

    for _ in range(3):
        _cut_locks(shared)
        time.sleep(0.7)

    first.wait_for("leader.ended")
    began = [*first.events("leader.began"), *second.events("leader.began")]
    assert len(began) >= 2
    before = len(led_by(first, second))
    wait_until(lambda: len(led_by(first, second)) >= before + 2, "jobs go on")
    assert_none_twice(led_by(first, second))


def _cut_locks(shared: Installation) -> None:
    """Ends every session that holds a lock of ours, as a broken network would."""
    with shared.context.writing() as database, database.write() as connection:
        connection.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
            )
        )


def test_a_database_that_restarts_is_waited_for(installation: Installation, lone_postgresql: Server):
    """The daemon lives through it, says so, and goes on with jobs and deliveries."""
    installation.schedule(often={"do": "sync", "every": "1s"})

    def change(settings: dict[str, dict[str, object]]) -> None:
        settings["state"]["url"] = lone_postgresql.url
        settings["daemon"]["leader_check_seconds"] = 0.2

    installation.configure(change)
    daemon = installation.leader()
    daemon.wait_for("job.ended")

    lone_postgresql.stop()
    daemon.wait_for("state.unreachable")
    lone_postgresql.start()
    daemon.wait_for("leader.began", count=2)
    after = len(daemon.events("job.ended", status="done"))
    daemon.wait_for("job.ended", count=after + 2, status="done")
    wait_until(lambda: len(installation.accounts()) == PEOPLE, "all accounts are there")

    daemon.signal(signal.SIGTERM)
    assert daemon.ended() == 0
    assert_none_twice(led_by(daemon))
