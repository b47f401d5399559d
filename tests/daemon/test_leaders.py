"""Several daemons on one PostgreSQL: one leads, another takes over, no job runs twice, and all deliver."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from connectors.contract import Capabilities, Kind, Operation, Outcome
from eadm_sync.app.context import Context
from eadm_sync.state import tables
from tests.postgresql import CUT_LOCKS, Server

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
    assert seconds < 50
    assert_none_twice(led_by(first, second))
    runs = sorted(shared.rows(tables.runs, tables.runs.c.command == "sync"), key=lambda run: run.started_at)
    assert len(runs) <= len(first.events("job.started")) + len(second.events("job.started"))
    assert "running" not in [run.status for run in runs[:-1]]


@dataclass
class Service:
    """A target that two may write at the same time, and that notes in a file who asked for what.

    It answers nobody's first request before both daemons have come with one: if only one delivered, nothing would ever
    reach it.
    """

    effects: Path
    capabilities: Capabilities

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def apply(self, operations: Sequence[Operation]) -> Iterator[Outcome]:
        """Each is done, once both are here."""
        for operation in operations:
            with self.effects.open("a", encoding="utf-8") as file:
                file.write(f"{os.getpid()} {operation.action} {operation.kind} {operation.id}\n")
            wait_until(lambda: len({who for who, *_ in self.asked()}) >= 2, "both daemons deliver")
            created = operation.kind in {Kind.ACCOUNT, Kind.GROUP}
            yield Outcome(operation.id, None, f"anchor of {operation.id}" if created else operation.anchor)

    def asked(self) -> list[list[str]]:
        """What was asked, in order: process, action, kind, operation."""
        return [line.split() for line in self.effects.read_text(encoding="utf-8").splitlines()]


def test_all_deliver_and_nothing_is_delivered_twice(
    shared: Installation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """Of a target that two may write, the daemon that came first lets one slot go to the other; both deliver."""
    able = replace(shared.context.capabilities("directory"), concurrency=2, batch_size=1)
    service = Service(tmp_path / "effects", able)
    service.effects.touch()

    def make(_context: Context, _name: str) -> Any:
        return service

    monkeypatch.setattr(Context, "make_target", make)  # processes are forks of this one
    shared.configure(lambda settings: settings["targets"]["directory"].update(concurrency=2))
    shared.schedule(once={"do": "sync"})
    first, second = shared.leader(), shared.daemon()
    wait_until(lambda: _events(first, second, "slot.given_up"), "one makes way", first.log)

    assert shared.ask("once").status == "done"
    wait_until(lambda: len(shared.rows(tables.known_accounts)) == PEOPLE, "all accounts are known")
    wait_until(lambda: not _unfinished(shared), "the queue is empty", first.log)

    asked = service.asked()
    assert {int(who) for who, *_ in asked} == {first.id, second.id}
    assert set(Counter(operation for *_, operation in asked).values()) == {1}
    assert len(asked) == int(shared.rows(tables.meta, tables.meta.c.name == "known_version:directory")[0].value)


def _unfinished(shared: Installation) -> int:
    context = shared.context
    with context.reading() as database, database.read() as connection:
        return sum(1 for _ in context.queue.unfinished(connection))


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

    for number in range(1, 4):
        _cut_locks(shared)
        wait_until(lambda cuts=number: _events(first, second, "leader.ended") >= cuts, "they notice", first.log)
        wait_until(lambda cuts=number: _events(first, second, "leader.began") > cuts, "somebody leads", first.log)

    began = [*first.events("leader.began"), *second.events("leader.began")]
    assert len(began) >= 2
    before = len(led_by(first, second))
    wait_until(lambda: len(led_by(first, second)) >= before + 2, "jobs go on")
    assert_none_twice(led_by(first, second))


def _events(first: Process, second: Process, event: str) -> int:
    """How often it was logged by either."""
    return len(first.events(event)) + len(second.events(event))


def _cut_locks(shared: Installation) -> None:
    """Ends every session that holds a lock of ours, as a broken network would."""
    with shared.context.writing() as database, database.write() as connection:
        connection.execute(sa.text(CUT_LOCKS))


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
