"""Where people are, and how many objects there are where: what limits on parts of a slice stand on.

A person is where they were before this plan: a leaver is counted in the unit that was left, and whoever is new in the
new one. Populations are counted from known state and from the people as they are stored, so that nobody who was only
invented in a file makes a limit wider.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import date

import msgspec
from sqlalchemy import Connection, Table, func, select

from connectors.contract import Kind
from eadm_sync.desired import winning_order
from eadm_sync.model import Person
from eadm_sync.plan.brakes import Part
from eadm_sync.plan.change import NOWHERE, Place
from eadm_sync.ruleset import Organisation
from eadm_sync.state import tables

PlaceOf = Callable[[Person], Place]
"""Where a person is."""

_TABLES: dict[Kind, Table] = {
    Kind.ACCOUNT: tables.known_accounts,
    Kind.GROUP: tables.known_groups,
    Kind.MEMBERSHIP: tables.known_memberships,
    Kind.NESTING: tables.known_nestings,
    Kind.LICENCE: tables.known_licences,
    Kind.SCRIPT: tables.known_accounts,  # each account has at most one of a name
}

_BATCH = 1_000
_decode_person = msgspec.msgpack.Decoder(Person).decode


def place_of(person: Person, organisation: Organisation, order: Sequence[str], day: date) -> Place:
    """Where somebody is: in the unit of their winning affiliation, or of the one that ended last.

    Args:
        person: Who.
        organisation: The units.
        order: Kinds of affiliation, the strongest first, as the ruleset orders them.
        day: Affiliations that ended before it count only where there is no other.
    """
    if not person.affiliations:
        return NOWHERE
    candidates = [each for each in person.affiliations if each.end is None or each.end >= day]
    if not candidates:
        last = max(each.end or date.max for each in person.affiliations)
        candidates = [each for each in person.affiliations if each.end == last]
    winner = winning_order(candidates, order)[0]
    node = organisation.units.get(winner.unit or "")
    units = node.codes if node is not None else (winner.unit,) if winner.unit else ()
    return Place(units, winner.kind)


def former_places(connection: Connection, ids: Sequence[str], place: PlaceOf) -> dict[str, Place]:
    """Where these people (at most some hundreds) were before this plan; people who are new are left out."""
    people = tables.people.c
    rows = connection.execute(select(people.id, people.data).where(people.id.in_(ids)))
    return {person_id: place(_decode_person(data)) for person_id, data in rows}


class KnownPopulations:
    """Known objects, counted when they are asked for: of parts only where a plan changes more there than a few."""

    def __init__(self, connection: Connection, place: PlaceOf) -> None:
        self._connection = connection
        self._place = place
        self._wholes: dict[Kind, Counter[str]] = {}
        self._rules: dict[Kind, Counter[tuple[str, str]]] = {}
        self._places: dict[Kind, Counter[tuple[str, Part, str]]] = {}

    def whole(self, target: str, kind: Kind) -> int:
        """Of one kind."""
        if kind not in self._wholes:
            columns = _TABLES[kind].c
            rows = self._connection.execute(select(columns.target, func.count()).group_by(columns.target))
            self._wholes[kind] = Counter(dict(map(tuple, rows)))
        return self._wholes[kind][target]

    def part(self, target: str, kind: Kind, by: Part, value: str) -> int:
        """Of one kind, in one part."""
        if by == "rule":
            if kind not in self._rules:
                self._rules[kind] = self._by_rule(_TABLES[kind])
            return self._rules[kind][target, value]
        if kind not in self._places:
            self._places[kind] = self._by_place(_TABLES[kind])
        return self._places[kind][target, by, value]

    def _by_rule(self, table: Table) -> Counter[tuple[str, str]]:
        columns = table.c
        query = select(columns.target, columns.rule, func.count()).group_by(columns.target, columns.rule)
        return Counter({(target, rule): number for target, rule, number in self._connection.execute(query)})

    def _by_place(self, table: Table) -> Counter[tuple[str, Part, str]]:
        """Streams over everybody who has such an object: a second for a hundred thousand people."""
        columns, people = table.c, tables.people.c
        owned = select(columns.target, columns.person_id, func.count().label("number"))
        per_person = owned.group_by(columns.target, columns.person_id).subquery()
        query = select(per_person.c.target, per_person.c.number, people.data).join(
            per_person, per_person.c.person_id == people.id
        )
        found: Counter[tuple[str, Part, str]] = Counter()
        for rows in self._connection.execute(query.execution_options(yield_per=_BATCH)).partitions(_BATCH):
            for target, number, data in rows:
                place = self._place(_decode_person(data))
                for unit in place.units:
                    found[target, "unit", unit] += number
                found[target, "affiliation", place.affiliation] += number
        return found


def placed(connection: Connection, people: Iterable[Person], place: PlaceOf) -> dict[str, Place]:
    """Where these people (at most some hundreds) are counted: where they were, or are if they are new."""
    now = {person.id: person for person in people}
    former = former_places(connection, list(now), place) if now else {}
    return {person_id: former.get(person_id) or place(person) for person_id, person in now.items()}
