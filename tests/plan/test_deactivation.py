"""What becomes of the accounts of somebody who leaves, and that all of it is taken back for whoever returns."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from connectors.contract import Kind, RemoteObject
from eadm_sync.app.context import open_context

RULES = """
lifecycle:
  retention_days: 365
  deactivation:
    ad:
      container: "OU=Left,{{ target.base }}"
      attributes:
        description: "{{ person.family_name }} left {{ deactivated_on | date('%d.%m.%Y') }}, until {{ delete_on }}"
        hidden: true
        title: ""
{extra}
accounts:
  - rule: a
    target: ad
    container: "OU=Here,{{ target.base }}"
    attributes: {name: "{{ person.given_name | lower }}", title: Teacher}
  - rule: w
    target: web
    container: Here
    attributes: {name: "{{ person.given_name | lower }}", title: Teacher}
groups:
  - {rule: g, target: ad, name: staff}
  - {rule: h, target: web, name: staff}
licences:
  - {rule: l, target: ad, sku: A3}
"""
KARI = "1;Kari;Li;employee;11"
LEAVES = date(2026, 9, 1)


@pytest.fixture
def school(office: Any) -> Any:
    """An office with two people of whom one, Kari, left on the first of September."""
    for target in ("ad", "web"):
        office.configure(target, variables={"base": "DC=x"})
    return office


def rules(office: Any, extra: str = "") -> Any:
    """The office with the rules above, and more words in the recipe of `ad`."""
    return office.rules(RULES.replace("{extra}", extra))


def kari_leaves(office: Any) -> None:
    """She comes and goes; somebody else stays, so that the source is never empty."""
    office.people(KARI, "2;Ola;By;employee;12").sync()
    office.on(LEAVES).people("2;Ola;By;employee;12").sync()


def account(office: Any, target: str = "ad") -> RemoteObject:
    """Kari's account."""
    found: RemoteObject = next(one for one in office.objects(Kind.ACCOUNT, target) if one.owner == "hr:1")
    return found


def test_a_leavers_account_is_disabled_stripped_moved_hidden_and_described(school: Any):
    """All of it stands in one plan, and none of it needs a second run."""
    kari_leaves(rules(school))
    found = account(school)
    assert found.enabled is False
    assert found.container == "OU=Left,DC=x"
    assert found.attributes == {"name": "kari", "hidden": True, "description": "Li left 01.09.2026, until 2027-09-01"}
    assert school.members() == {("staff", "hr:2")}
    assert school.licences() == {("hr:2", "A3")}
    assert [line[2:] for line in school.lines if line[:2] == ("hr:1", "ad")] == [
        ("account", "disable"),
        ("account", "update"),
        ("membership", "delete", "staff"),
        ("licence", "delete", "A3"),
    ]


def test_a_target_without_a_word_disables_and_strips_only(school: Any):
    """What was not asked for does not happen."""
    kari_leaves(rules(school))
    found = account(school, "web")
    assert (found.enabled, found.container, found.attributes["title"]) == (False, "Here", "Teacher")
    assert school.members("web") == {("staff", "hr:2")}


def test_nothing_is_left_to_do_the_day_after(school: Any):
    """The words of a deactivated account speak of the day it was deactivated, not of today."""
    kari_leaves(rules(school))
    school.on(LEAVES + timedelta(days=1)).sync()
    assert school.lines == []
    rules(school, "        # another version of the rules: everybody is looked at\n").sync()
    assert school.lines == []


def test_whoever_returns_gets_back_what_the_rules_say(school: Any):
    """Same account, same name, same place; no trace of the leaving is left."""
    kari_leaves(rules(school))
    before = account(school).anchor
    school.on(LEAVES + timedelta(days=100)).people(KARI, "2;Ola;By;employee;12").sync()
    found = account(school)
    assert (found.anchor, found.enabled, found.container) == (before, True, "OU=Here,DC=x")
    assert found.attributes == {"name": "kari", "title": "Teacher"}
    assert ("staff", "hr:1") in school.members()
    assert ("hr:1", "A3") in school.licences()


def test_an_edit_of_the_rules_reaches_accounts_that_are_deactivated_already(school: Any):
    """A deactivated account is kept as the rules say now, until it is deleted."""
    kari_leaves(rules(school))
    school.rules(RULES.replace("{extra}", "").replace("OU=Left", "OU=Gone")).sync()
    assert school.lines == [("hr:1", "ad", "account", "update")]
    assert account(school).container == "OU=Gone,DC=x"


@pytest.mark.parametrize(
    ("word", "members", "licences"),
    [
        ("remove_groups: false", {("staff", "hr:1"), ("staff", "hr:2")}, {("hr:2", "A3")}),
        ("remove_licences: false", {("staff", "hr:2")}, {("hr:1", "A3"), ("hr:2", "A3")}),
    ],
)
def test_groups_and_licences_are_kept_where_the_rules_say_so(
    school: Any, word: str, members: set[object], licences: set[object]
):
    """Some targets archive by group, or lose a mailbox with the licence."""
    kari_leaves(rules(school, f"      {word}\n"))
    assert school.members() == members
    assert school.licences() == licences
    school.on(LEAVES + timedelta(days=1)).sync()
    assert school.lines == []


@pytest.mark.parametrize(("word", "times"), [("revoke_sessions: true", 1), ("revoke_sessions: false", None)])
def test_sessions_end_with_the_account_unless_the_rules_say_otherwise(school: Any, word: str, times: int | None):
    """A disabled account that stays signed in is no leaver."""
    kari_leaves(rules(school, f"      {word}\n"))
    anchor = account(school).anchor
    with open_context(school.folder / "config.yaml", school.clock).make_target("ad") as target:
        assert target.ended_sessions().get(anchor) == times  # type: ignore[attr-defined]


def test_a_description_that_is_too_long_keeps_nobody_enabled(school: Any):
    """What cannot be held is told of and left out; the account is disabled all the same."""
    school.configure("ad", attributes={"name": "str", "title": "str", "description": "str", "hidden": "bool"})
    school.configure("ad", max_lengths={"description": 10})
    kari_leaves(rules(school))
    found = account(school)
    assert (found.enabled, found.container) == (False, "OU=Here,DC=x")
    assert "'description' would have" in school.problems["hr:1"]


def test_a_brake_that_holds_the_disabling_holds_all_that_goes_with_it(school: Any):
    """Nobody is moved among the leavers, or hidden, who is still at work."""
    school.configure("ad", brake={"account": {"disable": {"max": 0}}})
    kari_leaves(rules(school))
    found = account(school)
    assert (found.enabled, found.container, found.attributes["title"]) == (True, "OU=Here,DC=x", "Teacher")
    assert ("staff", "hr:1") in school.members()


def test_whoever_is_disabled_for_a_while_is_signed_out_too(school: Any):
    """A start that is put off, or a leave: the account waits, and nobody works with it meanwhile."""
    rules(school).people(KARI, "2;Ola;By;employee;12").sync()
    anchor = account(school).anchor
    school.people(f"{KARI};2026-12-01", "2;Ola;By;employee;12").rules(
        RULES.replace("{extra}", "").replace("retention_days: 365", "create_days_before_start: 365")
    ).sync()
    assert account(school).enabled is False
    with open_context(school.folder / "config.yaml", school.clock).make_target("ad") as target:
        assert target.ended_sessions() == {anchor: 1}  # type: ignore[attr-defined]
