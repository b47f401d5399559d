"""People, accounts, runs, quarantine and status in the shell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from sqlalchemy import insert, update

from eadm_sync.app.context import complete_metadata, open_context
from eadm_sync.cli.commands import looking
from eadm_sync.clock import SystemClock
from eadm_sync.lifecycle import Stage
from eadm_sync.state import tables

if TYPE_CHECKING:
    from .conftest import Shell


def alter(*statements: Any) -> None:
    """Changes the state of the installation one stands in, behind the program's back."""
    context = open_context(Path("config.yaml"), SystemClock())
    with context.writing() as database, database.write() as connection:
        for statement in statements:
            connection.execute(statement)


def quarantined(reason: str) -> Any:
    """A row of the quarantine."""
    row = {"source": "hr", "kind": "record", "file": "data/people.csv", "line": 3, "key": None, "field": "fraction"}
    return insert(tables.quarantine).values(**row, reason=reason, since="2026-08-17T04:00:00+00:00")


def test_stages_of_the_option_are_those_of_the_lifecycle() -> None:
    """The copy that keeps --help quick is true."""
    assert [stage.value for stage in looking.Stage] == [stage.value for stage in Stage]


@pytest.mark.usefixtures("settled")
def test_people_are_listed_searched_and_shown(shell: Shell) -> None:
    """A search finds names without case, ids and identifiers; JSON has the same people."""
    everybody = shell("people", "list")
    assert len(everybody.rows) == 6
    assert [row[0] for row in shell("people", "list", "--search", "ØDEG").rows] == ["hr:1003"]
    assert [row[0] for row in shell("people", "list", "--search", "karnor").rows] == ["hr:1001"]
    assert shell("people", "list", "--stage", "ended").rows == []
    assert [one["id"] for one in shell("people", "list", "-f", "json").json] == [row[0] for row in everybody.rows]

    shown = shell("people", "show", "karnor")
    assert "Kari Nordmann  hr:1001" in shown.out
    assert "Kommunedirektør" in shown.out
    assert shell("people", "show", "1001", "--format", "json").json["identifiers"] == {"username": "karnor"}


@pytest.mark.usefixtures("settled")
def test_accounts_are_listed_and_shown(shell: Shell) -> None:
    """By target, by person, and by the target's own id."""
    listed = shell("accounts", "list", "--target", "directory", "--person", "Kari Nordmann", "-f", "json").json
    assert [(one["account"], one["enabled"], one["rule"]) for one in listed] == [("karnor", True, "employees/employee")]
    assert shell("accounts", "list", "--disabled").rows == []

    shown = shell("accounts", "show", listed[0]["anchor"])
    assert "mail\tkarnor@eksempel.example" in shown.out
    assert "unit-100" in shown.out


@pytest.mark.usefixtures("settled")
def test_runs_are_listed_and_shown(shell: Shell) -> None:
    """`runs show` without an id is the last one, and tells what `report` tells."""
    listed = shell("runs", "list").rows
    assert [(row[1], row[5]) for row in listed] == [("sync", "done")]
    assert shell("runs", "show", "-f", "json").json["id"] == listed[0][0]
    assert shell("runs", "show", listed[0][0]).out == shell("report").out


@pytest.mark.usefixtures("settled")
def test_quarantine_is_listed_and_shown(shell: Shell) -> None:
    """With the place in the file."""
    alter(quarantined("is not a number"))
    assert shell("quarantine", "list", "--source", "hr").rows[0][3:7] == ["data/people.csv", "3", "", "fraction"]
    assert "is not a number" in shell("quarantine", "show", 1).out
    assert shell("status", "-f", "json").json["quarantined"] == {"hr": 1}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("people", "show", "nobody"), "no person 'nobody'"),
        (("people", "show", "Nordmann"), "is it one of hr:1001, hr:1002?"),  # part of two names is no name
        (("accounts", "list", "--target", "director"), "is it one of directory?"),
        (("accounts", "show", "nobody"), "no person 'nobody'"),
        (("runs", "show", "2020"), "no run '2020'"),
        (("quarantine", "list", "--source", "h"), "no source 'h'"),
        (("quarantine", "show", "99"), "no quarantined row '99'"),
    ],
)
@pytest.mark.usefixtures("settled")
def test_what_is_not_there_is_an_error_that_helps(shell: Shell, words: tuple[str, ...], says: str) -> None:
    """Exit code 1, nothing on standard output, and what comes near."""
    ended = shell(*words)
    assert (ended.code, ended.out) == (1, "")
    assert says in ended.err


@pytest.mark.usefixtures("settled")
def test_a_name_of_several_people_asks_which(shell: Shell) -> None:
    """Their ids are told."""
    alter(update(tables.people).where(tables.people.c.id == "hr:1002").values(name="Kari Nordmann"))
    ended = shell("people", "show", "Kari Nordmann")
    assert ended.code == 1
    assert "hr:1001 (Kari Nordmann)" in ended.err
    assert "hr:1002 (Kari Nordmann)" in ended.err


@pytest.mark.parametrize(
    "words",
    [
        ("people", "list"),
        ("people", "list", "--format", "json"),
        ("people", "show", "hr:1001"),
        ("accounts", "list"),
        ("accounts", "list", "--format", "json"),
        ("quarantine", "list"),
        ("quarantine", "list", "--format", "json"),
        ("quarantine", "show", "1"),
        ("runs", "list"),
        ("runs", "show"),
        ("status",),
    ],
)
@pytest.mark.usefixtures("settled")
def test_hostile_data_are_harmless(
    shell: Shell, words: tuple[str, ...], hostile: str, dangerous: frozenset[str]
) -> None:
    """No name, reason or actor can colour, clear, forge a column or a line; and none of it is lost."""
    alter(update(tables.people).values(name=hostile), update(tables.runs).values(actor=hostile), quarantined(hostile))
    calm = shell(*words)
    assert calm.code == 0
    cells = calm.out.replace("\t", "") if "json" not in words else calm.out
    assert not dangerous & set(cells)
    if words != ("status",):
        assert "[bold]x[/]" in calm.out
        assert "x1b[31m<script>|" in calm.out or "u001b[31m<script>|" in calm.out
    if words[1:] == ("list",):
        assert {row.count("\t") for row in calm.out.splitlines()} == {calm.out.splitlines()[0].count("\t")}


def test_status_before_the_first_run_says_what_to_do(shell: Shell, fresh: Path) -> None:
    """And makes nothing."""
    ended = shell("status")
    assert ended.code == 0
    assert "eadm-sync plan" in ended.out
    assert not (fresh / "var" / "eadm-sync.db").exists()


@pytest.mark.usefixtures("settled")
def test_status_says_that_all_is_well(shell: Shell) -> None:
    """Counts of people and accounts on one screen."""
    ended = shell("status")
    assert "people: 6" in ended.out
    assert "directory\t6\t0" in ended.out
    assert "no daemon runs" in ended.out  # none ever did, and somebody tries things by hand
    assert ended.code == 0

    config = Path("config.yaml")
    settings = yaml.safe_load(config.read_text(encoding="utf-8"))
    config.write_text(yaml.safe_dump({**settings, "schedule": {}}), encoding="utf-8")
    assert "all is well" in shell("status").out


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(
    ("actor", "role", "told"),
    [
        ("root (job sync)", "leader", "a job is at work: sync by root (job sync)"),
        ("root (job sync)", None, "the last run is at work, or was killed"),
        ("root", "leader", "the last run is at work, or was killed"),
    ],
)
def test_status_tells_a_job_at_work_from_a_run_that_was_killed(
    shell: Shell, actor: str, role: str | None, told: str
) -> None:
    """While a daemon is at its job, there is nothing to be run again."""
    now = SystemClock().now().isoformat()
    alter(insert(tables.runs).values(id="z", command="sync", actor=actor, started_at=now, status="running"))
    if role is not None:
        alter(insert(tables.daemons).values(name="h:1", role=role, version="1", started_at=now, seen_at=now))

    assert told in shell("status").out


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(
    ("role", "code"),
    [
        (None, 1),
        ("worker", 1),  # it delivers, and does nothing of the schedule
        ("standby", 0),  # it leads in a moment
        ("leader", 0),
    ],
)
def test_status_says_that_nobody_does_what_is_on_the_schedule(shell: Shell, role: str | None, code: int) -> None:
    """Where a daemon was, and ended in good order, its jobs would be missed in silence."""
    now = SystemClock().now().isoformat()
    alter(insert(tables.jobs).values(name="sync", schedule="", started_at=now, finished_at=now, status="done"))
    if role is not None:
        alter(insert(tables.daemons).values(name="h:1", role=role, version="1", started_at=now, seen_at=now))

    ended = shell("status")

    assert (ended.code, "no daemon runs" in ended.out) == (code, bool(code))


@pytest.mark.usefixtures("refused")
def test_status_says_what_to_do_about_a_refusal(shell: Shell) -> None:
    """The command that shows it, and those that help."""
    ended = shell("status")
    assert "directory refused 1 change" in ended.out
    assert "queue list --target directory --state dead" in ended.out
    assert "all is well" not in ended.out


@pytest.mark.usefixtures("settled")
def test_status_keeps_what_the_last_plan_met_when_something_else_ran_since(shell: Shell) -> None:
    """A delivery, a second run that was turned away and one that was killed put nothing right that a plan met."""
    people = Path("data/people.csv")
    people.write_text(people.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")
    assert shell("sync", "--yes").code == 3
    held = 'release "hr.vanished"'
    assert held in shell("status").out

    assert shell("deliver").code == 0
    assert shell("status", "-f", "json").json["last"]["run"]["command"] == "deliver"
    assert held in shell("status").out

    rules = next(Path("rulesets").glob("*.yaml"))
    text = rules.read_text(encoding="utf-8")
    rules.write_text(text + "nonsense: 1\n", encoding="utf-8")
    assert shell("sync", "--yes").code == 1
    rules.write_text(text, encoding="utf-8")
    assert shell("deliver").code == 0
    assert "the last run failed" in shell("status").out

    row = {"id": "20991231T000000-00000000", "command": "sync", "actor": "kari", "started_at": "2099-12-31T00:00:00"}
    alter(insert(tables.runs).values(**row, status="running"))
    assert held in shell("status").out


@pytest.mark.usefixtures("settled")
def test_ctrl_c_is_told_and_ends_with_130(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Typer may raise it or return it: either way the message says what is safe and where to look."""

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("eadm_sync.app.status.status", interrupted)
    ended = shell("status")
    assert (ended.code, ended.out) == (130, "")
    assert "interrupted: what was accepted is in the queue" in ended.err


@pytest.mark.usefixtures("settled")
def test_status_ends_with_what_there_is_to_do(shell: Shell) -> None:
    """A monitor needs no words: 0 for all is well, 3 where a brake holds, 1 where something failed."""
    assert shell("status").code == 0
    alter(quarantined("is not a number"))
    assert shell("status").code == 0

    people = Path("data/people.csv")
    people.write_text(people.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")
    shell("sync", "--yes")
    assert shell("status").code == 3

    row = {"name": "host:7", "role": "leader", "version": "1", "started_at": "2026-01-01T00:00:00+00:00"}
    alter(insert(tables.daemons).values(**row, seen_at="2026-01-01T00:00:00+00:00"))
    ended = shell("status")
    assert ended.code == 1
    assert "the daemon host:7 has said nothing since 2026-01-01T00:00:00+00:00" in ended.out


@pytest.mark.usefixtures("settled")
def test_status_tells_of_a_target_that_is_away(shell: Shell) -> None:
    """Since when, why, and that nothing need be done."""
    circuits = complete_metadata().tables["queue_circuits"]
    row = {"target": "directory", "opened_at": 1, "probe_at": 60_000_001, "failures": 2, "error": "Unavailable: down"}
    alter(insert(circuits).values(**row))

    ended = shell("status")

    assert ended.code == 1
    assert "directory is away since 1970-01-01" in ended.out
    assert "Unavailable: down" in ended.out
