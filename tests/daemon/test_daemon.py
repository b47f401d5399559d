"""One daemon on an embedded state: jobs by the clock and by request, signals, and what it leaves behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import update

from eadm_sync.app import queueing
from eadm_sync.app.jobs import jobs
from eadm_sync.app.syncing import sync
from eadm_sync.daemon import service
from eadm_sync.state import tables

from .conftest import PEOPLE, Installation, wait_until

ROOT = Path(__file__).parents[2]


def python(text: str, **settings: Any) -> dict[str, Any]:
    """A job that runs some Python."""
    return {"do": "command", "command": [sys.executable, "-c", text], **settings}


def test_jobs_run_by_schedule_and_what_they_plan_is_delivered(installation: Installation):
    """Every second; the first one fills the target, the others find nothing to do."""
    installation.schedule(often={"do": "sync", "every": "1s"}, then={"do": "reconcile", "after": "often"})
    daemon = installation.leader()

    daemon.wait_for("job.ended", count=3, job="often", status="done")
    daemon.wait_for("job.ended", job="then", status="done")
    wait_until(lambda: len(installation.accounts()) == PEOPLE, "all accounts are there")

    runs = installation.rows(tables.runs, tables.runs.c.command == "sync")
    assert [run.status for run in runs[:3]] == ["done"] * 3
    moments = [one["moment"] for one in daemon.events("job.started", job="often")]
    assert len(set(moments)) == len(moments)  # one a second at most


def test_a_request_is_seen_to_within_a_second(installation: Installation):
    """And whoever waits ends as the job did."""
    installation.schedule(now={"do": "sync"}, bad=python("print('no such host'); raise SystemExit(3)"))
    installation.leader()

    done, bad = installation.command("trigger", "now", "--wait"), installation.command("trigger", "bad", "--wait")

    assert (done.code, bad.code) == (0, 1)
    assert done.out.read_text(encoding="utf-8").startswith("now: done; 'eadm-sync runs show ")
    assert bad.log.read_text(encoding="utf-8").startswith("error: bad: failed: it ended with exit code 3")
    for request in installation.rows(tables.job_requests):
        waited = datetime.fromisoformat(request.started_at) - datetime.fromisoformat(request.requested_at)
        assert waited < timedelta(seconds=20)
    assert service._TICK_SECONDS + service._ANSWER_SECONDS < 1


def test_a_brake_holds_in_the_daemon_as_in_the_shell(installation: Installation):
    """All people but one vanish: they stay, the job is `held`, and whoever waits gets the shell's exit code."""
    installation.schedule(now={"do": "sync"})
    installation.leader()
    installation.ask("now")
    wait_until(lambda: len(installation.accounts()) == PEOPLE, "all accounts are there")
    people = installation.folder / "data/people.csv"
    people.write_text("".join(people.read_text(encoding="utf-8").splitlines(keepends=True)[:2]), encoding="utf-8")

    ended = installation.command("trigger", "now", "--wait")

    assert ended.code == 3
    assert ended.out.read_text(encoding="utf-8").startswith("now: held")
    assert jobs(installation.context)[0].status == "held"
    assert len(installation.accounts()) == PEOPLE


def test_what_is_released_at_the_shell_goes_on_in_the_daemon_once(installation: Installation):
    """All people but one vanish and are held; after `release` the next job lets them go, and no later one others."""
    installation.schedule(now={"do": "sync"})
    installation.configure(lambda settings: settings["brakes"].update(targets={}))  # of the import's brake alone
    daemon = installation.leader()

    def wait_for_delivery(enabled: int) -> None:
        def is_delivered() -> bool:  # the next job would leave out whoever still has a change on its way
            return not installation.unfinished() and len(installation.enabled()) == enabled

        wait_until(is_delivered, f"{enabled} accounts are enabled", daemon.log)

    installation.ask("now")
    wait_for_delivery(PEOPLE)
    people = installation.folder / "data/people.csv"
    everybody = people.read_text(encoding="utf-8")
    people.write_text("".join(everybody.splitlines(keepends=True)[:2]), encoding="utf-8")
    held = installation.ask("now")
    (source,) = installation.context.loaded.settings.sources

    released = installation.command("release", f"{source}.vanished", "--reason", "HR confirms it")
    let_go = installation.ask("now")
    wait_for_delivery(1)
    people.write_text(everybody, encoding="utf-8")
    installation.ask("now")
    wait_for_delivery(PEOPLE)
    people.write_text("".join(everybody.splitlines(keepends=True)[:2]), encoding="utf-8")
    held_again = installation.ask("now")

    assert released.code == 0
    assert [held.status, let_go.status, held_again.status] == ["held", "done", "held"]
    assert len(installation.enabled()) == PEOPLE
    (kept,) = installation.rows(tables.releases)
    assert (kept.end, kept.ended_by, kept.reason) == ("used", let_go.run_id, "HR confirms it")


def test_a_job_behind_another_waits_for_its_success(installation: Installation):
    """The import behind a fetch that failed would read yesterday's files."""
    installation.schedule(
        good=python("pass"), bad=python("raise SystemExit(1)"), next={"do": "sync", "after": "good"},
        never={"do": "sync", "after": "bad"}, last={"do": "reconcile", "after": "next"},
    )  # fmt: skip
    daemon = installation.leader()

    installation.ask("bad")
    installation.ask("good")
    daemon.wait_for("job.ended", job="last")

    assert [one["job"] for one in daemon.events("job.ended")] == ["bad", "good", "next", "last"]


def test_without_a_daemon_a_request_is_refused(installation: Installation):
    """It says so, and what helps; nothing is left behind for a daemon that comes later."""
    installation.schedule(now={"do": "sync"})
    ended = installation.command("trigger", "now")

    assert ended.code == 1
    assert "no daemon is running" in ended.log.read_text(encoding="utf-8")
    assert installation.rows(tables.job_requests) == []


def test_a_second_daemon_on_an_embedded_state_says_who_runs(installation: Installation):
    """And ends with an error; the first one does not notice."""
    first = installation.leader()

    second = installation.start("run")

    assert second.ended() == 1
    assert f"a daemon is running already: process {first.id}" in second.log.read_text(encoding="utf-8")
    assert first.code is None


def test_a_daemon_that_was_killed_leaves_no_lock(installation: Installation):
    """The next one runs at once."""
    installation.leader().kill()

    installation.leader()


# ---------------------------------------------------------------- reload


def test_a_reload_follows_the_new_configuration(installation: Installation):
    """Jobs that are new run, jobs that are gone do not, whatever asked for the reload."""
    installation.schedule(old={"do": "sync", "every": "1s"})
    daemon = installation.leader()
    daemon.wait_for("job.ended", job="old")
    installation.schedule(new={"do": "sync", "every": "1s"})

    daemon.signal(signal.SIGHUP)
    daemon.wait_for("reload.ended")
    daemon.wait_for("job.ended", count=2, job="new")
    installation.schedule(newest={"do": "sync", "every": "1s"})
    asked = installation.ask("reload")
    daemon.wait_for("job.ended", job="newest")

    assert asked.status == "done"
    reloaded = daemon.events("reload.ended")[0]["timestamp"]
    late = [one["moment"] for one in daemon.events("job.started", job="old")]
    assert [one for one in late if datetime.fromisoformat(one) > datetime.fromisoformat(reloaded)] == []


def test_a_broken_file_keeps_the_old_configuration(installation: Installation):
    """The log has each problem at its place; jobs and deliveries go on as before."""
    installation.schedule(often={"do": "sync", "every": "1s"})
    daemon = installation.leader()
    good = installation.config.read_text(encoding="utf-8")
    installation.config.write_text(good + "schedul: {}\nworkers: 5\n", encoding="utf-8")

    daemon.signal(signal.SIGHUP)
    daemon.wait_for("reload.refused")
    before = len(daemon.events("job.ended", job="often"))
    daemon.wait_for("job.ended", count=before + 2, job="often")

    problems = [one["problem"] for one in daemon.events("reload.problem")]
    line = len(good.splitlines()) + 1
    assert any(
        f"config.yaml:{line}:1: schedul: unknown setting 'schedul' (did you mean 'schedule'?)" in one
        for one in problems
    )
    assert len(problems) == 2
    assert daemon.events("daemon.stopping") == []


def test_broken_rules_keep_the_old_ones(installation: Installation):
    """Rules are read with the configuration, and count when all of it is right."""
    installation.schedule(often={"do": "sync", "every": "1s"})
    daemon = installation.leader()
    (installation.folder / "rulesets/employees.yaml").write_text("ruleset: [", encoding="utf-8")

    daemon.signal(signal.SIGHUP)
    daemon.wait_for("reload.refused")
    before = len(daemon.events("job.ended", status="done"))
    daemon.wait_for("job.ended", count=before + 2, status="done")


def test_the_state_cannot_change_while_it_is_open(installation: Installation):
    """A daemon that went on with two would do harm to both."""
    daemon = installation.leader()
    installation.configure(lambda settings: settings["state"].update(url="sqlite:///var/other.db"))

    daemon.signal(signal.SIGHUP)

    assert "state: cannot change while it runs" in daemon.wait_for("reload.problem")["problem"]
    assert not (installation.folder / "var/other.db").exists()


# ---------------------------------------------------------------- the end


def test_a_stop_in_the_middle_of_a_delivery_finishes_what_is_under_way(installation: Installation):
    """The change that the target is at is finished and recorded; the rest stays in the queue, claimed by nobody."""
    installation.schedule(now={"do": "sync"})
    installation.slow_down(400)
    daemon = installation.leader()
    installation.ask("now")
    wait_until(lambda: len(installation.accounts()) >= 2, "some accounts are there")

    daemon.signal(signal.SIGTERM)

    assert daemon.ended() == 0
    assert daemon.events("daemon.cut_off") == []
    (stats,) = queueing.stats(installation.context)
    assert stats.running == 0
    assert stats.ready + stats.waiting > 0
    known = [row.person_id for row in installation.rows(tables.known_accounts)]
    assert sorted(known) == installation.accounts()
    assert installation.rows(tables.daemons) == []


def test_a_stop_does_not_wait_longer_than_it_may(installation: Installation):
    """A command that would take a minute is cut off and kept as interrupted; the exit code is that of a stop."""
    installation.schedule(long=python("import time; time.sleep(60)"))
    installation.configure(lambda settings: settings["daemon"].update(stop_seconds=0.5))
    daemon = installation.leader()
    installation.ask("long", wait=False)
    daemon.wait_for("job.started", job="long")
    began = time.monotonic()

    daemon.signal(signal.SIGTERM)

    assert daemon.ended() == 0
    assert time.monotonic() - began < 50  # the command would take a minute
    daemon.wait_for("daemon.cut_off")
    (row,) = installation.rows(tables.jobs)
    assert (row.status, row.error) == ("interrupted", "the daemon had to stop")


def test_a_stop_does_not_wait_for_a_file_that_never_ends(installation: Installation):
    """A job that cannot be ended is left behind with the process, and stands in both books as interrupted."""
    installation.schedule(now={"do": "sync"})
    installation.configure(lambda settings: settings["daemon"].update(stop_seconds=0.2))
    people = installation.folder / "data/people.csv"
    people.unlink()
    os.mkfifo(people)
    daemon = installation.leader()
    installation.ask("now", wait=False)
    daemon.wait_for("run.started")

    daemon.signal(signal.SIGTERM)

    assert daemon.ended() == 0
    (job,), (run,) = installation.rows(tables.jobs), installation.rows(tables.runs)
    assert (job.status, run.status) == ("interrupted", "interrupted")


def test_a_second_signal_ends_it_at_once(installation: Installation):
    """Whoever cannot wait need not."""
    installation.schedule(long=python("import time; time.sleep(30)"))
    daemon = installation.leader()
    installation.ask("long", wait=False)
    daemon.wait_for("job.started", job="long")
    daemon.signal(signal.SIGTERM)
    daemon.wait_for("daemon.stopping")

    daemon.signal(signal.SIGTERM)

    assert daemon.ended() == 128 + signal.SIGTERM


def test_ctrl_c_stops_it_in_good_order(installation: Installation):
    """As SIGTERM does; here as the program that is installed, and not as a fork of the test."""
    command = [sys.executable, "-m", "eadm_sync", "run", "--config", str(installation.config)]
    with (installation.folder / "log").open("wb") as log:
        daemon = subprocess.Popen(command, stderr=log, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        wait_until(lambda: "leader.began" in (installation.folder / "log").read_text(encoding="utf-8"), "it leads")

        daemon.send_signal(signal.SIGINT)

        assert daemon.wait(20) == 0
    finally:
        daemon.kill()
        daemon.wait()
    assert "daemon.stopped" in (installation.folder / "log").read_text(encoding="utf-8")


# ---------------------------------------------------------------- what was missed


def missed(installation: Installation, name: str) -> None:
    """Has a job's last handled moment lie two days back, as after two days without a daemon."""
    context = installation.context
    before = (datetime.now(UTC) - timedelta(days=2)).isoformat(timespec="seconds")
    with context.writing() as database, database.write() as connection:
        connection.execute(update(tables.jobs).where(tables.jobs.c.name == name).values(due_at=before))


def test_what_was_missed_is_made_up_for_once(installation: Installation):
    """Two nights without a daemon are one job behind; where nobody wants that, none."""
    zone = installation.context.loaded.settings.organisation.zone  # in which the schedule is read
    far = f"0 0 {(datetime.now(zone) - timedelta(days=1)).day} * *"
    installation.schedule(
        wanted={"do": "sync", "cron": far}, unwanted={"do": "retention", "cron": far, "catch_up": False}
    )
    first = installation.leader()
    first.signal(signal.SIGTERM)
    assert first.ended() == 0
    assert first.events("job.started") == []
    for name in ("wanted", "unwanted"):
        missed(installation, name)

    second = installation.leader()
    second.wait_for("job.ended", job="wanted")
    second.signal(signal.SIGTERM)
    assert second.ended() == 0
    third = installation.leader()
    third.signal(signal.SIGTERM)
    assert third.ended() == 0

    told = {one["job"]: one["made_up_for"] for one in second.events("job.was_missed")}
    assert told == {"wanted": True, "unwanted": False}
    assert [one["job"] for one in second.events("job.started")] == ["wanted"]
    assert third.events("job.was_missed") == []
    assert len(installation.rows(tables.runs)) == 1


def test_a_job_whose_process_died_is_marked_by_the_next_leader(installation: Installation):
    """In the book of jobs and in the book of runs."""
    installation.schedule(long=python("import time; time.sleep(30)"))
    daemon = installation.leader()
    installation.ask("long", wait=False)
    daemon.wait_for("run.started")
    daemon.kill()

    installation.leader().wait_for("job.orphaned", job="long")

    (job,), (run,) = installation.rows(tables.jobs), installation.rows(tables.runs)
    assert (job.status, run.status) == ("interrupted", "interrupted")


# ---------------------------------------------------------------- systemd, workers


def test_systemd_is_told(installation: Installation, tmp_path: Path):
    """Ready, alive, reloading with its own time, ready again, stopping; and one line on how it is."""
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(address))
        listener.settimeout(20)
        daemon = installation.daemon(environ={"NOTIFY_SOCKET": str(address), "WATCHDOG_USEC": "3000000"})
        heard: list[str] = []

        def hear(word: str) -> None:
            while word not in heard:
                heard.extend(listener.recv(4096).decode().splitlines())

        hear("READY=1")
        hear("STATUS=leader")
        heard.clear()
        hear("WATCHDOG=1")  # once a second
        heard.clear()
        daemon.signal(signal.SIGHUP)
        hear("RELOADING=1")
        micros = next(word for word in heard if word.startswith("MONOTONIC_USEC="))
        assert abs(int(micros.partition("=")[2]) / 1e6 - time.monotonic()) < 10
        hear("READY=1")
        daemon.signal(signal.SIGTERM)
        hear("STOPPING=1")
    assert daemon.ended() == 0


def test_a_worker_delivers_and_runs_no_jobs(installation: Installation):
    """What a shell has queued; the schedule is not its business, and it stands in the book as what it is."""
    installation.schedule(often={"do": "sync", "every": "1s"})
    sync(installation.context, lambda _: True, deliver=False)
    worker = installation.daemon("worker", "--target", "directory")
    wait_until(lambda: len(installation.accounts()) == PEOPLE, "all accounts are there")
    wait_until(lambda: [row.role for row in installation.rows(tables.daemons)] == ["worker"], "it is in the book")
    worker.signal(signal.SIGTERM)

    assert worker.ended() == 0
    assert worker.events("job.started") == []


def test_a_worker_for_an_unknown_target_says_so(installation: Installation):
    """Before anything is opened."""
    ended = installation.command("worker", "--target", "diretory")

    assert ended.code == 1
    assert "no target 'diretory'; is it one of directory?" in ended.log.read_text(encoding="utf-8")
