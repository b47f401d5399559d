"""What is promised about memberships."""
# ruff: noqa: S101 - asserting is what a test suite does

from __future__ import annotations

import pytest

from connectors.contract import Action, Kind
from connectors.contract_suite.base import Hand, TargetFixtures, need, operation, outcomes_by_id
from connectors.errors import NotFound


class MembershipContract(TargetFixtures):
    """Putting accounts into groups and taking them out again."""

    def test_a_member_can_be_added_twice(self, hand: Hand) -> None:
        """A membership that stands is a success, and there is one of it."""
        group, account = hand.group(), hand.account()
        for _ in range(2):
            assert hand.succeed(hand.membership(Action.CREATE, group, account)).anchor == f"{group}/{account}"
            found = hand.objects(Kind.MEMBERSHIP)[f"{group}/{account}"]
            assert (found.group, found.account, found.role) == (group, account, "member")

    def test_a_member_can_be_removed_twice(self, hand: Hand) -> None:
        """A membership that has ended is a success."""
        group, account = hand.group(), hand.account()
        hand.succeed(hand.membership(Action.CREATE, group, account))
        for _ in range(2):
            hand.succeed(hand.membership(Action.DELETE, group, account))
            assert f"{group}/{account}" not in hand.objects(Kind.MEMBERSHIP)

    def test_a_member_can_come_back(self, hand: Hand) -> None:
        """Ending a membership does not stand in the way of a new one."""
        group, account = hand.group(), hand.account()
        for action in (Action.CREATE, Action.DELETE, Action.CREATE):
            hand.succeed(hand.membership(action, group, account))
        assert f"{group}/{account}" in hand.objects(Kind.MEMBERSHIP)

    def test_members_are_added_and_removed_in_one_batch(self, hand: Hand) -> None:
        """Many members of one group are changed at once, and the others stay."""
        group = hand.group()
        staying, leaving, *joining = (hand.account() for _ in range(4))
        for account in (staying, leaving):
            hand.succeed(hand.membership(Action.CREATE, group, account))
        batch = [hand.membership(Action.CREATE, group, account) for account in joining]
        batch.append(hand.membership(Action.DELETE, group, leaving))
        need(hand.able.batch_size >= len(batch), "batches of three")
        outcomes = outcomes_by_id(hand.target, batch)
        assert all(outcome.error is None for outcome in outcomes.values())
        members = {item.account for item in hand.objects(Kind.MEMBERSHIP).values() if item.group == group}
        assert members == {staying, *joining}

    def test_what_comes_back_with_a_restored_account_is_told(self, hand: Hand) -> None:
        """Whether a recycle bin keeps memberships is the target's affair; that nobody hears of them is not."""
        need(hand.able.soft_delete, "recycle bin")
        group, account = hand.group(), hand.account()
        hand.succeed(hand.membership(Action.CREATE, group, account))
        hand.succeed(operation(Kind.ACCOUNT, Action.DELETE, anchor=account))
        for _ in range(2):
            told = hand.succeed(operation(Kind.ACCOUNT, Action.RESTORE, anchor=account)).regained
            there = {one.anchor: one for one in hand.objects(Kind.MEMBERSHIP).values() if one.account == account}
            assert {one.anchor: one for one in told if one.kind is Kind.MEMBERSHIP} == there

    @pytest.mark.parametrize("missing", [Kind.ACCOUNT, Kind.GROUP])
    def test_a_membership_needs_both_ends(self, hand: Hand, missing: Kind) -> None:
        """Joining what is not there is NotFound; leaving it is a success."""
        ends = {Kind.GROUP: hand.group(), Kind.ACCOUNT: hand.account()}
        hand.succeed(operation(missing, Action.DELETE, anchor=ends[missing], permanent=missing is Kind.ACCOUNT))
        error = hand.do(hand.membership(Action.CREATE, ends[Kind.GROUP], ends[Kind.ACCOUNT])).error
        assert isinstance(error, NotFound)
        assert error.anchor == ends[missing]
        hand.succeed(hand.membership(Action.DELETE, ends[Kind.GROUP], ends[Kind.ACCOUNT]))

    def test_a_deleted_account_is_member_of_nothing(self, hand: Hand) -> None:
        """Memberships vanish with the account."""
        group, account = hand.group(), hand.account()
        hand.succeed(hand.membership(Action.CREATE, group, account))
        hand.succeed(operation(Kind.ACCOUNT, Action.DELETE, anchor=account))
        assert f"{group}/{account}" not in hand.objects(Kind.MEMBERSHIP)

    def test_a_disabled_account_stays_member(self, hand: Hand) -> None:
        """Stripping a leaver of groups is the engine's decision, not the target's."""
        group, account = hand.group(), hand.account()
        hand.succeed(hand.membership(Action.CREATE, group, account))
        hand.succeed(operation(Kind.ACCOUNT, Action.DISABLE, anchor=account))
        assert f"{group}/{account}" in hand.objects(Kind.MEMBERSHIP)
