"""Weeks of joiners, movers, leavers, renames and rehires: looking only at who changed is as good as looking at all."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pytest

from eadm_sync.app.planning import EVALUATED_WITH
from eadm_sync.sample.write import write
from eadm_sync.state import tables

from .conftest import FIRST_DAY, Made, Town, make_town

DAYS, PEOPLE = 8, 60


@dataclass(frozen=True)
class Lived:
    """A town that lived through all days, and what each of its days brought.

    Attributes:
        town: As it is after the last.
        days: The municipality's exports, a folder for each day.
        changes: How many changes each day's run made.
        left: What a plan of everybody found to do after each day's run.
    """

    town: Town
    days: Path
    changes: list[int] = field(default_factory=list)
    left: list[Made] = field(default_factory=list)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """Every day has its run, after which everybody is looked at."""
    folder = tmp_path_factory.mktemp("many-days")
    write(folder / "days", people=PEOPLE, seed=5, days=DAYS)
    daily = Lived(make_town(folder / "daily", PEOPLE), folder / "days")
    for number in range(DAYS + 1):
        _live(daily.town, daily.days, number)
        assert daily.town.made
        daily.changes.append(len(daily.town.made.lines))

        daily.town.alter(tables.meta.delete().where(tables.meta.c.name == EVALUATED_WITH))
        daily.left.append(daily.town.plan())
        daily.town.assert_settled()
        if number % 2:  # on the other days the next run evaluates everybody, on these only who changed
            daily.town.sync()
    return daily


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


def test_every_day_ends_as_if_everybody_had_been_looked_at(lived: Lived):
    """After each day's run nothing is left to do, not even when everybody is evaluated anew."""
    assert len(lived.left) == DAYS + 1
    assert min(everybody.evaluated for everybody in lived.left) >= PEOPLE
    assert [everybody.lines + everybody.held_lines for everybody in lived.left] == [[]] * (DAYS + 1)
    assert sum(lived.changes[1:]) > DAYS


def test_the_same_weeks_seen_at_their_end_only_give_the_same_accounts(lived: Lived, tmp_path: Path):
    """Who was there in the end has the same accounts, whether we ran every day or were away for weeks."""
    daily, once = lived.town, make_town(tmp_path / "once", PEOPLE)
    for number in (0, DAYS):
        _live(once, lived.days, number)

    for target in ("ad", "entra", "google"):
        one, other = daily.content(target), once.content(target)
        for kind in ("memberships", "licences"):
            assert one[kind] == other[kind], (target, kind)
        enabled = [
            {person: account for person, account in content["accounts"].items() if account[2]}
            for content in (one, other)
        ]
        assert enabled[0].keys() == enabled[1].keys()
