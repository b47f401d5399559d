"""Units and class groups: what one source says, what stays of what it said before, and all sources together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import msgspec

from eadm_sync.model import ClassGroup, Unit

_Node = TypeVar("_Node", Unit, ClassGroup)


@dataclass
class Organisation:
    """Units and class groups as one source has them.

    Attributes:
        units: By code. `Unit.manager` is a person's id.
        class_groups: By code.
    """

    units: dict[str, Unit] = field(default_factory=dict)
    class_groups: dict[str, ClassGroup] = field(default_factory=dict)


class ManagerKey(NamedTuple):
    """The key of a unit's manager, as the source writes it, and where."""

    key: str
    file: str
    line: int


@dataclass
class OrganisationRows:
    """What the rows of one import said.

    Attributes:
        read: What was read; of a bad row only the code counts.
        bad: Codes whose row is bad: what was known of them stays.
        managers: Unit code → key of its manager.
        roles: Which of `units` and `class_groups` the source's mapping has at all.
    """

    read: Organisation = field(default_factory=Organisation)
    bad: set[str] = field(default_factory=set)
    managers: dict[str, ManagerKey] = field(default_factory=dict)
    roles: frozenset[str] = frozenset()

    def __contains__(self, code: tuple[str, str]) -> bool:
        role, name = code
        return name in self._of(role) or name in self.bad

    def add(self, source: str, role: str, code: str, fields: dict[str, Any], file: str, line: int) -> None:
        """Takes over a good row that stands there."""
        if role == "units":
            if manager := fields.pop("manager", None):
                self.managers[code] = ManagerKey(manager, file, line)
            self.read.units[code] = Unit(code=code, source=source, **fields)
        else:
            self.read.class_groups[code] = ClassGroup(code=code, source=source, **fields)

    def _of(self, role: str) -> Mapping[str, object]:
        return self.read.units if role == "units" else self.read.class_groups


def vanished(read: Mapping[str, object], bad: Iterable[str], former: Iterable[str]) -> list[str]:
    """Codes that were there and are not any more, sorted."""
    return sorted(set(former) - set(read) - set(bad))


def settle(
    read: Mapping[str, _Node], bad: Iterable[str], former: Mapping[str, _Node], kept: Iterable[str]
) -> dict[str, _Node]:
    """What the source holds from now on: what was read, and the former versions of bad rows and of `kept`."""
    stays = {code: former[code] for code in (*bad, *kept) if code in former}
    return stays | dict(read)


def with_managers(units: Mapping[str, Unit], managers: Mapping[str, str]) -> dict[str, Unit]:
    """The units, with the ids of the people who manage them."""
    return {
        code: msgspec.structs.replace(unit, manager=managers[code]) if code in managers else unit
        for code, unit in units.items()
    }


def combined(sources: Sequence[Mapping[str, _Node]]) -> dict[str, _Node]:
    """All sources' units or class groups, field by field from the first source that has something, sorted by code.

    A root has no parent, which is not nothing: where a source tells parents at all, a lower one cannot put the units of
    the upper one below its own.
    """
    found: dict[str, _Node] = {}
    placed: set[str] = set()
    for nodes in sources:
        for code, node in nodes.items():
            known = found.get(code)
            found[code] = node if known is None else _filled(known, node, placed=code in placed)
        if any(getattr(node, "parent", None) for node in nodes.values()):
            placed.update(nodes)
    return dict(sorted(found.items()))


def _filled(first: _Node, second: _Node, *, placed: bool) -> _Node:
    gaps = {name: getattr(second, name) for name in first.__struct_fields__ if not getattr(first, name)}
    if placed:
        gaps.pop("parent", None)
    if isinstance(first, Unit) and isinstance(second, Unit):
        gaps["extra"] = second.extra | first.extra
    return msgspec.structs.replace(first, **gaps)


def changed(now: Mapping[str, _Node], before: Mapping[str, _Node]) -> set[str]:
    """Codes that are new, gone, or differ."""
    return {code for code in now.keys() | before.keys() if now.get(code) != before.get(code)}


def referenced(
    codes: set[str],
    units: Iterable[Unit],
    class_groups: Iterable[ClassGroup],
    affiliations: Callable[[], Iterable[tuple[str | None, Iterable[str]]]],
) -> set[str]:
    """Those of `codes` that something still refers to: a unit below, a class group, an affiliation.

    `affiliations` yields each one's unit and class groups; it is only called when there is something to look for.
    """
    if not codes:
        return set()
    found: set[str | None] = {unit.parent for unit in units if unit.code not in codes and unit.parent in codes}
    found |= {group.unit for group in class_groups if group.code not in codes and group.unit in codes}
    for unit, classes in affiliations():
        found.add(unit)
        found.update(classes)
    return codes & found
