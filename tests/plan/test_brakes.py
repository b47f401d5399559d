"""Limits on how much one run may change."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import Action, Kind
from eadm_sync.plan.brakes import Hold, Sieve, allowed_changes, judge


@dataclass(frozen=True)
class Limit:
    max: int | None = None
    max_fraction: float | None = None
    floor: int = 0


@pytest.mark.parametrize(
    ("limit", "population", "allowed"),
    [
        # no limit at all
        (Limit(), 100, 2**63 - 1),
        # by number only
        (Limit(max=5), 1000, 5),
        # by share only, rounded down
        (Limit(max_fraction=0.05), 199, 9),
        # the floor lets a small population move
        (Limit(max_fraction=0.05, floor=10), 100, 10),
        # but never lets all of it go
        (Limit(max_fraction=0.05, floor=10), 8, 7),
        # a population of one may go: somebody has to be the last
        (Limit(max_fraction=0.05, floor=10), 1, 10),
        # both: the lower counts
        (Limit(max=3, max_fraction=0.5), 100, 3),
        # a share of everything is no limit
        (Limit(max_fraction=1.0), 100, 100),
    ],
)
def test_the_limit_of_a_slice(limit: Limit, population: int, allowed: int):
    """A limit is the lower of its number and its share."""
    assert allowed_changes(limit, population) == allowed


def test_a_slice_beyond_its_limit_is_held_and_the_rest_goes_on():
    """Too many deletions hold the deletions; joiners are not concerned."""
    counts = {("ad", Kind.ACCOUNT, Action.DELETE): 11, ("ad", Kind.ACCOUNT, Action.CREATE): 500}
    limits = {Action.DELETE: Limit(max=10)}

    holds = judge(counts, {("ad", Kind.ACCOUNT): 1000}, lambda _t, _k, action: limits.get(action))

    assert [(hold.name, hold.count, hold.limit, hold.population) for hold in holds] == [
        ("ad.account.delete", 11, 10, 1000)
    ]


def test_a_released_hold_lets_its_slice_through():
    """What was released by name is not held."""
    counts = {("ad", Kind.ACCOUNT, Action.DELETE): 11}

    holds = judge(counts, {}, lambda *_: Limit(max=0), frozenset({"ad.account.delete"}))

    assert holds == ()


def test_a_held_account_holds_all_of_that_person_in_that_target():
    """A leaver whose disabling is held keeps memberships there, and only there."""
    holds = judge({("ad", Kind.ACCOUNT, Action.DISABLE): 9}, {}, lambda *_: Limit(max=0))
    sieve = Sieve(holds)

    held = sieve.held_targets(
        [
            ("ad", Kind.ACCOUNT, Action.DISABLE),
            ("ad", Kind.MEMBERSHIP, Action.DELETE),
            ("google", Kind.ACCOUNT, Action.UPDATE),
        ]
    )

    assert held == {"ad"}


@given(
    population=st.integers(2, 10_000),
    fraction=st.floats(0, 0.99),
    floor=st.integers(0, 100),
)
def test_a_share_below_one_never_lets_a_whole_population_go(population: int, fraction: float, floor: int):
    """Whatever the floor, something of a population of two or more stays."""
    assert allowed_changes(Limit(max_fraction=fraction, floor=floor), population) < population


def test_seats_go_to_the_first_to_ask():
    """So many as are free; a product without a shortage has one for everybody."""
    sieve = Sieve((Hold("ad.licence.E3", "ad", Kind.LICENCE, Action.CREATE, 3, 9, 2, sku="E3"),))

    assert [sieve.takes_seat("ad", "E3") for _ in range(3)] == [True, True, False]
    assert [sieve.takes_seat(*product) for product in (("ad", "F1"), ("web", "E3"))] == [True, True]
    assert not sieve.holds(("ad", Kind.LICENCE, Action.CREATE))
