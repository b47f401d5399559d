"""What a ruleset may say of deactivated accounts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from eadm_sync.model import Person
from eadm_sync.ruleset import Ruleset

Load = Callable[..., Ruleset]
Refused = Callable[..., list[str]]
ACCOUNT = 'accounts: [{rule: a, target: ad, container: "{{ target.base_dn }}", attributes: {name: x}}]\n'


def recipe(words: str, target: str = "ad") -> str:
    """A ruleset with a word about deactivated accounts."""
    return f"ruleset: a\n{ACCOUNT}lifecycle: {{deactivation: {{{target}: {{{words}}}}}}}\n"


def test_templates_read_the_person_and_both_days(load: Load):
    """Constants, target variables, the person and the dates can be written into a deactivated account."""
    given = 'container: "OU=Left,{{ target.base_dn }}", attributes: {title: "{{ deactivated_on }}", hidden: true, '
    made = load(recipe(given + 'proxies: "", nid: "{{ person.family_name }} {{ delete_on | date(\'%Y\') }}"}'))
    person = Person(id="hr:1", given_name="Kari", family_name="Li")
    assert made.lifecycle.deactivation["ad"].make(person, date(2026, 9, 1), date(2027, 9, 1)) == (
        "OU=Left,DC=x",
        {"title": "2026-09-01", "hidden": True, "proxies": None, "nid": "Li 2027"},
    )


def test_an_edit_makes_another_lifecycle(load: Load):
    """Whoever compares two rulesets sees that deactivated accounts are to be looked at again."""
    first, same, other = (load(recipe(f"attributes: {{title: {text}}}")).lifecycle for text in ("x", "x", "y"))
    assert first == same
    assert first != other


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ('attributes: {title: "{{ affiliation.title }}"}', "unknown name 'affiliation'"),  # none counts any more
        ('attributes: {nid: "{{ person.national_id }}"}', "no sensitive field"),
        ("attributes: {tilte: x}", "unknown attribute 'tilte'"),
        ("attributes: {hidden: maybe}", "must be true or false"),
        ("attributes: {title: far too long a title}", "longer than the 10 characters"),
        ("attributes: {name: x}", "what accounts are called by"),
        ("remove_group: true", "unknown setting 'remove_group'"),
    ],
)
def test_slips_are_told_at_load(refused: Refused, words: str, problem: str):
    """A leaver's account is no place to find a slip."""
    assert any(problem in line for line in refused(recipe(words)))


def test_an_unknown_target_is_refused(refused: Refused):
    """With what is near it."""
    (problem,) = refused(recipe("remove_groups: false", target="adx"))
    assert "unknown target 'adx'" in problem


def test_nobody_is_moved_who_could_not_be_moved_back(refused: Refused):
    """Where a rule gives accounts no place, whoever returns would stay among the leavers."""
    text = recipe("container: OU=Left").replace('container: "{{ target.base_dn }}", ', "")
    (problem,) = refused(text)
    assert "gives no container to return to" in problem
