"""`ruleset test`, `ruleset lint` and `ruleset compare`: what they print, in text and JSON, and how they end."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from eadm_sync.config.yaml import load_yaml

if TYPE_CHECKING:
    from .conftest import Shell

pytestmark = pytest.mark.usefixtures("settled")

CASES = """\
units: [{code: "1", name: Skogen}]
cases:
  - case: an employee has an account
    on: 2026-08-17
    person: {given_name: Kari, family_name: Hansen}
    affiliations: [{kind: employee, unit: "1", title: Vaktmester}]
    expect: {accounts: {directory: {attributes: {username: karhan, title: %s}}}, groups: {directory: [unit-1]}}
"""


def edit(old: str, new: str, folder: Path = Path("rulesets")) -> None:
    """Replaces a text in the installation's only ruleset, which must hold it."""
    path = folder / "employees.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def cases(title: str) -> Path:
    """A test beside the rules that expects a title."""
    folder = Path("rulesets/tests")
    folder.mkdir()
    (folder / "employees.yaml").write_text(CASES % title, encoding="utf-8")
    return folder / "employees.yaml"


# ---------------------------------------------------------------- test


def test_tests_that_pass_are_counted(shell: Shell):
    """Found beside the rules, without being named."""
    cases("Vaktmester")

    ended = shell("ruleset", "test")

    assert (ended.code, ended.out) == (0, "1 passed\n")


def test_a_difference_is_readable_and_fails(shell: Shell):
    """The test by its place and name, what was expected, what came instead, and the rule that gave it."""
    path = cases("Rektor")

    ended = shell("ruleset", "test", path)

    line = next(number for number, text in enumerate(CASES.splitlines(), 1) if "title: %s" in text)
    assert ended.code == 1
    assert ended.out.splitlines() == [
        "failed rulesets/tests/employees.yaml:3 an employee has an account",
        f"  directory.title (rulesets/tests/employees.yaml:{line})",
        "    expected: Rektor",
        "    got:      Vaktmester  by rulesets/employees.yaml:16 employees/employee",
        "1 of 1 failed",
    ]


@pytest.mark.parametrize(("title", "code"), [("Vaktmester", 0), ("Rektor", 1)])
def test_results_are_there_as_json(title: str, code: int, shell: Shell):
    """One entry a test, passed or not; the exit code is that of the text."""
    cases(title)

    ended = shell("ruleset", "test", "--format", "json")
    (result,) = ended.json

    assert ended.code == code
    assert (result["passed"], result["case"]) == (code == 0, "an employee has an account")
    assert [(one["what"], one["expected"], one["got"]) for one in result["differences"]] == (
        [("directory.title", "Rektor", "Vaktmester")] if code else []
    )


def test_a_test_of_what_no_rule_gives_is_refused(shell: Shell):
    """Misspelt words would make a test that passes, or fails, for a slip: the place and the near word are told."""
    path = cases("Vaktmester")
    path.write_text(path.read_text(encoding="utf-8").replace("username:", "usrname:"), encoding="utf-8")

    ended = shell("ruleset", "test")

    assert ended.code == 1
    assert ended.out == ""
    assert "rulesets/tests/employees.yaml:7:" in ended.err
    assert "there is no attribute 'usrname'" in ended.err
    assert "did you mean 'username'?" in ended.err


def test_without_tests_nothing_has_passed(shell: Shell):
    """No tests are no success."""
    ended = shell("ruleset", "test")

    assert ended.code == 1
    assert "no folder of ruleset tests" in ended.err


def test_a_recorded_person_passes_as_a_test_under_an_invented_name(shell: Shell):
    """What is printed can be put into a file as it stands."""
    person = shell("people", "list").rows[0]

    recorded = shell("ruleset", "test", "--record", person[0])
    Path("recorded.yaml").write_text(recorded.out, encoding="utf-8")
    ended = shell("ruleset", "test", "recorded.yaml")

    assert recorded.code == 0
    assert load_yaml(recorded.out, "recorded").data["cases"][0]["expect"]["exactly"] is True
    assert person[1] not in recorded.out
    assert (ended.code, ended.out) == (0, "1 passed\n")


def test_nobody_unknown_is_recorded(shell: Shell):
    """The name is told back, and nothing is printed that could be put into a file."""
    ended = shell("ruleset", "test", "--record", "nobody")

    assert (ended.code, ended.out) == (1, "")
    assert "no person 'nobody'" in ended.err


def test_other_rules_can_be_tested_in_place_of_one_s_own(shell: Shell):
    """The tests that stand beside them are run; one's own rules stay out of it."""
    cases("Vaktmester")
    other = Path(shutil.copytree("rulesets", "other"))
    edit('title: "{{ affiliation.title }}"', 'title: "{{ affiliation.title | upper }}"', other)

    assert shell("ruleset", "test").code == 0
    assert shell("ruleset", "test", "--rulesets", other).code == 1


# ---------------------------------------------------------------- lint


def test_lint_finds_nothing_in_good_rules(shell: Shell):
    """Nothing on standard output, and exit code 0."""
    ended = shell("ruleset", "lint")

    assert (ended.code, ended.out) == (0, "")
    assert "nothing found" in ended.err


def test_what_is_worth_a_look_ends_with_two(shell: Shell):
    """A rule for nobody: which, where, and how many."""
    edit(
        '    name: "unit-{{ affiliation.unit.code }}"\n',
        '    name: "unit-{{ affiliation.unit.code }}"\n'
        "  - rule: astronauts\n    target: directory\n    name: astronauts\n    when: affiliation.title == 'Pilot'\n",
    )

    ended, listed = shell("ruleset", "lint"), shell("ruleset", "lint", "--format", "json")

    assert (ended.code, listed.code) == (2, 2)
    assert "employees/astronauts" in ended.out
    (finding,) = listed.json
    assert (finding["kind"], finding["about"], finding["is_error"]) == ("never-holds", "employees/astronauts", False)
    assert finding["file"] == "rulesets/employees.yaml"


def test_what_is_surely_wrong_ends_with_one(shell: Shell):
    """Two rules that set one attribute differently for one account."""
    edit(
        "groups:\n",
        "  - rule: further\n    target: directory\n    when: affiliation.kind == 'employee'\n"
        "    attributes: {title: Ansatt}\n\ngroups:\n",
    )

    ended, listed = shell("ruleset", "lint"), shell("ruleset", "lint", "--format", "json")

    assert (ended.code, listed.code) == (1, 1)
    assert "employees/further title" in ended.out
    assert (listed.json[0]["kind"], listed.json[0]["is_error"]) == ("conflict", True)


@pytest.mark.parametrize("command", [("lint",), ("test",), ("compare", "rulesets")])
def test_wrong_rules_are_shown_with_what_is_wrong_underlined(command: tuple[str, ...], shell: Shell):
    """Every command that loads rules ends with 1, and says where."""
    edit("affiliation.title }}", "affiliation.titel }}")

    ended = shell("ruleset", *command)

    assert (ended.code, ended.out) == (1, "")
    line = ended.err.splitlines()
    assert "rulesets/employees.yaml:24:30" in line[0]
    assert line[1][line[2].index("^") :].startswith("titel")
    assert line[3].strip() == "did you mean 'affiliation.title'?"


# ---------------------------------------------------------------- compare


def test_equal_rules_make_no_difference(shell: Shell):
    """A copy of the rules, with a comment more."""
    other = Path(shutil.copytree("rulesets", "other"))
    edit("ruleset: employees\n", "ruleset: employees # the same\n", other)

    ended = shell("ruleset", "compare", other, "--format", "json")

    assert ended.code == 0
    assert ended.json["changes"] == []


@pytest.mark.parametrize("form", ["table", "json", "markdown"])
def test_a_difference_ends_with_two_and_names_rule_and_person(form: str, shell: Shell):
    """In each form; and nothing is done."""
    other = Path(shutil.copytree("rulesets", "other"))
    edit('title: "{{ affiliation.title }}"', 'title: "{{ affiliation.title | upper }}"', other)
    person = shell("people", "list").rows[0][1]

    ended = shell("ruleset", "compare", other, "--format", form)

    assert ended.code == 2
    assert "employees/employee" in ended.out
    assert person in ended.out
    assert shell("plan").code == 0


def test_people_are_listed_up_to_a_limit_and_counted_without(shell: Shell):
    """What a pull request shows: a sentence with totals, and no more people than were asked for."""
    other = Path(shutil.copytree("rulesets", "other"))
    edit('title: "{{ affiliation.title }}"', 'title: "{{ affiliation.title | upper }}"', other)

    told = shell("ruleset", "compare", other, "--format", "json", "--limit", "0").json
    shown = shell("ruleset", "compare", other, "--format", "markdown", "--limit", "0").out

    assert told["changes"] == []
    assert told["people_affected"] > 0
    assert told["verdict"].startswith(f"{told['people_affected']} of {told['people']} people get something else")
    assert f"**{told['verdict']}**" in shown
    assert "<details>" not in shown
