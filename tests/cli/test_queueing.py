"""The export queue in the shell."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import yaml
from sqlalchemy import MetaData, select, update

from eadm_sync.app.context import open_context
from eadm_sync.app.syncing import sync
from eadm_sync.cli.commands import queueing
from eadm_sync.clock import SystemClock
from eadm_sync.state import tables
from exportqueue import OpenCircuit, Phase, define

if TYPE_CHECKING:
    from .conftest import Shell


def audit() -> list[tuple[str, str, dict[str, Any]]]:
    """What the audit holds of the queue: action, object, detail."""
    columns = tables.audit.c
    context = open_context(Path("config.yaml"), SystemClock())
    with context.reading() as database, database.read() as connection:
        rows = connection.execute(select(columns.action, columns.object, columns.detail).where(columns.kind == "queue"))
        return [(action, object_, msgspec.msgpack.decode(detail)) for action, object_, detail in rows]


def ids(shell: Shell, state: str) -> list[int]:
    """Ids of the items in one state."""
    return [one["id"] for one in shell("queue", "list", "--state", state, "-f", "json").json]


def test_states_of_the_option_are_those_of_the_queue() -> None:
    """The copy that keeps --help quick is true."""
    assert {state.value for state in queueing.State} == {phase.value for phase in Phase}


@pytest.mark.usefixtures("refused")
def test_the_list_holds_what_is_unfinished(shell: Shell) -> None:
    """The refused account and what it holds; done ones only where they are asked for."""
    assert [row[4] for row in shell("queue", "list").rows] == ["dead", "held"]
    assert len(ids(shell, "done")) > 6
    assert shell("queue", "list", "--person", "hr:1001", "--target", "directory").rows == shell("queue", "list").rows
    assert "the first 1 of 2; --limit" in shell("queue", "list", "--limit", 1).err
    assert [row[4] for row in shell("queue", "list", "--object", "account:hr:1001").rows] == ["dead"]
    assert "none" in shell("queue", "list", "--state", "retrying").err
    stats = shell("queue", "stats", "-f", "json").json
    assert [(one["target"], one["dead"], one["held"]) for one in stats] == [("directory", 1, 1)]


@pytest.mark.usefixtures("refused")
def test_show_tells_what_it_is_to_do_and_why_it_waits(shell: Shell) -> None:
    """The dead one its error and values, the waiting one what holds it."""
    (dead,), (waiting,) = ids(shell, "dead"), ids(shell, "held")

    refused, held = shell("queue", "show", dead), shell("queue", "show", waiting)

    assert "last error: Rejected" in refused.out
    assert "username\t\tkarnor" in refused.out
    assert f"held until somebody retries or drops what was refused: {dead}" in held.out
    assert shell("queue", "show", waiting, "-f", "json").json["held_by"][0]["id"] == dead


@pytest.mark.usefixtures("refused")
def test_retry_makes_dead_changes_ready_and_is_audited(shell: Shell) -> None:
    """What is not dead is left, and said so."""
    (dead,), (waiting,) = ids(shell, "dead"), ids(shell, "held")

    ended = shell("queue", "retry", dead, waiting)

    assert ended.code == 1
    assert f"again: {dead}" in ended.out
    assert f"left as they are: {waiting}" in ended.err
    assert ids(shell, "ready") == [dead]
    assert audit() == [("retry", "account:hr:1001", {"item": dead, "operation": "create account"})]


@pytest.mark.usefixtures("refused")
def test_an_unknown_id_stops_all_of_it(shell: Shell) -> None:
    """Nothing is changed and nothing audited."""
    (dead,) = ids(shell, "dead")
    for words in (("retry",), ("drop", "--reason", "x")):
        ended = shell("queue", *words, dead, 10**6)
        assert (ended.code, ended.out) == (1, "")
    assert ids(shell, "dead") == [dead]
    assert audit() == []


def test_what_was_dropped_is_planned_anew(shell: Shell, refused: Path) -> None:
    """The account that is still lacking comes with the next run, whatever HR says; the reason is in the audit."""
    unfinished = [*ids(shell, "dead"), *ids(shell, "held")]
    assert shell("queue", "drop", *unfinished, "--reason", "later").code == 0
    assert [detail["reason"] for _, _, detail in audit()] == ["later", "later"]
    assert shell("queue", "list").rows == []

    report = sync(open_context(refused / "config.yaml", SystemClock()), lambda _: True)

    assert report.is_complete
    assert "hr:1001" in {row[0] for row in shell("accounts", "list").rows}


@pytest.mark.usefixtures("refused")
def test_a_paused_target_gets_nothing(shell: Shell) -> None:
    """Until it is resumed; both are audited, and status and show tell of it."""
    (dead,) = ids(shell, "dead")
    shell("queue", "retry", dead)
    assert shell("queue", "pause", "directory", "--reason", "moving house").code == 0
    assert "moving house" in shell("status").out
    assert "is paused since" in shell("queue", "show", dead).out
    shell("deliver")
    assert ids(shell, "ready") == [dead]

    assert shell("queue", "resume", "directory").code == 0
    assert shell("queue", "resume", "directory").out == "directory was not paused\n"
    assert [action for action, _, _ in audit()] == ["retry", "pause", "resume"]


@pytest.mark.usefixtures("refused")
def test_a_target_that_is_away_is_told_of(shell: Shell) -> None:
    """Since when, how, and when it is asked again: by stats, status and show."""
    (dead,) = ids(shell, "dead")
    context = open_context(Path("config.yaml"), SystemClock())
    now = context.clock.now()
    with context.writing() as database, database.write() as connection:
        context.queue.open_up(connection, OpenCircuit("directory", now, now, 3, "no route to host"))

    for command in (("queue", "stats"), ("status",), ("queue", "show", dead)):
        told = shell(*command).out
        assert "is away since" in told
        assert "no route to host" in told
    assert shell("queue", "stats", "-f", "json").json[0]["circuit"]["failures"] == 3


def test_changes_of_a_target_that_was_removed_are_told_of(shell: Shell, refused: Path) -> None:
    """Nobody delivers them any more: stats, status and show say so."""
    (dead,) = ids(shell, "dead")
    config = refused / "config.yaml"
    settings = yaml.safe_load(config.read_text(encoding="utf-8"))
    settings["targets"] = {}
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")

    for command in (("queue", "stats"), ("status",), ("queue", "show", dead)):
        assert "is not configured any more" in shell(*command).out


@pytest.mark.usefixtures("refused")
def test_stats_tell_the_pace_and_what_to_do(shell: Shell) -> None:
    """Of what was just delivered, and about what was refused; programs get numbers."""
    told = shell("queue", "stats")
    (stats,) = shell("queue", "stats", "-f", "json").json

    assert "queue retry --all --target directory" in told.out
    assert told.rows[0][8]
    assert stats["rate_per_second"] > 0
    assert (stats["remaining_seconds"], stats["is_configured"]) == (None, True)


@pytest.mark.usefixtures("refused")
def test_all_of_a_target_are_retried_when_somebody_agrees(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """What they are is shown first; without a terminal it takes --yes, and no is an answer."""
    command = ("queue", "retry", "--all", "--target", "directory")
    (dead,) = ids(shell, "dead")
    alone = shell(*command)
    monkeypatch.setattr("eadm_sync.cli.commands.queueing.require_terminal", lambda _: None)
    monkeypatch.setattr("sys.stdin", StringIO("n\n"))
    declined = shell(*command)

    assert (alone.code, declined.code) == (1, 4)
    assert "--yes" in alone.err
    assert declined.rows[0][:2] == ["1", "create account"]
    assert ids(shell, "dead") == [dead]

    monkeypatch.setattr("sys.stdin", StringIO("y\n"))
    agreed = shell(*command)

    assert agreed.code == 0
    assert f"again: {dead}" in agreed.out
    assert "eadm-sync deliver --target directory" in agreed.out
    assert shell(*command).code == 0  # nothing is dead any more: nobody is asked


@pytest.mark.usefixtures("refused")
def test_programs_say_yes_and_get_json(shell: Shell) -> None:
    """No table, no question."""
    (dead,) = ids(shell, "dead")

    ended = shell("queue", "retry", "--all", "--target", "directory", "--yes", "-f", "json")

    assert [one["id"] for one in ended.json["done"]] == [dead]


@pytest.mark.parametrize(
    "words",
    [
        ("retry",),
        ("retry", "--all"),
        ("retry", "--target", "directory"),
        ("retry", "--all", "--target", "directory", "1"),
        ("drop", "1", "--reason", " "),
        ("pause", "directory", "--reason", ""),
        ("drain", "--limit", "soon"),
    ],
)
@pytest.mark.usefixtures("refused")
def test_half_a_command_is_refused(shell: Shell, words: tuple[str, ...]) -> None:
    """Nothing is done and nothing audited."""
    assert shell("queue", *words).code == 2
    assert audit() == []


@pytest.mark.usefixtures("refused")
def test_drop_names_what_goes_on_and_what_comes_next(shell: Shell) -> None:
    """The membership that waited for the account, and its person."""
    (dead,), (held,) = ids(shell, "dead"), ids(shell, "held")

    told = shell("queue", "drop", dead, "--reason", "made by hand").out

    assert f"dropped: {dead}" in told
    assert f"  {held}  create membership" in told
    assert "The next run looks anew at hr:1001" in told
    assert ids(shell, "ready") == [held]


@pytest.mark.usefixtures("refused")
def test_drop_takes_what_waits_where_it_is_told_to(shell: Shell) -> None:
    """Both are in the audit."""
    unfinished = [*ids(shell, "dead"), *ids(shell, "held")]

    assert shell("queue", "drop", unfinished[0], "--with-waiting", "--reason", "x").code == 0

    assert sorted(detail["item"] for _, _, detail in audit()) == unfinished
    assert shell("queue", "list").rows == []


@pytest.mark.usefixtures("refused")
def test_drain_delivers_what_can_be_delivered(shell: Shell) -> None:
    """What needs somebody is left, and the exit code says so; retried, it goes out."""
    (dead,) = ids(shell, "dead")
    assert shell("queue", "drain").code == 1

    shell("queue", "retry", dead)
    drained = shell("queue", "drain", "-f", "json")

    assert drained.code == 0
    assert (drained.json["complete"], drained.json["targets"][0]["done"]) == (True, 2)
    assert shell("queue", "drain", "--target", "nowhere").code == 1


@pytest.mark.usefixtures("settled")
def test_nobody_can_pause_what_is_not_there(shell: Shell) -> None:
    """A misspelt target would otherwise go on."""
    for words in (("pause", "directry", "--reason", "x"), ("resume", "directry")):
        ended = shell("queue", *words)
        assert ended.code == 1
        assert "is it one of directory?" in ended.err


@pytest.mark.usefixtures("refused")
def test_hostile_errors_of_targets_are_harmless(shell: Shell, hostile: str, dangerous: frozenset[str]) -> None:
    """What a target answered is shown as text."""
    items = define(MetaData()).items
    context = open_context(Path("config.yaml"), SystemClock())
    with context.writing() as database, database.write() as connection:
        connection.execute(update(items).values(last_error=hostile))
    (dead,) = ids(shell, "dead")
    for words in (("list",), ("show", dead), ("list", "-f", "json")):
        ended = shell("queue", *words)
        assert not dangerous & set(ended.out.replace("\t", ""))
        assert "[bold]x[/]" in ended.out
