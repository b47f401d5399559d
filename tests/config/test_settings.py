"""Settings as values: what brakes hold, and how a setting is laid over another."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from eadm_sync.config.brakes import (
    DEFAULT_LIMITS,
    AccountLimits,
    Brakes,
    ImportBrake,
    Limit,
    PlanBrake,
    SliceLimit,
    SliceLimits,
)
from eadm_sync.config.mapping import MapSettings, PeopleMap
from eadm_sync.config.settings import Organisation, Settings, SourceSettings, StateSettings, TargetSettings


@pytest.mark.parametrize(
    ("brake", "population", "allowed"),
    [
        # the share, of a large source
        (ImportBrake(), 1000, 50),
        # the floor, of a small one
        (ImportBrake(), 20, 3),
        # but never everybody
        (ImportBrake(), 3, 2),
        (ImportBrake(), 1, 0),
        (ImportBrake(floor=100), 10, 9),
        (ImportBrake(max_vanished_fraction=1), 1000, 999),
        # nobody can vanish from an empty source
        (ImportBrake(), 0, 0),
        # a count bounds both
        (ImportBrake(max_vanished=10), 1000, 10),
        (ImportBrake(max_vanished=1), 20, 1),
        # a share that floating point makes a hair too small
        (ImportBrake(max_vanished_fraction=0.29, floor=0), 100, 29),
    ],
)
def test_an_import_brake_lets_a_share_vanish_and_never_everybody(
    brake: ImportBrake, population: int, allowed: int
) -> None:
    """One more than what is allowed is held."""
    assert brake.allowed(population) == allowed
    assert not brake.holds(allowed, population)
    assert brake.holds(allowed + 1, population)


BRAKES = st.builds(
    ImportBrake,
    max_vanished=st.none() | st.integers(0, 1000),
    max_vanished_fraction=st.floats(0, 1),
    floor=st.integers(0, 1000),
)


@given(BRAKES, st.integers(1, 10**6))
def test_an_emptied_source_is_always_held(brake: ImportBrake, population: int) -> None:
    """No setting lets a whole town vanish."""
    assert brake.holds(population, population)


@given(BRAKES, st.integers(1, 10**6))
def test_nobody_vanishing_is_never_held(brake: ImportBrake, population: int) -> None:
    """No setting stops a source from which nobody is missing."""
    assert not brake.holds(0, population)


def settings(
    source: ImportBrake | None = None, target: PlanBrake | None = None, brakes: Brakes | None = None
) -> Settings:
    """Settings with one source and one target."""
    return Settings(
        organisation=Organisation(name="Eksempel kommune"),
        sources={"hr": SourceSettings(type="csv", brake=source)},
        targets={"ad": TargetSettings(type="embedded", brake=target)},
        brakes=brakes or Brakes(),
    )


def test_a_sources_brake_keeps_what_it_does_not_say() -> None:
    """A brake given in part is laid over the common one."""
    brakes = Brakes(imports=ImportBrake(max_vanished=50, floor=7))
    assert settings(ImportBrake(floor=1), brakes=brakes).import_brake("hr") == ImportBrake(max_vanished=50, floor=1)
    assert settings(brakes=brakes).import_brake("hr") == brakes.imports


@pytest.mark.parametrize(("kind", "action"), sorted(DEFAULT_LIMITS))
def test_what_takes_away_is_limited_by_default(kind: str, action: str) -> None:
    """Whoever configures no brake has one."""
    limit = settings().limit("ad", kind, action)
    assert limit is not None
    assert limit.max_fraction is not None
    assert limit.max_fraction <= 0.2


@pytest.mark.parametrize(
    ("kind", "action"),
    [("account", "create"), ("account", "update"), ("membership", "create"), ("licence", "update")],
)
def test_what_gives_is_not_limited_by_default(kind: str, action: str) -> None:
    """Joiners never wait for a brake that nobody asked for; nor is there one for an action that does not exist."""
    assert settings().limit("ad", kind, action) is None


def test_a_limit_given_in_part_keeps_its_defaults() -> None:
    """A count that is added to one action keeps its share and floor, and all other actions theirs."""
    own = PlanBrake(account=AccountLimits(delete=Limit(max=7)))
    common = Brakes(targets=PlanBrake(account=AccountLimits(delete=Limit(floor=1), disable=Limit(max=3))))
    both = settings(target=own, brakes=common)
    deleted = both.limit("ad", "account", "delete")
    assert deleted is not None
    assert (deleted.max, deleted.max_fraction, deleted.floor) == (7, 0.02, 1)
    assert deleted.by == DEFAULT_LIMITS["account", "delete"].by
    disabled = both.limit("ad", "account", "disable")
    assert disabled is not None
    assert (disabled.max, disabled.max_fraction, disabled.floor) == (3, 0.05, 10)
    assert disabled.by == DEFAULT_LIMITS["account", "disable"].by
    assert both.limit("ad", "licence", "delete") == DEFAULT_LIMITS["licence", "delete"]


def test_a_limit_can_be_lifted_by_name_only() -> None:
    """`max_fraction: null` lifts the share of the whole, or of a part; each is a decision that stands in the file."""
    none = SliceLimit(max_fraction=None)
    some = PlanBrake(account=AccountLimits(delete=Limit(max_fraction=None, by=SliceLimits(unit=none))))
    every = SliceLimits(unit=none, affiliation=none, rule=none)
    all_ = PlanBrake(account=AccountLimits(delete=Limit(max_fraction=None, by=every)))

    left = settings(target=some).limit("ad", "account", "delete")

    assert left is not None
    assert (left.by.limit("unit"), left.by.limit("rule") is None) == (None, False)
    assert settings(target=all_).limit("ad", "account", "delete") is None


def test_settings_are_frozen() -> None:
    """Nothing changes a setting while the program runs."""
    with pytest.raises(ValidationError, match="frozen"):
        settings().organisation.name = "Annen kommune"  # type: ignore[misc]


def test_a_mapping_in_code_may_use_the_python_name() -> None:
    """`from` is a word of Python's; `from_` means the same."""
    entry = PeopleMap(from_="persons", key="{{ row.Nr }}")
    assert MapSettings(people=(entry,)).people[0].from_ == "persons"


def test_paths_stay_as_they_were_typed() -> None:
    """Problems and tables name a file as the administrator does."""
    assert StateSettings(key_file=Path("var/a.key")).key_file == Path("var/a.key")
