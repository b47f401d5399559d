"""The schedule's settings: what is wrong is told at its place, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from eadm_sync.config.loading import load_settings
from eadm_sync.config.settings import Settings
from eadm_sync.errors import ConfigError

_REST = """\
organisation: {name: Eksempel kommune}
rulesets: [.]
sources: {school: {type: oneroster, path: school.zip}}
targets: {directory: {type: embedded, path: directory.db}}
schedule:
"""


def written(folder: Path, *jobs: str) -> Settings:
    """A configuration with these jobs, loaded."""
    path = folder / "config.yaml"
    path.write_text(_REST + "".join(f"  {job}\n" for job in jobs), encoding="utf-8")
    return load_settings(path).settings


def faults(folder: Path, *jobs: str) -> list[str]:
    """What is wrong with these jobs, without the file's name."""
    with pytest.raises(ConfigError) as error:
        written(folder, *jobs)
    return [f"{one.line - 5}:{one.column}: {one.message} ({one.hint})" for one in error.value.problems]


def test_a_schedule_is_read(tmp_path: Path):
    """Every kind of job, and every way to say when."""
    schedule = written(
        tmp_path,
        'import: {do: sync, cron: "15 3 * * 1-5", jitter: 5m}',
        "leavers: {do: retention, every: 6h, catch_up: false}",
        "fetch: {do: command, command: [rsync, -a], time_limit: 30s}",
        "then: {do: sync, after: fetch}",
        "drift: {do: reconcile, target: directory}",
    ).schedule

    assert {name: job.schedule for name, job in schedule.items()} == {
        "import": "cron 15 3 * * 1-5",
        "leavers": "every 6h",
        "fetch": "by request",
        "then": "after fetch",
        "drift": "by request",
    }
    assert [name for name, job in schedule.items() if job.times is not None] == ["import", "leavers"]


@pytest.mark.parametrize(
    ("job", "says"),
    [
        ("a: {do: snyc}", "1:11: must be 'sync', 'retention', 'reconcile', 'housekeeping' or 'command' (did you"),
        ("a: {do: sync, evry: 5m}", "1:17: unknown setting 'evry' (did you mean 'every'?)"),
        ("a: {do: sync, every: 5}", "1:24: must be text (put quotes around it)"),
        ("a: {do: sync, every: 2d}", "1:24: must be at most 1d; for longer times there is `cron` (None)"),
        ("a: {do: sync, every: 1h, after: b}", "1:6: has `every` and `after`: one of them says when (None)"),
        ("a: {do: sync, command: [ls]}", "1:6: `do: command` and the setting `command` go together (None)"),
        ("a: {do: command}", "1:6: `do: command` and the setting `command` go together (None)"),
        ("a: {do: sync, target: directory}", "1:6: `target` goes with `do: reconcile` only (None)"),
        ("a: {do: reconcile, target: diretory}", "1:30: there is no target 'diretory' (did you mean 'directory'?)"),
        ("A: {do: sync}", "1:3: 'A' cannot be a name (lower-case letters a-z, digits"),
        ("a: {}", "1:3: the setting 'do' is missing"),
    ],
)  # fmt: skip
def test_a_broken_job_is_told_at_its_place(job: str, says: str, tmp_path: Path):
    """Line and column of the value, or of the key where that is at fault, and what would be right."""
    assert faults(tmp_path, job)[0].startswith(says)


def test_a_cron_line_is_told_by_its_field(tmp_path: Path):
    """As tests of cron lines say in full."""
    assert faults(tmp_path, 'a: {do: sync, cron: "75 3 * * *"}') == [
        "1:23: its minute '75' is out of range; may be 0-59, '*' or '*/2' (None)"
    ]


def test_jobs_behind_one_another_have_a_beginning(tmp_path: Path):
    """A job that waits for itself would never run; one that waits for nobody was misspelt."""
    assert faults(
        tmp_path,
        "a: {do: sync, after: b}",
        "b: {do: sync, after: a}",
        "fetch: {do: command, command: [ls]}",
        "c: {do: sync, after: fecth}",
        "d: {do: sync, after: d}",
    ) == [
        "1:24: 'a' would wait for itself (None)",
        "2:24: 'b' would wait for itself (None)",
        "4:24: there is no job 'fecth' (did you mean 'fetch'?)",
        "5:24: 'd' would wait for itself (None)",
    ]


def test_reload_is_no_job(tmp_path: Path):
    """`trigger reload` has a meaning of its own."""
    assert faults(tmp_path, "reload: {do: sync}")[0].startswith(
        "1:3: 'reload' is a word of the program (call it otherwise"
    )


def test_a_command_is_not_shown(tmp_path: Path):
    """Its arguments may have come from the environment."""
    job = written(tmp_path, "a: {do: command, command: [curl, secret]}").schedule["a"]

    assert "secret" not in repr(job)
