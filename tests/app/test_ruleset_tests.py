from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from msgspec.structs import replace
from sqlalchemy import select

from eadm_sync.app.recording import record_case
from eadm_sync.app.ruleset_tests import CaseResult, run_case, run_cases
from eadm_sync.config.yaml import load_yaml_file
from eadm_sync.errors import ConfigError, NotFound
from eadm_sync.ruleset import Ruleset
from eadm_sync.ruleset.cases import cases_schema
from eadm_sync.ruleset.cases_loading import load_cases
from eadm_sync.state import tables

ROOT = Path(__file__).parents[2]
CLASS_RULE = "groups/class-pupils-google"
Write = Callable[[str], Path]

EMPLOYEE = """
units: [{code: "1", name: Skogen}]
cases:
  - case: one
    on: 2026-08-17
    person: {given_name: Kari, family_name: Hansen}
    affiliations: [{kind: employee, unit: "1", title: Sykepleier, fraction: 1}]
    expect: %s
"""


def run(place: Any, *paths: Path) -> list[CaseResult]:
    """The results of all tests."""
    return list(run_cases(place.context, paths))


def told(place: Any, *paths: Path) -> list[tuple[str, object, object, str]]:
    """What differs: (what, expected, got, rule without its place)."""
    results = run(place, *paths)
    return [
        (one.what, one.expected, one.got, (one.rule or "").split(" ")[-1]) for r in results for one in r.differences
    ]


def test_the_example_rules_pass_their_tests(place: Any):
    """All of rulesets/tests, which stands beside the rules and is found without being named."""
    results = run(place)
    assert len(results) >= 25
    assert [result.case for result in results if not result.passed] == []


def test_every_ruleset_has_tests():
    """No file of rules with accounts, groups or licences goes without a file of tests of its name."""
    with_rules = {
        path.stem
        for path in (ROOT / "rulesets").glob("*.yaml")
        if load_yaml_file(path).data.keys() & {"accounts", "groups", "licences"}
    }
    assert with_rules <= {path.stem for path in (ROOT / "rulesets" / "tests").glob("*.yaml")}


def test_every_example_rule_is_held_by_a_test(place: Any):
    """Were any one of the rules not in force, some test would fail."""
    context = place.context
    cases = load_cases([context.ruleset_paths[0] / "tests"], context.ruleset, context.vocabulary)
    untested = [
        rule.id
        for section in ("accounts", "groups", "licences")
        for number, rule in enumerate(getattr(context.ruleset, section))
        if all(run_case(case, without(context.ruleset, section, number)).passed for case in cases)
    ]

    assert untested == []


def without(ruleset: Ruleset, section: str, number: int) -> Ruleset:
    """The rules, one of which has not begun."""
    rules = list(getattr(ruleset, section))
    rules[number] = replace(rules[number], first_day=date.max)
    changed: Any = {section: tuple(rules)}
    return replace(ruleset, **changed)


@pytest.mark.parametrize("path", sorted((ROOT / "rulesets" / "tests").glob("*.yaml")), ids=lambda path: path.name)
def test_the_schema_accepts_the_example_tests(path: Path):
    """Editors complain about nothing that the program takes."""
    jsonschema.validate(load_yaml_file(path).data, cases_schema(), cls=jsonschema.Draft7Validator)


@pytest.mark.parametrize(
    ("expect", "differences"),
    [
        # the value that came, and the rule that it comes from
        (
            "{accounts: {ad: {attributes: {title: Lege}}}}",
            [("ad.title", "Lege", "Sykepleier", "employees/employee-ad")],
        ),
        # an attribute that shall be empty
        (
            '{accounts: {ad: {attributes: {title: ""}}}}',
            [("ad.title", "nothing", "Sykepleier", "employees/employee-ad")],
        ),
        # another rule, another container
        (
            "{accounts: {ad: {rule: teachers/teacher-ad, container: OU=X}}}",
            [
                ("ad rule", "teachers/teacher-ad", "employees/employee-ad", "employees/employee-ad"),
                (
                    "ad container",
                    "OU=X",
                    "OU=Skogen,OU=Ansatte,DC=eksempel,DC=kommune,DC=example",
                    "employees/employee-ad",
                ),
            ],
        ),
        # what is not given
        ("{accounts: {google: }}", [("google account", "an account", "nothing", "")]),
        ("{groups: {ad: [LEDERE]}}", [("ad group LEDERE", "a member", "nothing", "")]),
        ("{groups: {ad: {ENHET-1: owner}}}", [("ad group ENHET-1", "owner", "member", "groups/unit-ad")]),
        ("{licences: {entra: [SPE_F1]}}", [("entra licence SPE_F1", "SPE_F1", "nothing", "")]),
        # what must not be there
        ("{not: {accounts: [ad]}}", [("ad account", "nothing", "an account", "employees/employee-ad")]),
        (
            "{not: {attributes: {ad: [title, mobile]}}}",
            [("ad.title", "nothing", "Sykepleier", "employees/employee-ad")],
        ),
        ("{not: {groups: {ad: [enhet-1]}}}", [("ad group enhet-1", "nothing", "member", "groups/unit-ad")]),
        ("{not: {licences: {entra: [SPE_E3]}}}", [("entra licence SPE_E3", "nothing", "SPE_E3", "licences/e3-office")]),
        # the lifecycle
        ("{stage: ended, enabled: false}", [("stage", "ended", "active", ""), ("enabled", False, True, "")]),
        # groups by key or name, whatever the case of the letters; only what is named counts
        ("{groups: {ad: [enhet-1], entra: [SKOGEN]}, licences: {entra: [SPE_E3]}}", []),
    ],
)
def test_a_difference_says_what_was_expected_what_came_and_by_which_rule(
    place: Any, cases: Write, expect: str, differences: list[tuple[str, object, object, str]]
):
    """One row for each kind of expectation."""
    assert told(place, cases(EMPLOYEE % expect)) == differences


@pytest.mark.parametrize(
    ("scripts", "differences"),
    [
        ("[home]", []),
        # the rest of the list counts, too
        ("[]", [("ad scripts", "nothing", "home", "employees/employee-ad")]),
        ("[home, away]", [("ad scripts", "away, home", "home", "employees/employee-ad")]),
    ],
)
def test_the_scripts_that_follow_an_account_can_be_expected(
    place: Any, cases: Write, scripts: str, differences: list[Any]
):
    """Those of its creation; one that no rule names is refused as any unknown word is."""
    with (place.folder / "config.yaml").open("a", encoding="utf-8") as file:
        file.write(f"\nscripts:\n  home: {{program: {place.folder / 'home'}}}\n")
    after = "after: [{script: home, on: [create]}, {script: home, name: away, on: [delete]}]"
    place.edit("employees.yaml", "- rule: employee-ad\n", f"- rule: employee-ad\n    {after}\n")

    assert told(place, cases(EMPLOYEE % f"{{accounts: {{ad: {{scripts: {scripts}}}}}}}")) == differences
    with pytest.raises(ConfigError, match="there is no script of any rule 'hom'"):
        run(place, cases(EMPLOYEE % "{accounts: {ad: {scripts: [hom]}}}"))


def test_exactly_lets_nothing_go_unnamed(place: Any, cases: Write):
    """With `exactly: true`, accounts, attributes, groups and licences that are not named are differences."""
    found = {what for what, *_ in told(place, cases(EMPLOYEE % "{exactly: true, accounts: {ad: }}"))}
    assert {"ad.title", "entra account", "ad group enhet-1", "entra licence SPE_E3"} <= found


def test_a_difference_names_the_line_of_its_expectation(place: Any, cases: Write):
    """So that an editor can jump to it."""
    path = cases(EMPLOYEE % "{stage: ended}")
    (result,) = run(place, path)
    assert (result.line, result.differences[0].line) == (4, 8)


def test_all_problems_of_a_file_are_told_at_once(place: Any, cases: Write):
    """Names that nothing in the rules knows are slips of the pen: such a test would pass or fail for nothing."""
    expect = "{accounts: {ad: {rule: nope/rule, attributes: {titel: X}}, mars: }, licences: {entra: [SPE_F9]}}"
    path = cases(EMPLOYEE.replace('unit: "1", title', 'unit: "2", title') % expect)
    with pytest.raises(ConfigError) as caught:
        run(place, path)
    problems = [str(problem).split(": ", 1)[1] for problem in caught.value.problems]
    for words in ("no unit '2'", "'nope/rule'", "no attribute 'titel' (did you mean 'title'?)", "'mars'", "'SPE_F9'"):
        assert [problem for problem in problems if words in problem], words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cases: [{case: a, on: 17.08.2026, person: {}, expect: {stage: active}}]", "must be a date"),
        ("cases: [{case: a, on: 2026-08-17, person: {}, expect: {}}]", "expects nothing"),
        ("cases: [{case: a, on: 2026-08-17, person: {name: X}, expect: {stage: ended}}]", "unknown setting 'name'"),
        ("organisation: ../config.yaml", "no file '../config.yaml' in this folder"),
        (
            "cases: [" + 2 * "{case: a, on: 2026-08-17, person: {}, expect: {exactly: true}}, " + "]",
            "stands there twice",
        ),
    ],
)
def test_a_wrong_file_is_refused_at_its_place(place: Any, cases: Write, text: str, words: str):
    """Dates, unknown keys, tests that test nothing, and files from elsewhere."""
    with pytest.raises(ConfigError, match=words) as caught:
        run(place, cases(text))
    assert caught.value.problems[0].line > 0


def test_rules_without_tests_are_said_to_have_none(place: Any):
    """Silence would look like success."""
    (place.rules / "tests").rename(place.folder / "elsewhere")
    with pytest.raises(NotFound):
        run(place)


def test_a_recorded_case_passes_and_holds_nothing_of_the_person(place: Any, cases: Write):
    """It is a test of today's rules, under invented names that stay the same; units and titles are kept."""
    text = record_case(place.context, "hr:001001")
    person = next(row for row in _people(place) if row.startswith("001001;")).split(";")

    assert [result.differences for result in run(place, cases(text))] == [()]
    assert text == record_case(place.context, "hr:001001")
    assert [value for value in (person[0], person[2], person[3]) if value in text] == []


def test_a_recorded_case_names_the_groups_that_groups_are_in(place: Any, cases: Write):
    """A class that is in the group of its school's pupils is recorded so, and fails when it no longer is."""
    with place.context.reading() as database, database.read() as connection:
        pupil = connection.scalar(
            select(tables.known_memberships.c.person_id).where(tables.known_memberships.c.rule == CLASS_RULE).limit(1)
        )
    path = cases(record_case(place.context, pupil))

    assert "member_of" in path.read_text(encoding="utf-8")
    assert [result.differences for result in run(place, path)] == [()]

    place.edit("groups.yaml", '    member_of: "elever.{{ class_group.unit.code }}@{{ target.domain }}"\n', "")
    assert {one.rule.split()[-1] for result in run(place, path) for one in result.differences} == {CLASS_RULE}


def test_recorded_texts_that_look_like_numbers_are_quoted(place: Any):
    """Of a phone number, a reader of YAML 1.2 would keep a number without its sign and its zeros."""
    row = next(row for row in _people(place) if "+47" in row)
    text = record_case(place.context, f"hr:{row.partition(';')[0]}")

    bare = re.findall(r"^\s*(?:- )?(\w+): [-+.]?\d", text, re.MULTILINE)
    assert set(bare) <= {"fraction"}
    assert re.search(r"mobile: '\+0", text)


def _people(place: Any) -> list[str]:
    text: str = (place.folder / "examples" / "kommune" / "hr" / "persons.csv").read_text(encoding="utf-8")
    return text.splitlines()
