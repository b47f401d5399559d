"""Limits that hold what would change too much of a target, or of a part of it. Pure: counts in, holds out.

A slice is (target, kind, action). Its limit has a number for the whole and may have some for its parts: each unit with
everything below it, each kind of affiliation, each rule. A part that passes its own limit is held by itself, is not
counted in what is wider, and the rest goes on: an emptied school does not keep leavers elsewhere from being disabled.
Where so many parts pass theirs that it is no local matter, or the whole passes its limit and so does the rest, measured
by what is outside of those parts, all of it is held under one name.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import translate
from typing import Literal, NamedTuple, Protocol

import msgspec

from connectors.contract import Action, Kind
from eadm_sync.config.limits import Limiting, allowed_changes, always_allowed, is_part
from eadm_sync.plan.change import NOWHERE, Change, Place
from eadm_sync.state.releases import Releases, State, Use

Slice = tuple[str, Kind, Action]
"""(target, kind, action): what a limit is set for."""

Part = Literal["unit", "affiliation", "rule"]
"""What a slice is parted by."""

PARTS: tuple[Part, ...] = ("unit", "affiliation", "rule")
"""In the order in which they are judged."""

MOST_PARTS = 5
"""With more parts than these on hold, the whole slice is: nobody decides about thirty schools one by one."""


class Cell(NamedTuple):
    """What changes are counted by: all that a limit can tell apart."""

    target: str
    kind: Kind
    action: Action
    place: Place = NOWHERE
    rule: str = ""

    @property
    def slice(self) -> Slice:
        """The slice it belongs to."""
        return self.target, self.kind, self.action

    def values(self, by: Part) -> tuple[str, ...]:
        """The parts of one sort that it belongs to: units from the top down, or the one affiliation or rule."""
        if by == "unit":
            return self.place.units
        value = self.rule if by == "rule" else self.place.affiliation
        return (value,) if value else ()


def cell_of(change: Change, place: Place) -> Cell:
    """Where a change is counted; `place` is where its person is."""
    return Cell(change.target, change.kind, change.action, place, change.rule)


class PartLimit(Limiting, Protocol):
    """A limit for parts of at least some size."""

    @property
    def min_population(self) -> int:
        """Parts with fewer objects are not judged by themselves."""
        ...


class Parted(Protocol):
    """The limits on parts."""

    def limit(self, by: str) -> PartLimit | None:
        """That on parts of one sort, or None."""
        ...


class Limit(Limiting, Protocol):
    """How much of a slice may change in one run (configuration: `brakes.targets`)."""

    @property
    def by(self) -> Parted:
        """The limits on its parts."""
        ...


LimitOf = Callable[[str, Kind, Action], Limit | None]
"""The limit of a slice, or None where it has none."""


class Populations(Protocol):
    """How many objects the targets are known to hold of ours, before this plan: nobody new counts."""

    def whole(self, target: str, kind: Kind) -> int:
        """Of one kind."""
        ...

    def part(self, target: str, kind: Kind, by: Part, value: str) -> int:
        """Of one kind, in one part."""
        ...


class Hold(msgspec.Struct, frozen=True):
    """A slice, or a part of one, that is held.

    Attributes:
        name: What releases it: "ad.account.delete", "ad.account.disable[unit 32]".
        target: Name of the target.
        kind: Kind of its changes.
        action: Action of its changes.
        count: How many changes there would be.
        population: How many such objects the target is known to hold, in that part.
        limit: How many would have gone through. Of a shortage of seats: so many go through.
        sku: The product of which there are not enough seats; None where a limit of the configuration holds.
        reason: The shortage, or what is special, in words for people; "" where `count` and `limit` tell all.
        by: unit, affiliation or rule, where a part is held; "" for the whole slice; group, where all that is done to
            some groups and to who is in them is to be approved.
        value: Which one; a unit with everything below it; of groups, a pattern of their keys.
        approval: Whether it is held until a second person has approved the plan; it cannot be released.
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
    by: str = ""
    value: str = ""
    approval: bool = False

    @property
    def slice(self) -> Slice:
        """The slice it belongs to."""
        return self.target, self.kind, self.action


GROUP = "group"
"""What a hold on some groups is `by`."""


class Verdict(NamedTuple):
    """What the brakes say: what is held, and how far each limit was used, parts only where they needed a look."""

    holds: tuple[Hold, ...]
    uses: tuple[Use, ...]


def judge(cells: Mapping[Cell, int], populations: Populations, limit_of: LimitOf, releases: Releases) -> Verdict:
    """What changes too much, but for what was released.

    Args:
        cells: Changes, as `cell_of` counts them.
        populations: Known objects.
        limit_of: The limits.
        releases: What was let go. A whole that was let go takes all its parts with it.
    """
    by_slice: defaultdict[Slice, dict[Cell, int]] = defaultdict(dict)
    for cell, number in cells.items():
        if number:
            by_slice[cell.slice][cell] = number
    holds: list[Hold] = []
    uses: list[Use] = []
    for slice_, counted in sorted(by_slice.items()):
        limit = limit_of(*slice_)
        if limit is not None:
            found = _Judging(slice_, counted, populations, limit, releases).verdict()
            holds += found.holds
            uses += found.uses
    return Verdict(tuple(holds), tuple(uses))


class _Judging:
    """The judgement of one slice."""

    def __init__(
        self, slice_: Slice, counted: Mapping[Cell, int], populations: Populations, limit: Limit, releases: Releases
    ) -> None:
        self._slice = slice_
        self._name = ".".join(slice_)
        self._counted = counted
        self._rest = dict(counted)
        self._populations = populations
        self._limit = limit
        self._releases = releases
        self._population = populations.whole(*slice_[:2])

    def verdict(self) -> Verdict:
        parts = [use for by in PARTS for use in self._judged_parts(by)]
        beyond = [use for use in parts if use.state != "free"]
        held = [use for use in beyond if use.state == "held"]
        population = self._population
        allowed = allowed_changes(self._limit, population)
        count = sum(self._counted.values())
        whole = Use(self._name, count, allowed, population, "free")
        too_many = count > allowed and (count >= population or self._passes_outside(beyond))
        if not (too_many or held):
            self._releases.used.update(use.name for use in beyond)
            return Verdict((), (whole, *parts))
        if self._releases.lets(self._name, count):
            return Verdict((), (msgspec.structs.replace(whole, state="released"), *_none_held(parts)))
        if too_many or len(held) > MOST_PARTS:
            reason = "" if too_many else f"{len(held)} parts of it pass their own limits"
            whole = msgspec.structs.replace(whole, state="held")
            return Verdict((self._hold(whole, reason),), (whole, *_none_held(parts)))
        self._releases.used.update(use.name for use in beyond if use.state == "released")
        return Verdict(tuple(map(self._hold, held)), (whole, *parts))

    def _passes_outside(self, beyond: Iterable[Use]) -> bool:
        """Whether the rest is too much for what is outside of parts that pass their own limits, or for the whole.

        Of a source that was cut in half, one part may be just below its limit, and another just above.
        """
        outside = max(self._population - sum(use.population for use in beyond), 0)
        allowed = min(allowed_changes(self._limit, self._population), allowed_changes(self._limit, outside))
        return sum(self._rest.values()) > allowed

    def _hold(self, use: Use, reason: str = "") -> Hold:
        by, _, value = use.name.removeprefix(self._name)[1:-1].partition(" ")
        return Hold(use.name, *self._slice, use.count, use.population, use.limit, reason=reason, by=by, value=value)

    def _judged_parts(self, by: Part) -> tuple[Use, ...]:
        """Parts with more changes than their floor, the narrowest first; what passes is taken out of the rest.

        What is left of a unit is judged without those below it that were taken out: neither do they make it pass its
        limit, nor do they hide that the others do. Where those do, it is held with all that is below it.
        """
        limit = self._limit.by.limit(by)
        uses: dict[str, Use] = {}
        above: dict[str, tuple[str, ...]] = {}
        members = {} if limit is None else _members(self._rest, by, above=always_allowed(limit))
        for value, cells in members.items():
            mine = [cell for cell in cells if cell in self._rest]
            rest = sum(self._rest[cell] for cell in mine)
            if limit is None or rest <= always_allowed(limit):
                continue
            population = self._populations.part(*self._slice[:2], by, value)
            if population < limit.min_population or not is_part(population, self._population):
                continue
            taken = [uses[below] for below, units in above.items() if value in units]
            count = rest + sum(use.count for use in taken)
            use = Use(f"{self._name}[{by} {value}]", count, allowed_changes(limit, population), population)
            if rest > allowed_changes(limit, population - sum(use.population for use in taken)):
                state: State = "released" if self._releases.allows(use.name, count) else "held"
                use = msgspec.structs.replace(use, state=state)
                for below in [below for below, units in above.items() if value in units]:
                    del uses[below], above[below]
                above[value] = _above(mine[0].values(by), value)
                for cell in mine:
                    del self._rest[cell]
            uses[value] = use
        return tuple(uses.values())


def _above(values: tuple[str, ...], value: str) -> tuple[str, ...]:
    """What stands above one of the parts that something belongs to, from the top down."""
    return values[: values.index(value)]


def _members(cells: Mapping[Cell, int], by: Part, above: int) -> dict[str, list[Cell]]:
    """The cells of each part with more changes than some, the narrowest units first, then by name."""
    depths: dict[str, int] = {}
    counts: Counter[str] = Counter()
    members: defaultdict[str, list[Cell]] = defaultdict(list)
    for cell, number in cells.items():
        for depth, value in enumerate(cell.values(by)):
            depths[value] = depth
            counts[value] += number
            members[value].append(cell)
    values = (value for value in depths if counts[value] > above)
    return {value: members[value] for value in sorted(values, key=lambda value: (-depths[value], value))}


def _none_held(parts: Iterable[Use]) -> Iterator[Use]:
    """The uses of parts whose whole is decided about at once."""
    return (msgspec.structs.replace(use, state="free") for use in parts)


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
        self._parts: defaultdict[Slice, set[tuple[str, str]]] = defaultdict(set)
        self._groups = [(one.target, re.compile(translate(one.value.casefold()))) for one in holds if one.by == GROUP]
        for hold in holds:
            if hold.sku is None and hold.by != GROUP:
                self._parts[hold.slice].add((hold.by, hold.value))
        self._seats = {(hold.target, hold.sku): hold.limit for hold in holds if hold.sku is not None}
        self._unmade = {
            (change.target, change.group)
            for change in groups
            if change.kind is Kind.GROUP and change.action in _MAKING and self.holds(change)
        }

    def held_targets(self, changes: Iterable[Change], place: Place = NOWHERE) -> frozenset[str]:
        """Targets in which one of the account changes of a person, who is there, is held."""
        if not self._parts:
            return frozenset()  # accounts belong to no group
        return frozenset(
            change.target for change in changes if change.kind is Kind.ACCOUNT and self.holds(change, place)
        )

    def holds(self, change: Change, place: Place = NOWHERE) -> bool:
        """Whether a change is held for its own sake; `place` is where its person is."""
        held = self._parts.get((change.target, change.kind, change.action))
        if self._groups and self._is_protected(change):
            return True
        if held is None:
            return False
        return ("", "") in held or any((by, value) in held for by, value in parts_of(change, place))

    def _is_protected(self, change: Change) -> bool:
        keys = [key.casefold() for key in (change.group, change.member) if key]
        return any(change.target == target and any(map(matches.match, keys)) for target, matches in self._groups)

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


_MAKING = frozenset({Action.CREATE, Action.ADOPT})


def parts_of(change: Change, place: Place) -> Iterator[tuple[Part, str]]:
    """(by, value) of every part that a change belongs to."""
    cell = cell_of(change, place)
    return ((by, value) for by in PARTS for value in cell.values(by))
