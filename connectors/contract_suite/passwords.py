"""What is promised about passwords."""
# ruff: noqa: S101 - asserting is what a test suite does

from __future__ import annotations

import secrets

import msgspec

from connectors.contract import Action, Kind, Operation, Password, RemoteObject
from connectors.contract_suite.base import Hand, TargetFixtures, need, operation
from connectors.errors import NotFound, Rejected


class PasswordContract(TargetFixtures):
    """Giving accounts passwords."""

    def test_a_new_account_gets_its_password(self, hand: Hand) -> None:
        """Whoever has the account can sign in with the password that its create gave it."""
        password = _password(hand)
        anchor = hand.account(password=password)
        assert self.has_password(hand.target, anchor, password) in (True, None)

    def test_an_account_gets_another_password(self, hand: Hand) -> None:
        """A forgotten password is replaced; attributes stay."""
        anchor = hand.account(attributes={self.text_attribute: "Ola Nordmann"}, password=_password(hand))
        password = _password(hand, must_change=False)
        hand.succeed(_give(anchor, password))
        assert self.has_password(hand.target, anchor, password) in (True, None)
        assert hand.objects(Kind.ACCOUNT)[anchor].attributes[self.text_attribute] == "Ola Nordmann"

    def test_giving_the_same_password_again_is_a_success(self, hand: Hand) -> None:
        """An operation whose answer was lost is repeated."""
        create = hand.create_account(password=_password(hand))
        anchor = hand.succeed(create).anchor
        assert hand.succeed(create).anchor == anchor
        again = _give(str(anchor), _password(hand))
        hand.succeed(again)
        hand.succeed(again)

    def test_an_account_without_a_password_is_made(self, hand: Hand) -> None:
        """Not every rule gives one."""
        need(hand.able.passwords, "passwords")
        assert hand.account(enabled=False) in hand.objects(Kind.ACCOUNT)

    def test_a_weak_password_is_refused(self, hand: Hand) -> None:
        """The refusal names the password, tells nothing of it, and leaves no account behind that could be used."""
        need(hand.able.passwords and hand.able.password_rules.min_length > 1, "rules for passwords")
        name, weak = hand.unused_name(), "qx"[: hand.able.password_rules.min_length - 1]
        outcome = hand.do(hand.create_account(name, password=Password(weak)))
        assert isinstance(outcome.error, Rejected)
        assert outcome.error.attribute == "password"
        assert f"'{weak}'" not in str(outcome.error)
        found = hand.target.find(Kind.ACCOUNT, {hand.able.account_name: name})
        assert not any(account.enabled for account in found)

    def test_a_weak_password_is_refused_for_an_account_that_is_there(self, hand: Hand) -> None:
        """Likewise where it is to replace another."""
        need(hand.able.passwords and hand.able.password_rules.min_length > 1, "rules for passwords")
        anchor = hand.account(password=_password(hand))
        outcome = hand.do(_give(anchor, Password("q")))
        assert isinstance(outcome.error, Rejected)
        assert outcome.error.attribute == "password"

    def test_a_password_for_nobody_is_not_found(self, hand: Hand) -> None:
        """The account may have been deleted by hand."""
        anchor = hand.account()
        hand.succeed(operation(Kind.ACCOUNT, Action.DELETE, anchor=anchor, permanent=True))
        assert isinstance(hand.do(_give(anchor, _password(hand))).error, NotFound)

    def test_no_password_can_be_read(self, hand: Hand) -> None:
        """What is read, found, answered or printed never tells a password."""
        password = _password(hand)
        create = hand.create_account(password=password)
        outcome = hand.succeed(create)
        told = [item for item in hand.target.read(Kind.ACCOUNT) if isinstance(item, RemoteObject)]
        name = create.attributes[hand.able.account_name]
        told += hand.target.find(Kind.ACCOUNT, {hand.able.account_name: name})
        for one in (outcome, *told):
            assert password.value.encode() not in msgspec.json.encode(one, enc_hook=repr)
        assert password.value not in repr(create)
        assert password.value not in repr(password)


def _password(hand: Hand, *, must_change: bool = True) -> Password:
    """One that every target takes; skips the test where none does."""
    need(hand.able.passwords, "passwords")
    return Password(f"Zq7+{secrets.token_hex(8)}-Wk9", must_change)


def _give(anchor: str, password: Password) -> Operation:
    return operation(Kind.ACCOUNT, Action.UPDATE, anchor=anchor, password=password)
