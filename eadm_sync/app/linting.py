"""What is doubtful in a ruleset, seen against the people that there are: rules, groups, names and people left over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
from jinja2 import nodes
from sqlalchemy import Connection, select

from eadm_sync.app.context import Context
from eadm_sync.app.disclosing import disclosed
from eadm_sync.app.password_linting import doubtful_passwords
from eadm_sync.app.planning import Progress, silent
from eadm_sync.app.population import count_people, stored_organisation, stored_people
from eadm_sync.clock import today
from eadm_sync.desired import Desired, Evaluator, candidates, winning_order
from eadm_sync.errors import ConfigError
from eadm_sync.expression import Condition, Namespace, Origin, compile_condition, names_of
from eadm_sync.expression.parsing import parse_expression
from eadm_sync.identifiers import Identifiers, NoFreeCandidate
from eadm_sync.lifecycle import NO_ORDERS, standing
from eadm_sync.model import Affiliation, Person, Sealed
from eadm_sync.ruleset import Ruleset
from eadm_sync.ruleset.naming import Reached, alike
from eadm_sync.ruleset.organisation import UnitNode
from eadm_sync.ruleset.rules import AccountRule
from eadm_sync.state import tables
from eadm_sync.state.orders import load_orders

OFTEN_MISSING = 0.1
"""Share of the affiliations (0-1) without a field, from which `!=` on it is told: each of them compares as false."""

_EXAMPLES = 5
"""So many people, groups or names are told with a finding; the number says how many there are."""


class Finding(msgspec.Struct, frozen=True):
    """One thing that is doubtful.

    Attributes:
        kind: `never-holds`, `shadowed`, `empty-group`, `conflict`, `overridden`, `numbered-names`, `nothing-given`,
            `unnameable`, `missing-compared`, `weak-password`, `unused-password`, `short-lived-passwords`
            or `disclosed`.
        is_error: Whether it is surely wrong, rather than worth a look.
        about: Id of the rule, key of the group, name of the identifier, or the clause.
        file: Where it is written, or None.
        line: 1-based, or None.
        count: How many people, affiliations or rules it concerns.
        of: Of how many.
        also: The other rule of a conflict or of an exclusive set, or the attribute; None elsewhere.
        examples: Some of those it concerns: ids of people, or names.
    """

    kind: str
    is_error: bool
    about: str
    file: str | None
    line: int | None
    count: int
    of: int
    also: str | None = None
    examples: tuple[str, ...] = ()


def lint(context: Context, *, progress: Progress = silent) -> Iterator[Finding]:
    """Looks for what is doubtful in the installation's rules; people are read as a stream. Writes nothing.

    Raises:
        ConfigError: The rules are wrong.
        StateError: The state cannot be read.
    """
    with context.reading() as database, database.read() as connection:
        linter = _Linter(context, connection)
        total = count_people(connection)
        done = 0
        for portion in stored_people(connection):
            linter.look_at(portion)
            done += len(portion)
            progress("looking at people", done, total)
        yield from linter.findings()
        for doubt in doubtful_passwords(context):
            yield Finding(doubt.kind, False, doubt.about, None, None, doubt.number, doubt.of)
        for one in disclosed(context):
            where = f"{one.target}.{one.attribute}"
            yield Finding("disclosed", False, one.rule, one.file, one.line, total, total, where)


class _Examples:
    """Counts, and keeps the first few."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[str] = []

    def add(self, one: str) -> None:
        self.count += 1
        if len(self.first) < _EXAMPLES:
            self.first.append(one)


@dataclass(frozen=True)
class _Comparison:
    """A `!=` in a rule: the field, and whether an affiliation has it."""

    rule: str
    clause: str
    path: str
    is_there: Callable[..., bool]


class _Seen(NamedTuple):
    """An affiliation with its unit, and which rules hold for it."""

    affiliation: Affiliation
    home: UnitNode
    holds: Sequence[bool]


class _Linter:
    def __init__(self, context: Context, connection: Connection) -> None:
        self._ruleset = context.ruleset
        self._vault = context.vault
        self._connection = connection
        self._day = today(context.clock, context.loaded.settings.organisation.zone)
        self._organisation = stored_organisation(context, connection)
        self._identifiers = Identifiers(connection, context.vault.digest, self._ruleset.identifiers, self._day)
        self._evaluator = Evaluator(self._ruleset, self._organisation, self._identify, self._reveal, self._day)
        self._orders = load_orders(connection)
        self._reached = Reached()
        self._pairs = _overlapping(self._ruleset.accounts)
        self._comparisons = list(_comparisons(self._ruleset))
        self._people = self._affiliations = 0
        self._holds: Counter[str] = Counter()
        self._gives: Counter[str] = Counter()
        self._groups: set[tuple[str, str]] = set()
        self._missing: Counter[int] = Counter()
        self._conflicts: dict[tuple[str, str, str], _Examples] = {}
        self._overridden: dict[tuple[str, str, str], _Examples] = {}
        self._named: dict[str, Counter[str]] = {name: Counter() for name in self._ruleset.identifiers}
        self._left_over, self._unnameable = _Examples(), _Examples()

    def look_at(self, people: Sequence[Person]) -> None:
        """Evaluates some people and counts."""
        self._identifiers.load([person.id for person in people])
        for person in people:
            stand = standing(person, self._ruleset.lifecycle, self._day, self._orders.get(person.id, NO_ORDERS))
            if stand.counting:
                self._people += 1
                self._person(person, winning_order(stand.counting, self._ruleset.affiliation_order))

    def _person(self, person: Person, affiliations: Sequence[Affiliation]) -> None:
        seen = [self._affiliation(person, affiliation) for affiliation in affiliations]
        self._holds.update(
            rule.id for number, rule in enumerate(self._ruleset.rules) if any(one.holds[number] for one in seen)
        )
        for name, rule in self._ruleset.identifiers.items():
            if (first := next(candidates(rule, person, affiliations[0], self._organisation), None)) is not None:
                self._named[name][alike(first)] += 1
        try:
            desired = self._evaluator.evaluate(person, affiliations)
        except NoFreeCandidate:
            self._unnameable.add(person.id)
            return
        if not desired.accounts:
            self._left_over.add(person.id)
        if len(seen) > 1:
            self._further(person, desired, seen)
        self._gives.update(_giving(desired))
        self._groups.update((group.target, group.key) for group in desired.groups)

    def _affiliation(self, person: Person, affiliation: Affiliation) -> _Seen:
        """What holds for an affiliation, with conflicts and missing fields noted on the way."""
        self._affiliations += 1
        home = self._organisation.unit(affiliation.unit)
        holds = self._ruleset.match(person, affiliation, home, self._identify, self._reveal)
        for first, second, names in self._pairs:
            if holds[first] and holds[second]:
                self._compare(person, affiliation, home, (first, second), names)
        for number, comparison in enumerate(self._comparisons):
            if not comparison.is_there(person, affiliation, home, self._identify, self._reveal):
                self._missing[number] += 1
        return _Seen(affiliation, home, holds)

    def _compare(
        self, person: Person, affiliation: Affiliation, home: UnitNode, pair: tuple[int, int], names: frozenset[str]
    ) -> None:
        """Notes attributes that two rules, which both hold for one affiliation, set differently."""
        rules = [self._ruleset.accounts[number] for number in pair]
        try:
            one, other = (rule.make(person, affiliation, home, self._identify, self._reveal)[1] for rule in rules)
        except NoFreeCandidate:
            return  # told of as unnameable
        for name in sorted(names):
            if one[name] != other[name]:
                self._conflicts.setdefault((rules[0].id, rules[1].id, name), _Examples()).add(person.id)

    def _further(self, person: Person, desired: Desired, seen: Sequence[_Seen]) -> None:
        """Notes attributes that a rule adds by one affiliation, and that another rule has set by another one."""
        accounts = {account.target: account.attributes for account in desired.accounts}
        for first, second, names in self._pairs:
            for before, number in ((first, second), (second, first)):
                rule = self._ruleset.accounts[number]
                by = next((one for one in seen if one.holds[number]), None)
                if rule.shapes or by is None or by.holds[before] or not any(one.holds[before] for one in seen):
                    continue
                if rule.target in accounts and rule.is_in_force(self._day):
                    made = rule.make(person, by.affiliation, by.home, self._identify, self._reveal)[1]
                    lost = (name for name in sorted(names) if made[name] != accounts[rule.target][name])
                    for name in lost:
                        key = self._ruleset.accounts[before].id, rule.id, name
                        self._overridden.setdefault(key, _Examples()).add(person.id)

    def _identify(self, name: str, person: Person, affiliation: Affiliation) -> str:
        held = self._identifiers.held(person.id, name)
        if held is not None:
            return held
        rule = self._ruleset.identifiers[name]
        return self._identifiers.name(rule, person, affiliation, self._organisation, self._reached)

    def _reveal(self, sealed: Sealed) -> str:
        return self._vault.open(sealed, "national_id")

    # ------------------------------------------------------------ what was found

    def findings(self) -> Iterator[Finding]:
        """All of it; errors first."""
        yield from self._attributes("conflict", self._conflicts, is_error=True)
        yield from self._attributes("overridden", self._overridden, is_error=False)
        yield from self._unused()
        yield from self._empty_groups()
        yield from self._numbered()
        yield from self._missing_compared()
        for kind, found in (("nothing-given", self._left_over), ("unnameable", self._unnameable)):
            if found.count:
                is_error = kind == "unnameable"
                yield Finding(kind, is_error, "people", None, None, found.count, self._people, None, tuple(found.first))

    def _attributes(
        self, kind: str, noted: Mapping[tuple[str, str, str], _Examples], *, is_error: bool
    ) -> Iterator[Finding]:
        """Attributes of which one rule has the say and another one thinks so too."""
        rules = {rule.id: rule for rule in self._ruleset.accounts}
        for (first, second, name), found in sorted(noted.items()):
            rule = rules[second]
            about, examples = f"{second} {name}", tuple(found.first)
            yield Finding(kind, is_error, about, rule.file, rule.line, found.count, self._people, first, examples)

    def _unused(self) -> Iterator[Finding]:
        """Rules that hold for nobody, and licence rules whose exclusive set is always taken before them."""
        for rule in self._ruleset.rules:
            if not self._holds[rule.id]:
                yield Finding("never-holds", False, rule.id, rule.file, rule.line, 0, self._people)
        for number, rule in enumerate(self._ruleset.licences):
            if rule.exclusive and self._holds[rule.id] and not self._gives[rule.id]:
                before = [one.id for one in self._ruleset.licences[:number] if one.exclusive == rule.exclusive]
                given = [one for one in before if self._gives[one]]
                if given:
                    held = self._holds[rule.id]
                    also = ", ".join(given)
                    yield Finding("shadowed", False, rule.id, rule.file, rule.line, held, self._people, also)

    def _empty_groups(self) -> Iterator[Finding]:
        columns = tables.known_groups.c
        rules = {rule.id: rule for rule in self._ruleset.groups}
        rows = self._connection.execute(select(columns.target, columns.key, columns.rule).order_by(columns.key))
        for target, key, rule_id in rows:
            if (target, key) not in self._groups:
                rule = rules.get(rule_id)
                file, line = (rule.file, rule.line) if rule else (None, None)
                yield Finding("empty-group", False, f"{target}:{key}", file, line, 0, self._people, rule_id)

    def _numbered(self) -> Iterator[Finding]:
        """Identifiers whose first candidate several people share: all but one of them get another."""
        for name, rule in self._ruleset.identifiers.items():
            shared = self._named[name]
            numbered = sum(count - 1 for count in shared.values())
            if numbered:
                most = tuple(f"{text} ({count})" for text, count in shared.most_common(_EXAMPLES) if count > 1)
                total = shared.total()
                yield Finding("numbered-names", False, name, rule.file, rule.line, numbered, total, None, most)

    def _missing_compared(self) -> Iterator[Finding]:
        rules = {rule.id: rule for rule in self._ruleset.rules}
        for number, one in enumerate(self._comparisons):
            missing = self._missing[number]
            if self._affiliations and missing / self._affiliations >= OFTEN_MISSING:
                rule = rules[one.rule]
                about, total = f"{one.rule}: {one.clause}", self._affiliations
                yield Finding("missing-compared", False, about, rule.file, rule.line, missing, total, one.path)


def _giving(desired: Desired) -> set[str]:
    parts = (desired.accounts, desired.memberships, desired.licences)
    return {part.rule for group in parts for part in group}


def _overlapping(rules: Sequence[AccountRule]) -> list[tuple[int, int, frozenset[str]]]:
    """Pairs of account rules of one target that set the same attributes, with those; without any that never meet."""
    return [
        (first, second, common)
        for first, one in enumerate(rules)
        for second, other in enumerate(rules[first + 1 :], first + 1)
        if one.target == other.target
        and not (_is_over_before(one, other) or _is_over_before(other, one))
        and (common := frozenset(one.attributes) & frozenset(other.attributes))
    ]


def _is_over_before(one: AccountRule, other: AccountRule) -> bool:
    """Whether one rule's last day comes before the other's first."""
    return one.last_day is not None and other.first_day is not None and one.last_day < other.first_day


def _comparisons(ruleset: Ruleset) -> Iterator[_Comparison]:
    """Every `!=` on a field that can be missing, in any rule or in a condition that a rule names; each field once."""
    for rule in ruleset.rules:
        known: set[str] = set()
        for source, scope in _sources(rule.when, ruleset.conditions):
            tree = parse_expression(source, Origin(""))
            for node in (part for part in (tree, *tree.find_all(nodes.Compare)) if isinstance(part, nodes.Compare)):
                path = _path(node.expr) if node.ops[0].op == "ne" else None
                if path is None or path in known or path not in rule.when.typed.reads:
                    continue
                known.add(path)
                if (there := _is_there(path, scope, rule.when.namespace)) is not None:
                    yield _Comparison(rule.id, source, path, there)


def _sources(when: Condition, named: Mapping[str, Condition]) -> Iterator[tuple[str, Condition]]:
    """The texts of a condition and of those that it names, each with what it was compiled in."""
    waiting = [when]
    seen: set[int] = set()
    while waiting:
        condition = waiting.pop()
        if id(condition) in seen or not (condition.source or condition.parts):
            continue
        seen.add(id(condition))
        if condition.parts:
            waiting += condition.parts
            continue
        yield condition.source, condition
        waiting += [named[name] for name in sorted(names_of(condition.source)) if name in named]


def _path(node: nodes.Node) -> str | None:
    """`affiliation.unit.kind` of nested attribute nodes, None for anything else."""
    steps: list[str] = []
    while isinstance(node, nodes.Getattr):
        steps.append(node.attr)
        node = node.node
    return ".".join((node.name, *reversed(steps))) if isinstance(node, nodes.Name) and steps else None


def _is_there(path: str, condition: Condition, namespace: Namespace) -> Callable[..., bool] | None:
    """Whether a field is there, None where it always is."""
    try:
        return compile_condition(f"{path} is defined", condition.scope, Origin(""), namespace).test
    except ConfigError:
        return None
