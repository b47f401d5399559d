"""What jobs do, unattended: as the shell would, with the same brakes and the same ends."""

from __future__ import annotations

import csv
import sys
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from sqlalchemy import select

from eadm_sync.app import working
from eadm_sync.app.context import open_context
from eadm_sync.app.jobs import Ended
from eadm_sync.state import tables
from exportqueue import State


def schedule(place: Any, **jobs: dict[str, Any]) -> None:
    """Gives a town these jobs."""
    path = place.folder / "config.yaml"
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    settings["schedule"] = jobs
    path.write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")


def work(place: Any, name: str, cut_off: threading.Event | None = None, **options: Any) -> Ended:
    """Does a job as a daemon would."""
    context = place.context
    with context.writing() as database:
        return working.work(context, database, name, who="operator", cut_off=cut_off or threading.Event(), **options)


def run(place: Any, run_id: str | None) -> tuple[str, str, str, dict[str, Any]]:
    """Command, actor, status and report of a run."""
    runs = tables.runs
    with place.context.reading() as database, database.read() as connection:
        row = connection.execute(select(runs).where(runs.c.id == run_id)).one()
    return row.command, row.actor, row.status, msgspec.json.decode(row.report)


def queued(place: Any) -> list[str]:
    """What is in the queue and not done."""
    context = place.context
    with context.reading() as database, database.read() as connection:
        items = context.queue.list(connection, limit=10_000)
    return [item.operation for item in items if item.state not in (State.DONE, State.DROPPED)]


def positions(place: Any) -> list[dict[str, str]]:
    """The lines of HR's positions."""
    with (place.folder / "examples/kommune/hr/positions.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def write_positions(place: Any, rows: list[dict[str, str]]) -> None:
    """Replaces them."""
    with (place.folder / "examples/kommune/hr/positions.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), delimiter=";")
        writer.writeheader()
        writer.writerows(rows)


def end_in_a_week(place: Any) -> str:
    """Ends all positions of somebody who has one on 24 August; returns the number."""
    rows = positions(place)
    numbers = [row["Ansattnr"] for row in rows]
    number = next(row["Ansattnr"] for row in rows if numbers.count(row["Ansattnr"]) == 1 and not row["Til"])
    write_positions(place, [row | {"Til": "24.08.2026"} if row["Ansattnr"] == number else row for row in rows])
    return number


def test_sync_queues_and_leaves_delivery_to_workers(place: Any):
    """Its run is in the book, by the job; what it planned is in the queue."""
    schedule(place, nightly={"do": "sync"})
    end_in_a_week(place)
    place.clock.moment = place.clock.moment.replace(day=25)

    ended = work(place, "nightly")

    command, actor, status, report = run(place, ended.run_id)
    assert ended.status == "done"
    assert (command, actor, status) == ("sync", "operator (job nightly)", "done")
    assert report["enqueued"] == len(queued(place)) > 0


def test_retention_disables_leavers_while_the_files_are_missing(place: Any):
    """Somebody's contract ends in a week, as is known; then HR's files are gone, and the leaver is disabled still."""
    schedule(place, leavers={"do": "retention"}, nightly={"do": "sync"})
    end_in_a_week(place)
    work(place, "nightly")
    before = queued(place)
    for file in (place.folder / "examples/kommune/hr").iterdir():
        file.unlink()
    place.clock.moment = place.clock.moment.replace(day=25)

    ended = work(place, "leavers")

    assert ended.status == "done"
    assert any("disable" in one and "account" in one for one in queued(place)[len(before) :])
    assert run(place, ended.run_id)[0] == "retention"
    assert run(place, ended.run_id)[3]["sources"] == {}


def test_what_a_brake_holds_stays_held(place: Any):
    """Half of the people are gone from the file: nothing is done to them, and the job says `held`."""
    schedule(place, nightly={"do": "sync"})
    folder = place.folder / "examples/kommune/hr"
    lines = (folder / "persons.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "persons.csv").write_text("".join(lines[: len(lines) // 2]), encoding="utf-8")

    ended = work(place, "nightly")

    assert ended.status == "held"
    assert ended.is_well
    assert not any("disable" in operation for operation in queued(place))
    assert run(place, ended.run_id)[3]["holds"]


def test_a_source_that_cannot_be_read_is_no_success(place: Any):
    """The rest is done; the job says `incomplete`, and which source it was."""
    schedule(place, nightly={"do": "sync"})
    (place.folder / "examples/kommune/hr/persons.csv").unlink()

    ended = work(place, "nightly")

    assert (ended.status, ended.error, ended.is_well) == ("incomplete", "not read: hr", False)


def test_a_job_waits_for_whoever_plans_in_the_shell(place: Any):
    """It begins when they have ended, and leaves no failed runs behind."""
    schedule(place, nightly={"do": "sync"})
    with place.context.writing() as database:
        lock = database.run_lock()
        lock.__enter__()
        threading.Timer(0.3, lambda: lock.__exit__(None, None, None)).start()

        ended = work(place, "nightly")

    assert ended.status == "done"


def test_a_job_that_waits_too_long_is_missed(place: Any):
    """It says for whom it waited; nothing stands in the book of runs."""
    schedule(place, nightly={"do": "sync"})
    with place.context.writing() as database, database.run_lock():
        ended = work(place, "nightly", busy_seconds=0)

    assert ended.status == "missed"
    assert ended.run_id is None
    assert "another run is at work: process" in (ended.error or "")


def test_rules_that_broke_since_they_were_read_do_not_matter(place: Any):
    """A daemon goes by what it has checked, until it is told to read again."""
    schedule(place, nightly={"do": "sync"})
    context = open_context(place.folder / "config.yaml", place.clock)
    assert context.ruleset.version
    assert context.vault
    next(place.rules.glob("*.yaml")).write_text("broken: [", encoding="utf-8")

    with context.writing() as database:
        ended = working.work(context, database, "nightly", who="operator", cut_off=threading.Event())

    assert ended.status == "done"


def test_a_crash_in_a_job_is_a_failed_job(place: Any, monkeypatch: pytest.MonkeyPatch):
    """Only the kind of the error is kept: its words may hold data."""
    schedule(place, nightly={"do": "sync"})

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("01017012345")

    monkeypatch.setattr(working, "sync", broken)

    assert work(place, "nightly") == Ended("failed", None, "ZeroDivisionError")


# ---------------------------------------------------------------- commands


def python(text: str, **settings: Any) -> dict[str, Any]:
    """A job that runs some Python."""
    return {"do": "command", "command": [sys.executable, "-c", text], **settings}


def test_a_command_that_ends_well_is_done(place: Any):
    """What it said is kept; it runs in the configuration's folder, and nobody types into it."""
    text = "import os, sys; print(os.getcwd()); print('to stderr', file=sys.stderr); print(repr(sys.stdin.read()))"
    schedule(place, fetch=python(text))

    ended = work(place, "fetch")

    report = run(place, ended.run_id)[3]
    assert ended.status == "done"
    assert report["exit_code"] == 0
    assert {str(place.folder), "to stderr", "''"} == set(report["output"].splitlines())


def test_a_command_gets_no_shell(place: Any):
    """Its arguments arrive as they were written."""
    words = "$HOME; echo *"
    schedule(place, fetch={"do": "command", "command": [sys.executable, "-c", "import sys; print(sys.argv[1])", words]})

    assert run(place, work(place, "fetch").run_id)[3]["output"] == words + "\n"


def test_a_command_that_fails_is_a_failed_job(place: Any):
    """With its exit code, and the end of what it said: whole lines, and not all of a long tale."""
    schedule(place, fetch=python("for i in range(10_000): print('line', i)\nraise SystemExit(3)"))

    ended = work(place, "fetch")

    command, _, status, report = run(place, ended.run_id)
    lines = report["output"].splitlines()
    assert (ended.status, ended.error) == ("failed", "it ended with exit code 3")
    assert (command, status, report["exit_code"]) == ("command", "failed", 3)
    assert lines[-1] == "line 9999"
    assert lines[0].startswith("line ")
    assert len(report["output"]) < 4_100


def test_a_command_that_is_not_there_is_a_failed_job(place: Any):
    """It says so."""
    schedule(place, fetch={"do": "command", "command": ["/no/such/program", "s3cret"]})

    ended = work(place, "fetch")

    assert (ended.status, ended.error) == ("failed", "it cannot be started: No such file or directory")
    assert "s3cret" not in str(run(place, ended.run_id))


def test_a_command_ends_with_all_it_started_when_its_time_is_over(place: Any, tmp_path: Path):
    """Neither it nor its child lives on."""
    mark = tmp_path / "mark"
    text = (
        "import subprocess; child = subprocess.Popen(['sleep', '60'])\n"
        f"with open({str(mark)!r}, 'w') as file: file.write(str(child.pid))\n"
        "child.wait()"
    )
    schedule(place, fetch=python(text, time_limit="3s"))

    ended = work(place, "fetch")

    assert (ended.status, ended.error) == ("failed", "it took longer than 3 seconds")
    process, limit = Path(f"/proc/{mark.read_text().strip()}/stat"), time.monotonic() + 60
    while process.exists() and process.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < limit, "the child lives on"
        time.sleep(0.02)


def test_a_command_ends_when_there_is_no_time_left(place: Any):
    """A daemon that has to stop does not wait for it."""
    schedule(place, fetch=python("import time; time.sleep(60)"))
    cut_off = threading.Event()
    threading.Timer(0.5, cut_off.set).start()

    ended = work(place, "fetch", cut_off)

    assert (ended.status, ended.error) == ("interrupted", "the daemon had to stop")
    assert run(place, ended.run_id)[2] == "interrupted"
