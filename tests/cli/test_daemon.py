"""The daemon's commands where no daemon runs: jobs, trigger, reconcile."""

from __future__ import annotations

from pathlib import Path

from .conftest import Shell


def test_jobs_are_listed_before_they_ever_ran(fresh: Path, shell: Shell):
    """What is on the starter's schedule, and when it is due; without a state, too."""
    listed = shell("jobs")

    assert listed.code == 0
    assert [row[:3] for row in listed.rows] == [
        ["sync", "sync", "cron 15 4-20/4 * * mon-fri"],
        ["leavers", "retention", "cron 30 0 * * *"],
        ["drift", "reconcile", "cron 0 2 * * sun"],
        ["tidy", "housekeeping", "cron 45 1 * * *"],
    ]
    assert all(job["next_at"] and job["status"] is None for job in shell("jobs", "--format", "json").json)
    assert not (fresh / "var/eadm-sync.db").exists()


def test_an_empty_schedule_says_where_jobs_come_from(fresh: Path, shell: Shell):
    """Rather than showing nothing at all."""
    config = fresh / "config.yaml"
    text = config.read_text(encoding="utf-8")
    before, _, rest = text.partition("\nschedule:\n")
    config.write_text(before + "\n" + rest[rest.index("logging:") :], encoding="utf-8")

    listed = shell("jobs")

    assert listed.code == 0
    assert "the configuration's `schedule`" in listed.err


def test_an_unknown_job_is_named_with_those_that_are_near(settled: Path, shell: Shell):
    """Before anybody is asked."""
    asked = shell("trigger", "leaver")

    assert settled.exists()
    assert asked.code == 1
    assert asked.err == "error: no job 'leaver'; is it one of leavers?\n"


def test_without_a_daemon_it_is_said_how_to_start_one(settled: Path, shell: Shell):
    """And what does the same from the shell."""
    asked = shell("trigger", "sync", "--wait")

    assert settled.exists()
    assert asked.code == 1
    assert "start one with 'eadm-sync run'" in asked.err
    assert "'eadm-sync sync'" in asked.err
