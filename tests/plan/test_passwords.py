"""Which changes bring a password along."""

from __future__ import annotations

import pytest

from connectors.contract import Action, Kind
from eadm_sync.plan.change import Change, account_key, person_of
from eadm_sync.plan.passwords import policy_of, reset_passwords, with_passwords
from eadm_sync.state.known import KnownAccount

POLICIES = {"r/staff": "staff"}


@pytest.mark.parametrize("action", list(Action))
def test_only_new_accounts_get_a_first_password(action: Action):
    """Those that are adopted or restored keep the one they have."""
    change = Change("ad", Kind.ACCOUNT, action, person="hr:1", rule="r/staff")
    (made,) = with_passwords([change], POLICIES, "staff")
    assert made.password == ("staff" if action is Action.CREATE else "")


@pytest.mark.parametrize(
    "change",
    [
        # a rule that gives none
        Change("ad", Kind.ACCOUNT, Action.CREATE, person="hr:1", rule="r/guest"),
        # a group of the same rule's name
        Change("ad", Kind.GROUP, Action.CREATE, group="g", rule="r/staff"),
        Change("ad", Kind.LICENCE, Action.CREATE, person="hr:1", sku="E3", rule="r/staff"),
    ],
)
def test_nothing_else_does(change: Change):
    """The change stays as it is."""
    assert with_passwords([change], POLICIES, "staff") == (change,)


@pytest.mark.parametrize(
    ("rules", "policy"),
    [
        ({"r/staff"}, "staff"),
        ({"r/pupil", "r/guest"}, "pupil"),
        # a pupil who works at weekends: the policy that stands first
        ({"r/pupil", "r/staff"}, "staff"),
        ({"r/guest"}, ""),
    ],
)
def test_of_several_policies_the_first_counts(rules: set[str], policy: str):
    """There is one password for all targets, and which of them is reached first must not decide."""
    assert policy_of(rules, {"r/pupil": "pupil", "r/staff": "staff"}, ["staff", "pupil"]) == policy


def test_a_reset_goes_ahead_and_is_left_alone_by_later_plans():
    """It waits in line with the account's other changes, and no plan that concerns the person replaces it."""
    account = KnownAccount("ad", "anchor", None, True, {}, "r/staff", None)
    (change,) = reset_passwords("hr:1", [account], "staff", "forgotten")
    assert change.urgent
    assert change.object_key == account_key("hr:1")
    assert change.subject != "hr:1"
    assert person_of(change.subject) == "hr:1"
