"""The import brake: whether what differs from the former import is believed. Pure.

Populations are those of before, so that nobody who was only invented in a file makes a limit wider.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from eadm_sync.config.brakes import ImportBrake, ImportParts, SliceLimit
from eadm_sync.config.limits import allowed_changes, always_allowed, is_part
from eadm_sync.importing.records import Hold, SourcePerson
from eadm_sync.model import Unit
from eadm_sync.state.releases import Releases, State, Use

MOST_PARTS = 5
"""With more parts than these on hold, all absences of the source are: nobody decides about them one by one."""


class Part(NamedTuple):
    """A part of a source: (unit, its code) with everything below it, or (affiliation, its kind)."""

    by: str
    value: str


class Missing(NamedTuple):
    """What is missing of a source, and what becomes of it.

    Attributes:
        holds: What is held.
        kept: Keys of the people whose absence is not believed.
        parts: Parts whose absences are held.
        uses: How far each limit was used.
    """

    holds: tuple[Hold, ...]
    kept: frozenset[str]
    parts: frozenset[Part]
    uses: tuple[Use, ...]


def parts_of(person: SourcePerson, units: Mapping[str, Unit]) -> frozenset[Part]:
    """Every part that a record belongs to: by its affiliations, which may be several."""
    found: set[Part] = set()
    for each in person.affiliations:
        found.add(Part("affiliation", each.kind))
        found.update(Part("unit", code) for code in _line(each.unit, units))
    return frozenset(found)


def _line(code: str | None, units: Mapping[str, Unit]) -> list[str]:
    """A unit and those above it, nearest first; a circle ends where it began."""
    line: list[str] = []
    while code and code not in line:
        line.append(code)
        unit = units.get(code)
        code = None if unit is None else unit.parent
    return line


def judge_missing(
    source: str,
    brake: ImportBrake,
    missing: Mapping[str, frozenset[Part]],
    *,
    units: Mapping[str, Unit],
    population: int,
    populations: Callable[[], Mapping[Part, int]],
    releases: Releases,
) -> Missing:
    """Whether the people who are missing from a source are.

    Parts that lack too many are held by themselves and not counted in what is wider. Where they are many, or the rest
    is too much for the source as a whole, or nobody is left, all are held under one name. So they are where the source
    as a whole lacks too many and those parts are not all of the reason, since what is outside of them lacks too many as
    well: of an export that was cut in half, one part may be just below its limit, and another just above.

    Args:
        source: Name of the source.
        brake: Its limits.
        missing: The keys of those who vanished or lost all their affiliations, with the parts that they were in.
        units: By code, as they were before.
        population: People the source had before.
        populations: Counts those of each part; called where a part lacks more than a few.
        releases: What was let go. All of a source that was let go takes its parts with it.
    """
    name = f"{source}.vanished"
    parts = _Parts(name, brake.by, missing, units, population, populations, releases)
    parts.judge()
    held = [use for use in parts.uses if use.state == "held"]
    count, limit = len(missing), brake.allowed(population)
    outside = brake.allowed(max(population - parts.population, 0))
    too_many = len(parts.rest) > limit or (count > limit and (count >= population or len(parts.rest) > outside))
    whole = Use(name, count, limit, population)
    if not (too_many or held):
        releases.used.update(use.name for use in parts.uses if use.state == "released")
        return Missing((), frozenset(), frozenset(), (whole, *parts.uses))
    if releases.lets(name, count):
        return Missing((), frozenset(), frozenset(), (replace(whole, state="released"), *parts.free()))
    if too_many or len(held) > MOST_PARTS:
        what = "vanished or lost all their affiliations"
        reason = f"{count} of {population} people {what}; {limit} may"
        if not too_many:
            reason = f"{count} of {population} people {what}, from {len(held)} parts too many for each"
        hold = Hold(name, reason, population, count, limit)
        return Missing((hold,), frozenset(missing), frozenset(), (replace(whole, state="held"), *parts.free()))
    releases.used.update(use.name for use in parts.uses if use.state == "released")
    return Missing(tuple(map(_part_hold, held)), parts.kept, parts.held, (whole, *parts.uses))


class _Parts:
    """The judgement of the parts of a source."""

    def __init__(
        self,
        name: str,
        limits: ImportParts,
        missing: Mapping[str, frozenset[Part]],
        units: Mapping[str, Unit],
        population: int,
        populations: Callable[[], Mapping[Part, int]],
        releases: Releases,
    ) -> None:
        self.rest = set(missing)
        self._name = name
        self._limits = limits
        self._missing = missing
        self._units = units
        self._population = population
        self._populations = populations
        self._releases = releases
        self._uses: dict[Part, Use] = {}
        self._taken: dict[Part, set[str]] = {}

    @property
    def uses(self) -> list[Use]:
        """How far the limit of each part was used that needed a look."""
        return list(self._uses.values())

    @property
    def population(self) -> int:
        """People of the parts that lack too many; who is in several counts in each."""
        return sum(self._uses[part].population for part in self._taken)

    @property
    def held(self) -> frozenset[Part]:
        """Parts whose absences are held."""
        return frozenset(part for part, use in self._uses.items() if use.state == "held")

    @property
    def kept(self) -> frozenset[str]:
        """Keys of those who were in one."""
        return frozenset().union(*(self._taken[part] for part in self.held))

    def judge(self) -> None:
        """Judges every part that lacks more than its floor, the narrowest first."""
        members: dict[Part, set[str]] = {}
        for key, parts in self._missing.items():
            for part in parts:
                members.setdefault(part, set()).add(key)
        depths = {part: len(_line(part.value, self._units)) for part in members if part.by == "unit"}
        for part in sorted(members, key=lambda part: (-depths.get(part, 0), part)):
            limit = self._limits.limit(part.by)
            if limit is not None and len(members[part] & self.rest) > always_allowed(limit):
                self._judge(part, limit, members[part] & self.rest)

    def _judge(self, part: Part, limit: SliceLimit, mine: set[str]) -> None:
        """Judges what is left of a part without the units below it that were taken out; it may take them with it."""
        population = self._populations().get(part, 0)
        if population < limit.min_population or not is_part(population, self._population):
            return
        below = [each for each in self._taken if part.by == each.by == "unit" and part.value in self._above(each)]
        everybody = mine.union(*(self._taken[each] for each in below))
        name = f"{self._name}[{part.by} {part.value}]"
        use = Use(name, len(everybody), allowed_changes(limit, population), population)
        if len(mine) > allowed_changes(limit, population - sum(self._uses[each].population for each in below)):
            state: State = "released" if self._releases.allows(name, use.count) else "held"
            use = replace(use, state=state)
            for each in below:
                del self._taken[each], self._uses[each]
            self._taken[part] = everybody
            self.rest -= mine
        self._uses[part] = use

    def _above(self, part: Part) -> list[str]:
        return _line(part.value, self._units)[1:]

    def free(self) -> Iterable[Use]:
        """The uses of parts whose whole is decided about at once."""
        return (replace(use, state="free") for use in self.uses)


def _part_hold(use: Use) -> Hold:
    where = use.name.partition("[")[2].removesuffix("]")
    reason = f"{use.count} of {use.population} people of {where} vanished or lost all their affiliations"
    return Hold(use.name, f"{reason}; {use.limit} may", use.population, use.count, use.limit)


def judge_incomplete(source: str, reason: str, *, population: int, vanished: int, releases: Releases) -> Hold | None:
    """The hold on all absences of a source that could not be read to its end, unless it was let go."""
    name = f"{source}.incomplete"
    if releases.lets(name, vanished):
        return None
    return Hold(name, f"the source could not be read completely ({reason})", population, vanished)


def judge_units(
    source: str,
    brake: ImportBrake,
    *,
    population: int,
    vanished: int,
    incomplete: str | None,
    releases: Releases,
) -> tuple[Hold | None, Use]:
    """Whether the units that vanished from a source are held, and how far the limit was used.

    Args:
        source: Name of the source.
        brake: Its limits.
        population: Units it had before.
        vanished: Those of them that are gone.
        incomplete: Why absences prove nothing, or None.
        releases: What was let go.
    """
    use = Use(f"{source}.units", vanished, brake.allowed(population), population)
    distrusted = incomplete is not None and not releases.allows(f"{source}.incomplete", vanished)
    if not vanished or not (distrusted or brake.holds(vanished, population)):
        return None, use
    if releases.lets(use.name, vanished):
        return None, replace(use, state="released")
    if distrusted:
        return Hold(use.name, f"the source could not be read completely ({incomplete})", population, vanished), use
    reason = f"{vanished} of {population} units vanished from the source; {use.limit} may"
    return Hold(use.name, reason, population, vanished, use.limit), replace(use, state="held")


def judge_others(
    source: str, what: str, limit: SliceLimit, *, population: int, count: int, releases: Releases
) -> tuple[Hold | None, Use | None]:
    """Whether new, changed or anomalous records are held (`what`), and how far their limit was used, if there is one.

    A source that had fewer people than the limit asks for, as at its first import, is never held.
    """
    if not limit.is_set or population < limit.min_population:
        return None, None
    use = Use(f"{source}.{what}", count, allowed_changes(limit, population), population)
    if count <= use.limit:
        return None, use
    if releases.lets(use.name, count):
        return None, replace(use, state="released")
    reason = f"{count} people are {_WORDS[what]}, where the source had {population} before; {use.limit} may"
    return Hold(use.name, reason, population, count, use.limit), replace(use, state="held")


_WORDS = {
    "new": "new",
    "changed": "changed",
    "anomalous": "other human beings than before, by name and date of birth",
}
"""What may be held beside absences."""
