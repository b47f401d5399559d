"""The import brake: whether absences are believed. Pure."""

from __future__ import annotations

from eadm_sync.config.settings import ImportBrake
from eadm_sync.importing.records import Hold


def judge_people(
    source: str,
    brake: ImportBrake,
    *,
    population: int,
    vanished: int,
    bare: int,
    incomplete: str | None,
    released: frozenset[str],
) -> Hold | None:
    """Whether the people who vanished from a source are held.

    People who lost all their affiliations count as vanished: that is how an emptied file of contracts looks.

    Args:
        source: Name of the source.
        brake: Its limits.
        population: People it had before.
        vanished: Those of them who are gone, not counting those it has under another key now.
        bare: Those of them who are there, but lost all their affiliations.
        incomplete: Why absences prove nothing, or None.
        released: Brakes to let through.
    """
    gone = vanished + bare
    if incomplete is not None and f"{source}.incomplete" not in released:
        reason = f"the source could not be read completely ({incomplete})"
        return Hold(f"{source}.incomplete", reason, population, gone)
    name = f"{source}.vanished"
    if name in released or not brake.holds(gone, population):
        return None
    what = "vanished from the source" if not bare else "vanished or lost all their affiliations"
    limit = brake.allowed(population)
    return Hold(name, f"{gone} of {population} people {what}; {limit} may", population, gone, limit)


def judge_units(
    source: str,
    brake: ImportBrake,
    *,
    population: int,
    vanished: int,
    incomplete: str | None,
    released: frozenset[str],
) -> Hold | None:
    """Whether the units that vanished from a source are held; arguments as for people."""
    name = f"{source}.units"
    if not vanished or name in released:
        return None
    if incomplete is not None and f"{source}.incomplete" not in released:
        return Hold(name, f"the source could not be read completely ({incomplete})", population, vanished)
    if not brake.holds(vanished, population):
        return None
    limit = brake.allowed(population)
    return Hold(
        name, f"{vanished} of {population} units vanished from the source; {limit} may", population, vanished, limit
    )
