"""Which changes bring a password along."""

from __future__ import annotations

import pytest

from connectors.contract import Action, Kind
from eadm_sync.plan.change import Change, account_key, person_of
from eadm_sync.plan.passwords import reset_passwords, with_passwords
from eadm_sync.state.known import KnownAccount

POLICIES = {"r/staff": "staff"}


@pytest.mark.parametrize("action", list(Action))
def test_only_new_accounts_get_a_first_password(action: Action):
    """Those that are adopted or restored keep the one they have."""
    change = Change("ad", Kind.ACCOUNT, action, person="hr:1", rule="r/staff")
    (made,) = with_passwords([change], POLICIES)
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
    assert with_passwords([change], POLICIES) == (change,)


def test_a_reset_goes_ahead_and_is_left_alone_by_later_plans():
    """It waits in line with the account's other changes, and no plan that concerns the person replaces it."""
    account = KnownAccount("ad", "anchor", None, True, {}, "r/staff", None)
    (change,) = reset_passwords("hr:1", [account], "staff", "forgotten")
    assert change.urgent
    assert change.object_key == account_key("hr:1")
    assert change.subject != "hr:1"
    assert person_of(change.subject) == "hr:1"
