"""Reports and housekeeping in the shell."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import update

from eadm_sync.app.context import open_context
from eadm_sync.clock import SystemClock
from eadm_sync.state import tables

from .conftest import Shell


@pytest.mark.usefixtures("settled")
def test_a_report_has_three_forms(shell: Shell):
    """The same figures as text, JSON and Markdown."""
    text, document, markdown = (shell("report", "--format", form) for form in ("text", "json", "markdown"))

    assert {text.code, document.code, markdown.code} == {0}
    assert text.out.startswith(f"sync {document.json['id']}: done\n")
    assert {"target": "directory", "kind": "account", "action": "create", "planned": 6, "held": 0} in document.json[
        "changes"
    ]
    assert "  directory  account     create        6     0\n" in text.out
    assert "| directory | account | create | 6 | 0 |" in markdown.out


def test_a_hostile_report_is_harmless(settled: Path, shell: Shell, hostile: str, dangerous: frozenset[str]):
    """Whoever gave a run its name cannot forge a line, colour the screen, or add markup."""
    with (
        open_context(settled / "config.yaml", SystemClock()).writing() as database,
        database.write() as connection,
    ):
        connection.execute(update(tables.runs).values(actor=hostile))

    for form in ("text", "markdown"):
        out = shell("report", "--format", form).out
        assert not dangerous & set(out)
        assert "end" in out
    assert "<script>" not in out
    assert "[bold]" not in out


@pytest.mark.usefixtures("settled")
def test_housekeeping_tells_what_it_removes(shell: Shell):
    """A dry run removes nothing; JSON has the figures."""
    config = Path("config.yaml")
    text = config.read_text(encoding="utf-8")
    config.write_text(f"{text}\nhousekeeping: {{keep_finished_days: 0}}\n", encoding="utf-8")

    rehearsed = shell("housekeeping", "--dry-run")
    counted = shell("housekeeping", "--dry-run", "--format", "json").json["items"]
    done = shell("housekeeping")
    again = shell("housekeeping")

    assert counted > 0
    assert rehearsed.out == f"would be removed: {counted} finished changes\n"
    assert done.out == f"removed: {counted} finished changes\n"
    assert again.out == "removed: nothing\n"
    assert shell("report").out.startswith("housekeeping ")


@pytest.mark.usefixtures("settled")
def test_keys_are_rotated_and_retired_in_the_shell(shell: Shell):
    """Each step says the next one, and what to keep."""
    (old,) = shell("key", "list").rows
    assert shell("key", "retire").out == "there is no older key\n"

    prepared = shell("key", "prepare")
    assert "copy the key file to every machine" in prepared.out
    rotated = shell("key", "rotate")
    assert "keep a copy of the key file" in rotated.out
    assert [row[1] for row in shell("key", "list").rows] == ["seals", "opens"]

    retired = shell("key", "retire")
    assert retired.code == 0
    assert retired.out.startswith(f"retired: {old[0]}; ")
    assert "need the former key file" in retired.err
    assert [one["use"] for one in shell("key", "list", "--format", "json").json] == ["seals", "digests"]
    assert shell("sync", "--yes").code == 0


@pytest.mark.usefixtures("fresh")
def test_sync_and_deliver_speak_json(shell: Shell):
    """The report of the run, and nothing else on standard output; a scheduler never has to read a table."""
    synced = shell("sync", "--yes", "--no-deliver", "--format", "json")
    assert synced.code == 0
    assert synced.json["command"] == "sync"
    assert synced.json["enqueued"] > 6
    assert synced.json["targets"] == []

    delivered = shell("deliver", "--format", "json")
    assert delivered.code == 0
    assert delivered.json["complete"] is True
    assert delivered.json["targets"][0]["done"] == synced.json["enqueued"]


@pytest.mark.usefixtures("fresh")
def test_json_needs_yes(shell: Shell):
    """There is nothing on the screen that one could say yes to."""
    ended = shell("sync", "--format", "json")

    assert (ended.code, ended.out) == (1, "")
    assert "give --yes. Nothing was done." in ended.err


@pytest.mark.usefixtures("settled")
def test_a_purge_says_who_would_be_forgotten(shell: Shell):
    """Nobody in a town that has just begun; a dry run writes nothing."""
    rehearsed = shell("purge", "--dry-run")
    done = shell("purge", "--yes")

    assert (rehearsed.code, rehearsed.out) == (0, "to be forgotten: nobody\n")
    assert (done.code, done.out) == (0, "to be forgotten: nobody\n")
    assert shell("purge", "--dry-run", "--format", "json").json["due"] == []


def test_a_purge_before_its_time_needs_a_reason(shell: Shell):
    """What cannot be undone is not done without a word in the audit."""
    refused = shell("purge", "--person", "hr:1", "--yes")

    assert (refused.code, refused.err) == (1, "error: say why, with --reason\n")
