"""An emptied school in an otherwise whole file, and other differences that are too many, from rows to people."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from eadm_sync.config.brakes import ImportBrake, SliceLimit
from eadm_sync.importing import SourceReport

SIZE = 30
UNITS = [("1", "Kommune"), ("11", "Skole A", "1"), ("12", "Skole B", "1"), ("111", "Avdeling", "11")]
PLACES = ("11", "111", "12", "12", "12")
PEOPLE = [(str(number), f"Given{number}", "Berg", "02.01.1980") for number in range(5 * SIZE)]


def contracts(people: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """A contract each: a fifth at school A, a fifth at its department, the others at school B."""
    return [(row[0], "1", PLACES[int(row[0]) % 5]) for row in people]


def at_a(row: tuple[str, ...]) -> bool:
    """Whether somebody is at school A or below it."""
    return int(row[0]) % 5 < 2


@pytest.fixture
def town(installation: Any, hr: Any) -> Any:
    """An installation that has imported everybody."""
    installation.sync(hr=hr(PEOPLE, contracts(PEOPLE), UNITS))
    installation.today += timedelta(days=1)
    return installation


def report(imported: Any) -> SourceReport:
    """The report of the only source."""
    (only,) = imported.reports
    return only


def held(imported: Any) -> list[str]:
    """Names of what is held."""
    return [hold.brake for hold in report(imported).holds]


def test_an_emptied_school_holds_its_own_absences_only(town: Any, hr: Any):
    """Leavers, movers and joiners elsewhere go on; the school's people stay exactly as they were."""
    before = town.people()
    rest = [row for row in PEOPLE if not at_a(row)]
    leaver, renamed, *others = rest
    people = [(renamed[0], "Other", *renamed[2:]), *others, ("1002", "New", "One", "03.03.1990")]

    imported = town.sync(hr=hr(people, contracts(people), UNITS))

    after = town.people()
    assert held(imported) == ["hr.vanished[unit 11]"]
    assert set(imported.changed) == {f"hr:{leaver[0]}", f"hr:{renamed[0]}", "hr:1002"}
    assert after[f"hr:{leaver[0]}"].affiliations[0].end == date(2026, 8, 17)
    assert all(after[f"hr:{row[0]}"] == before[f"hr:{row[0]}"] for row in PEOPLE if at_a(row))


def test_an_emptied_file_of_contracts_of_one_school_takes_nothing(town: Any, hr: Any):
    """People of the school are there without contracts; one with a second contract elsewhere keeps both."""
    both = [*contracts(PEOPLE), ("0", "2", "12")]
    town.sync(hr=hr(PEOPLE, both, UNITS))
    before = town.people()

    imported = town.sync(hr=hr(PEOPLE, [row for row in both if row[2] == "12"], UNITS))

    assert (held(imported), list(imported.changed)) == (["hr.vanished[unit 11]"], [])
    assert town.people() == before


def test_a_school_that_is_let_go_is_let_go_alone(town: Any, hr: Any):
    """Released by the name of its hold, its people leave."""
    rest = [row for row in PEOPLE if not at_a(row)]

    imported = town.sync("hr.vanished[unit 11]", hr=hr(rest, contracts(rest), UNITS))

    assert (held(imported), len(imported.changed)) == ([], 2 * SIZE)


def test_invented_people_make_no_limit_wider(town: Any, hr: Any):
    """The population is that of before: a thousand new pupils do not let the old ones go."""
    rest = [row for row in PEOPLE if not at_a(row)]
    invented = [(str(number), "New", "One", "") for number in range(1000, 2000)]
    people = [*rest, *invented]

    imported = town.plan(hr=hr(people, contracts(people), UNITS))

    assert held(imported) == ["hr.vanished[unit 11]"]
    assert report(imported).new == len(invented)


@pytest.mark.parametrize(
    ("brake", "people", "name", "changed"),
    [
        # too many new ones: they wait, the others go on
        (
            ImportBrake(new=SliceLimit(max=5)),
            [*PEOPLE[:-1], *((str(number), "New", "One", "") for number in range(1000, 1006))],
            "hr.new",
            [f"hr:{5 * SIZE - 1}"],
        ),
        # too many changed ones: they stay as they were
        (
            ImportBrake(changed=SliceLimit(max_fraction=0.1)),
            [*((row[0], "Other", *row[2:]) for row in PEOPLE[:20]), *PEOPLE[20:-1], ("1000", "New", "One", "")],
            "hr.changed",
            ["hr:1000", f"hr:{5 * SIZE - 1}"],
        ),
        # keys that were shifted against the rows: nobody known is changed at all
        (
            ImportBrake(),
            [
                *((row[0], f"Wholly{row[0]}", "Else", f"0{int(row[0]) % 9 + 1}.05.1970") for row in PEOPLE[:10]),
                (PEOPLE[10][0], "Renamed", *PEOPLE[10][2:]),
                *PEOPLE[11:],
            ],
            "hr.anomalous",
            [],
        ),
    ],
)
def test_what_else_may_be_too_many(
    town: Any, hr: Any, brake: ImportBrake, people: list[Any], name: str, changed: list[str]
):
    """New, changed and anomalous people are held by limits of their own."""
    sources = {"hr": town.settings.sources["hr"].model_copy(update={"brake": brake})}
    town.settings = town.settings.model_copy(update={"sources": sources})

    imported = town.sync(hr=hr(people, contracts(people), UNITS))

    assert (held(imported), sorted(imported.changed)) == ([name], changed)


def test_every_limit_tells_how_far_it_was_used(town: Any, hr: Any):
    """Also those that were not reached."""
    imported = town.plan(hr=hr(PEOPLE[2:], contracts(PEOPLE[2:]), UNITS))

    assert [(use.name, use.count, use.limit, use.population, use.state) for use in report(imported).uses] == [
        ("hr.vanished", 2, 7, 150, "free"),
        ("hr.anomalous", 0, 3, 150, "free"),
        ("hr.units", 0, 3, 4, "free"),
    ]
