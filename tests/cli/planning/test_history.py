"""`history`: what came to be how, in text and JSON, and what is said of unknown names."""

from __future__ import annotations

import json
from typing import Any

import pytest

PERSONS = "examples/kommune/hr/persons.csv"
JOBS = "rulesets/tables/jobs.csv"


def test_an_edited_table_is_shown_line_by_line(settled: Any) -> None:
    """A rule that reads the table has a version more, by whom, with the line that changed."""
    old = settled.lines(JOBS)[0]
    row = (settled.folder / JOBS).read_text(encoding="utf-8").splitlines()[1]
    settled.edit(JOBS, lambda text: text.replace(row, f"{row.partition(',')[0]}2,{row.partition(',')[2]}", 1))
    assert settled("sync", "--yes", "--no-deliver", "--author", "Ada").code in {0, 1}

    said = settled("history", "rule", "licences/f1-frontline")

    assert old
    assert said.code == 0
    assert "added" in said.out
    assert "edited  by Ada" in said.out
    assert f"    -{row}" in said.out


def test_an_access_names_rule_version_and_author(settled: Any) -> None:
    """From an account to the rule's line and the one who brought it into force."""
    person = settled.lines(PERSONS)[0][0]

    said = settled("history", "access", person, "ad")
    (access,) = json.loads(settled("history", "access", person, "ad", "--format", "json").out)

    assert said.code == 0
    assert f"by the rule {access['rule']}, {access['file']}:{access['line']} in version {access['version']}" in said.out
    assert access["changes"][0]["change"] == "added"


@pytest.mark.parametrize(
    "what",
    [("person", "{person}"), ("account", "{person}", "--target", "ad"), ("group", "enhet-1000")],
)
def test_the_audit_is_listed(settled: Any, what: tuple[str, ...]) -> None:
    """Each has lines, as a table and as JSON with the same number of them."""
    person = settled.lines(PERSONS)[0][0]
    words = [word.replace("{person}", person) for word in what]

    said, listed = settled("history", *words), settled("history", *words, "--format", "json")

    rows = json.loads(listed.out)
    assert said.code == listed.code == 0
    assert len(said.out.splitlines()) - 1 == len(rows) > 0
    assert next(row["action"] for row in rows if row["kind"] != "password") == "create"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("rule", "employees/employee-da"), "no rule 'employees/employee-da'; is it one of employees/employee-ad"),
        (("person", "nobody-at-all"), "no person 'nobody-at-all'"),
        (("account", "{person}", "--target", "add"), "no target 'add'; is it one of ad"),
        (("group", "enhet-x"), "no group 'enhet-x'"),
        (("access", "{person}", "SPE_F9"), "no account, group or licence of hr:{person} 'SPE_F9'; is it one of"),
    ],
)
def test_unknown_names_end_with_1_and_suggestions(settled: Any, words: tuple[str, ...], message: str) -> None:
    """What is not there is said, with what is meant perhaps."""
    person = settled.lines(PERSONS)[0][0]

    said = settled("history", *(word.replace("{person}", person) for word in words))

    assert said.code == 1
    assert message.replace("{person}", person) in said.err
