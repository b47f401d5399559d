"""A source is taken out of the configuration: its people stay as they are until somebody says that it is gone."""

from __future__ import annotations

from typing import Any

import pytest

from eadm_sync.app.checking import check
from eadm_sync.app.sources import LeftSource, forget_source, left_sources
from eadm_sync.app.status import status
from eadm_sync.errors import NotFound
from eadm_sync.state import tables

from .conftest import Town

OLD_ONLY = ("001001", "001002", "001003", "001004")
"""Whom the new HR system does not have."""


@pytest.fixture
def left(settled_small: Town) -> Town:
    """A town with another HR system, which lacks some; nobody has told of the old one what became of it."""

    def replaced(settings: dict[str, Any]) -> None:
        sources = settings["sources"]
        settings["sources"] = {"personnel": sources.pop("hr"), **sources}
        settings["brakes"]["targets"] = {"account": {"disable": {"max": 1}}}

    for name in ("hr/persons.csv", "hr/positions.csv"):
        settled_small.edit(name, lambda row: None if row["Ansattnr"] in OLD_ONLY else row)
    settled_small.configure(replaced)
    return settled_small


def enabled(town: Town) -> set[str]:
    """Who can sign in to the directory."""
    return {person for person, account in town.content("ad")["accounts"].items() if account[2]}


def test_a_source_that_is_taken_out_ends_nothing_but_is_told_of(left: Town):
    """Its people keep what they have, and `check` names it, how many records it has, and what would end them."""
    before = enabled(left)
    assert {f"hr:{number}" for number in OLD_ONLY} <= before

    left.sync()
    report = check(left.folder / "config.yaml", left.clock, offline=True)

    assert enabled(left) == before
    (found,) = left_sources(left.context)
    (fault,) = [part.fault for part in report.parts if (part.kind, part.name) == ("source", "hr")]
    assert (found.people > found.alone, found.alone) == (True, len(OLD_ONLY))
    assert fault == (
        f"not configured any more, and {found.people} records of it still believed: configure it again under this "
        "name, or, where the system is gone for good, end them with 'eadm-sync sources forget hr'"
    )


def test_a_source_whose_name_was_misspelt_is_not_to_be_forgotten(settled_small: Town):
    """`check` tells first which one it may be."""

    def misspell(settings: Any) -> None:
        settings["sources"] = {"hrr" if name == "hr" else name: one for name, one in settings["sources"].items()}

    settled_small.configure(misspell)

    (found,) = left_sources(settled_small.context)
    report = check(settled_small.folder / "config.yaml", settled_small.clock, offline=True)

    assert found.near == ("hrr",)
    (fault,) = [part.fault for part in report.parts if (part.kind, part.name) == ("source", "hr")]
    assert fault is not None
    assert "still believed: if it is what 'hrr' reads now, give that its former name again, or" in fault


def test_what_follows_from_a_forgotten_source_is_planned_and_braked(left: Town):
    """Too many at once are held by the limits of targets, and let go are disabled; who is in the new source stays."""
    before = enabled(left)
    left.sync()

    forgotten = forget_source(left.context, "hr", "replaced")
    left.sync()
    held = enabled(left)
    assert left.made
    holds = frozenset(hold.name for hold in left.made.holds)
    left.sync(released=holds)

    assert forgotten.people > 0
    assert holds
    assert held == before
    assert before - enabled(left) == {f"hr:{number}" for number in OLD_ONLY}
    assert left_sources(left.context) == ()
    assert [(row.object, row.actor) for row in left.rows(tables.audit) if row.action == "forget"] == [
        ("source:hr", left.context.actor)
    ]


def test_a_source_that_comes_back_brings_its_people(settled_small: Town):
    """Forgotten by mistake and configured again: everybody is there as before."""
    before = enabled(settled_small)
    kept: dict[str, Any] = {}
    settled_small.configure(lambda settings: kept.update(settings["sources"].pop("hr")))
    forget_source(settled_small.context, "hr", "a mistake")
    settled_small.configure(lambda settings: settings.update(sources={"hr": kept, **settings["sources"]}))

    settled_small.sync()

    assert enabled(settled_small) == before


@pytest.mark.parametrize("name", ["hr", "rh"])
def test_only_a_source_without_configuration_can_be_forgotten(settled_small: Town, name: str):
    """One that is read, or that never was, is refused, and nothing is changed."""
    with pytest.raises(NotFound, match=f"no source without configuration '{name}'"):
        forget_source(settled_small.context, name, "a slip")

    assert left_sources(settled_small.context) == ()


def test_a_source_is_named_with_those_that_are_near(left: Town):
    """Names that could have been meant."""
    with pytest.raises(NotFound) as caught:
        forget_source(left.context, "hrr", "a slip")

    assert caught.value.near == ("hr",)
    assert left_sources(left.context) != (LeftSource("hr", 0),)


def test_status_names_the_sources_that_are_read_no_more(left: Town):
    """With how many records are believed; those that are configured are not among them."""
    (found,) = left_sources(left.context)
    assert status(left.context).left_sources == {"hr": found.people}

    forget_source(left.context, "hr", "replaced")

    assert status(left.context).left_sources == {}
