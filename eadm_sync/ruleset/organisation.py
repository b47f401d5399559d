"""The organisation as rules see it: units with their parents and managers resolved once, class groups with their unit.

Every unit, class group and manager that does not exist is an empty one whose fields are missing, so that
`affiliation.unit.parent.manager.email` can be read without a question.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from eadm_sync.model import ClassGroup, Person, Unit


@dataclass(slots=True, eq=False)
class Manager:
    """The person who manages a unit; every field None where nobody does."""

    id: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    employee_number: str | None = None
    email: str | None = None


NO_MANAGER = Manager()

MAX_DEPTH = 64
"""Most units in one line. Each unit holds its line, so ten thousand below one another would fill the memory."""


@dataclass(slots=True, eq=False)
class UnitNode:
    """A unit in its place in the tree.

    Attributes:
        code: As `model.Unit`; None for the unit that is not there.
        name: As `model.Unit`.
        kind: As `model.Unit`.
        parent: The unit above; at a root, and of the unit that is not there, the unit that is not there.
        manager: Who manages it.
        codes: Codes from the root down to this one.
        path: Names from the root down to this one.
        line: This unit and those above it, nearest first.
        extra: As `model.Unit`.
    """

    code: str | None
    name: str | None
    kind: str | None
    parent: UnitNode = field(repr=False)
    manager: Manager
    codes: tuple[str, ...]
    path: list[str]
    line: tuple[UnitNode, ...] = field(repr=False)
    extra: Mapping[str, str]


def _no_unit() -> UnitNode:
    node = UnitNode.__new__(UnitNode)
    node.code = node.name = node.kind = None
    node.parent, node.manager = node, NO_MANAGER
    node.codes, node.path, node.line, node.extra = (), [], (), {}
    return node


NO_UNIT = _no_unit()


@dataclass(slots=True, eq=False)
class ClassNode:
    """A class group with its school resolved; fields as `model.ClassGroup`."""

    code: str
    name: str | None
    kind: str | None
    grade: str | None
    subject: str | None
    unit: UnitNode


class Organisation:
    """The organisation tree and the class groups, resolved once.

    Args:
        units: Every unit there is.
        class_groups: Every class group there is.
        managers: By id: at least the people that units name as managers.

    Attributes:
        units: By code.
        class_groups: By code.
        problems: What is wrong with the tree: cycles, parents that are not there, lines that are too long. Such a unit,
            and of a cycle every one, stands at a root: nobody could say which of them is above the others.
    """

    def __init__(
        self,
        units: Iterable[Unit] = (),
        class_groups: Iterable[ClassGroup] = (),
        managers: Mapping[str, Person] | None = None,
    ) -> None:
        people = {person_id: _manager(person) for person_id, person in (managers or {}).items()}
        tree = _Tree({unit.code: unit for unit in units}, people)
        self.units: Mapping[str, UnitNode] = {code: tree.node(code) for code in tree.units}
        self.class_groups: Mapping[str, ClassNode] = {
            group.code: _class_node(group, self.units) for group in class_groups
        }
        self.problems = tuple(tree.problems)

    def unit(self, code: str | None) -> UnitNode:
        """The unit with a code; the one that is not there for None and for a code that nobody has."""
        return self.units.get(code or "", NO_UNIT)

    def with_everything_below(self, codes: Collection[str]) -> frozenset[str]:
        """These codes, and those of all units below them."""
        below = (code for code, unit in self.units.items() if any(above in codes for above in unit.codes))
        return frozenset((*codes, *below))


class _Tree:
    """Builds nodes from the roots down; each once."""

    def __init__(self, units: dict[str, Unit], managers: Mapping[str, Manager]) -> None:
        self.units = units
        self.problems: list[str] = []
        self._managers = managers
        self._nodes: dict[str, UnitNode] = {}

    def node(self, code: str) -> UnitNode:
        """The node of a unit; its line upwards is walked without recursion, since a bad tree can be deep."""
        line: dict[str, Unit] = {}
        current: str | None = code
        while current is not None and current not in self._nodes and current not in line:
            unit = self.units[current]
            line[current] = unit
            current = self._parent(unit)
        above = self._nodes.get(current, NO_UNIT) if current is not None else NO_UNIT
        in_cycle = current in line
        if in_cycle:
            self.problems.append(f"unit '{current}' stands below itself")
        for unit in reversed(line.values()):
            above = self._nodes[unit.code] = self._made(unit, NO_UNIT if in_cycle else self._not_too_deep(unit, above))
            in_cycle = in_cycle and unit.code != current
        return self._nodes[code]

    def _not_too_deep(self, unit: Unit, above: UnitNode) -> UnitNode:
        if len(above.line) < MAX_DEPTH:
            return above
        self.problems.append(f"unit '{unit.code}' has {MAX_DEPTH} units above it, which is more than there may be")
        return NO_UNIT

    def _parent(self, unit: Unit) -> str | None:
        if unit.parent is not None and unit.parent not in self.units:
            self.problems.append(f"unit '{unit.code}' has the parent '{unit.parent}', which is not there")
            return None
        return unit.parent

    def _made(self, unit: Unit, above: UnitNode) -> UnitNode:
        manager = self._managers.get(unit.manager or "", NO_MANAGER)
        codes = (*above.codes, unit.code)
        path = [*above.path, unit.name]
        node = UnitNode(unit.code, unit.name or None, unit.kind, above, manager, codes, path, (), unit.extra)
        node.line = (node, *above.line)
        return node


def _manager(person: Person) -> Manager:
    return Manager(
        person.id,
        person.given_name or None,
        person.family_name or None,
        person.employee_number or None,
        person.email or None,
    )


def _class_node(group: ClassGroup, nodes: Mapping[str, UnitNode]) -> ClassNode:
    unit = nodes.get(group.unit or "", NO_UNIT)
    return ClassNode(group.code, group.name or None, group.kind, group.grade, group.subject, unit)
