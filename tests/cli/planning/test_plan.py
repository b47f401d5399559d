"""`plan`: what it shows, in which form, and its exit codes."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

PERSONS = "examples/kommune/hr/persons.csv"


def _renamed(shell: Any, family: str, row: int = 0) -> str:
    """Gives somebody in HR another family name; returns the person's id."""
    number = shell.lines(PERSONS)[row][0]
    old = ";".join(shell.lines(PERSONS)[row])
    cells = shell.lines(PERSONS)[row]
    cells[3] = family
    shell.edit(PERSONS, lambda text: text.replace(old, ";".join(cells)))
    return f"hr:{number}"


def test_first_plan_shows_everything_and_writes_nothing(new: Any) -> None:
    """A dry run ends with 2 where there are changes, and every file stays as it is."""
    before = new.content()

    said = new("plan")

    assert said.code == 2
    assert "changes to" in said.out
    assert "+ ad: create account, with a first password  joins" in said.out
    assert new.content() == before


def test_nothing_to_do_is_said_in_a_sentence(settled: Any) -> None:
    """An empty plan ends with 0 and says so."""
    said = settled("plan")

    assert said.code == 0
    assert "Nothing to do: the targets hold what the rules give." in said.out


def test_old_and_new_values_are_shown_beneath_the_person(settled: Any) -> None:
    """A changed name is shown as old → new, beneath the person's id and new name."""
    old = settled.lines(PERSONS)[0][3]
    person = _renamed(settled, "Nyttnavn")

    said = settled("plan")

    assert said.code == 2
    shown = said.out[said.out.index(person) :]
    assert f"sn: {old} → Nyttnavn" in shown


def test_json_holds_all_of_it_under_stable_keys(new: Any) -> None:
    """JSON is one object; its summary adds up to its changes."""
    said = new("plan", "--format", "json")

    plan = json.loads(said.out)
    assert list(plan) == [
        *("hash", "basis", "preview_of", "exit_code", "narrowed_to", "summary", "holds", "sources", "problems"),
        *("undecided", "postponed", "waiting", "groups", "people"),
    ]
    changes = sum(len(one["changes"]) for one in [*plan["groups"], *plan["people"]])
    assert sum(row["count"] for row in plan["summary"]) == changes > 0
    assert plan["exit_code"] == said.code == 2


@pytest.mark.parametrize("form", ["json", "table", "markdown", "html"])
def test_an_empty_plan_has_every_form(settled: Any, form: str) -> None:
    """Where there is nothing to do, each form still is what it should be."""
    said = settled("plan", "--format", form)

    assert said.code == 0
    assert said.out
    if form == "json":
        assert json.loads(said.out)["people"] == []


def test_narrowing_narrows_changes_and_exit_code(settled: Any) -> None:
    """Somebody else's change is neither shown nor counted."""
    person = _renamed(settled, "Nyttnavn")
    other = settled.lines(PERSONS)[1][0]

    theirs, others = settled("plan", "--person", person), settled("plan", "--person", other)
    in_ad = settled("plan", "--target", "ad", "--format", "json")

    assert (theirs.code, others.code) == (2, 0)
    assert "Nothing to do for what you asked for; the plan as a whole has changes." in others.out
    assert {row["target"] for row in json.loads(in_ad.out)["summary"]} == {"ad"}


def test_a_newcomer_can_be_named_before_anything_knows_them(new: Any) -> None:
    """A person of whom only the sources know is found by id and by key."""
    number = new.lines(PERSONS)[0][0]

    by_id = json.loads(new("plan", "--person", f"hr:{number}", "--format", "json").out)
    by_key = json.loads(new("plan", "--person", number, "--format", "json").out)

    assert [one["person"] for one in by_id["people"]] == [f"hr:{number}"]
    assert by_key["people"] == by_id["people"]


def test_a_rule_narrows_to_what_it_gives(new: Any) -> None:
    """Only changes of the named rule are left."""
    plan = json.loads(new("plan", "--rule", "employees/employee-ad", "--format", "json").out)

    rules = {change["rule"] for one in [*plan["groups"], *plan["people"]] for change in one["changes"]}
    assert rules == {"employees/employee-ad"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--target", "adx"), "no target 'adx'"),
        (("--person", "nobody-at-all"), "no person 'nobody-at-all'"),
        (("--rule", "employees/employee-da"), "employees/employee-ad"),  # what was meant is suggested
        (("--release", "hr.vanishd"), "no hold 'hr.vanishd'; is it one of hr.vanished"),  # would let nothing go
    ],
)
def test_a_misspelt_name_is_an_error(settled: Any, arguments: tuple[str, ...], message: str) -> None:
    """What is not there is refused, not taken for nothing to do."""
    said = settled("plan", *arguments)

    assert said.code == 1
    assert message in said.err


def test_an_import_hold_says_what_is_not_written_and_how_to_let_it_go(settled: Any) -> None:
    """Half the people gone ends with 3; the command that is shown does let them go."""
    lines = (settled.folder / PERSONS).read_text(encoding="utf-8").splitlines(keepends=True)
    settled.edit(PERSONS, lambda _: "".join(lines[: len(lines) // 2]))

    said = settled("plan")

    assert said.code == 3
    assert "Held: hr.vanished, by the source's import brake" in said.out
    assert "Not written: the absence of" in said.out
    command = next(line for line in said.out.splitlines() if "--release hr.vanished" in line)
    arguments = shlex.split(command.replace("…", "the school closed"))[1:]
    assert "hr.vanished" not in settled("plan", *arguments[1:]).out
    assert settled("sync", "--yes", *arguments[1:]).code in {0, 3}
    assert "Held: hr.vanished" not in settled("plan").out


def test_a_target_hold_names_its_limit_and_marks_what_it_holds(settled: Any) -> None:
    """A brake of a target shows how many it holds, and each of them."""
    settled.edit(
        "config.yaml", lambda text: text.replace("      disable: {max", "      update: {max: 0}\n      disable: {max")
    )
    person = _renamed(settled, "Nyttnavn")

    said = settled("plan")
    as_json = json.loads(settled("plan", "--format", "json").out)

    assert said.code == as_json["exit_code"] == 3
    assert "Held: ad.account.update: 1 of" in said.out
    assert "the limit lets 0 through" in said.out
    assert "(all held)" in said.out
    held = {change["held"] for change in as_json["people"][0]["changes"] if change["kind"] == "account"}
    assert (as_json["people"][0]["person"], held) == (person, {True})


def test_a_shortage_of_seats_is_told_in_people_and_seats(new: Any) -> None:
    """Those for whom there is no seat are marked; the release that is shown is one that is accepted."""
    new.edit("config.yaml", lambda text: text.replace("STANDARDWOFFPACK_STUDENT: null", "STANDARDWOFFPACK_STUDENT: 1"))

    said = new("plan")
    released = new("plan", "--release", "entra.licence.STANDARDWOFFPACK_STUDENT")

    assert (said.code, released.code) == (3, 2)
    assert "Held: entra.licence.STANDARDWOFFPACK_STUDENT: 1 seats," in said.out
    assert "the first 1 do, the others keep what they have and wait for seats" in said.out
    assert "+ entra: give licence STANDARDWOFFPACK_STUDENT  HELD" in said.out


def test_a_source_that_cannot_be_read_is_a_failure_on_both_streams(settled: Any) -> None:
    """A missing file ends with 1; what goes on is said."""
    (settled.folder / PERSONS).unlink()

    said = settled("plan")

    assert said.code == 1
    assert "Source hr could not be read" in said.out
    assert "Source hr could not be read" in said.err
    assert "Nothing to do for the sources that could be read." in said.out


HOSTILE = "[red]<script>alert(1)</script>|`x`*y*"


@pytest.mark.parametrize(
    ("form", "shown"),
    [
        ("table", "sn: {old} → [red]<script>alert(1)</script>|`x`*y*"),  # Rich's markup is shown, not obeyed
        ("markdown", r"\[red\]&lt;script&gt;alert\(1\)&lt;/script&gt;\|\`x\`\*y\*"),
        ("html", "[red]&lt;script&gt;alert(1)&lt;/script&gt;|`x`*y*"),
    ],
)
def test_names_cannot_become_markup(settled: Any, form: str, shown: str) -> None:
    """What is markup somewhere in a name is shown letter by letter."""
    old = settled.lines(PERSONS)[0][3]
    _renamed(settled, HOSTILE)

    said = settled("plan", "--format", form)

    assert said.code == 2
    assert shown.replace("{old}", old) in said.out
    assert form == "table" or "<script" not in said.out


def test_a_terminal_sees_the_first_fifty_and_hears_of_the_rest(new: Any) -> None:
    """On a terminal a long plan is cut, and the cut is said; a pipe gets all of it."""
    code, shown = new.on_terminal("plan", "--limit", "3")
    piped = new("plan")

    assert code == 2
    assert "more people" in shown
    assert "All of them: --limit" in shown
    assert "more people" not in piped.out


def test_a_saved_plan_is_whole_even_when_the_view_is_narrow(new: Any) -> None:
    """`--out` saves every change, whatever is looked at."""
    file = new.folder / "plan.jsonl"

    said = new("plan", "--target", "ad", "--out", "plan.jsonl")

    targets = {change["target"] for row in _frames(file) for change in row["changes"]}
    assert targets == {"ad", "entra", "google"}
    assert "apply it with: eadm-sync apply plan.jsonl" in said.err


def _frames(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()[1:]]
