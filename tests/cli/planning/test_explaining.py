"""`explain` and `why-not`: rules with their lines, clauses with what they saw."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

PERSONS = "examples/kommune/hr/persons.csv"
POSITIONS = "examples/kommune/hr/positions.csv"


def _employee(shell: Any) -> str:
    """The number of somebody who is an employee in AD and no pupil."""
    said = shell("plan", "--format", "json")
    assert said.code == 0
    for row in shell.lines(PERSONS):
        if "✓ employees/employee-ad" in shell("explain", row[0]).out:
            return row[0]
    raise AssertionError("the sample has no employee")


def test_each_thing_stands_under_its_rule_and_line(settled: Any) -> None:
    """The rule's file and line, the clause and the value it saw are said, and whether it is there."""
    said = settled("explain", _employee(settled))

    assert said.code == 0
    assert re.search(r"✓ employees/employee-ad  rulesets/employees\.yaml:\d+", said.out)
    assert "ad account: has it" in said.out
    assert "✓ affiliation.kind == 'employee'    affiliation.kind = employee" in said.out


def test_all_shows_rules_that_do_not_hold(settled: Any) -> None:
    """--all shows at least one rule more, with a clause that was false."""
    person = _employee(settled)

    few, every = settled("explain", person), settled("explain", person, "--all")

    assert "pupils/pupil-google" not in few.out
    assert "✗ pupils/pupil-google" in every.out
    assert "✗ affiliation.kind == 'pupil'" in every.out


def test_why_not_says_which_clause_was_false(settled: Any) -> None:
    """The answer in a sentence, then each rule that could give it."""
    said = settled("why-not", _employee(settled), "STANDARDWOFFPACK_STUDENT")

    assert said.code == 0
    assert "Does not have licence STANDARDWOFFPACK_STUDENT: no rule gives it." in said.out
    assert "✗ licences/a1-pupil" in said.out


def test_why_not_of_what_somebody_has(settled: Any) -> None:
    """Asked about what is there, it says that it is."""
    said = settled("why-not", _employee(settled), "ad")

    assert "Has account ad, and the rules give it." in said.out


def test_what_waits_in_the_queue_is_named(new: Any) -> None:
    """Before delivery the queue's items are listed, and the answer points to them."""
    new("sync", "--yes", "--no-deliver")
    number = new.lines(POSITIONS)[0][0]

    explained, asked = new("explain", number), new("why-not", number, "entra")

    assert "shall have it, not there yet" in explained.out
    assert "In the export queue:" in explained.out
    assert "create account" in explained.out
    assert re.search(r"item \d+ in the export queue is to give it", asked.out)


def test_json_hides_what_is_sensitive(settled: Any) -> None:
    """The national id is stars, in no form anything else."""
    person = _employee(settled)
    national_id = next(row[1] for row in settled.lines(PERSONS) if row[0] == person)

    explained = settled("explain", person, "--format", "json")
    asked = settled("why-not", person, "ad", "--format", "json")

    assert json.loads(explained.out)["person"]["national_id"] == "***"
    assert json.loads(asked.out)["has"] is True
    assert national_id not in explained.out + asked.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("explain", "nobody-at-all"), "no person 'nobody-at-all'"),
        (("why-not", "{person}", "ada"), "no target, group or licence 'ada'"),
    ],
)
def test_what_is_not_there_is_an_error(settled: Any, arguments: tuple[str, ...], message: str) -> None:
    """Unknown people and things end with 1."""
    number = settled.lines(PERSONS)[0][0]

    said = settled(*(argument.replace("{person}", number) for argument in arguments))

    assert said.code == 1
    assert message in said.err


def test_the_answer_comes_before_what_it_stands_on(settled: Any) -> None:
    """The second line of `why-not` is the verdict; what the nearest rules ask for is part of it."""
    said = settled("why-not", _employee(settled), "STANDARDWOFFPACK_STUDENT")

    verdict = said.out.splitlines()[1]
    assert verdict.startswith("Does not have licence STANDARDWOFFPACK_STUDENT: no rule gives it.")
    assert "licences/a1-pupil asks for affiliation.kind == 'pupil'" in verdict


def test_last_outcome_and_name_are_told(settled: Any) -> None:
    """When the account was given and by which run, and since when the username is kept."""
    said = settled("explain", _employee(settled))

    assert re.search(r"ad account: has it  \(given \d{4}-\d\d-\d\d \d\d:\d\d UTC by run \S+\)", said.out)
    assert re.search(r"username = \w+  since .+ UTC \(on_rename: keep\)  rulesets/common\.yaml:\d+", said.out)


def test_source_rows_are_told_where_asked_for(settled: Any) -> None:
    """--source names file and line of the person's rows."""
    person = _employee(settled)
    line = next(number for number, row in enumerate(settled.lines(PERSONS), 2) if row[0] == person)

    with_it, without = settled("explain", person, "--source"), settled("explain", person)

    assert f"✓ {PERSONS}:{line}: the person" in with_it.out
    assert f"{PERSONS}:{line}" not in without.out


def test_somebody_filtered_is_explained_and_not_missing(new: Any) -> None:
    """The sentence, the row, the condition with its place and what it saw; and the same in JSON."""
    number, *_, family = new.lines(PERSONS)[0][:4]
    where = f"        from: persons\n        where: row.Etternavn != '{family}'\n"
    new.edit("config.yaml", lambda text: text.replace("        from: persons\n", where, 1))
    assert new("sync", "--yes", "--no-deliver").code == 0

    said, asked = new("explain", number), new("why-not", f"hr:{number}", "ad", "--format", "json")

    assert said.code == 0
    assert f"{number}: is in a source, but the configuration filters the row" in said.out
    assert re.search(rf"✗ {PERSONS}:2: the person, filtered by the condition in config\.yaml:\d+", said.out)
    assert f"✗ row.Etternavn != '{family}'    row.Etternavn = {family}" in said.out
    answer = json.loads(asked.out)
    assert (answer["known"], answer["source_rows"][0]["filtered"]) == (False, True)


def test_somebody_in_quarantine_is_explained_and_not_missing(settled: Any) -> None:
    """A newcomer whose row is wrong: file, line, field and reason, and no national id."""
    settled.edit(PERSONS, lambda text: text + "009001;12345678901;Signe;Qvale;;;;\n")
    assert settled("sync", "--yes", "--no-deliver").code == 0
    line = len(settled.lines(PERSONS)) + 1

    said = settled("explain", "009001")

    assert said.code == 0
    assert f"{PERSONS}:{line}: national_id" in said.out
    assert "in quarantine since" in said.out
    assert "12345678901" not in said.out


def test_a_newcomer_is_told_to_wait_for_the_next_run(settled: Any) -> None:
    """Who was added to the file since is told to come with the next import."""
    settled.edit(PERSONS, lambda text: text + "009001;;Signe;Qvale;;;;\n")

    said = settled("explain", "Signe Qvale")

    assert said.code == 0
    assert "is in a source, but not imported yet: the next `sync` takes the row over" in said.out


def test_the_next_run_is_foreseen(settled: Any) -> None:
    """A rule that is edited shows in what the next run would do; JSON holds all links of the chain."""
    person = _employee(settled)
    settled.edit(
        "rulesets/employees.yaml",
        lambda text: text.replace("when: affiliation.kind == 'employee'", "when: affiliation.kind == 'external'"),
    )

    said = settled("explain", person)
    chain = json.loads(settled("explain", person, "--format", "json").out)

    assert "The next run:" in said.out
    assert "- ad: disable account" in said.out
    assert [one["change"]["action"] for one in chain["plan"] if one["change"]["kind"] == "account"][:1] == ["disable"]
    assert {
        "turns",
        "records",
        "quarantined",
        "decisions",
        "rules",
        "plan",
        "faults",
        "queue",
        "outcomes",
    } <= chain.keys()
    assert chain["decisions"][0]["tried"][-1]["outcome"] == "own"


def test_a_misspelt_person_gets_suggestions(settled: Any) -> None:
    """Part of an id is enough to be asked whether somebody is meant."""
    person = f"hr:{settled.lines(PERSONS)[0][0]}"

    said = settled("explain", person.removeprefix("hr:00"))

    assert said.code == 1
    assert f"is it one of {person}" in said.err


def test_a_leaver_s_account_is_told_to_be_disabled_and_why(settled: Any) -> None:
    """Why somebody cannot sign in: since when the account is disabled, when it goes, and what ended."""
    person = _employee(settled)
    row = next(";".join(row) for row in settled.lines(POSITIONS) if row[0] == person)
    cells = row.split(";")
    cells[7:9] = ["01.01.2019", "31.12.2019"]
    others = [";".join(each) for each in settled.lines(POSITIONS) if each[0] == person][1:]
    settled.edit(POSITIONS, lambda text: text.replace(row, ";".join(cells)))
    for other in others:
        settled.edit(POSITIONS, lambda text, other=other: text.replace(f"{other}\n", ""))
    assert settled("sync", "--yes", "--release", "hr.vanished", "--reason", "a test").code == 0

    said = settled("why-not", person, "ad")

    verdict = said.out.splitlines()[1]
    assert re.search(r"It is disabled since \d{4}-\d\d-\d\d, and may be deleted on \d{4}-\d\d-\d\d\.", verdict)
    assert "Why: no affiliation counts today (stage: ended)" in verdict
    assert "Last in ad: disabled" in said.out


def test_a_group_by_way_of_others_is_told_in_words(settled: Any) -> None:
    """With the way and the rule, and that nobody has the outermost group; `explain` lists them."""
    rules = settled.folder / "rulesets" / "groups.yaml"
    tree = (
        "  - {rule: tree, target: ad, for_each: unit_path, nested: true, name: 'TRE-{{ unit.code }}', member_of: ALT}\n"
    )
    all_of_it = "  - {rule: all, target: ad, when: affiliation.title == 'Astronaut', name: ALT}\n"
    text = rules.read_text(encoding="utf-8")
    rules.write_text(text.replace("groups:\n", f"groups:\n{tree}{all_of_it}", 1), encoding="utf-8")
    settled("sync", "--yes")

    inside = settled("why-not", "001002", "TRE-1000").out
    to_come = settled("why-not", "001002", "ALT").out

    assert "Is in group tre-1000 of ad by way of group tre-" in inside
    assert "once a rule gives that group to somebody. Not in group alt themselves" in to_come
    assert "By way of other groups:" in settled("explain", "001002").out
