"""Whether what differs from the former import is believed."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eadm_sync.config.brakes import ImportBrake, SliceLimit
from eadm_sync.importing.brakes import (
    MOST_PARTS,
    Missing,
    Part,
    judge_incomplete,
    judge_missing,
    judge_others,
    judge_units,
    parts_of,
)
from eadm_sync.importing.records import SourcePerson
from eadm_sync.model import Affiliation, Unit
from eadm_sync.state.releases import Releases

BRAKE = ImportBrake()
SCHOOL, OTHER, SMALL, TOWN = (Part("unit", code) for code in ("32", "33", "34", "1"))
UNITS = {"1": Unit("1"), **{code: Unit(code, parent="1") for code in ("32", "33", "34")}}
PUPIL = Part("affiliation", "pupil")
POPULATIONS = {SCHOOL: 100, OTHER: 100, SMALL: 8, TOWN: 1000, PUPIL: 400}


def judge(
    population: int,
    missing: int | Mapping[Part, int],
    released: str = "",
    brake: ImportBrake = BRAKE,
    populations: Mapping[Part, int] = POPULATIONS,
) -> Missing:
    """The judgement of source hr: so many missing, or so many in each part."""
    by_part = {None: missing} if isinstance(missing, int) else missing
    keys = {
        f"{part}-{number}": frozenset() if part is None else frozenset({part, TOWN})
        for part, count in by_part.items()
        for number in range(count)
    }
    return judge_missing(
        "hr",
        brake,
        keys,
        units=UNITS,
        population=population,
        populations=lambda: populations,
        releases=Releases(released.split(",")),
    )


def names(found: Missing) -> list[str]:
    """What is held."""
    return [hold.brake for hold in found.holds]


@pytest.mark.parametrize(
    ("population", "missing", "held"),
    [
        (0, 0, False),  # a first import
        (1, 1, True),  # everybody
        (3, 3, True),  # everybody, though three may always go
        (10, 3, False),
        (10, 4, True),
        (1000, 50, False),  # 5 %
        (1000, 51, True),
        (1000, 1000, True),  # an emptied file of contracts
    ],
)
def test_people(population: int, missing: int, held: bool):
    """Absences are held when they are too many, and always when nobody is left."""
    found = judge(population, missing)

    assert (names(found), len(found.kept)) == ((["hr.vanished"], missing) if held else ([], 0))


@pytest.mark.parametrize(
    ("missing", "held", "kept"),
    [
        # an emptied school holds its own absences only, though the source's limit of 50 would be passed with them
        ({SCHOOL: 100, OTHER: 10}, ["hr.vanished[unit 32]"], 100),
        ({SCHOOL: 51}, ["hr.vanished[unit 32]"], 51),
        ({SCHOOL: 50}, [], 0),
        # so few cannot be told from a school that is closed
        ({SMALL: 8}, [], 0),
        # a kind of affiliation
        ({PUPIL: 201}, ["hr.vanished[affiliation pupil]"], 201),
        # half an export: one school is just above its limit, another just below, and all of it is too much
        ({SCHOOL: 51, OTHER: 46}, ["hr.vanished"], 97),
        ({SCHOOL: 51, OTHER: 45}, ["hr.vanished[unit 32]"], 51),
        # what is left is too much for the source: all of it is held
        ({SCHOOL: 60, OTHER: 48, SMALL: 8}, ["hr.vanished"], 116),
    ],
)
def test_an_emptied_part_is_held_by_itself(missing: Mapping[Part, int], held: list[str], kept: int):
    """What is narrow is held by itself, and not counted in what is wider."""
    found = judge(1000, missing)

    assert (names(found), len(found.kept)) == (held, kept)


def test_many_parts_at_once_are_one_decision():
    """More than a few emptied schools are an emptied file."""
    schools = {Part("unit", f"s{number}"): 40 for number in range(MOST_PARTS + 1)}

    found = judge(100_000, schools, populations=schools)

    assert names(found) == ["hr.vanished"]


@pytest.mark.parametrize(
    ("released", "held"),
    [
        ("hr.vanished[unit 32]", []),
        ("hr.vanished[unit 33]", ["hr.vanished[unit 32]"]),
        ("hr.vanished", []),  # all of the source takes its parts with it
        ("school.vanished", ["hr.vanished[unit 32]"]),
    ],
)
def test_a_part_is_released_by_name(released: str, held: list[str]):
    """Only what is named is let through."""
    assert names(judge(1000, {SCHOOL: 100}, released)) == held


@pytest.mark.parametrize(("granted", "held"), [(100, False), (99, True)])
def test_a_release_lets_no_more_through_than_was_shown(granted: int, held: bool):
    """A release of so many is none of more; what is used is noted."""
    releases = Releases(granted={"hr.vanished": granted})
    keys = dict.fromkeys(map(str, range(100)), frozenset[Part]())

    found = judge_missing("hr", BRAKE, keys, units={}, population=1000, populations=dict, releases=releases)

    assert bool(found.holds) is held
    assert releases.used == (set() if held else {"hr.vanished"})


def test_incomplete_holds_whatever_the_count():
    """A file that could not be read to its end proves nothing about anybody, and the reason says so."""
    hold = judge_incomplete("hr", "p.csv:7: cut off", population=1000, vanished=0, releases=Releases())

    assert hold is not None
    assert (hold.brake, hold.what, "p.csv:7: cut off" in hold.reason) == ("hr.incomplete", "incomplete", True)
    assert judge_incomplete("hr", "", population=9, vanished=0, releases=Releases(["hr.incomplete"])) is None


@given(st.integers(1, 1_000), st.integers(0, 1_000))
def test_nobody_left_is_always_held(population: int, floor: int):
    """Whatever the limits, a source cannot be emptied unseen, and nobody vanishing is never held."""
    brake = ImportBrake(max_vanished_fraction=1, floor=floor)

    assert names(judge(population, population, brake=brake)) == ["hr.vanished"]
    assert names(judge(population, 0, brake=brake)) == []


@pytest.mark.parametrize(
    ("vanished", "incomplete", "released", "held"),
    [
        (0, "cut off", "", False),  # nothing to hold
        (1, None, "", False),
        (1, "cut off", "", True),
        (10, None, "", True),
        (10, "cut off", "hr.units", False),
    ],
)
def test_units(vanished: int, incomplete: str | None, released: str, held: bool):
    """Units are judged like people, under a name of their own."""
    hold, _ = judge_units(
        "hr", BRAKE, population=10, vanished=vanished, incomplete=incomplete, releases=Releases(released.split())
    )

    assert (hold is not None) is held


@pytest.mark.parametrize(
    ("limit", "population", "count", "released", "held"),
    [
        (SliceLimit(), 1000, 1000, "", None),  # no limit
        (SliceLimit(max_fraction=0.1, floor=5), 1000, 100, "", None),
        (SliceLimit(max_fraction=0.1, floor=5), 1000, 101, "", "hr.new"),
        (SliceLimit(max_fraction=0.1, floor=5), 1000, 101, "hr.new", None),
        (SliceLimit(max=20), 1000, 21, "", "hr.new"),
        (SliceLimit(max=20), 0, 5000, "", None),  # a first import
    ],
)
def test_others(limit: SliceLimit, population: int, count: int, released: str, held: str | None):
    """New people are limited where that is asked for, and never at the first import."""
    hold, _ = judge_others("hr", "new", limit, population=population, count=count, releases=Releases(released.split()))

    assert (hold and hold.brake) == held


def test_parts_of_a_record():
    """Its units with those above them, and its kinds; a tree that bites its tail ends somewhere."""
    units = {"32": Unit("32", parent="1"), "1": Unit("1"), "a": Unit("a", parent="b"), "b": Unit("b", parent="a")}
    person = SourcePerson(
        "hr",
        "7",
        affiliations=(
            Affiliation("hr:1", "hr", "pupil", "32"),
            Affiliation("hr:2", "hr", "employee", "a"),
            Affiliation("hr:3", "hr", "guest"),
        ),
    )

    assert {(part.by, part.value) for part in parts_of(person, units)} == {
        ("unit", "32"),
        ("unit", "1"),
        ("unit", "a"),
        ("unit", "b"),
        ("affiliation", "pupil"),
        ("affiliation", "employee"),
        ("affiliation", "guest"),
    }
