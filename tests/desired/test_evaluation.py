"""What people get: winning affiliations, attributes of several rules, groups, licences, and missing units."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from textwrap import dedent

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import PasswordRules
from eadm_sync.desired import Desired, Evaluator, evaluate, evaluation, explain, winning_order
from eadm_sync.model import Affiliation, ClassGroup, ClassMembership, Person, Sealed, Unit
from eadm_sync.ruleset import Organisation, Ruleset, TargetWords, Vocabulary, load_ruleset

ORGANISATION = Organisation(
    [Unit("1", "Kommune"), Unit("12", "Oppvekst", parent="1"), Unit("121", "Skole", "school", "12", "hr:1")],
    [ClassGroup("5A", "5A", "121", "class"), ClassGroup("6B", "6B", "121", "teaching")],
    {"hr:1": Person("hr:1", "Kari", "Li")},
)
KARI = Person("hr:1", "Kari", "Li", national_id=Sealed(b"x", b"y"), mobile="")
WORK = Affiliation("hr:w", "hr", "employee", "121", "Rektor", 1.0, date(2020, 1, 1), primary=True)
TEACH = Affiliation("sas:t", "sas", "teacher", "121", "Lærer", classes=(ClassMembership("5A", "teacher"),))
STUDY = Affiliation(
    "sas:s", "sas", "pupil", "121", classes=(ClassMembership("5A", "pupil"), ClassMembership("x", "pupil"))
)
NOWHERE = Affiliation("hr:n", "hr", "employee", None)


@pytest.fixture
def rules(tmp_path: Path) -> Callable[[str], Ruleset]:
    """Loads one ruleset written as text, for the targets ad and web."""

    def load(text: str) -> Ruleset:
        path = tmp_path / "a.yaml"
        path.write_text("ruleset: a\n" + dedent(text), encoding="utf-8")
        target = TargetWords(account_name="name", attributes={}, group_name="name")
        return load_ruleset([path], Vocabulary({"ad": target, "web": target}))

    return load


def no_names(name: str, person: Person, affiliation: Affiliation) -> str | None:
    """Gives everybody the name "<identifier>-<person>"."""
    return f"{name}-{person.given_name.lower()}" if affiliation else None


def desired(ruleset: Ruleset, *affiliations: Affiliation, person: Person = KARI) -> Desired:
    """What a person with these affiliations gets."""
    order = winning_order(affiliations, ruleset.affiliation_order)
    return evaluate(ruleset, person, order, ORGANISATION, no_names, reveal=lambda _sealed: "01019012345")


TWO_RULES = """
accounts:
  - {rule: first, target: ad, when: affiliation.kind == 'teacher', container: T, attributes: {name: t, a: first}}
  - {rule: second, target: ad, when: affiliation.kind == 'employee', container: E, attributes: {name: e, b: second}}
  - rule: added
    target: ad
    when: affiliation.unit is under('12')
    attributes: {a: added, c: "{{ affiliation.title }}"}
"""


def test_winning_affiliation_shapes_the_account(rules: Callable[[str], Ruleset]):
    """The primary affiliation's rule gives the container; other rules that hold add what is not set."""
    (account,) = desired(rules(TWO_RULES), TEACH, WORK).accounts

    assert (account.rule, account.container, account.affiliation) == ("a/second", "E", "hr:w")
    assert account.attributes == {"name": "e", "b": "second", "a": "added", "c": "Rektor"}


def test_a_rule_without_the_name_gives_no_account_by_itself(rules: Callable[[str], Ruleset]):
    """What only adds attributes adds them to nothing."""
    assert desired(rules(TWO_RULES), STUDY) == Desired()


def test_order_of_affiliations():
    """Primary, then the ruleset's order of kinds, then the earliest start, then the id."""
    late = Affiliation("hr:z", "hr", "employee", start=date(2022, 1, 1))
    early = Affiliation("hr:y", "hr", "employee", start=date(2021, 1, 1))
    always = Affiliation("hr:x", "hr", "employee")
    other = Affiliation("hr:a", "hr", "other")

    order = winning_order([other, late, early, TEACH, always, WORK], ["teacher", "employee"])

    assert [one.id for one in order] == ["hr:w", "sas:t", "hr:x", "hr:y", "hr:z", "hr:a"]


def test_values_have_the_types_they_were_written_with(rules: Callable[[str], Ruleset]):
    """Constants keep their type, empty text is nothing, lists are sorted sets, texts lose blanks at the ends."""
    ruleset = rules("""
    accounts:
      - rule: r
        target: ad
        attributes:
          name: "{{ user }}"
          yes: true
          number: 5
          empty: ""
          missing: "{{ affiliation.leave }}"
          blank: "{{ affiliation.leave }} {{ person.family_name }}"
          list: [b, a, b]
          made: "{{ 'y,x,y' | split(',') }}"
          none: "{{ affiliation.leave | split }}"
          share: "{{ affiliation.fraction }}"
          secret: "{{ person.national_id }}"
          path: "{{ affiliation.unit.path }}"
    identifiers:
      user: {candidates: ["{{ person.id }}{{ n }}"]}
    """)

    (account,) = desired(ruleset, WORK).accounts

    assert account.attributes == {
        "name": "user-kari",
        "yes": True,
        "number": 5,
        "empty": None,
        "missing": None,
        "blank": "Li",
        "list": ["a", "b"],
        "made": ["x", "y"],
        "none": None,
        "share": "1",
        "secret": "01019012345",
        "path": ["Kommune", "Oppvekst", "Skole"],
    }
    assert ruleset.accounts[0].sensitive == {"secret"}


def test_sealed_fields_need_a_way_to_read_them(rules: Callable[[str], Ruleset]):
    """Rather no evaluation than one in which everybody's national id is empty."""
    ruleset = rules("accounts: [{rule: r, target: ad, attributes: {name: '{{ person.national_id }}'}}]")

    with pytest.raises(ValueError, match="reveal"):
        Evaluator(ruleset, ORGANISATION, no_names)


GROUPS = """
accounts: [{rule: all, target: ad, attributes: {name: x}}]
groups:
  - {rule: unit, target: ad, name: "U-{{ affiliation.unit.code }}", when: affiliation.unit is defined}
  - {rule: above, target: ad, for_each: unit_path, name: "A-{{ unit.name }}", when: unit.code != '1'}
  - rule: class
    target: ad
    for_each: class
    name: "{{ class_group.name }}"
    key: "c-{{ class_group.code }}"
    role: owner
    when: class_group.role == 'teacher'
  - {rule: pupil, target: ad, for_each: class, name: "{{ class_group.name }}", key: "c-{{ class_group.code }}"}
  - {rule: once, target: ad, for_each: person, name: EVERYBODY}
  - {rule: elsewhere, target: web, name: W}
  - {rule: nameless, target: ad, name: "{{ affiliation.leave }}"}
"""


def memberships(result: Desired) -> list[tuple[str, str]]:
    """(group, role), as given."""
    return [(membership.group, membership.role) for membership in result.memberships]


def test_groups_follow_units_and_classes(rules: Callable[[str], Ruleset]):
    """One group for each affiliation, unit above, class; keys fold the name; none without an account or a name."""
    result = desired(rules(GROUPS), TEACH)

    assert memberships(result) == [
        ("u-121", "member"),
        ("a-skole", "member"),
        ("a-oppvekst", "member"),
        ("c-5A", "owner"),
        ("everybody", "member"),
    ]
    assert [group.attributes["name"] for group in result.groups][3] == "5A"


def test_groups_are_the_union_over_affiliations_each_once(rules: Callable[[str], Ruleset]):
    """Two affiliations at one unit give one membership; a unit or class that is not there gives none."""
    assert memberships(desired(rules(GROUPS), WORK, STUDY, NOWHERE)) == [
        ("u-121", "member"),
        ("a-skole", "member"),
        ("a-oppvekst", "member"),
        ("c-5A", "member"),
        ("everybody", "member"),
    ]


@pytest.mark.parametrize("kept", [0, 1, 10_000])
def test_shared_groups_do_not_leak_between_people(
    rules: Callable[[str], Ruleset], kept: int, monkeypatch: pytest.MonkeyPatch
):
    """An evaluator remembers groups by what decides them, so the order of people, and how many it keeps, are one."""
    monkeypatch.setattr(evaluation, "_IN_MEMORY", kept)
    evaluator = Evaluator(rules(GROUPS), ORGANISATION, no_names)
    people = [[TEACH], [WORK, STUDY], [NOWHERE], [STUDY], [TEACH]]

    together = [evaluator.evaluate(KARI, seen) for seen in people]

    assert together == [desired(rules(GROUPS), *seen) for seen in people]


LICENCES = """
accounts: [{rule: all, target: ad, when: affiliation.kind != 'pupil', attributes: {name: x}}]
licences:
  - {rule: big, target: ad, sku: E3, exclusive: m, when: affiliation.kind == 'employee'}
  - {rule: small, target: ad, sku: F1, exclusive: m, when: "affiliation.kind in ['teacher', 'pupil']"}
  - {rule: phone, target: ad, sku: P}
"""


@pytest.mark.parametrize(
    ("affiliations", "skus"),
    [
        ([WORK], ["E3", "P"]),
        ([TEACH], ["F1", "P"]),
        ([TEACH, WORK], ["E3", "P"]),  # the first rule of the exclusive set, whichever affiliation earns it
        ([STUDY], []),  # no account
    ],
)
def test_exclusive_licences(rules: Callable[[str], Ruleset], affiliations: list[Affiliation], skus: list[str]):
    """Of an exclusive set one licence, by order of the rules."""
    assert [licence.sku for licence in desired(rules(LICENCES), *affiliations).licences] == skus


DATED = """
accounts: [{rule: all, target: ad, attributes: {name: x}}]
licences:
  - {rule: soon, target: ad, sku: S, from: 2026-09-01, until: 2026-09-30}
"""


@pytest.mark.parametrize(
    ("day", "skus"),
    [
        (date(2026, 8, 31), []),  # the day before the first
        (date(2026, 9, 1), ["S"]),
        (date(2026, 9, 30), ["S"]),
        (date(2026, 10, 1), []),  # the day behind the last
    ],
)
def test_rules_count_from_their_first_to_their_last_day(rules: Callable[[str], Ruleset], day: date, skus: list[str]):
    """Both days are included, and an explanation says why a rule that holds gives nothing."""
    explanation = explain(rules(DATED), KARI, [WORK], ORGANISATION, no_names, today=day)

    assert [licence.sku for licence in explanation.desired.licences] == skus
    (rule,) = [one for one in explanation.rules if one.kind == "licence"]
    assert (rule.holds, rule.gives, rule.in_force) == (True, bool(skus), bool(skus))
    assert (rule.first_day, rule.last_day) == (date(2026, 9, 1), date(2026, 9, 30))


def test_rules_with_days_need_to_be_told_the_day(rules: Callable[[str], Ruleset]):
    """Rather no evaluation than one on which a rule that has ended still counts."""
    with pytest.raises(ValueError, match="today"):
        Evaluator(rules(DATED), ORGANISATION, no_names)


def test_no_affiliation_no_account(rules: Callable[[str], Ruleset]):
    """Who has no affiliation that counts has nothing."""
    assert desired(rules(LICENCES)) == Desired()


AFFILIATIONS = st.lists(st.sampled_from([WORK, TEACH, STUDY, NOWHERE]), unique_by=lambda one: one.id)
RULESETS = Path(__file__).parents[2] / "rulesets"
EXAMPLE = load_ruleset(
    [RULESETS],
    Vocabulary(
        {
            "ad": TargetWords(
                {"base_dn": "DC=x", "upn_suffix": "x.no"}, account_name="sAMAccountName", passwords=PasswordRules()
            ),
            "entra": TargetWords(
                {"domain": "x.no"},
                account_name="userPrincipalName",
                group_name="displayName",
                has_containers=False,
                passwords=PasswordRules(),
            ),
            "google": TargetWords(
                {"domain": "s.x.no"}, account_name="primaryEmail", group_name="email", passwords=PasswordRules()
            ),
        }
    ),
)


@given(AFFILIATIONS)
def test_explanation_agrees_with_evaluation(affiliations: list[Affiliation]):
    """A rule that gives something held, and one that held and gives nothing says why."""
    order = winning_order(affiliations, EXAMPLE.affiliation_order)
    explanation = explain(EXAMPLE, KARI, order, ORGANISATION, no_names)

    assert explanation.desired == evaluate(EXAMPLE, KARI, order, ORGANISATION, no_names)
    for rule in explanation.rules:
        assert rule.holds == any(attempt.holds for attempt in rule.attempts)
        assert rule.holds or not rule.gives
        assert not (rule.holds and not rule.gives) or rule.needs_account or rule.kind != "account"


@given(AFFILIATIONS)
def test_evaluation_is_deterministic(affiliations: list[Affiliation]):
    """Whatever the order in which affiliations come, the same person gets the same."""
    there = evaluate(EXAMPLE, KARI, winning_order(affiliations, EXAMPLE.affiliation_order), ORGANISATION, no_names)
    back = evaluate(EXAMPLE, KARI, winning_order(affiliations[::-1], EXAMPLE.affiliation_order), ORGANISATION, no_names)

    assert there == back


def test_example_rulesets_are_large_enough_to_measure():
    """The figures in the documentation speak of at least twenty rules and forty-five templates for three targets."""
    assert len(EXAMPLE.rules) >= 20
    assert sum(len(rule.attributes) for rule in EXAMPLE.accounts) >= 45
    assert {rule.target for rule in EXAMPLE.accounts} == {"ad", "entra", "google"}


TREE = """
accounts: [{rule: r, target: ad, attributes: {name: x}}]
groups:
  - {rule: tree, target: ad, for_each: unit_path, nested: true, name: "T-{{ unit.code }}", member_of: "{{ unit.kind }}"}
  - {rule: schools, target: ad, for_each: unit_path, name: "{{ unit.kind }}"}
"""


def test_nested_groups_are_a_tree_with_the_person_at_its_leaf(rules: Callable[[str], Ruleset]):
    """Each group is in that of the next unit above, and in what the rule names, where that is something."""
    got = desired(rules(TREE), WORK)

    assert {group.key: group.member_of for group in got.groups} == {
        "t-121": ("t-12", "school"),
        "t-12": ("t-1",),
        "t-1": (),
        "school": (),
    }
    assert {row.group for row in got.memberships} == {"t-121", "school"}


def test_who_works_on_several_steps_is_in_the_group_of_each(rules: Callable[[str], Ruleset]):
    """A step that others go through is not hidden by them, in whatever order."""
    above = Affiliation("hr:b", "hr", "employee", "12")

    for affiliations in ((WORK, above), (above, WORK)):
        got = desired(rules(TREE), *affiliations)
        assert {row.group for row in got.memberships} == {"t-121", "t-12", "school"}
        assert len(got.groups) == 4


def test_a_nested_rule_skips_units_that_it_does_not_hold_for(rules: Callable[[str], Ruleset]):
    """The next one above for which it does is the next step."""
    got = desired(rules(TREE.replace("nested: true", "nested: true, when: unit.code != '12'")), WORK)

    assert {group.key: group.member_of for group in got.groups if group.rule == "a/tree"} == {
        "t-121": ("t-1", "school"),
        "t-1": (),
    }


def test_two_rules_that_give_one_group_both_say_what_it_is(rules: Callable[[str], Ruleset]):
    """The first in order counts where they differ; the membership is the first one's."""
    got = desired(
        rules(
            """
            accounts: [{rule: r, target: ad, attributes: {name: x}}]
            groups:
              - {rule: one, target: ad, name: G, role: owner, attributes: {a: "1"}, member_of: top}
              - {rule: two, target: ad, name: G, container: C, attributes: {a: "2", b: "2"}, member_of: [top, side]}
              - {rule: others, target: ad, name: top}
              - {rule: aside, target: ad, name: side}
            """
        ),
        WORK,
    )

    group = next(group for group in got.groups if group.key == "g")
    assert (group.rule, group.further, group.container) == ("a/one", ("a/two",), "C")
    assert (group.attributes, group.member_of) == ({"name": "G", "a": "1", "b": "2"}, ("top", "side"))
    assert [(row.rule, row.role) for row in got.memberships if row.group == "g"] == [("a/one", "owner")]


LEAVE_RULES = """
accounts:
  - {rule: a, target: ad, attributes: {name: "{{ affiliation.id }}"}}
groups:
  - {rule: g, target: ad, name: "{{ affiliation.kind }}"}
licences:
  - {rule: l, target: ad, sku: A1}
lifecycle:
  leave: {military: strip, sick: keep, unpaid: disable}
  leave_default: LEAVE_DEFAULT
"""


@pytest.mark.parametrize(
    ("code", "default", "groups", "licences"),
    [
        # nobody on leave
        (None, "strip", {"employee", "teacher"}, ["A1"]),
        # codes that take nothing away; disabling is the lifecycle's
        ("sick", "strip", {"employee", "teacher"}, ["A1"]),
        ("unpaid", "strip", {"employee", "teacher"}, ["A1"]),
        # the affiliation earns accounts only; the other one earns what it did
        ("military", "keep", {"teacher"}, ["A1"]),
        # codes that are not listed
        ("other", "keep", {"employee", "teacher"}, ["A1"]),
        ("other", "strip", {"teacher"}, ["A1"]),
    ],
)
def test_a_leave_can_take_groups_and_licences(
    rules: Callable[[str], Ruleset], code: str | None, default: str, groups: set[str], licences: list[str]
):
    """Only those of the affiliation that is on leave; the account stays, rendered with the winning affiliation."""
    ruleset = rules(LEAVE_RULES.replace("LEAVE_DEFAULT", default))
    work = msgspec.structs.replace(WORK, leave=code)

    found = desired(ruleset, work, TEACH)

    assert [account.affiliation for account in found.accounts] == ["hr:w"]
    assert {row.group for row in found.memberships} == groups
    assert [row.sku for row in found.licences] == licences


def test_who_is_on_such_a_leave_from_everything_has_the_account_only(rules: Callable[[str], Ruleset]):
    """And the explanation says why a rule that holds gives nothing."""
    ruleset = rules(LEAVE_RULES.replace("LEAVE_DEFAULT", "keep"))
    work = msgspec.structs.replace(WORK, leave="military")

    found = desired(ruleset, work)
    told = explain(ruleset, KARI, [work], ORGANISATION, no_names, reveal=lambda _sealed: "01019012345")

    assert (len(found.accounts), found.memberships, found.licences) == (1, (), ())
    assert [(rule.rule, rule.holds, rule.gives, rule.on_leave) for rule in told.rules] == [
        ("a/a", True, True, False),
        ("a/g", True, False, True),
        ("a/l", True, False, True),
    ]
