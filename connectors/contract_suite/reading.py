"""What is promised about reading and finding."""
# ruff: noqa: S101 - asserting is what a test suite does

from __future__ import annotations

import pytest

from connectors.contract import Action, Kind, RemoteObject, ResumeToken, Value
from connectors.contract_suite.base import Hand, OpenTarget, TargetFixtures, need, operation
from connectors.errors import Rejected, Stale


class ReadingContract(TargetFixtures):
    """Full and incremental reads, and finding."""

    def test_capabilities_are_known_without_a_connection(self, open_target: OpenTarget) -> None:
        """They are sound, and the same each time they are asked for."""
        target = open_target()
        able = target.capabilities
        assert able.batch_size >= 1
        assert Kind.ACCOUNT in able.kinds
        assert able.account_name in able.unique
        assert able == target.capabilities
        target.close()

    def test_a_target_can_be_checked_and_closed_twice(self, open_target: OpenTarget) -> None:
        """Neither changes anything."""
        target = open_target()
        before = [item for item in target.read(Kind.ACCOUNT) if isinstance(item, RemoteObject)]
        target.check()
        target.check()
        assert [item for item in target.read(Kind.ACCOUNT) if isinstance(item, RemoteObject)] == before
        target.close()
        target.close()

    def test_what_was_written_is_there_when_opened_again(self, open_target: OpenTarget) -> None:
        """A reported outcome outlives the connection."""
        with open_target() as target:
            anchor = Hand(target, self).account()
        with open_target() as target:
            assert anchor in Hand(target, self).objects(Kind.ACCOUNT)

    def test_only_the_kind_asked_for_is_read(self, hand: Hand) -> None:
        """A read yields objects of its kind, and a token only as the last thing."""
        hand.account()
        for kind in hand.able.kinds:
            items = list(hand.target.read(kind))
            objects = [item for item in items if isinstance(item, RemoteObject)]
            assert {item.kind for item in objects} <= {kind}
            assert len(items) - len(objects) == int(hand.able.incremental)
            assert not hand.able.incremental or isinstance(items[-1], ResumeToken)

    def test_attributes_that_are_not_asked_for_are_not_told(self, hand: Hand) -> None:
        """A read of few attributes yields the same objects, with their names."""
        hand.account()
        name = hand.able.account_name
        whole = hand.objects(Kind.ACCOUNT)
        few = {one.anchor: one for one in hand.target.read(Kind.ACCOUNT, None, ()) if isinstance(one, RemoteObject)}
        assert set(few) == set(whole)
        assert all(dict(one.attributes) == {name: whole[key].attributes[name]} for key, one in few.items())

    def test_an_incremental_read_yields_what_changed(self, hand: Hand) -> None:
        """Created, changed and deleted objects are told; those that stayed as they were are not."""
        need(hand.able.incremental, "incremental reads")
        untouched, changed, deleted = (hand.account() for _ in range(3))
        token = hand.token(Kind.ACCOUNT)
        text: dict[str, Value] = {self.text_attribute: "ny"}
        hand.succeed(operation(Kind.ACCOUNT, Action.UPDATE, anchor=changed, attributes=text))
        hand.succeed(operation(Kind.ACCOUNT, Action.DELETE, anchor=deleted, permanent=True))
        created = hand.account()
        *objects, last = hand.target.read(Kind.ACCOUNT, token)
        assert isinstance(last, ResumeToken)
        told = {item.anchor: item.deleted for item in objects if isinstance(item, RemoteObject)}
        assert {changed: False, deleted: True, created: False}.items() <= told.items()
        assert untouched not in told
        assert [item for item in hand.target.read(Kind.ACCOUNT, last) if isinstance(item, RemoteObject)] == []

    def test_an_incremental_read_tells_of_memberships_that_ended(self, hand: Hand) -> None:
        """What was removed is told as deleted, and what stays is not."""
        need(hand.able.incremental, "incremental reads")
        group, leaving = hand.group(), hand.account()
        hand.succeed(hand.membership(Action.CREATE, group, leaving))
        hand.succeed(hand.membership(Action.CREATE, group, hand.account()))
        token = hand.token(Kind.MEMBERSHIP)
        hand.succeed(hand.membership(Action.DELETE, group, leaving))
        assert hand.changed(Kind.MEMBERSHIP, token) == {f"{group}/{leaving}": True}

    def test_an_incremental_read_does_not_pass_over_memberships_that_went_with_an_account(self, hand: Hand) -> None:
        """A target that does not know which groups an account was in has everything read again."""
        need(hand.able.incremental, "incremental reads")
        group, deleted = hand.group(), hand.account()
        hand.succeed(hand.membership(Action.CREATE, group, deleted))
        token = hand.token(Kind.MEMBERSHIP)
        hand.succeed(operation(Kind.ACCOUNT, Action.DELETE, anchor=deleted, permanent=True))
        assert hand.changed(Kind.MEMBERSHIP, token) in (None, {f"{group}/{deleted}": True})

    @pytest.mark.parametrize("value", ["", "nonsense", "00000000-0000-4000-8000-000000000000:1"])
    def test_a_token_that_is_no_good_is_stale(self, hand: Hand, value: str) -> None:
        """The engine is told to read fully, and does not take silence for "nothing changed"."""
        need(hand.able.incremental, "incremental reads")
        hand.account()
        with pytest.raises(Stale):
            list(hand.target.read(Kind.ACCOUNT, ResumeToken(value)))

    def test_find_compares_without_case(self, hand: Hand) -> None:
        """The account with the value is found, and no other."""
        name = hand.unused_name()
        anchor = hand.account(name)
        hand.account()
        key = hand.able.account_name
        for value in (name, name.upper()):
            assert [item.anchor for item in hand.target.find(Kind.ACCOUNT, {key: value})] == [anchor]
        assert list(hand.target.find(Kind.ACCOUNT, {key: hand.unused_name()})) == []

    def test_find_tells_as_much_as_reading_does(self, hand: Hand) -> None:
        """Whoever adopts an account compares what was read once with what is found later."""
        anchor = hand.account(attributes={self.text_attribute: "Åse"})
        read = hand.objects(Kind.ACCOUNT)[anchor]
        name = read.attributes[hand.able.account_name]
        assert list(hand.target.find(Kind.ACCOUNT, {hand.able.account_name: name})) == [read]

    def test_find_wants_every_attribute_to_fit(self, hand: Hand) -> None:
        """A name that fits beside a text that does not is no hit."""
        name = hand.unused_name()
        anchor = hand.account(name, attributes={self.text_attribute: "Åse"})
        key = hand.able.account_name
        found = hand.target.find(Kind.ACCOUNT, {key: name, self.text_attribute: "ÅSE"})
        assert [item.anchor for item in found] == [anchor]
        assert list(hand.target.find(Kind.ACCOUNT, {key: name, self.text_attribute: "Bo"})) == []

    def test_find_takes_values_as_they_are(self, hand: Hand) -> None:
        """What would be a wildcard or the end of a filter elsewhere is text."""
        hand.account()
        for value in ("*", "t*", "%", "' or ''='", "x)(objectClass=*", "\\2a"):
            assert list(hand.target.find(Kind.ACCOUNT, {hand.able.account_name: value})) == []

    def test_find_refuses_an_unknown_attribute(self, hand: Hand) -> None:
        """A misspelt correlation is an error, not an empty answer."""
        need(self.unknown_attribute, "attribute that it refuses")
        with pytest.raises(Rejected):
            hand.target.find(Kind.ACCOUNT, {str(self.unknown_attribute): "x"})

    def test_find_finds_groups(self, hand: Hand) -> None:
        """By name, likewise without case."""
        name = hand.unused_name()
        anchor = hand.group(name)
        assert [item.anchor for item in hand.target.find(Kind.GROUP, {hand.able.group_name: name.upper()})] == [anchor]
