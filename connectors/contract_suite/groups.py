"""What is promised about groups."""
# ruff: noqa: S101 - asserting is what a test suite does

from __future__ import annotations

from connectors.contract import Action, Kind, Value
from connectors.contract_suite.base import Hand, OpenTarget, TargetFixtures, need, operation
from connectors.errors import AlreadyExists, NotFound


class GroupContract(TargetFixtures):
    """Creating, changing and deleting groups."""

    def test_a_created_group_is_there(self, hand: Hand) -> None:
        """What was asked for is what is read; a group is neither enabled nor disabled."""
        create = hand.create_group(attributes={self.group_text_attribute: "Alle i 5A på Ås"})
        anchor = hand.succeed(create).anchor
        group = hand.objects(Kind.GROUP)[str(anchor)]
        assert {name: group.attributes.get(name) for name in create.attributes} == create.attributes
        assert group.enabled is None

    def test_repeating_a_group_create_finds_what_it_made(self, hand: Hand) -> None:
        """The same operation again makes no second group."""
        create = hand.create_group()
        assert hand.succeed(create).anchor == hand.succeed(create).anchor

    def test_a_group_made_unheard_by_another_name_is_taken(self, open_target: OpenTarget) -> None:
        """A plan made anew after a lost answer may call the group otherwise; its owner gets no second one."""
        with open_target() as target:
            hand = Hand(target, self)
            need(Kind.GROUP in hand.able.kinds, "groups")
            first, then = hand.unused_name(), hand.unused_name()
            owner = f"group:{first}"
            anchor = hand.succeed(hand.create_group(first, owner=owner)).anchor
        with open_target() as target:  # another process, which remembers nothing
            hand = Hand(target, self)
            earlier = (hand.unused_name(), first)
            outcome = hand.succeed(hand.create_group(then, owner=owner, earlier_names=earlier))
            groups = hand.objects(Kind.GROUP)
        assert outcome.anchor == anchor
        called = {key: group.attributes[hand.able.group_name] for key, group in groups.items()}
        assert [key for key, name in called.items() if name in {first, then}] == [anchor]
        assert called[str(anchor)] == then

    def test_a_group_name_in_use_is_refused_without_case(self, hand: Hand) -> None:
        """A group that is not ours is not adopted because its name fits."""
        name = hand.unused_name()
        anchor = hand.group(name)
        outcome = hand.do(hand.create_group(name.upper()))
        assert isinstance(outcome.error, AlreadyExists)
        assert outcome.anchor is None
        assert hand.objects(Kind.GROUP)[anchor].attributes[hand.able.group_name] == name

    def test_an_account_and_a_group_may_have_the_same_name(self, hand: Hand) -> None:
        """Names are unique among accounts and among groups, unless the target knows only one name space."""
        name = hand.unused_name()
        hand.account(name)
        error = hand.do(hand.create_group(name)).error
        assert error is None or isinstance(error, AlreadyExists)

    def test_a_group_can_be_renamed_and_changed(self, hand: Hand) -> None:
        """The anchor survives."""
        anchor, name = hand.group(), hand.unused_name()
        attributes: dict[str, Value] = {hand.able.group_name: name, self.group_text_attribute: "ny"}
        hand.succeed(operation(Kind.GROUP, Action.UPDATE, anchor=anchor, attributes=attributes))
        group = hand.objects(Kind.GROUP)[anchor]
        assert {key: group.attributes[key] for key in attributes} == attributes

    def test_a_missing_group_cannot_be_changed(self, hand: Hand) -> None:
        """A change to a deleted group is told as NotFound."""
        anchor = hand.group()
        hand.succeed(operation(Kind.GROUP, Action.DELETE, anchor=anchor))
        attributes: dict[str, Value] = {self.group_text_attribute: "x"}
        error = hand.do(operation(Kind.GROUP, Action.UPDATE, anchor=anchor, attributes=attributes)).error
        assert isinstance(error, NotFound)

    def test_a_group_with_members_can_be_deleted_and_its_members_stay(self, hand: Hand) -> None:
        """The memberships go with the group; deleting it again is a success."""
        group, account = hand.group(), hand.account()
        hand.succeed(hand.membership(Action.CREATE, group, account))
        for _ in range(2):
            hand.succeed(operation(Kind.GROUP, Action.DELETE, anchor=group))
            assert group not in hand.objects(Kind.GROUP)
        assert account in hand.objects(Kind.ACCOUNT)
        assert f"{group}/{account}" not in hand.objects(Kind.MEMBERSHIP)
