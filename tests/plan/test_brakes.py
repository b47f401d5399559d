"""Limits on how much one run may change."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import Action, Kind
from eadm_sync.config.limits import allowed_changes
from eadm_sync.plan.brakes import MOST_PARTS, PARTS, Cell, Hold, Part, Sieve, judge
from eadm_sync.plan.change import Change, Place
from eadm_sync.state.releases import Releases

AD = ("ad", Kind.ACCOUNT, Action.DISABLE)
DELETE = ("ad", Kind.ACCOUNT, Action.DELETE)


@dataclass(frozen=True)
class PartLimit:
    max: int | None = None
    max_fraction: float | None = None
    floor: int = 0
    min_population: int = 0


@dataclass(frozen=True)
class Parts:
    unit: PartLimit | None = None
    affiliation: PartLimit | None = None
    rule: PartLimit | None = None

    def limit(self, by: str) -> PartLimit | None:
        return getattr(self, by)


@dataclass(frozen=True)
class Limit(PartLimit):
    by: Parts = Parts()


@dataclass(frozen=True)
class Populations:
    """So many of everything, but for parts that are named."""

    all: int = 0
    parts: Mapping[str, int] = field(default_factory=dict)

    def whole(self, target: str, kind: Kind) -> int:
        return self.all if self._is_ours(target, kind) else 0

    def part(self, target: str, kind: Kind, by: Part, value: str) -> int:
        return self.parts.get(value, 0) if self._is_ours(target, kind) and by in PARTS else 0

    @staticmethod
    def _is_ours(target: str, kind: Kind) -> bool:
        return (target, kind) == ("ad", Kind.ACCOUNT)


def judged(counts: Mapping[Cell, int], limit: Limit, populations: Populations, *released: str, **granted: int):
    """The verdict on counted changes, all under one limit."""
    names = {f"ad.account.{action}": number for action, number in granted.items()}
    return judge(counts, populations, lambda *_: limit, Releases(released, names))


def at(*units: str, kind: str = "pupil", rule: str = "accounts") -> Cell:
    """What is disabled in a unit, given with those above it."""
    return Cell(*AD, Place(units, kind), rule)


def change(*, rule: str = "accounts", action: Action = Action.DISABLE) -> Change:
    """A change to somebody's account."""
    return Change("ad", Kind.ACCOUNT, action, person="hr:1", rule=rule)


HALF = PartLimit(max_fraction=0.5, floor=3, min_population=20)
TOWN = Limit(max_fraction=0.05, floor=10, by=Parts(unit=HALF, affiliation=HALF, rule=HALF))
SCHOOLS = {"1": 1000, "32": 100, "33": 100, "34": 8, "321": 30, "pupil": 400, "accounts": 1000}


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
    counts = {Cell(*DELETE): 11, Cell("ad", Kind.ACCOUNT, Action.CREATE): 500}
    limits = {Action.DELETE: Limit(max=10)}

    verdict = judge(counts, Populations(1000), lambda _t, _k, action: limits.get(action), Releases())

    assert [(hold.name, hold.count, hold.limit, hold.population) for hold in verdict.holds] == [
        ("ad.account.delete", 11, 10, 1000)
    ]


def test_a_released_hold_lets_its_slice_through():
    """What was released by name is not held."""
    verdict = judged({Cell(*DELETE): 11}, Limit(max=0), Populations(), "ad.account.delete")

    assert (verdict.holds, [use.state for use in verdict.uses]) == ((), ["released"])


@pytest.mark.parametrize(("granted", "held"), [(30, False), (29, True), (300, False)])
def test_a_release_lets_no_more_through_than_was_shown(granted: int, held: bool):
    """A release of so many is none of more."""
    verdict = judged({Cell(*DELETE): 30}, Limit(max=0), Populations(), delete=granted)

    assert bool(verdict.holds) is held


@pytest.mark.parametrize(
    ("counts", "held"),
    [
        # an emptied school holds its own leavers only, though the town's limit of 50 would be passed with them
        ({at("1", "32"): 60, at("1", "33"): 20}, ["ad.account.disable[unit 32]"]),
        # two of them are two holds
        ({at("1", "32"): 60, at("1", "33"): 60}, ["ad.account.disable[unit 32]", "ad.account.disable[unit 33]"]),
        # a department is part of its school, also where it would be held by itself
        ({at("1", "32", "321"): 30, at("1", "32"): 60}, ["ad.account.disable[unit 32]"]),
        # an emptied department does not hold the rest of its school
        ({at("1", "32", "321"): 30, at("1", "32"): 5}, ["ad.account.disable[unit 321]"]),
        ({at("1", "32", "323"): 30, at("1", "32", "322"): 30}, ["ad.account.disable[unit 32]"]),
        # too small to be judged by itself
        ({at("1", "34"): 8}, []),
        # what is left passes the limit of the whole: all of it is held, under one name
        ({at("1", "32"): 60, at("1", "33"): 40, at("1", "34"): 20}, ["ad.account.disable"]),
        # a kind of affiliation
        ({at(f"u{n}"): 3 for n in range(70)}, ["ad.account.disable[affiliation pupil]"]),
        # nothing much
        ({at("1", "32"): 20, at("1", "33"): 20}, []),
        # half of a source: one school is just above its limit, another just below, and so much is no local matter
        ({at("1", "32"): 60, at("1", "33"): 46}, ["ad.account.disable"]),
        ({at("1", "32"): 60, at("1", "33"): 45}, ["ad.account.disable[unit 32]"]),
    ],
)
def test_a_part_beyond_its_limit_is_held_by_itself(counts: Mapping[Cell, int], held: list[str]):
    """What is narrow is held by itself, and not counted in what is wider."""
    verdict = judged(counts, TOWN, Populations(1000, SCHOOLS))

    assert [hold.name for hold in verdict.holds] == held


def test_many_parts_at_once_are_one_decision():
    """Where more than a few schools are emptied, somebody decides about all of it."""
    schools = {f"s{number}": 40 for number in range(MOST_PARTS + 1)}

    verdict = judged({at(school): 40 for school in schools}, TOWN, Populations(100_000, schools))

    assert [(hold.name, hold.count) for hold in verdict.holds] == [("ad.account.disable", 40 * len(schools))]
    assert "parts" in verdict.holds[0].reason


def test_a_released_part_is_not_counted_in_the_whole():
    """What was decided about does not hold the leavers elsewhere."""
    counts = {at("1", "32"): 60, at("1", "33"): 20}

    verdict = judged(counts, TOWN, Populations(1000, SCHOOLS), "ad.account.disable[unit 32]")

    assert verdict.holds == ()
    assert {use.name: use.state for use in verdict.uses}["ad.account.disable[unit 32]"] == "released"


def test_a_release_that_changes_nothing_is_not_used_up():
    """A part that was let go stays held where its whole is; the release is there for another time."""
    releases = Releases(granted={"ad.account.disable[unit 32]": 100})
    counts = {at("1", "32"): 60, at("1", "33"): 40, at("1", "34"): 20}

    verdict = judge(counts, Populations(1000, SCHOOLS), lambda *_: TOWN, releases)

    assert [hold.name for hold in verdict.holds] == ["ad.account.disable"]
    assert releases.used == set()


def test_every_limit_tells_how_far_it_was_used():
    """Also those that were not reached."""
    verdict = judged({at("1", "32"): 12}, TOWN, Populations(1000, SCHOOLS))

    assert [(use.name, use.count, use.limit, use.state) for use in verdict.uses] == [
        ("ad.account.disable", 12, 50, "free"),
        ("ad.account.disable[unit 32]", 12, 50, "free"),
        ("ad.account.disable[affiliation pupil]", 12, 200, "free"),
    ]


@pytest.mark.parametrize(
    ("by", "value", "held"),
    [
        ("unit", "32", True),
        ("unit", "321", True),
        ("unit", "33", False),
        ("affiliation", "pupil", True),
        ("affiliation", "employee", False),
        ("rule", "accounts", True),
        ("rule", "others", False),
        ("", "", True),
    ],
)
def test_a_sieve_holds_what_is_in_the_part(by: str, value: str, held: bool):
    """A unit with everything below it; others are let through."""
    sieve = Sieve((Hold("n", *AD, 9, 9, 0, by=by, value=value),))
    place = Place(("1", "32", "321"), "pupil")

    assert sieve.holds(change(), place) is held
    assert not sieve.holds(change(action=Action.DELETE), place)


def test_a_held_account_holds_all_of_that_person_in_that_target():
    """A leaver whose disabling is held keeps memberships there, and only there."""
    sieve = Sieve(judged({Cell(*AD): 9}, Limit(max=0), Populations()).holds)

    held = sieve.held_targets(
        [
            change(),
            Change("ad", Kind.MEMBERSHIP, Action.DELETE, person="hr:1"),
            Change("google", Kind.ACCOUNT, Action.UPDATE, person="hr:1"),
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
    assert not sieve.holds(Change("ad", Kind.LICENCE, Action.CREATE, sku="E3"))
