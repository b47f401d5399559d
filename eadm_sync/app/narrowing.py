"""Narrows what is shown of a plan to one target, person or rule, and counts what is left."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

import msgspec

from eadm_sync.app.context import Context
from eadm_sync.app.naming import find_person, known_name
from eadm_sync.app.planning import Planned, Progress, planned, silent
from eadm_sync.errors import AmbiguousName, NotFound
from eadm_sync.plan.brakes import Slice
from eadm_sync.plan.change import Change, Frame, GroupFrame, PersonFrame
from eadm_sync.plan.plan import Plan, slice_of
from eadm_sync.state.database import Database

Shown = tuple[Frame, tuple[Change, ...]]
"""A frame with the changes that are looked at, and which of them are held."""


@dataclass(frozen=True)
class Selection:
    """What of a plan is looked at; None means all.

    Attributes:
        target: Name of a target.
        person: Id of a person.
        rule: Id of a rule.
    """

    target: str | None = None
    person: str | None = None
    rule: str | None = None

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return self.target is None and self.person is None and self.rule is None

    def frames(self, plan: Plan) -> Iterator[Shown]:
        """Groups, then people, with their changes that are looked at; those with none are left out."""
        for frame, _, held in plan.judged():
            if self.is_everything:
                yield frame, held
                continue
            if self.person is not None and _person_of(frame) != self.person:
                continue
            changes = tuple(filter(self._includes, frame.changes))
            if changes:
                yield msgspec.structs.replace(frame, changes=changes), tuple(filter(self._includes, held))

    def _includes(self, change: Change) -> bool:
        return (self.target is None or change.target == self.target) and (self.rule is None or change.rule == self.rule)


@dataclass
class Tally:
    """How much of a plan is looked at.

    Attributes:
        changes: Changes by (target, kind, action), held ones included.
        held: Those of them that are held.
        groups: Groups with changes.
        people: People with changes.
    """

    changes: dict[Slice, int] = field(default_factory=dict)
    held: dict[Slice, int] = field(default_factory=dict)
    groups: int = 0
    people: int = 0

    @property
    def total(self) -> int:
        """All changes."""
        return sum(self.changes.values())

    @property
    def total_held(self) -> int:
        """All held changes."""
        return sum(self.held.values())


def tally(plan: Plan, selection: Selection) -> Tally:
    """Counts what is looked at."""
    if selection.is_everything and not plan.holds:
        return Tally(dict(plan.counts), {}, plan.groups.count, plan.people.count)
    counted = Tally()
    for frame, held in selection.frames(plan):
        if isinstance(frame, GroupFrame):
            counted.groups += 1
        else:
            counted.people += 1
        for changes, into in ((frame.changes, counted.changes), (held, counted.held)):
            for change in changes:
                slice_ = slice_of(change)
                into[slice_] = into.get(slice_, 0) + 1
    return counted


@contextlib.contextmanager
def narrowed(
    context: Context,
    database: Database,
    *,
    target: str | None = None,
    person: str | None = None,
    rule: str | None = None,
    released: frozenset[str] = frozenset(),
    progress: Progress = silent,
    as_of: date | None = None,
) -> Iterator[tuple[Planned, Selection]]:
    """A plan as `planned` makes it, and what of it is looked at, by names as people write them.

    Raises:
        NotFound: There is no such target, person or rule, neither known nor in the plan.
        AmbiguousName: Several people are called that.
        And as `planned`.
    """
    if target is not None:
        known_name("target", target, context.loaded.settings.targets)
    known = None if person is None else _known_person(database, person)
    with planned(context, database, released=released, progress=progress, as_of=as_of) as made:
        if rule is not None:
            _known_rule(context, made.plan, rule)
        yield made, Selection(target, _newcomer(made, known) if isinstance(known, NotFound) else known, rule)


def _person_of(frame: Frame) -> str | None:
    return frame.person if isinstance(frame, PersonFrame) else None


def _known_rule(context: Context, plan: Plan, rule: str) -> None:
    """A rule that the ruleset has, or that once gave what is taken away now."""
    ids = {one.id for one in context.ruleset.rules}
    if rule not in ids and all(change.rule != rule for frame, _, _ in plan.judged() for change in frame.changes):
        known_name("rule", rule, ids)


def _known_person(database: Database, name: str) -> str | NotFound:
    """The id of a person whom the state knows, or the error that says that it knows nobody of that name."""
    with database.read() as connection:
        try:
            return find_person(connection, name)
        except NotFound as error:
            return error


def _newcomer(made: Planned, unknown: NotFound) -> str:
    """The id of a person whom only the sources know yet."""
    name = unknown.name
    if any(made.imported.people([name])):
        return name
    found = [frame for frame in made.plan.people if _is_called(frame, name)]
    if len(found) > 1:
        raise AmbiguousName("person", name, tuple(f"{frame.person} ({frame.name})" for frame in found))
    if not found:
        raise unknown
    return found[0].person


def _is_called(frame: PersonFrame, name: str) -> bool:
    folded = name.casefold()
    key = frame.person.partition(":")[2]
    return name in {key, frame.name} or any(value.casefold() == folded for _, value in frame.identifiers)
