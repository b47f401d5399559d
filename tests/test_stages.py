"""The tables of the lifecycle say what the lifecycle does."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise

import pytest

from docs.generator.lifecycle import diagram
from eadm_sync.lifecycle import Standing, standing
from eadm_sync.model import Affiliation, Orders, Person
from eadm_sync.ruleset.rules import LifecycleSettings
from eadm_sync.stages import STAGES, TRANSITIONS, Cause, Stage

FIRST_DAY = date(2026, 1, 1)
DAYS = 90
PEOPLE = 1_500
UNTIL = FIRST_DAY + timedelta(days=200)

Pair = tuple[Stage, Stage]


def _people() -> Iterator[tuple[Person, LifecycleSettings, Orders]]:
    """Invented people with short affiliations, so that much happens within three months."""
    dice = random.Random(20260101)
    for _ in range(PEOPLE):
        settings = LifecycleSettings(
            create_days_before_start=dice.choice([0, 3, 10]),
            enable_days_before_start=dice.choice([0, 1, 5]),
            grace_days=dice.choice([0, 4, 8]),
        )
        spans = [(start := dice.randint(5, 50), start + dice.randint(-2, 30)) for _ in range(dice.randint(0, 3))]
        affiliations = tuple(
            Affiliation(
                str(number),
                "hr",
                "employee",
                start=FIRST_DAY + timedelta(days=start),
                end=dice.choice([FIRST_DAY + timedelta(days=end)] * 2 + [None]),
                leave=dice.choice([None, None, "sick"]),
            )
            for number, (start, end) in enumerate(spans)
        )
        until = dice.choice([None, None, FIRST_DAY + timedelta(days=dice.randint(0, DAYS))])
        orders = Orders(stopped=dice.random() < 0.2, extended_until=until)
        yield Person("hr:1", affiliations=affiliations), settings, orders


def _days(who: Person, settings: LifecycleSettings, orders: Orders) -> list[Stage]:
    stands = (standing(who, settings, FIRST_DAY + timedelta(days=day), orders, ahead=False) for day in range(DAYS))
    return [stand.stage for stand in stands]


@pytest.fixture(scope="module")
def by_time() -> set[Pair]:
    """Every pair of different stages on two days, one after the other."""
    found: set[Pair] = set()
    for who, settings, orders in _people():
        stages = _days(who, settings, orders)
        found.update(pair for pair in pairwise(stages) if pair[0] is not pair[1])
    return found


@pytest.fixture(scope="module")
def by_order() -> set[Pair]:
    """Every pair of different stages that an order, or taking it back, leads between on one day."""
    found: set[Pair] = set()
    for who, settings, _ in _people():
        free, stopped, extended = (
            _days(who, settings, orders) for orders in (Orders(), Orders(stopped=True), Orders(extended_until=UNTIL))
        )
        both = _days(who, settings, Orders(stopped=True, extended_until=UNTIL))
        for before, after in ((free, stopped), (extended, both), (free, extended)):
            found.update(pair for pair in zip(before, after, strict=True) if pair[0] is not pair[1])
            found.update(pair for pair in zip(after, before, strict=True) if pair[0] is not pair[1])
    return found


def _told(cause: Cause) -> set[Pair]:
    return {(row.before, row.after) for row in TRANSITIONS if row.cause is cause}


def test_time_leads_where_the_table_says_and_nowhere_else(by_time: set[Pair]):
    """Thousands of invented people, day by day, go every way of the table and no other."""
    assert by_time == _told(Cause.TIME)


def test_orders_lead_where_the_table_says_and_nowhere_else(by_order: set[Pair]):
    """Likewise for everybody with and without an order, each day."""
    assert by_order == _told(Cause.ORDER)


def test_every_stage_stands_once_in_its_table():
    """And each can be left and reached."""
    assert sorted(row.stage for row in STAGES) == sorted(Stage)
    assert {row.before for row in TRANSITIONS} == set(Stage) == {row.after for row in TRANSITIONS}


def test_the_diagram_shows_every_stage():
    """Each of its lines is a row of the table."""
    drawn = diagram()

    for stage in Stage:
        assert f" {stage.replace('-', '')} " in drawn or f" {stage.replace('-', '')}:" in drawn


def test_lost_access_overlaps_only_for_those_who_stay():
    """Whoever leaves or is on leave keeps nothing."""
    overlapping = {stage for stage in Stage if Standing(stage, (), enabled=True, next_change=None).overlaps}

    assert overlapping == {Stage.ACTIVE, Stage.GRACE, Stage.EXTENDED, Stage.STOPPED}
