"""Plans are made, accepted and delivered while workers are at it all the time: everything arrives, and arrives once."""

from __future__ import annotations

import contextlib
import random
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from eadm_sync.app.delivering import Crew

from .conftest import FIRST_DAY, Town, make_town

RUNS = 7
MOST_RUNS = 60  # a worker overtakes about one run in four: after so many without, none does any more
UNITS = ("1601", "130102", "1301")


@pytest.fixture(params=["sqlite", "postgresql"])
def town(request: pytest.FixtureRequest, tmp_path: Path) -> Town:
    """A municipality of 40 people before its first run, whose targets take their time."""
    made = make_town(tmp_path / "town", 40)
    for target in ("ad", "entra", "google"):
        made.configure(
            lambda settings, target=target: settings["targets"][target].update(faults={"latency_ms": 25}, batch_size=10)
        )
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql_url")
        made.configure(lambda settings: settings.setdefault("state", {}).update(url=url))
    return made


@contextlib.contextmanager
def at_work(town: Town) -> Iterator[Crew]:
    """Workers that deliver as long as the block runs."""
    context = town.context
    with context.writing() as database:
        crew = Crew(context, database, until_empty=False)
        crew.start()
        try:
            yield crew
        finally:
            crew.stop()
            assert crew.wait(30)


def shake(town: Town, chance: random.Random, number: int) -> None:
    """One day's news: somebody comes, somebody goes or comes back, titles and a unit's name change."""
    town.hire(f"00{9000 + number}", "Åse", f"Ny{number}", unit=chance.choice(UNITS))
    title = chance.choice(("Rådgiver", "Konsulent", "Fagarbeider", "Spesialrådgiver"))
    chosen = chance.randrange(3)
    ended = f"{FIRST_DAY - timedelta(days=1):%d.%m.%Y}" if chance.random() < 0.5 else ""

    def change(row: dict[str, str]) -> dict[str, str]:
        if int(row["Ansattnr"]) % 3 != chosen:
            return row
        return {**row, "Stilling": title, "Til": ended if int(row["Ansattnr"]) % 7 == 0 else row["Til"]}

    town.edit("hr/positions.csv", change)
    unit = chance.choice(UNITS)
    town.edit(
        "hr/units.csv", lambda row: {**row, "Navn": f"{row['Navn'][:20]} {number}"} if row["Enhetsnr"] == unit else row
    )


def assert_nothing_doubled(town: Town) -> None:
    """Nothing was made that was there, and nothing was taken away that was not."""
    there: dict[tuple[str, str], bool] = defaultdict(bool)
    for row in sorted(town.told(), key=lambda row: row.id):
        if row.action in {"create", "delete"}:
            assert there[row.target, row.object] is (row.action == "delete"), (row.target, row.object, row.action)
            there[row.target, row.object] = row.action == "create"


def test_what_is_planned_beside_workers_arrives_once(town: Town):
    """Run after run, with people of the former one still on their way: no run is refused, and nobody is forgotten."""
    chance = random.Random(1)
    left_out = 0
    with at_work(town):
        for number in range(MOST_RUNS):
            report = town.sync(deliver=False)
            assert report.accepted
            left_out += report.left_out
            if number >= RUNS and left_out:
                break
            shake(town, chance, number)
            time.sleep(chance.choice((0, 0.1, 0.4)))
        else:
            pytest.fail("no worker ever changed what was being planned")

    report = town.sync()
    last = town.sync()

    assert report.is_complete
    assert (last.is_complete, last.enqueued) == (True, 0)
    assert town.plan().lines == []
    town.assert_settled()
    assert_nothing_doubled(town)
