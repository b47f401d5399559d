"""Limits that hold a slice of a plan which would change too much. Pure: counts in, holds out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import msgspec

from connectors.contract import Action, Kind
from eadm_sync.plan.change import Change

Slice = tuple[str, Kind, Action]
"""(target, kind, action): what a brake counts and holds as one."""


class Limit(Protocol):
    """How much of a slice may change in one run (configuration: `brakes.targets`)."""

    @property
    def max(self) -> int | None:
        """At most so many changes, or None."""
        ...

    @property
    def max_fraction(self) -> float | None:
        """At most this share (0–1) of what the target is known to hold, or None."""
        ...

    @property
    def floor(self) -> int:
        """So many changes are never too many for `max_fraction`."""
        ...


class Hold(msgspec.Struct, frozen=True):
    """A slice that is held.

    Attributes:
        name: What `--release` names: "ad.account.delete".
        target: Name of the target.
        kind: Kind of its changes.
        action: Action of its changes.
        count: How many changes there would be.
        population: How many such objects the target is known to hold.
        limit: How many would have gone through. Of a shortage of seats: so many go through.
        sku: The product of which there are not enough seats; None where a limit of the configuration holds.
        reason: The shortage in words for people: "10 seats, 12 needed"; "" where `count` and `limit` tell all.
    """

    name: str
    target: str
    kind: Kind
    action: Action
    count: int
    population: int
    limit: int
    sku: str | None = None
    reason: str = ""


def judge(
    counts: Mapping[Slice, int],
    populations: Mapping[tuple[str, Kind], int],
    limit_of: Callable[[str, Kind, Action], Limit | None],
    released: frozenset[str] = frozenset(),
) -> tuple[Hold, ...]:
    """The slices that change too much, but for those that were released by name.

    Args:
        counts: Changes by slice.
        populations: Known objects by target and kind.
        limit_of: The limit of a slice, or None where it has none.
        released: Names of holds that somebody let go.
    """
    holds = []
    for (target, kind, action), count in sorted(counts.items()):
        limit = limit_of(target, kind, action)
        if limit is None:
            continue
        population = populations.get((target, kind), 0)
        allowed = allowed_changes(limit, population)
        name = f"{target}.{kind}.{action}"
        if count > allowed and name not in released:
            holds.append(Hold(name, target, kind, action, count, population, allowed))
    return tuple(holds)


def allowed_changes(limit: Limit, population: int) -> int:
    """The most changes that a limit lets through: the lower of its count and its share.

    The share is never below `floor`, so that a small population can move at all; and the floor never lets a whole
    population of more than one go, so that a small one cannot be emptied either.
    """
    floor = limit.floor if population <= 1 else min(limit.floor, population - 1)
    bounds = []
    if limit.max is not None:
        bounds.append(limit.max)
    if limit.max_fraction is not None:
        bounds.append(max(floor, int(limit.max_fraction * population)))
    return min(bounds, default=_UNLIMITED)


_UNLIMITED = 2**63 - 1


class Sieve:
    """Tells held changes from accepted ones.

    Where an account's own change is held, so is everything else of that person in that target: a membership without
    its account would only fail, and a leaver whose disabling is held keeps what he has until somebody decides. Where
    the creation of a group is held, so are the memberships and nestings that it would get.

    Of a product without enough seats, the first to ask get those that are free. So a sieve is for one passage through
    the plan, in its order.
    """

    def __init__(self, holds: tuple[Hold, ...], groups: Iterable[Change] = ()) -> None:
        """`groups` are all changes to groups of the plan."""
        self._slices = {(hold.target, hold.kind, hold.action) for hold in holds if hold.sku is None}
        self._seats = {(hold.target, hold.sku): hold.limit for hold in holds if hold.sku is not None}
        self._unmade = {
            (change.target, change.group)
            for change in groups
            if change.kind is Kind.GROUP and change.action is Action.CREATE and self.holds(_slice(change))
        }

    def held_targets(self, slices: list[Slice]) -> frozenset[str]:
        """Targets in which one of a person's account changes is held."""
        if not self._slices:
            return frozenset()
        return frozenset(
            target for target, kind, action in slices if kind is Kind.ACCOUNT and (target, kind, action) in self._slices
        )

    def holds(self, slice_: Slice) -> bool:
        """Whether a change of this slice is held for its own sake."""
        return slice_ in self._slices

    def lacks_group(self, change: Change) -> bool:
        """Whether a membership or nesting is to be given in, or to, a group whose creation is held."""
        if change.action is not Action.CREATE or change.kind not in {Kind.MEMBERSHIP, Kind.NESTING}:
            return False
        return not self._unmade.isdisjoint({(change.target, change.group), (change.target, change.member)})

    def takes_seat(self, target: str, sku: str) -> bool:
        """Whether there is a seat of a product for one more; it is taken then."""
        left = self._seats.get((target, sku))
        if left is None:
            return True
        self._seats[target, sku] = max(left - 1, 0)
        return left > 0


def _slice(change: Change) -> Slice:
    return change.target, change.kind, change.action
