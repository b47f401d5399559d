"""Writes a sample municipality, for one day or for a row of days."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from eadm_sync.sample.build import build
from eadm_sync.sample.days import handful, next_day
from eadm_sync.sample.draft import Event
from eadm_sync.sample.staff import teaches_at
from eadm_sync.sample.town import Town
from eadm_sync.sample.writers import FILES_PER_DAY, write_rows, write_town

START = date(2026, 8, 17)
"""A Monday on which schools begin."""

EXAMPLE_PEOPLE = 250
EXAMPLE_SEED = 1

_EVENT_COLUMNS = "day date event source key field old new"


@dataclass(frozen=True, slots=True)
class Written:
    """What was written; the counts are those of the first day.

    Attributes:
        files: Every file, in the order written.
        people: Human beings, each counted once.
        employees: Records in HR, externals included.
        externals: Those of them that are external.
        pupils: Pupils in the school system.
        teachers: Teachers in the school system; all of them are in HR too.
        units: Nodes of the organisation tree.
        class_groups: Base classes and teaching groups.
        events: What happened on the days after the first.
    """

    files: tuple[Path, ...]
    people: int
    employees: int
    externals: int
    pupils: int
    teachers: int
    units: int
    class_groups: int
    events: int


def write(
    directory: Path,
    *,
    people: int,
    seed: int,
    days: int = 0,
    start: date = START,
    progress: Callable[[int, int], None] | None = None,
) -> Written:
    """Writes an invented municipality; the same arguments give the same bytes on every machine.

    With `days` 0: `hr/` and `school/` in `directory`. Otherwise one full export a day in `day-000`, `day-001`, … up to
    and with `days`, and `events.csv`, which says what happened on each.

    Args:
        directory: Made if it is not there.
        people: Human beings on the first day, at least 1.
        seed: Any whole number.
        days: Days after the first.
        start: The first day.
        progress: Called after each file with the number of files written and of all files.

    Raises:
        FileExistsError: `directory` already has something by one of these names: nothing is overwritten.
        ValueError: `people` is less than 1 or `days` less than 0, or there are more people than national ids.
    """
    if days < 0:
        raise ValueError("a town cannot be written for fewer days than its first")
    _refuse_to_overwrite(directory)
    first = town = build(seed, people, start)
    files = _Files(total=FILES_PER_DAY * (days + 1) + bool(days), progress=progress)
    events: list[tuple[int, Event]] = []
    for day in range(days + 1):
        if day:
            town, happened = next_day(town)
            events += [(day, event) for event in happened]
        write_town(directory / f"day-{day:03d}" if days else directory, town, files.wrote)
    if days:
        _write_events(directory / "events.csv", events, files)
    return _written(first, files, len(events))


def write_example(directory: Path) -> tuple[Path, ...]:
    """Writes the two small towns the project ships: `kommune`, and `kommune-changed` a day later, with five changes.

    Overwrites them.

    Returns:
        Every file written.
    """
    files = _Files(total=2 * FILES_PER_DAY + 1, progress=None)
    town = build(EXAMPLE_SEED, EXAMPLE_PEOPLE, START)
    write_town(directory / "kommune", town, files.wrote)
    changed, events = handful(town)
    write_town(directory / "kommune-changed", changed, files.wrote)
    _write_events(directory / "kommune-changed" / "events.csv", [(1, event) for event in events], files)
    return tuple(files.paths)


class _Files:
    """Keeps count of the files written."""

    def __init__(self, total: int, progress: Callable[[int, int], None] | None) -> None:
        self.paths: list[Path] = []
        self._total = total
        self._progress = progress

    def wrote(self, path: Path) -> None:
        self.paths.append(path)
        if self._progress:
            self._progress(len(self.paths), self._total)


def _refuse_to_overwrite(directory: Path) -> None:
    if not directory.is_dir():
        return
    ours = [entry for entry in directory.iterdir() if entry.name in {"hr", "school", "events.csv"}]
    ours += directory.glob("day-[0-9]*")
    if ours:
        raise FileExistsError(f"{min(ours)} is there already")


def _write_events(path: Path, events: Iterable[tuple[int, Event]], files: _Files) -> None:
    rows = ((day, event.day.isoformat(), *event[1:]) for day, event in events)
    write_rows(path, _EVENT_COLUMNS, rows, ";")
    files.wrote(path)


def _written(town: Town, files: _Files, events: int) -> Written:
    employees = town.employees.values()
    pupil_ids = {pupil.national_id for pupil in town.pupils.values()} - {""}
    return Written(
        files=tuple(files.paths),
        people=len(employees) + len(town.pupils) - sum(one.national_id in pupil_ids for one in employees),
        employees=len(employees),
        externals=sum(one.positions[0].category == "Ekstern" for one in employees),
        pupils=len(town.pupils),
        teachers=sum(any(teaches_at(one, town.day)) for one in employees),
        units=len(town.units),
        class_groups=len(town.classes),
        events=events,
    )
