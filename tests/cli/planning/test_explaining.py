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
