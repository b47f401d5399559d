"""One batch of programs: what is put off, what is not run twice, and what two workers do."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.contract import Action, Kind
from eadm_sync.clock import FixedClock
from eadm_sync.config.keys import Key
from eadm_sync.config.scripts import ScriptSettings
from eadm_sync.delivery import scripts as module
from eadm_sync.delivery.scripts import Scripts
from eadm_sync.plan.change import Change, Script
from eadm_sync.state.crypto import Vault
from eadm_sync.state.database import open_for_writing
from eadm_sync.state.known import KnownAccount
from exportqueue import Item, PutOff, State

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the programs of these tests are shell scripts")

NOW = datetime(2026, 8, 17, 4, tzinfo=UTC)
ACCOUNT = KnownAccount("ad", "anchor-1", None, enabled=True, attributes={}, rule="r/staff", deactivated_on=None)


@pytest.fixture
def scripts(tmp_path: Path) -> Iterator[Scripts]:
    """One program, `home`, that adds a line to a file."""
    program = tmp_path / "home"
    program.write_text('#!/bin/sh\necho "$1" >> log\n', encoding="utf-8")
    program.chmod(stat.S_IRWXU)
    settings = {"home": ScriptSettings(program=program, time_limit="20s")}
    with open_for_writing("sqlite:///state.db", tmp_path) as database:
        yield Scripts(database, "ad", settings, tmp_path, Vault([Key("one", bytes(32))]), FixedClock(NOW))


def work(number: int) -> tuple[Item, Change, KnownAccount]:
    """What a batch has of one person."""
    person = f"hr:{number}"
    script = Script("home", "home", "create", (str(number),))
    change = Change("ad", Kind.SCRIPT, Action.CREATE, person=person, rule="r/staff", script=script)
    fields = dict.fromkeys(Item.__struct_fields__)
    given = {"id": number, "target": "ad", "object_key": change.object_key, "subject": person, "state": State.RUNNING}
    return Item(**{**fields, **given}), change, ACCOUNT


def ran(scripts: Scripts) -> list[str]:
    """Which were run, in order."""
    path = scripts.base_dir / "log"
    return path.read_text(encoding="utf-8").split() if path.exists() else []


def test_program_that_ended_before_a_crash_is_not_run_again(scripts: Scripts):
    """It was written down at once; a worker that takes the items over runs only those that had not ended."""
    first = scripts.deliver([work(1), work(2)])
    next(first)  # the worker dies behind the first
    first.close()

    results = list(scripts.deliver([work(1), work(2)]))

    assert ran(scripts) == ["1", "2"]
    assert [result.error for result in results] == [None, None]


def test_what_there_is_no_time_for_is_put_off(scripts: Scripts, monkeypatch: pytest.MonkeyPatch):
    """An emergency stop does not wait for a hundred programs; but one of a batch is always run."""
    monkeypatch.setattr(module, "_BATCH_SECONDS", -1.0)

    results = list(scripts.deliver([work(1), work(2), work(3)]))

    assert ran(scripts) == ["1"]
    assert [type(result.error) for result in results] == [type(None), PutOff, PutOff]


def test_worker_that_has_to_stop_ends_its_program(scripts: Scripts):
    """What it was at comes again, without having failed, and nothing more is begun."""
    program = scripts.programs["home"].program
    program.write_text('#!/bin/sh\necho "$1" >> log\nsleep 60\n', encoding="utf-8")
    stopping = replace(scripts, must_stop=lambda: bool(ran(scripts)))

    results = list(stopping.deliver([work(1), work(2)]))

    assert ran(scripts) == ["1"]
    assert [type(result.error) for result in results] == [PutOff, PutOff]


def test_two_workers_run_side_by_side(scripts: Scripts):
    """Each its own items; neither waits for the other's program."""
    wait = "while ! { test -e at-1 && test -e at-2; }; do sleep 0.01; done"
    meeting = f'#!/bin/sh\ntouch "at-$1"\n{wait}\necho "$1" >> log\n'
    scripts.programs["home"].program.write_text(meeting, encoding="utf-8")
    workers = [threading.Thread(target=lambda n=n: list(scripts.deliver([work(n)]))) for n in (1, 2)]

    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert sorted(ran(scripts)) == ["1", "2"]
