"""Rules applied to one person: what they shall have today.

- Every rule is tested once for each affiliation; groups and licences are the union over all of them.
- An account is shaped by the winning affiliation: the first, in winning order, for which a shaping rule of the target
  holds. The first such rule in ruleset order gives container and attributes. Every further rule that holds, for that
  affiliation or another, adds attributes that are not set yet.
- Groups and licences need an account in the same target, and an affiliation that is not on a leave that strips.
- A rule that is not in force today gives nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from typing import TypeVar

import msgspec

from eadm_sync.desired.state import (
    Desired,
    DesiredAccount,
    DesiredGroup,
    DesiredLicence,
    DesiredMembership,
    Value,
)
from eadm_sync.model import Affiliation, Person, Sealed
from eadm_sync.pieces import Pieces
from eadm_sync.ruleset.organisation import NO_UNIT, ClassNode, Organisation, UnitNode
from eadm_sync.ruleset.rules import AccountRule, GroupRule, Identify, Reveal, Rule, Ruleset

_NOTHING = Desired()

_Rule = TypeVar("_Rule", bound=Rule)

_Seen = tuple[Affiliation, UnitNode, tuple[bool, ...]]
"""An affiliation with its unit, and which rules hold for it."""

_Given = tuple[DesiredGroup, DesiredMembership | None] | None
"""A group, and the person's place in it; None for a place: only groups are in it by this rule."""


_IN_MEMORY = 20_000
"""So many groups of units and class groups are held in memory for whoever else is in them: 25 MiB."""

_encode = msgspec.msgpack.Encoder().encode
_decode: Callable[[bytes], _Given] = msgspec.msgpack.Decoder(_Given).decode


def winning_order(affiliations: Iterable[Affiliation], order: Sequence[str]) -> list[Affiliation]:
    """Affiliations from the strongest to the weakest.

    Primary ones first, then by kind in the ruleset's order (`Ruleset.affiliation_order`; other kinds behind), then
    by the earliest start, then by id.
    """
    ranks = {kind: rank for rank, kind in enumerate(order)}
    last = len(ranks)

    def rank(affiliation: Affiliation) -> tuple[bool, int, date, str]:
        start = affiliation.start or date.min
        return not affiliation.primary, ranks.get(affiliation.kind, last), start, affiliation.id

    found = list(affiliations)
    return found if len(found) < 2 else sorted(found, key=rank)  # noqa: PLR2004 - most people have one


def evaluate(
    ruleset: Ruleset,
    person: Person,
    affiliations: Sequence[Affiliation],
    organisation: Organisation,
    identify: Identify,
    reveal: Reveal | None = None,
    today: date | None = None,
) -> Desired:
    """What one person shall have; an `Evaluator` is faster for many. Arguments and errors as there."""
    return Evaluator(ruleset, organisation, identify, reveal, today).evaluate(person, affiliations)


class Evaluator:
    """Applies one ruleset to many people of one organisation.

    Args:
        ruleset: The compiled rules.
        organisation: Units and class groups.
        identify: Gives a person's names; it may allocate them. Called only for templates that name one.
        reveal: Deciphers sealed fields; None where no rule reads one.
        today: The day that rules must be in force on; None where no rule begins or ends.

    Raises:
        ValueError: A rule reads a sealed field and `reveal` is None, or begins or ends and `today` is None.
    """

    def __init__(
        self,
        ruleset: Ruleset,
        organisation: Organisation,
        identify: Identify,
        reveal: Reveal | None = None,
        today: date | None = None,
    ) -> None:
        if reveal is None and ruleset.reveals:
            raise ValueError("the ruleset reads a sealed field: evaluation needs `reveal`")
        if today is None and any(rule.has_dates for rule in ruleset.rules):
            raise ValueError("the ruleset has rules that begin or end: evaluation needs `today`")
        self._lifecycle = ruleset.lifecycle
        self._send = ruleset.send
        self._strips = ruleset.lifecycle.strips
        self._match = ruleset.match
        self._units = organisation.units
        self._class_groups = organisation.class_groups
        self._identify = identify
        self._reveal = reveal or _sealed
        numbered = _in_force(ruleset.accounts, 0, today)
        targets = dict.fromkeys(rule.target for rule in ruleset.accounts)
        self._accounts = [
            (target, [(number, rule) for number, rule in numbered if rule.target == target]) for target in targets
        ]
        self._groups = _in_force(ruleset.groups, len(ruleset.accounts), today)
        self._licences = [
            (number, rule, DesiredLicence(rule.target, rule.sku, rule.id))
            for number, rule in _in_force(ruleset.licences, len(ruleset.accounts) + len(ruleset.groups), today)
        ]
        self._shared: dict[tuple[int, str | None], _Given | int] = {}
        """What was rendered once for all, by rule and code of the unit or class group; some of it outside of memory."""
        self._pieces = Pieces()
        self._nested: dict[tuple[int, str | None], tuple[_Given, ...]] = {}

    def evaluate(self, person: Person, affiliations: Sequence[Affiliation]) -> Desired:
        """What the person shall have.

        Args:
            person: The person.
            affiliations: Those that count today, in winning order, with the class memberships that count today.
        """
        units = self._units
        seen: list[_Seen] = []
        for affiliation in affiliations:
            home = units.get(affiliation.unit or "", NO_UNIT)
            seen.append((affiliation, home, self._match(person, affiliation, home, self._identify, self._reveal)))
        accounts = [
            account for target, rules in self._accounts if (account := self._account(target, rules, person, seen))
        ]
        if not accounts:
            return _NOTHING
        targets = {account.target for account in accounts}
        if self._strips:
            seen = [one for one in seen if not self._lifecycle.is_stripped(one[0])]
        groups, memberships = self._memberships(person, seen, targets)
        return Desired(tuple(accounts), groups, memberships, self._licensed(seen, targets))

    def _account(
        self, target: str, rules: list[tuple[int, AccountRule]], person: Person, seen: list[_Seen]
    ) -> DesiredAccount | None:
        """The account in one target, None where no shaping rule holds."""
        shape = winner = container = None
        attributes: dict[str, Value] = {}
        held: list[tuple[AccountRule, Affiliation, UnitNode]] = []
        known: set[int] = set()
        for affiliation, home, holds in seen:
            for number, rule in rules:
                if not holds[number] or number in known:
                    continue
                known.add(number)
                if shape is None and rule.shapes:
                    shape, winner = rule, affiliation
                    container, attributes = rule.make(person, affiliation, home, self._identify, self._reveal)
                else:
                    held.append((rule, affiliation, home))
        if shape is None or winner is None:
            return None
        policies = shape.policies
        for rule, affiliation, home in held:
            more = rule.make(person, affiliation, home, self._identify, self._reveal)[1]
            if rule.policies:  # whoever sets an attribute says what becomes of it
                theirs = {
                    name: policy for name, policy in rule.policies.items() if name in more.keys() - attributes.keys()
                }
                policies = {**policies, **theirs}
            attributes = {**more, **attributes}
        for name in attributes.keys() & shape.sends.keys():
            value = attributes[name]
            attributes[name] = self._send(shape.sends[name], value) if isinstance(value, str) else value
        return DesiredAccount(target, shape.id, container, attributes, winner.id, policies)

    def _memberships(
        self, person: Person, seen: list[_Seen], targets: set[str]
    ) -> tuple[tuple[DesiredGroup, ...], tuple[DesiredMembership, ...]]:
        """Groups and memberships; where two rules give the same group, the first counts.

        Of the group itself the other one may say what the first does not.
        """
        groups: dict[tuple[str, str], DesiredGroup] = {}
        places: dict[tuple[str, str], DesiredMembership] = {}
        for number, rule in self._groups:
            if rule.target not in targets:
                continue
            for affiliation, home, holds in seen:
                if not holds[number]:
                    continue
                for given in self._given(number, rule, person, affiliation, home):
                    if not given:
                        continue
                    group, place = given
                    key = (group.target, group.key)
                    found = groups.setdefault(key, group)
                    if found is not group and not found.says(group):
                        groups[key] = found.with_further(group)
                    if place:
                        places.setdefault(key, place)
                if rule.for_each == "person":
                    break
        return tuple(groups.values()), tuple(places.values())

    def _given(
        self, number: int, rule: GroupRule, person: Person, affiliation: Affiliation, home: UnitNode
    ) -> Iterator[_Given]:
        """What a rule that holds for an affiliation gives."""
        shared = rule.shared
        if rule.nested:
            yield from self._nesting(number, rule, person, affiliation, home)
        elif rule.for_each == "unit_path":
            for unit in home.line:
                if self._each_holds(rule, person, affiliation, home, unit, None, ""):
                    code = unit.code if shared == "unit" else home.code
                    yield self._group(number, rule, person, affiliation, home, unit, None, "", code)
        elif rule.for_each == "class":
            for place in affiliation.classes:
                group = self._class_groups.get(place.code)
                if group and self._each_holds(rule, person, affiliation, home, NO_UNIT, group, place.role):
                    code = group.code if shared == "class_group" else home.code
                    yield self._group(number, rule, person, affiliation, home, NO_UNIT, group, place.role, code)
        else:
            yield self._group(number, rule, person, affiliation, home, NO_UNIT, None, "", home.code)

    def _nesting(
        self, number: int, rule: GroupRule, person: Person, affiliation: Affiliation, home: UnitNode
    ) -> tuple[_Given, ...]:
        """The groups of a unit and those above, each in the next one; the person is in the first. Once per unit."""
        key = (number, home.code)
        if key not in self._nested:
            made = [
                given
                for unit in home.line
                if self._each_holds(rule, person, affiliation, home, unit, None, "")
                and (given := self._group(number, rule, person, affiliation, home, unit, None, "", unit.code))
            ]
            above = [(group.key,) for group, _ in made[1:]]
            self._nested[key] = tuple(
                (group.in_groups((*outer, *group.member_of)), place if number_above == 0 else None)
                for number_above, ((group, place), outer) in enumerate(zip(made, [*above, ()], strict=True))
            )
        return self._nested[key]

    def _each_holds(
        self,
        rule: GroupRule,
        person: Person,
        affiliation: Affiliation,
        home: UnitNode,
        unit: UnitNode,
        class_group: ClassNode | None,
        role: str,
    ) -> bool:
        if rule.each_when is None:
            return True
        return rule.each_when.test(person, affiliation, home, self._identify, self._reveal, unit, class_group, role)

    def _group(  # noqa: PLR0913, PLR0917 - as _each_holds
        self,
        number: int,
        rule: GroupRule,
        person: Person,
        affiliation: Affiliation,
        home: UnitNode,
        unit: UnitNode,
        class_group: ClassNode | None,
        role: str,
        code: str | None,
    ) -> _Given:
        """One group and the membership in it; rendered once where nothing of the person goes into it."""
        key = (number, code)
        if rule.shared is not None and key in self._shared:
            found = self._shared[key]
            return _decode(self._pieces[found]) if isinstance(found, int) else found
        word, container, attributes, named = rule.make(
            person, affiliation, home, self._identify, self._reveal, unit, class_group, role
        )
        given = None
        if word:
            member_of = tuple([name for name in named if name]) if named else ()
            group = DesiredGroup(rule.target, word, rule.id, container, attributes, member_of, policies=rule.policies)
            given = group, DesiredMembership(rule.target, word, rule.id, rule.role)
        if rule.shared is not None:
            self._shared[key] = given if len(self._shared) < _IN_MEMORY else self._pieces.add(_encode(given))
        return given

    def _licensed(self, seen: list[_Seen], targets: set[str]) -> tuple[DesiredLicence, ...]:
        found: dict[tuple[str, str], DesiredLicence] = {}
        taken: set[str] = set()
        for number, rule, licence in self._licences:
            if rule.target not in targets or rule.exclusive in taken:
                continue
            if any(holds[number] for _, _, holds in seen):
                found.setdefault((rule.target, rule.sku), licence)
                if rule.exclusive:
                    taken.add(rule.exclusive)
        return tuple(found.values())


def _in_force(rules: Sequence[_Rule], first_number: int, today: date | None) -> list[tuple[int, _Rule]]:
    """The rules that count today, each with its place in what the matcher gives."""
    return [(number, rule) for number, rule in enumerate(rules, first_number) if not today or rule.is_in_force(today)]


def _sealed(_value: Sealed) -> str:
    """Stands in where no rule reads a sealed field, and is never called."""
    raise AssertionError("no rule reads a sealed field")
