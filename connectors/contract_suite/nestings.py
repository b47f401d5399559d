"""What is promised about groups in groups."""
# ruff: noqa: S101 - asserting is what a test suite does

from __future__ import annotations

import pytest

from connectors.contract import Action, Kind
from connectors.contract_suite.base import Hand, TargetFixtures, need, operation
from connectors.errors import NotFound


class NestingContract(TargetFixtures):
    """Putting groups into groups and taking them out again."""

    def test_a_group_can_be_put_into_a_group_twice(self, hand: Hand) -> None:
        """A nesting that stands is a success, and there is one of it; it is no membership."""
        outer, inner = hand.group(), hand.group()
        for _ in range(2):
            assert hand.succeed(hand.nesting(Action.CREATE, outer, inner)).anchor == f"{outer}/{inner}"
            found = hand.objects(Kind.NESTING)[f"{outer}/{inner}"]
            assert (found.group, found.member, found.account) == (outer, inner, None)
        assert f"{outer}/{inner}" not in hand.objects(Kind.MEMBERSHIP)

    def test_a_group_can_be_taken_out_of_a_group_twice_and_come_back(self, hand: Hand) -> None:
        """A nesting that has ended is a success, and does not stand in the way of a new one."""
        outer, inner = hand.group(), hand.group()
        hand.succeed(hand.nesting(Action.CREATE, outer, inner))
        for _ in range(2):
            hand.succeed(hand.nesting(Action.DELETE, outer, inner))
            assert f"{outer}/{inner}" not in hand.objects(Kind.NESTING)
        hand.succeed(hand.nesting(Action.CREATE, outer, inner))
        assert f"{outer}/{inner}" in hand.objects(Kind.NESTING)

    def test_a_group_can_be_in_several_and_hold_several(self, hand: Hand) -> None:
        """Accounts and groups stand side by side in one group, and one leaves without the other."""
        top, side, inner, other = hand.group(), hand.group(), hand.group(), hand.group()
        account = hand.account()
        for outer, member in ((top, inner), (side, inner), (top, other)):
            hand.succeed(hand.nesting(Action.CREATE, outer, member))
        hand.succeed(hand.membership(Action.CREATE, top, account))
        hand.succeed(hand.nesting(Action.DELETE, top, inner))
        nestings, memberships = hand.objects(Kind.NESTING), hand.objects(Kind.MEMBERSHIP)
        assert {anchor for anchor in nestings if anchor.startswith((top, side))} == {
            f"{side}/{inner}",
            f"{top}/{other}",
        }
        assert f"{top}/{account}" in memberships

    @pytest.mark.parametrize("missing", ["outer", "inner"])
    def test_a_nesting_needs_both_groups(self, hand: Hand, missing: str) -> None:
        """Putting a group into one that is not there, or one that is not there into a group, is NotFound."""
        ends = {"outer": hand.group(), "inner": hand.group()}
        hand.succeed(operation(Kind.GROUP, Action.DELETE, anchor=ends[missing]))
        error = hand.do(hand.nesting(Action.CREATE, ends["outer"], ends["inner"])).error
        assert isinstance(error, NotFound)
        assert error.anchor == ends[missing]
        hand.succeed(hand.nesting(Action.DELETE, ends["outer"], ends["inner"]))

    def test_an_account_is_not_put_into_a_group_as_a_group(self, hand: Hand) -> None:
        """A nesting is of groups: an account's anchor is none of a group."""
        outer, account = hand.group(), hand.account()
        assert hand.do(hand.nesting(Action.CREATE, outer, account)).error is not None
        assert f"{outer}/{account}" not in hand.objects(Kind.NESTING)

    @pytest.mark.parametrize("deleted", ["outer", "inner"])
    def test_a_deleted_group_is_in_nothing_and_holds_nothing(self, hand: Hand, deleted: str) -> None:
        """Nestings vanish with either group, and the other group stays."""
        ends = {"outer": hand.group(), "inner": hand.group()}
        hand.succeed(hand.nesting(Action.CREATE, ends["outer"], ends["inner"]))
        hand.succeed(operation(Kind.GROUP, Action.DELETE, anchor=ends.pop(deleted)))
        (staying,) = ends.values()
        assert staying in hand.objects(Kind.GROUP)
        assert not [anchor for anchor in hand.objects(Kind.NESTING) if staying in anchor]

    def test_an_incremental_read_tells_of_nestings_that_ended(self, hand: Hand) -> None:
        """What was taken out is told as deleted."""
        need(hand.able.incremental, "incremental reads")
        outer, leaving = hand.group(), hand.group()
        hand.succeed(hand.nesting(Action.CREATE, outer, leaving))
        token = hand.token(Kind.NESTING)
        hand.succeed(hand.nesting(Action.DELETE, outer, leaving))
        assert hand.changed(Kind.NESTING, token) == {f"{outer}/{leaving}": True}

    def test_an_incremental_read_does_not_pass_over_nestings_that_went_with_a_group(self, hand: Hand) -> None:
        """A target that does not know which groups a group was in has everything read again."""
        need(hand.able.incremental, "incremental reads")
        outer, deleted = hand.group(), hand.group()
        hand.succeed(hand.nesting(Action.CREATE, outer, deleted))
        token = hand.token(Kind.NESTING)
        hand.succeed(operation(Kind.GROUP, Action.DELETE, anchor=deleted))
        assert hand.changed(Kind.NESTING, token) in (None, {f"{outer}/{deleted}": True})
