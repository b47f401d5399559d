"""The groups of a plan, kept out of memory, are those that were put in."""

from __future__ import annotations

import pytest

from eadm_sync.desired import DesiredGroup
from eadm_sync.plan.wanted_groups import WantedGroups

ALPHA = DesiredGroup("ad", "a", "units", "OU=Groups", {"name": "A", "owners": ["x", "y"], "hidden": True, "info": None})
BETA = DesiredGroup("ad", "b", "units", None, {"name": "B"}, member_of=("a",), nested_by={"a": "classes"})


def test_groups_come_back_as_they_were():
    """With everything that rules say of them."""
    wanted = WantedGroups()
    wanted["ad", "a"] = (ALPHA, "hr:1")
    wanted["ad", "b"] = (BETA, "hr:2")

    assert dict(wanted) == {("ad", "a"): (ALPHA, "hr:1"), ("ad", "b"): (BETA, "hr:2")}
    assert dict(wanted.nested()) == {("ad", "b"): (BETA, "hr:2")}
    assert ("web", "a") not in wanted


def test_what_is_said_again_is_known_by_the_rules_that_say_it():
    """A rule that has not spoken yet may say more."""
    wanted = WantedGroups()
    wanted["ad", "a"] = (ALPHA, "hr:1")
    other = DesiredGroup("ad", "a", "classes", None, {"mail": "a@x.no"}, member_of=("b",))
    both = ALPHA.with_further(other)

    for group in (ALPHA, other, both):
        assert wanted.says(("ad", "a"), group) == ALPHA.says(group)
    wanted["ad", "a"] = (both, "hr:1")

    assert all(wanted.says(("ad", "a"), group) for group in (ALPHA, other, both))
    assert dict(wanted) == {("ad", "a"): (both, "hr:1")}
    assert [key for key, _ in wanted.nested()] == [("ad", "a")]


def test_a_group_that_is_in_none_any_more_is_not_nested():
    """And one that is taken out is nowhere."""
    wanted = WantedGroups()
    wanted["ad", "b"] = (BETA, "hr:2")
    wanted["ad", "b"] = (BETA.in_groups(()), "hr:2")
    assert not dict(wanted.nested())

    wanted["ad", "b"] = (BETA, "hr:2")
    del wanted["ad", "b"]
    assert (len(wanted), list(wanted.nested())) == (0, [])
    with pytest.raises(KeyError):
        wanted["ad", "b"]
