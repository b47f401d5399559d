"""Weeks of joiners, movers, leavers, renames and rehires: looking only at who changed is as good as looking at all."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest

from eadm_sync.app.planning import EVALUATED_WITH
from eadm_sync.sample.write import write
from eadm_sync.state import tables

from .conftest import FIRST_DAY, Town, make_town

DAYS, PEOPLE = 12, 60


@pytest.fixture
def days(tmp_path: Path) -> Path:
    """A municipality's exports, a folder for each day."""
    write(tmp_path / "days", people=PEOPLE, seed=5, days=DAYS)
    return tmp_path / "days"


def _live(town: Town, days: Path, number: int) -> date:
    """One day: its files arrive, and whatever is held is let go."""
    shutil.copytree(days / f"day-{number:03}", town.file(""), dirs_exist_ok=True)
    day = FIRST_DAY + timedelta(days=number)
    made = town.on(day).plan()
    holds = frozenset({*made.import_holds, *(hold.name for hold in made.holds)})
    if made.import_holds:
        holds |= {hold.name for hold in town.plan(released=holds).holds}
    report = town.sync(released=holds)
    assert report.is_complete
    return day


def test_every_day_ends_as_if_everybody_had_been_looked_at(days: Path, tmp_path: Path):
    """After each day's run nothing is left to do, not even when everybody is evaluated anew."""
    town = make_town(tmp_path / "town", PEOPLE)
    changes = 0
    for number in range(DAYS + 1):
        _live(town, days, number)
        assert town.made
        changes += len(town.made.lines) if number else 0

        town.alter(tables.meta.delete().where(tables.meta.c.name == EVALUATED_WITH))
        everybody = town.plan()

        assert everybody.evaluated >= PEOPLE
        assert everybody.lines == everybody.held_lines == [], number
        town.assert_settled()
        if number % 2:  # on the other days the next run evaluates everybody, on these only who changed
            town.sync()
    assert changes > DAYS


def test_the_same_weeks_seen_at_their_end_only_give_the_same_accounts(days: Path, tmp_path: Path):
    """Who was there in the end has the same accounts, whether we ran every day or were away for weeks."""
    daily, once = make_town(tmp_path / "daily", PEOPLE), make_town(tmp_path / "once", PEOPLE)
    for number in range(DAYS + 1):
        _live(daily, days, number)
    for number in (0, DAYS):
        _live(once, days, number)

    for target in ("ad", "entra", "google"):
        one, other = daily.content(target), once.content(target)
        for kind in ("memberships", "licences"):
            assert one[kind] == other[kind], (target, kind)
        enabled = [
            {person: account for person, account in content["accounts"].items() if account[2]}
            for content in (one, other)
        ]
        assert enabled[0].keys() == enabled[1].keys()
