"""Ruleset files put together: all problems at once, names shared between files, versions and fingerprints."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from eadm_sync.errors import ConfigError
from eadm_sync.ruleset import LifecycleSettings, Ruleset, Vocabulary, load_ruleset

Load = Callable[..., Ruleset]
Refused = Callable[..., list[str]]

THERE_ARE = "(there are kind, unit, title, fraction, start, end, primary, leave, classes, source, id, extra)"
ACCOUNT = """
ruleset: staff
accounts:
  - rule: one
    target: ad
    when: {when}
    attributes:
      name: "{{{{ person.given_name }}}}"
"""


def test_problems_of_all_files_come_at_once(refused: Refused):
    """Each problem stands at its line and column, with what would be right."""
    problems = refused(
        """\
        ruleset: one
        accounts:
          - rule: r
            target: add
            when:
              - affiliation.kind == 'employe'
              - affiliation.percent > 1
            attribute: {}
        """,
        """\
        ruleset: two
        accounts:
          - rule: r
            target: ad
            when: "affiliation.fracton > 1"
            attributes:
              name: "a {{ person.name }}"
              titel: x
        """,
    )

    assert problems == [
        "a.yaml:4:13: accounts[0].target: unknown target 'add' (there are ad, google)",
        "a.yaml:6:29: accounts[0].when[0]: affiliation.kind is never 'employe' (did you mean 'employee'?)",
        "a.yaml:7:21: accounts[0].when[1]: unknown field 'affiliation.percent' " + THERE_ARE,
        "a.yaml:8:5: accounts[0].attribute: unknown setting 'attribute' (did you mean 'attributes'?)",
        "b.yaml:5:24: accounts[0].when: unknown field 'affiliation.fracton' (did you mean 'affiliation.fraction'?)",
        "b.yaml:7:26: accounts[0].attributes.name: unknown field 'person.name' (did you mean 'person.username'?)",
        "b.yaml:8:7: accounts[0].attributes.titel: unknown attribute 'titel' (did you mean 'title'?)",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (ACCOUNT.format(when="affiliation.kind == 'employe'"), "6:31: accounts[0].when: affiliation.kind is never"),
        (ACCOUNT.format(when="'false'"), "accounts[0].when: this rule never holds"),
        (ACCOUNT.format(when="[affiliation.primary, 1 == 2]"), "never holds"),
        (ACCOUNT.format(when="'1 > 2 or false'"), "never holds"),
        ("ruleset: a\naccounts:\n  - {rule: r, target: nope}\n", "unknown target 'nope' (there are ad, google)"),
        ("ruleset: a\nlicences:\n  - {rule: r, target: google, sku: x}\n", "has no licences"),
        ("ruleset: a\ngroups:\n  - {rule: r, target: google, name: x, container: y}\n", "has no containers"),
        ("ruleset: a\ngroups:\n  - {rule: r, target: ad, name: x, for_each: unti}\n", "for_each"),
        ("ruleset: a\nconditions: {person: affiliation.primary}\n", "'person' is a word of the language"),
        ("ruleset: a\nconditions: {a: b, b: a}\n", "names itself"),
        ("ruleset: a\nconditions: {a: a}\n", "names itself"),
        ("ruleset: a\nruleset: b\n", "a.yaml:2:1"),  # equal keys
        ("ruleset: a\nlifecycle: {retention_days: -1}\n", "lifecycle.retention_days"),
        ("ruleset: a\nlifecycle: {retention_days: ten}\n", "must be a whole number"),
        ("ruleset: a\nlifecycle: {retention_days: ten, retention: 1}\n", "unknown setting 'retention'"),
        ("ruleset: a\nlifecycle: {retention: 1, x: {y: 1}, grace_days: [1]}\n", "unknown setting 'x'"),
        ("ruleset: a\naffiliation_order: [employee, boss]\n", "no affiliation is of kind 'boss'"),
        ("ruleset: a\ntables: {t: ../t.csv}\n", "must stand below"),
        ("ruleset: a\ntables: {t: nosuch.csv}\n", "cannot be read"),
        ("ruleset: a\nidentifiers: {u: {candidates: ['{{ person.id }}']}}\n", "no candidate reads 'n'"),
        ("ruleset: a\nidentifiers: {u: {candidates: ['{{ n }}'], unique_in: [ad.nam]}}\n", "no attribute 'nam'"),
        ("ruleset: a\nidentifiers: {u: {candidates: ['{{ person.national_id }}{{ n }}']}}\n", "sensitive field"),
        ("ruleset: a\ngroups: [{rule: r, target: ad, name: '{{ person.national_id }}'}]\n", "no sensitive field"),
        ("ruleset: a\naccounts: [{rule: r, target: google, container: '{{ person.national_id }}'}]\n", "no sensitive"),
        (
            "ruleset: a\ngroups: [{rule: r, target: ad, name: x, container: 'OU={{ affiliation.unit.name }},DC=x'}]\n",
            "2:59: groups[0].container: what a record says can hold a comma",
        ),
        ("ruleset: a\nlicences: [{rule: r, target: ad, sku: x, from: 01.09.2026}]\n", "must be a date: YYYY-MM-DD"),
        ("ruleset: a\nlicences: [{rule: r, target: ad, sku: x, until: 20260901}]\n", "must be a date: YYYY-MM-DD"),
        (
            "ruleset: a\nlicences: [{rule: r, target: ad, sku: x, from: 2026-09-02, until: 2026-09-01}]\n",
            "licences[0].until: this rule never holds: it begins on 2026-09-02, after its last day",
        ),
        ("ruleset: a\ngroups: [{rule: r, target: ad, name: x, mode: add}]\n", "groups[0].mode"),
        ("", "must be a mapping"),
        ("- a\n- b\n", "a.yaml"),
        ("ruleset: a\nx: &a [1]\ny: *a\n", "a.yaml"),  # aliases, the stuff of YAML bombs
        ("ruleset: !!python/object/apply:os.system [id]\n", "a.yaml"),  # tags
        ("ruleset: a\naccounts: 5\n", "must be a list"),
        ("ruleset: a\ngroups: 5\n", "must be a list"),
    ],
)
def test_slips_are_found_at_load(refused: Refused, text: str, says: str):
    """What cannot be meant is refused before anything runs."""
    assert says in "\n".join(refused(text))


@pytest.mark.parametrize(
    ("attributes", "says"),
    [
        ("{name: x, hidden: 'yes'}", "must be true or false"),
        ("{name: x, hidden: '{{ person.given_name }}'}", "must be true or false, this is text"),
        ("{name: x, title: true}", "must be text"),
        ("{name: x, title: 5}", "must be text"),
        ("{name: x, title: '{{ affiliation.unit.path }}'}", "must be text, this is a list"),
        ("{name: x, title: '{{ affiliation.unit }}'}", "must be text, this is a unit"),
        ("{name: x, level: '{{ affiliation.title }}'}", "must be a whole number"),
        ("{name: x, title: abcdefghijk}", "longer than the 10 characters"),
        ("{name: x, proxies: ['{{ person.email }}']}", "constant texts"),
        ("{name: x, title: null}", "is empty"),
        ("{title: x}", "no rule sets 'name'"),
    ],
)
def test_attributes_are_checked_against_the_target(refused: Refused, attributes: str, says: str):
    """The target says which attributes there are, their types and lengths."""
    text = f"ruleset: a\naccounts:\n  - rule: r\n    target: ad\n    attributes: {attributes}\n"

    assert says in "\n".join(refused(text))


def test_conditions_and_tables_are_shared_between_files(load: Load):
    """A later file's condition serves an earlier one, through another condition."""
    ruleset = load(
        ACCOUNT.format(when="strong"),
        """\
        ruleset: words
        conditions:
          strong: [weak, "cities[affiliation.title].city is defined"]
          weak: affiliation.primary
        tables: {cities: t.csv}
        """,
        tables={"t.csv": "title;city\nLærer;Oslo\n"},
    )

    assert ruleset.accounts[0].id == "staff/one"
    assert "cities[affiliation.title].city" in ruleset.accounts[0].reads
    assert set(ruleset.conditions) == {"strong", "weak"}


def test_a_wrong_condition_is_told_once(refused: Refused):
    """Who names a condition that is wrong is not blamed for it."""
    problems = refused(
        "ruleset: w\nconditions: {bad: affiliation.x == 'a', worse: bad}\n", ACCOUNT.format(when="worse")
    )

    assert len(problems) == 1
    assert problems[0].startswith("a.yaml:2:31")


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        ("ruleset: a", "ruleset: a", "b.yaml:1:10: ruleset: 'a' stands in two files"),
        (
            "ruleset: a\nconditions: {c: affiliation.primary}",
            "ruleset: b\nconditions: {c: affiliation.primary}",
            "two files",
        ),
        ("ruleset: a\nlifecycle: {}", "ruleset: b\nlifecycle: {}", "lifecycle stands in two files"),
        (
            "ruleset: a\nconditions: {c: affiliation.primary}",
            "ruleset: b\nidentifiers: {c: {candidates: ['{{n}}']}}",
            "too",
        ),
    ],
)
def test_names_are_given_once(refused: Refused, first: str, second: str, says: str):
    """The same name in two files would leave it to their order which one counts."""
    assert says in "\n".join(refused(first, second))


def test_a_rule_that_always_comes_first_makes_others_unreachable(refused: Refused):
    """Behind an exclusive rule without a condition no other can hold."""
    problems = refused(
        "ruleset: a\nlicences:\n"
        "  - {rule: r1, target: ad, sku: x, exclusive: e}\n"
        "  - {rule: r2, target: ad, sku: y, exclusive: e, when: affiliation.primary}\n"
    )

    assert problems == [
        (
            "a.yaml:4:3: the rule 'a/r2' can never hold: 'a/r1' always comes first "
            "(move it before 'a/r1', or give that one a 'when')"
        )
    ]


def test_a_rule_that_cannot_hold_is_shown(load: Load):
    """The line is there to look at, underlined from its first character to its last."""
    with pytest.raises(ConfigError) as caught:
        load(
            "ruleset: a\nlicences:\n- rule: r1\n  target: ad\n  sku: x\n  exclusive: e\n"
            "- rule: r2\n  target: ad\n  sku: y\n  exclusive: e\n"
        )

    (problem,) = caught.value.problems
    assert (problem.excerpt, problem.column, problem.width) == ("- rule: r2", 1, 10)


def test_a_word_of_the_language_stays_what_it_is(refused: Refused):
    """A condition that may not be called 'person' does not stand in for the person elsewhere."""
    problems = refused(
        "ruleset: a\nconditions: {person: affiliation.primary, Upper: affiliation.primary}\n",
        ACCOUNT.format(when="person.given_name == 'Kari'"),
    )

    assert [problem.partition(": ")[2] for problem in problems] == [
        "conditions.person: 'person' is a word of the language",
        (
            "conditions.Upper: must begin with a small letter, and hold small letters, digits and _ only "
            "(Conditions by name, for other conditions and `when`.)"
        ),
    ]


def test_all_faults_of_one_expression_are_told_at_once(refused: Refused):
    """Nothing has to be put right before the next fault shows."""
    problems = refused(
        ACCOUNT.format(when="\"affiliation.x and affiliation.titel | lowr == 1 or affiliation.unit is undr('1')\"")
    )

    assert [problem.partition(": ")[2].partition(": ")[2].partition(" (")[0] for problem in problems] == [
        "unknown field 'affiliation.x'",
        "unknown field 'affiliation.titel'",
        "unknown filter 'lowr'",
        "unknown test 'undr'",
    ]


@pytest.mark.parametrize(
    ("expression", "underlined", "hint"),
    [
        ("affiliation.unit is undr('1')", "is undr", "did you mean 'under'?"),
        ("person.given_name | first('3') == 'a'", "'", "as in 'Hansen' | first(3)"),
        ("person.given_name | first == 'a'", "first", "as in 'Hansen' | first(3)"),
        ("person.given_name | lower(1) == 'a'", "lower", "as in 'Kari' | lower"),
        ("affiliation.fraction | lower == 'a'", "lower", "as in 'Kari' | lower"),
        ("person.givenname == 'a'", "givenname", "did you mean 'person.given_name'?"),
    ],
)
def test_the_fault_is_underlined_and_the_right_form_shown(load: Load, expression: str, underlined: str, hint: str):
    """Place, extent and advice, for each kind of slip in an expression."""
    with pytest.raises(ConfigError) as caught:
        load(ACCOUNT.format(when=expression))

    (problem,) = caught.value.problems
    assert problem.excerpt
    assert problem.excerpt[problem.column - 1 :][: problem.width] == underlined
    assert problem.hint == hint


def test_a_rule_that_ends_makes_no_other_unreachable(load: Load):
    """Behind an exclusive rule that holds until a day, the next one's time comes."""
    ruleset = load(
        "ruleset: a\nlicences:\n"
        "  - {rule: r1, target: ad, sku: x, exclusive: e, until: 2026-12-31}\n"
        "  - {rule: r2, target: ad, sku: y, exclusive: e}\n"
    )

    assert ruleset.in_force(date(2026, 12, 31)) == {"a/r1", "a/r2"}
    assert ruleset.in_force(date(2027, 1, 1)) == {"a/r2"}


def test_a_group_may_not_hold_what_differs_between_members(refused: Refused, load: Load):
    """Group attributes read what decides the group, never the person."""
    head = "ruleset: a\ngroups:\n  - rule: r\n    target: ad\n    name: 'G-{{{{ affiliation.unit.code }}}}'\n"
    group = head + "    attributes: {{note: '{}'}}\n"

    problems = refused(group.format("{{ affiliation.title }}"))

    assert "'affiliation.title' can differ between members of one group" in problems[0]
    assert load(group.format("{{ affiliation.unit.parent.name }} {{ target.base_dn }}")).groups[0].shared == "home"


def test_version_follows_content_and_not_place(load: Load):
    """The version changes with a file's or a table's content."""
    text = "ruleset: a\ntables: {t: t.csv}\n"
    first = load(text, tables={"t.csv": "a,b\n1,2\n"}).version

    assert load(text, tables={"t.csv": "a,b\n1,2\n"}).version == first
    assert load(text, tables={"t.csv": "a,b\n1,3\n"}).version != first
    assert load(text + "\n", tables={"t.csv": "a,b\n1,2\n"}).version != first


def test_what_a_condition_says_changes_with_what_it_names_and_nothing_else(load: Load):
    """A comment leaves what a rule's condition says; another condition that it names does not."""
    words = "ruleset: w\nconditions: {{strong: affiliation.{}}}\n"
    rule = ACCOUNT.format(when="strong")
    before = load(rule, words.format("primary")).accounts[0].condition

    assert load("# comment\n" + rule, words.format("primary")).accounts[0].condition == before
    assert load(rule, words.format("leave is defined")).accounts[0].condition != before


def test_lifecycle_has_defaults(load: Load):
    """What no file says stands as documented."""
    assert load("ruleset: a\n").lifecycle == LifecycleSettings()
    assert load("ruleset: a\nlifecycle: {grace_days: 7}\n").lifecycle == LifecycleSettings(grace_days=7)


def test_empty_folder_is_no_ruleset(tmp_path: Path, vocabulary: Vocabulary):
    """A folder without rules would give nobody anything, and that is never meant."""
    with pytest.raises(ConfigError, match="holds no ruleset"):
        load_ruleset([tmp_path], vocabulary)


def test_positions_are_those_of_the_file_in_every_style(refused: Refused):
    """Quotes, escapes and folded blocks do not move what is pointed at."""
    problems = refused(
        "ruleset: a\nconditions:\n  plain: person.x == 'a'\n"
        "  quoted: 'person.given_name == ''a'' and person.y == ''b'''\n"
        "  folded: >-\n    affiliation.primary\n    and person.z == 'c'\n"
    )

    assert [problem.split(" ")[0] for problem in problems] == ["a.yaml:3:17:", "a.yaml:4:50:", "a.yaml:7:16:"]


def test_a_name_unique_in_what_no_rule_sets_is_refused(refused: Refused):
    """A target that takes any attribute cannot tell a slip of the pen; the rules can."""
    problems = refused(
        """\
        ruleset: a
        identifiers: {u: {candidates: ["{{ person.given_name }}{{ n }}"], unique_in: [google.primaryMail]}}
        accounts:
          - {rule: r, target: google, attributes: {primaryEmail: "{{ u }}@x.no"}}
        """
    )

    assert problems == [
        (
            "a.yaml:2:79: identifiers.u.unique_in[0]: no account rule of 'google' sets 'primaryMail' "
            "(did you mean 'primaryEmail'?)"
        )
    ]


def test_an_identifier_of_wrong_structure_is_known_all_the_same(refused: Refused):
    """Whoever names it is not blamed."""
    problems = refused(
        "ruleset: a\nidentifiers: {user: {candidates: 5}}\n"
        "accounts: [{rule: r, target: ad, attributes: {name: '{{ user }}'}}]\n"
    )
    assert len(problems) == 1
    assert "identifiers.user.candidates: must be a list" in problems[0]
