"""Holds the rules written by hand to the engine: person by person, the same accounts, groups and licences.

    python -m benchmarks.agreement FOLDER

The folder's installation must never have been synced. Prints counts as JSON; exits with the first differences.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.by_hand import Given, Rules
from benchmarks.floors import by_hand
from benchmarks.records import Human
from connectors.contract import Kind
from eadm_sync.app.context import open_context
from eadm_sync.app.planning import planned
from eadm_sync.clock import SystemClock
from eadm_sync.plan.change import Change, PersonFrame
from eadm_sync.plan.plan import Plan

Facts = dict[tuple[str, ...], Any]
"""(kind, target, group or product) → what is given of it."""

_SHOWN = 5


def main() -> None:
    """Compares, and tells where the two differ."""
    folder = Path(sys.argv[1])
    rules, humans = by_hand(folder)
    counts: Counter[str] = Counter()
    context = open_context(folder / "config.yaml", SystemClock())
    with context.reading() as database, planned(context, database) as made:
        differences = list(islice(_differing_people(rules, humans, made.plan.people, counts), _SHOWN))
        found: Facts = {("group", *place): shape for place, shape in _groups(made.plan)}
    expected: Facts = {("group", *place): _shaped(*shape) for place, shape in rules.groups.items()}
    counts.update(f"{target}.group" for _, target, _ in expected)
    differences = differences or _differing(expected, found)
    if differences:
        sys.exit("by hand and engine differ:\n" + "\n".join(differences))
    print(json.dumps(dict(sorted(counts.items()))))


def _differing_people(
    rules: Rules, humans: Iterable[Human], frames: Iterable[PersonFrame], counts: Counter[str]
) -> Iterator[str]:
    """Goes through everybody on both sides, in order of their ids; counts what is given by hand."""
    engine = {frame.person: of_frame(frame) for frame in frames}
    for human in humans:
        given = rules.apply(human)
        expected = of_given(given) if given else {}
        counts.update(f"{target}.{kind}" for kind, target, *_ in expected)
        yield from (f"{human.id} {line}" for line in _differing(expected, engine.pop(human.id, {})))
    yield from (f"{person} {found}" for person, found in engine.items())


def _groups(plan: Plan) -> Iterator[tuple[tuple[str, str], object]]:
    for frame in plan.groups:
        for change in frame.changes:
            yield (change.target, change.group or ""), _shape(change)


def of_given(given: Given) -> Facts:
    """What is given by hand."""
    facts: Facts = {
        ("account", each.target): (each.enabled, _shaped(each.container, each.attributes)) for each in given.accounts
    }
    facts |= {("membership", *place): role for place, role in given.memberships.items()}
    if given.licence:
        facts["licence", "entra", given.licence] = True
    return facts


def of_frame(frame: PersonFrame) -> Facts:
    """What the engine would create."""
    facts: Facts = {}
    for change in frame.changes:
        match change.kind:
            case Kind.ACCOUNT:
                facts["account", change.target] = (change.enabled, _shape(change))
            case Kind.MEMBERSHIP:
                facts["membership", change.target, change.group or ""] = change.role
            case Kind.LICENCE:
                facts["licence", change.target, change.sku or ""] = True
    return facts


def _shape(change: Change) -> object:
    new = {**change.initial, **{name: new for name, (_, new) in change.attributes.items()}}
    return _shaped(change.container[1] if change.container else None, new)


def _shaped(container: str | None, attributes: dict[str, Any]) -> object:
    return container, {name: value for name, value in attributes.items() if value not in {None, ""}}


def _differing(expected: Facts, found: Facts) -> list[str]:
    keys = sorted(expected.keys() | found.keys())
    pairs = [(key, expected.get(key), found.get(key)) for key in keys]
    return [f"{key}: by hand {one}, engine {other}" for key, one, other in pairs if one != other][:_SHOWN]


if __name__ == "__main__":
    main()
