"""What is promised about accounts."""
# ruff: noqa: S101 - asserting is what a test suite does

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from connectors.contract import Action, Kind, Value
from connectors.contract_suite.base import (
    Hand,
    OpenTarget,
    TargetFixtures,
    need,
    operation,
    outcomes_by_id,
    unused_name,
)
from connectors.errors import AlreadyExists, NotFound, Rejected

_ABSENT = "00000000-0000-4000-8000-000000000000"


class AccountContract(TargetFixtures):
    """Creating, changing, disabling, deleting and restoring accounts."""

    # ------------------------------------------------------------ create

    def test_a_created_account_is_there(self, hand: Hand) -> None:
        """What was asked for is what is read, and the outcome names the anchor."""
        create = hand.create_account(attributes={self.text_attribute: "Ola Nordmann"})
        anchor = hand.succeed(create).anchor
        account = hand.objects(Kind.ACCOUNT)[str(anchor)]
        assert {name: account.attributes.get(name) for name in create.attributes} == create.attributes
        assert account.enabled is True

    def test_an_account_can_be_created_disabled(self, hand: Hand) -> None:
        """An account of somebody who starts later waits disabled."""
        anchor = hand.account(enabled=False)
        assert hand.objects(Kind.ACCOUNT)[anchor].enabled is False

    def test_repeating_a_create_finds_what_it_made(self, hand: Hand) -> None:
        """The same operation again makes no second account."""
        create = hand.create_account()
        first, before = hand.succeed(create), len(hand.objects(Kind.ACCOUNT))
        assert hand.succeed(create).anchor == first.anchor
        assert len(hand.objects(Kind.ACCOUNT)) == before

    def test_a_create_whose_answer_was_lost_is_recognised_later(self, open_target: OpenTarget) -> None:
        """A worker that died before it read the answer repeats the create from another process."""
        with open_target() as target:
            create = Hand(target, self).create_account()
            next(iter(target.apply([create])))
        with open_target() as target:
            hand = Hand(target, self)
            again = hand.succeed(create)
            name = create.attributes[target.capabilities.account_name]
            found = target.find(Kind.ACCOUNT, {target.capabilities.account_name: name})
            assert [account.anchor for account in found] == [again.anchor]

    def test_a_new_operation_for_a_known_owner_takes_the_owners_account(self, hand: Hand) -> None:
        """A plan made anew after a lost answer has new operation ids, and must not end in a second account."""
        create = hand.create_account(attributes={self.text_attribute: "before"})
        anchor = hand.succeed(create).anchor
        anew = msgspec.structs.replace(
            create, id=unused_name(), attributes={**create.attributes, self.text_attribute: "after"}
        )
        assert hand.succeed(anew).anchor == anchor
        account = hand.objects(Kind.ACCOUNT)[str(anchor)]
        assert account.attributes[self.text_attribute] == "after"
        assert account.owner in (None, create.owner)

    @pytest.mark.parametrize("change", [str, str.upper], ids=["same", "other case"])
    def test_another_owners_unique_value_is_not_taken(self, hand: Hand, change: Callable[[str], str]) -> None:
        """A name that is in use is refused whatever its case, and its account is not handed over."""
        name = hand.unused_name()
        anchor = hand.account(name)
        before = hand.objects(Kind.ACCOUNT)[anchor]
        for unique in hand.able.unique:
            stolen: dict[str, Value] = {unique: _changed(before.attributes[unique], change)}
            outcome = hand.do(hand.create_account(attributes=stolen))
            assert isinstance(outcome.error, AlreadyExists), unique
            assert outcome.anchor is None
        assert hand.objects(Kind.ACCOUNT)[anchor] == before

    def test_the_refusal_names_the_attribute(self, hand: Hand) -> None:
        """An operator is told which of several unique values is taken."""
        anchor = hand.account()
        taken = hand.objects(Kind.ACCOUNT)[anchor].attributes
        for unique in hand.able.unique:
            error = hand.do(hand.create_account(attributes={unique: taken[unique]})).error
            assert isinstance(error, AlreadyExists)
            assert error.attribute == unique

    def test_a_missing_required_attribute_is_refused(self, hand: Hand) -> None:
        """An account without what it cannot be without is never made."""
        for required in hand.able.required:
            create = hand.create_account()
            lacking = {name: value for name, value in create.attributes.items() if name != required}
            error = hand.do(msgspec.structs.replace(create, attributes=lacking)).error
            assert isinstance(error, Rejected)
            assert error.attribute == required

    def test_an_unknown_attribute_is_refused_by_name(self, hand: Hand) -> None:
        """A misspelt attribute is an error that names it, on create and on update."""
        need(self.unknown_attribute, "attribute that it refuses")
        wrong: dict[str, Value] = {str(self.unknown_attribute): "x"}
        update = operation(Kind.ACCOUNT, Action.UPDATE, anchor=hand.account(), attributes=wrong)
        for wanted in (hand.create_account(attributes=wrong), update):
            error = hand.do(wanted).error
            assert isinstance(error, Rejected)
            assert error.attribute == self.unknown_attribute

    def test_a_value_that_is_too_long_is_refused_by_name(self, hand: Hand) -> None:
        """What the target says is too long is not cut in silence."""
        need(hand.able.max_lengths, "longest values")
        for name, length in hand.able.max_lengths.items():
            error = hand.do(hand.create_account(attributes={name: "x" * (length + 1)})).error
            assert isinstance(error, Rejected), name
            assert error.attribute == name

    # ------------------------------------------------------------ update

    def test_an_update_changes_only_what_it_names(self, hand: Hand) -> None:
        """Other attributes stay as they are."""
        anchor = hand.account(attributes={self.text_attribute: "before"})
        before = hand.objects(Kind.ACCOUNT)[anchor]
        hand.succeed(operation(Kind.ACCOUNT, Action.UPDATE, anchor=anchor, attributes={self.text_attribute: "after"}))
        after = hand.objects(Kind.ACCOUNT)[anchor]
        assert after.attributes == {**before.attributes, self.text_attribute: "after"}
        assert (after.enabled, after.container) == (before.enabled, before.container)

    def test_none_clears_an_attribute(self, hand: Hand) -> None:
        """A cleared attribute is left out of what is read, and clearing it again is a success."""
        anchor = hand.account(attributes={self.text_attribute: "x"})
        for _ in range(2):
            clear = operation(Kind.ACCOUNT, Action.UPDATE, anchor=anchor, attributes={self.text_attribute: None})
            hand.succeed(clear)
            assert self.text_attribute not in hand.objects(Kind.ACCOUNT)[anchor].attributes

    def test_an_account_can_be_renamed(self, hand: Hand) -> None:
        """The anchor survives a new name, and the old name is free again."""
        old, new = hand.unused_name(), hand.unused_name()
        anchor = hand.account(old)
        renamed = self.account_attributes(new, hand.able)
        hand.succeed(operation(Kind.ACCOUNT, Action.UPDATE, anchor=anchor, attributes=renamed))
        other = hand.account(old)
        objects = hand.objects(Kind.ACCOUNT)
        assert objects[anchor].attributes[hand.able.account_name] == new
        assert objects[other].attributes[hand.able.account_name] == old

    def test_a_name_may_change_its_case(self, hand: Hand) -> None:
        """An account does not stand in its own way."""
        name = hand.unused_name()
        anchor = hand.account(name)
        upper: dict[str, Value] = {hand.able.account_name: name.upper()}
        hand.succeed(operation(Kind.ACCOUNT, Action.UPDATE, anchor=anchor, attributes=upper))

    def test_a_rename_to_a_name_in_use_is_refused(self, hand: Hand) -> None:
        """Neither account is changed."""
        first, second = hand.account(), hand.account()
        before = hand.objects(Kind.ACCOUNT)
        name = hand.able.account_name
        taken: dict[str, Value] = {name: _changed(before[first].attributes[name], str.upper)}
        error = hand.do(operation(Kind.ACCOUNT, Action.UPDATE, anchor=second, attributes=taken)).error
        assert isinstance(error, AlreadyExists)
        after = hand.objects(Kind.ACCOUNT)
        assert (after[first], after[second]) == (before[first], before[second])

    @pytest.mark.parametrize("permanent", [False, True])
    @pytest.mark.parametrize("action", [Action.UPDATE, Action.ENABLE, Action.DISABLE])
    def test_what_is_not_there_cannot_be_changed(self, hand: Hand, action: Action, permanent: bool) -> None:
        """A change to a deleted account is told as NotFound with its anchor, so that the plan can be made anew."""
        anchor = hand.account()
        hand.succeed(operation(Kind.ACCOUNT, Action.DELETE, anchor=anchor, permanent=permanent))
        attributes: dict[str, Value] = {self.text_attribute: "x"} if action is Action.UPDATE else {}
        error = hand.do(operation(Kind.ACCOUNT, action, anchor=anchor, attributes=attributes)).error
        assert isinstance(error, NotFound)
        assert (error.kind, error.anchor) == (Kind.ACCOUNT, anchor)

    # Rows: letters of Norwegian and Sámi; characters outside the basic plane; long; white space and quotes; what a
    # spreadsheet takes for a formula, and LDIF for something other than text.
    @pytest.mark.parametrize("text", ["Åse Bjørg Ærlig Čearru", "🦌 𝔄 漢字", "", ' "q" ;,\t\\<>', "=1+1", ": < #", "-"])
    def test_text_comes_back_as_it_went(self, hand: Hand, text: str) -> None:
        """No letter is lost or changed on the way, unless the outcome says so."""
        text = text or "æ" * self.long_text_length
        outcome = hand.succeed(hand.create_account(attributes={self.text_attribute: text}))
        stored = hand.objects(Kind.ACCOUNT)[str(outcome.anchor)].attributes[self.text_attribute]
        assert stored == outcome.attributes.get(self.text_attribute, text)

    def test_a_list_is_kept_as_a_sorted_set(self, hand: Hand) -> None:
        """Order and repeats of the values asked for do not matter, and an empty list is no value."""
        need(self.list_attribute, "attribute with many values")
        name = str(self.list_attribute)
        anchor = hand.account(attributes={name: ["smtp:b@x.no", "SMTP:å@x.no", "smtp:b@x.no", "smtp:a@x.no"]})
        expected = ["SMTP:å@x.no", "smtp:a@x.no", "smtp:b@x.no"]
        assert hand.objects(Kind.ACCOUNT)[anchor].attributes[name] == expected
        hand.succeed(operation(Kind.ACCOUNT, Action.UPDATE, anchor=anchor, attributes={name: []}))
        assert name not in hand.objects(Kind.ACCOUNT)[anchor].attributes

    # ------------------------------------------------------------ enable, disable

    def test_disabling_and_enabling_can_be_repeated(self, hand: Hand) -> None:
        """What is already so is a success, and nothing else changes."""
        anchor = hand.account()
        before = hand.objects(Kind.ACCOUNT)[anchor]
        for action, enabled in [(Action.DISABLE, False), (Action.ENABLE, True)]:
            for _ in range(2):
                assert hand.succeed(operation(Kind.ACCOUNT, action, anchor=anchor)).operation_id
                assert hand.objects(Kind.ACCOUNT)[anchor] == msgspec.structs.replace(before, enabled=enabled)

    def test_sessions_end_when_asked_to_and_with_an_account_that_is_disabled_already(self, hand: Hand) -> None:
        """Whoever is signed in is out, also where the first answer was lost; nothing else of the account changes."""
        anchor = hand.account()
        need(self.ended_sessions(hand.target, anchor) is not None, "sessions that anybody could tell of")
        for revoke, ended in [(False, 0), (True, 1), (True, 2)]:
            disable = operation(Kind.ACCOUNT, Action.DISABLE, anchor=anchor, revoke_sessions=revoke)
            hand.succeed(disable)
            assert self.ended_sessions(hand.target, anchor) == ended
            assert hand.objects(Kind.ACCOUNT)[anchor].enabled is False

    # ------------------------------------------------------------ delete, restore

    @pytest.mark.parametrize("permanent", [False, True])
    def test_a_deleted_account_is_gone_and_deleting_it_again_is_a_success(self, hand: Hand, permanent: bool) -> None:
        """The second of two deletes finds nothing to do, neither by read nor by find."""
        name = hand.unused_name()
        anchor = hand.account(name)
        for _ in range(2):
            hand.succeed(operation(Kind.ACCOUNT, Action.DELETE, anchor=anchor, permanent=permanent))
            assert anchor not in hand.objects(Kind.ACCOUNT)
            assert not hand.target.find(Kind.ACCOUNT, {hand.able.account_name: name})

    def test_deleting_what_never_was_is_a_success(self, hand: Hand) -> None:
        """An anchor that the target does not know is as good as deleted."""
        for kind in (Kind.ACCOUNT, Kind.GROUP):
            if kind in hand.able.kinds:
                hand.succeed(operation(kind, Action.DELETE, anchor=_ABSENT))

    def test_a_deleted_account_can_be_restored(self, hand: Hand) -> None:
        """The anchor, the attributes and the owner come back, disabled; restoring again is a success."""
        need(hand.able.soft_delete, "recycle bin")
        anchor = hand.account(attributes={self.text_attribute: "Åse"})
        before = hand.objects(Kind.ACCOUNT)[anchor]
        hand.succeed(operation(Kind.ACCOUNT, Action.DELETE, anchor=anchor))
        deleted = [item for item in hand.target.read(Kind.ACCOUNT) if getattr(item, "anchor", None) == anchor]
        assert all(getattr(item, "deleted", False) for item in deleted)
        for _ in range(2):
            assert hand.succeed(operation(Kind.ACCOUNT, Action.RESTORE, anchor=anchor)).operation_id
            after = hand.objects(Kind.ACCOUNT)[anchor]
            assert (after.attributes, after.owner) == (before.attributes, before.owner)
            assert (before.enabled, after.enabled) == (True, False)

    def test_a_permanent_delete_empties_the_recycle_bin(self, hand: Hand) -> None:
        """What was deleted first and then permanently cannot be restored."""
        need(hand.able.soft_delete and hand.able.purges, "recycle bin that anybody could empty")
        anchor = hand.account()
        hand.succeed(operation(Kind.ACCOUNT, Action.DELETE, anchor=anchor))
        hand.succeed(operation(Kind.ACCOUNT, Action.DELETE, anchor=anchor, permanent=True))
        assert isinstance(hand.do(operation(Kind.ACCOUNT, Action.RESTORE, anchor=anchor)).error, NotFound)

    # ------------------------------------------------------------ containers

    def test_an_account_is_placed_and_moved(self, hand: Hand) -> None:
        """CREATE places, UPDATE moves, and a change that names no container leaves it where it is."""
        need(hand.able.containers and self.containers, "containers")
        first, second = self.containers
        anchor = hand.account(container=first)
        assert hand.objects(Kind.ACCOUNT)[anchor].container == first
        for _ in range(2):
            hand.succeed(operation(Kind.ACCOUNT, Action.UPDATE, anchor=anchor, container=second))
            assert hand.objects(Kind.ACCOUNT)[anchor].container == second
        text: dict[str, Value] = {self.text_attribute: "x"}
        hand.succeed(operation(Kind.ACCOUNT, Action.UPDATE, anchor=anchor, attributes=text))
        assert hand.objects(Kind.ACCOUNT)[anchor].container == second

    # ------------------------------------------------------------ batches

    def test_a_failure_touches_no_other_operation_of_its_batch(self, hand: Hand) -> None:
        """Between two that succeed, refused and missing ones fail alone, and each has one outcome."""
        taken = hand.unused_name()
        hand.account(taken)
        good = [hand.create_account(), hand.create_account()]
        refused = hand.create_account(taken)
        missing = operation(Kind.ACCOUNT, Action.DISABLE, anchor=_ABSENT)
        batch = [good[0], refused, missing, good[1]]
        need(hand.able.batch_size >= len(batch), "batches of four")
        outcomes = outcomes_by_id(hand.target, batch)
        assert isinstance(outcomes[refused.id].error, AlreadyExists)
        assert isinstance(outcomes[missing.id].error, NotFound)
        assert {outcomes[create.id].anchor for create in good} <= hand.objects(Kind.ACCOUNT).keys()

    def test_a_batch_that_broke_off_can_be_repeated_whole(self, hand: Hand) -> None:
        """A caller that saw some of the outcomes repeats all, and ends with the same accounts."""
        creates = [hand.create_account() for _ in range(min(3, hand.able.batch_size))]
        first = next(iter(hand.target.apply(creates)))
        outcomes = outcomes_by_id(hand.target, creates)
        assert outcomes[first.operation_id].anchor == first.anchor
        assert len({outcome.anchor for outcome in outcomes.values()}) == len(creates)
        assert all(outcome.error is None for outcome in outcomes.values())

    def test_an_empty_batch_is_nothing(self, hand: Hand) -> None:
        """No operations, no outcomes."""
        assert list(hand.target.apply([])) == []


def _changed(value: Value, change: Callable[[str], str]) -> str:
    """The value in another case."""
    assert isinstance(value, str)
    return change(value)
