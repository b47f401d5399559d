"""One of two rulesets that are compared: what it gives, looked at as narrowly as the edits allow."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from datetime import date

from sqlalchemy import Connection

from eadm_sync.app.context import Context
from eadm_sync.clock import today
from eadm_sync.desired import Desired, Evaluator, Value, winning_order
from eadm_sync.identifiers import Identifiers
from eadm_sync.lifecycle import NO_ORDERS, Standing, standing
from eadm_sync.model import Affiliation, Orders, Person, Sealed
from eadm_sync.ruleset import Organisation, Ruleset
from eadm_sync.ruleset.code import is_never_empty
from eadm_sync.ruleset.naming import Reached
from eadm_sync.ruleset.narrowing import Edits, Look, filling, holding, narrowed
from eadm_sync.ruleset.organisation import UnitNode
from eadm_sync.ruleset.vocabulary import TargetWords
from eadm_sync.state.orders import load_orders

_ANYHOW_NOT = (False,)


class NeedsName(Exception):
    """A person has no name yet, and names are given out in one place only."""


class Side:
    """One of the two rulesets, with the names it would give.

    Attributes:
        ruleset: The whole.
        keeping: Ids of group rules whose members stay members.
        sensitive: Attributes that are shown sealed, by target.
        narrow: The rules that matter while no account comes or goes.
    """

    def __init__(
        self, context: Context, ruleset: Ruleset, edits: Edits, organisation: Organisation, *, is_new: bool
    ) -> None:
        self.ruleset = ruleset
        self.keeping = frozenset(rule.id for rule in ruleset.groups if rule.keeps)
        self.sensitive = {rule.target: rule.sensitive for rule in ruleset.accounts if rule.sensitive}
        self._identifiers: Identifiers | None = None
        self._expected: Sequence[str] = ()
        self._may_name = True
        self._orders: Mapping[str, Orders] = {}
        self._context = context
        self._organisation = organisation
        self._today = today(context.clock, context.loaded.settings.organisation.zone)
        self._reached = Reached()
        self._held = holding(ruleset, edits.rules - edits.steady if is_new else edits.rules, edits.conditions)
        self.narrow = narrowed(ruleset, edits)
        self._narrow = self._evaluator(self.narrow)
        self._whole = self._evaluator(ruleset)
        self._sure, bounded = _unchanged(ruleset, context.vocabulary.targets, edits)
        self._bounded = (
            self._evaluator(bounded) if is_new and any(rule.attributes for rule in bounded.accounts) else None
        )

    def _evaluator(self, ruleset: Ruleset) -> Evaluator:
        return Evaluator(ruleset, self._organisation, self._identify, self._reveal, self._today)

    def begin(self, connection: Connection, *, may_name: bool) -> None:
        """Looks names up over a connection from now on."""
        self._identifiers = Identifiers(connection, self._context.vault.digest, self.ruleset.identifiers, self._today)
        self._may_name = may_name
        self._orders = load_orders(connection)

    def expect(self, people: Sequence[str]) -> None:
        """Says who is looked at next, so that the names of all of them are fetched when that of one is asked for."""
        self._expected = people

    def held(self, person: Person, affiliation: Affiliation, home: UnitNode) -> Sequence[bool]:
        """Which edited rules hold for an affiliation, as `narrowing.Held`."""
        if self._held is None:
            return _ANYHOW_NOT
        return self._held(person, affiliation, home, self._identify, self._reveal)

    def look(self, look: Look, person: Person, order: Sequence[Affiliation]) -> Hashable:
        """What is seen of a person's affiliations."""
        unit, identify, reveal = self._organisation.unit, self._identify, self._reveal
        return tuple([look(person, each, unit(each.unit), identify, reveal) for each in order])

    def stand(self, person: Person, day: date) -> Standing:
        """Where the person stands by this side's lifecycle."""
        return standing(person, self.ruleset.lifecycle, day, self._orders.get(person.id, NO_ORDERS), ahead=False)

    def order(self, stand: Standing) -> Sequence[Affiliation]:
        """The affiliations that count, the winning one first."""
        counting = stand.counting
        return counting if len(counting) < 2 else winning_order(counting, self.ruleset.affiliation_order)  # noqa: PLR2004 - most people have one

    def narrowly(self, person: Person, order: Sequence[Affiliation]) -> Desired:
        """What the edits can touch of what the person shall have."""
        return self._narrow.evaluate(person, order)

    def wholly(self, person: Person, order: Sequence[Affiliation]) -> Desired:
        """All that the person shall have."""
        return self._whole.evaluate(person, order) if order else Desired()

    def unchanged(self, person: Person, order: Sequence[Affiliation]) -> Mapping[str, Mapping[str, Value]]:
        """What the account of each target holds that `narrowly` leaves out and that it cannot be made without."""
        if self._bounded is None:
            return self._sure
        rendered = {one.target: one.attributes for one in self._bounded.evaluate(person, order).accounts}
        return {target: {**sure, **rendered.get(target, {})} for target, sure in self._sure.items()}

    def _reveal(self, sealed: Sealed) -> str:
        return self._context.vault.open(sealed, "national_id")

    def _identify(self, name: str, person: Person, affiliation: Affiliation) -> str:
        assert self._identifiers is not None  # noqa: S101 - set before anybody is evaluated
        if self._expected:
            self._identifiers.load(self._expected)
            self._expected = ()
        held = self._identifiers.held(person.id, name)
        if held is not None:
            return held
        if not self._may_name:
            raise NeedsName
        rule = self.ruleset.identifiers[name]
        return self._identifiers.name(rule, person, affiliation, self._organisation, self._reached)


def _unchanged(
    ruleset: Ruleset, targets: Mapping[str, TargetWords], edits: Edits
) -> tuple[dict[str, dict[str, Value]], Ruleset]:
    """Of targets with some attributes in question: what is sure to be filled, and rules for the other bounds."""
    sure: dict[str, dict[str, Value]] = {}
    rendered: dict[str, frozenset[str]] = {}
    for target, attributes in edits.values.items():
        words = targets[target]
        needed = words.required | ({words.account_name} if words.account_name else set())
        shaping = [rule for rule in ruleset.accounts if rule.target == target and rule.shapes]
        filled = {
            name
            for name in needed - attributes - words.max_lengths.keys()
            if all(name in rule.attributes and is_never_empty(rule.attributes[name].code) for rule in shaping)
        }
        sure[target] = dict.fromkeys(filled, "-")
        rendered[target] = frozenset((needed | words.max_lengths.keys()) - attributes - filled)
    return sure, filling(ruleset, rendered)
