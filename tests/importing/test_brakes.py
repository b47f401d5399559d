from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eadm_sync.config.settings import ImportBrake
from eadm_sync.importing.brakes import judge_people, judge_units
from eadm_sync.importing.records import Hold

BRAKE = ImportBrake()


def judge(
    population: int, vanished: int, bare: int = 0, incomplete: str | None = None, released: str = ""
) -> Hold | None:
    """The judgement of source hr under the default brake."""
    return judge_people(
        "hr",
        BRAKE,
        population=population,
        vanished=vanished,
        bare=bare,
        incomplete=incomplete,
        released=frozenset(released.split()),
    )


@pytest.mark.parametrize(
    ("population", "vanished", "bare", "held"),
    [
        (0, 0, 0, False),  # a first import
        (1, 1, 0, True),  # everybody
        (3, 3, 0, True),  # everybody, though three may always go
        (10, 3, 0, False),
        (10, 4, 0, True),
        (1000, 50, 0, False),  # 5 %
        (1000, 51, 0, True),
        (1000, 25, 26, True),  # losing all affiliations is vanishing too
        (1000, 0, 1000, True),  # an emptied file of contracts
    ],
)
def test_people(population: int, vanished: int, bare: int, held: bool):
    """Absences are held when they are too many, and always when nobody is left."""
    assert (judge(population, vanished, bare) is not None) is held


def test_incomplete_holds_whatever_the_count():
    """A file that could not be read to its end proves nothing about anybody, and the reason says so."""
    hold = judge(1000, 0, incomplete="p.csv:7: cut off")

    assert hold is not None
    assert (hold.brake, "p.csv:7: cut off" in hold.reason) == ("hr.incomplete", True)


@pytest.mark.parametrize(
    ("incomplete", "released", "brake"),
    [
        (None, "hr.vanished", None),
        (None, "school.vanished", "hr.vanished"),  # another source's brake
        (None, "hr.incomplete", "hr.vanished"),
        ("cut off", "hr.vanished", "hr.incomplete"),
        ("cut off", "hr.incomplete", "hr.vanished"),  # each is released for itself
        ("cut off", "hr.incomplete hr.vanished", None),
    ],
)
def test_released(incomplete: str | None, released: str, brake: str | None):
    """Only the brake that is named is let through."""
    hold = judge(10, 10, incomplete=incomplete, released=released)

    assert (hold.brake if hold else None) == brake


@given(st.integers(1, 10_000), st.integers(0, 10_000))
def test_nobody_left_is_always_held(population: int, vanished: int):
    """Whatever the limits, a source cannot be emptied unseen, and nobody vanishing is never held."""
    brake = ImportBrake(max_vanished_fraction=1, floor=vanished)
    judged = judge_people(
        "hr", brake, population=population, vanished=population, bare=0, incomplete=None, released=frozenset()
    )

    assert judged is not None
    assert judge(population, 0) is None


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
    hold = judge_units(
        "hr", BRAKE, population=10, vanished=vanished, incomplete=incomplete, released=frozenset(released.split())
    )

    assert (hold is not None) is held
