"""What is promised about licences."""
# ruff: noqa: S101 - asserting is what a test suite does

from __future__ import annotations

from connectors.contract import Action, Kind, LicenceStock
from connectors.contract_suite.base import Hand, TargetFixtures, need, operation
from connectors.errors import NotFound, Rejected

_MOST_SEATS = 50  # filling more would only take time


class LicenceContract(TargetFixtures):
    """Giving licences, taking them back, and counting seats."""

    def test_a_licence_is_given_and_taken_back_twice(self, hand: Hand) -> None:
        """What is already so is a success; a seat is used once and is free again."""
        account, before = hand.account(), self._stock(hand).used
        for action, used in [(Action.CREATE, before + 1), (Action.DELETE, before)]:
            for _ in range(2):
                hand.succeed(operation(Kind.LICENCE, action, account=account, sku=self.sku))
                assert self._stock(hand).used == used
                assert (f"{account}/{self.sku}" in hand.objects(Kind.LICENCE)) is (action is Action.CREATE)

    def test_a_licence_names_its_account_and_product(self, hand: Hand) -> None:
        """What is read can be compared without taking the anchor apart."""
        account, _ = hand.account(), self._stock(hand)
        outcome = hand.succeed(operation(Kind.LICENCE, Action.CREATE, account=account, sku=self.sku))
        licence = hand.objects(Kind.LICENCE)[str(outcome.anchor)]
        assert (licence.anchor, licence.account, licence.sku) == (f"{account}/{self.sku}", account, self.sku)

    def test_what_comes_back_with_a_restored_account_is_told(self, hand: Hand) -> None:
        """Whether a recycle bin keeps licences is the target's affair; that nobody hears of them is not."""
        need(hand.able.soft_delete, "recycle bin")
        account, _ = hand.account(), self._stock(hand)
        hand.succeed(operation(Kind.LICENCE, Action.CREATE, account=account, sku=self.sku))
        hand.succeed(operation(Kind.ACCOUNT, Action.DELETE, anchor=account))
        told = hand.succeed(operation(Kind.ACCOUNT, Action.RESTORE, anchor=account)).regained
        there = {one.anchor for one in hand.objects(Kind.LICENCE).values() if one.account == account}
        assert {one.anchor for one in told if one.kind is Kind.LICENCE} == there

    def test_a_licence_beyond_the_last_seat_is_refused(self, hand: Hand) -> None:
        """The account that comes too late is told so, and a freed seat can be taken."""
        stock = self._stock(hand)
        need(stock.total is not None and stock.total - stock.used <= _MOST_SEATS, "product with few seats")
        accounts = [hand.account() for _ in range(int(stock.total or 0) - stock.used + 1)]
        *seated, last = (operation(Kind.LICENCE, Action.CREATE, account=item, sku=self.sku) for item in accounts)
        for grant in seated:
            hand.succeed(grant)
        assert isinstance(hand.do(last).error, Rejected)
        hand.succeed(operation(Kind.LICENCE, Action.DELETE, account=accounts[0], sku=self.sku))
        hand.succeed(last)

    def test_a_licence_needs_an_account(self, hand: Hand) -> None:
        """Giving a deleted account a licence is NotFound; taking it back is a success; its seat is free."""
        account, before = hand.account(), self._stock(hand).used
        hand.succeed(operation(Kind.LICENCE, Action.CREATE, account=account, sku=self.sku))
        hand.succeed(operation(Kind.ACCOUNT, Action.DELETE, anchor=account, permanent=True))
        assert self._stock(hand).used == before
        error = hand.do(operation(Kind.LICENCE, Action.CREATE, account=account, sku=self.sku)).error
        assert isinstance(error, NotFound)
        assert error.anchor == account
        hand.succeed(operation(Kind.LICENCE, Action.DELETE, account=account, sku=self.sku))

    def _stock(self, hand: Hand) -> LicenceStock:
        """The seats of the product under test; skips the test where there is none."""
        need(Kind.LICENCE in hand.able.kinds and self.sku, "licences")
        stocks = {stock.sku: stock for stock in hand.target.licences()}
        return stocks.get(str(self.sku), LicenceStock(str(self.sku), None, 0))
