"""Why a person has what they have: every rule, every affiliation, every clause with the values it saw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

import msgspec

from eadm_sync.desired.evaluation import evaluate
from eadm_sync.desired.state import Desired
from eadm_sync.expression import Clause
from eadm_sync.model import Affiliation, Person, Sealed
from eadm_sync.ruleset.organisation import NO_UNIT, ClassNode, Organisation
from eadm_sync.ruleset.rules import AccountRule, GroupRule, Identify, LicenceRule, Reveal, Rule, Ruleset


class Attempt(msgspec.Struct, frozen=True):
    """One rule tried on one affiliation, or on one unit or class group of it.

    Attributes:
        affiliation: Id of the affiliation.
        about: Code of the unit or class group the rule went through; "" where it goes through none.
        holds: Whether the rule held.
        clauses: Each clause, true or false, with the values it saw.
    """

    affiliation: str
    about: str
    holds: bool
    clauses: tuple[Clause, ...]


class RuleExplanation(msgspec.Struct, frozen=True):
    """What one rule says of a person.

    Attributes:
        rule: Id of the rule.
        kind: `account`, `group` or `licence`.
        target: Name of the target.
        file: Where it is written.
        line: 1-based.
        holds: Whether it held for some affiliation, on whatever day.
        gives: Whether something of what the person shall have comes from it.
        needs_account: It held, but the person has no account in the target.
        behind: Id of the rule of the same exclusive set that came first, or None.
        attempts: In winning order of the affiliations.
        in_force: Whether it counts today; one that does not gives nothing.
        first_day: The first day on which it counts, or None.
        last_day: The last one, or None.
        on_leave: It holds, but only for affiliations on a leave during which they earn accounts only.
    """

    rule: str
    kind: str
    target: str
    file: str
    line: int
    holds: bool
    gives: bool
    needs_account: bool
    behind: str | None
    attempts: tuple[Attempt, ...]
    in_force: bool = True
    first_day: date | None = None
    last_day: date | None = None
    on_leave: bool = False


class Explanation(msgspec.Struct, frozen=True):
    """All rules of the ruleset in their order, and what they come to."""

    rules: tuple[RuleExplanation, ...]
    desired: Desired


def explain(
    ruleset: Ruleset,
    person: Person,
    affiliations: Sequence[Affiliation],
    organisation: Organisation,
    identify: Identify,
    reveal: Reveal | None = None,
    today: date | None = None,
) -> Explanation:
    """Tries every rule on every affiliation and keeps what each clause saw. Arguments as for `evaluate`."""
    desired = evaluate(ruleset, person, affiliations, organisation, identify, reveal, today)
    explainer = _Explainer(ruleset, person, affiliations, organisation, identify, reveal or _hidden, desired, today)
    return Explanation(tuple(explainer.rule(rule) for rule in ruleset.rules), desired)


class _Explainer:
    def __init__(
        self,
        ruleset: Ruleset,
        person: Person,
        affiliations: Sequence[Affiliation],
        organisation: Organisation,
        identify: Identify,
        reveal: Reveal,
        desired: Desired,
        today: date | None,
    ) -> None:
        self._ruleset = ruleset
        self._person = person
        self._affiliations = affiliations
        self._organisation = organisation
        self._functions = (identify, reveal)
        self._accounts = {account.target for account in desired.accounts}
        self._giving = _giving_rules(desired)
        self._today = today
        lifecycle = ruleset.lifecycle
        self._stripped = {one.id for one in affiliations if lifecycle.is_stripped(one)}

    def rule(self, rule: Rule) -> RuleExplanation:
        """Tries one rule."""
        attempts = tuple(attempt for affiliation in self._affiliations for attempt in self._attempts(rule, affiliation))
        holds = any(attempt.holds for attempt in attempts)
        in_force = self._today is None or rule.is_in_force(self._today)
        counts = holds and in_force
        account = rule.target in self._accounts
        holding = {attempt.affiliation for attempt in attempts if attempt.holds}
        on_leave = holds and holding <= self._stripped and not isinstance(rule, AccountRule)
        behind = self._behind(rule) if isinstance(rule, LicenceRule) and counts and account and not on_leave else None
        gives = rule.id in self._giving or (isinstance(rule, AccountRule) and counts and account)
        return RuleExplanation(
            rule=rule.id,
            kind="account" if isinstance(rule, AccountRule) else "group" if isinstance(rule, GroupRule) else "licence",
            target=rule.target,
            file=rule.file,
            line=rule.line,
            holds=holds,
            gives=gives,
            needs_account=counts and not account,
            behind=behind,
            attempts=attempts,
            in_force=in_force,
            first_day=rule.first_day,
            last_day=rule.last_day,
            on_leave=on_leave,
        )

    def _attempts(self, rule: Rule, affiliation: Affiliation) -> Iterator[Attempt]:
        home = self._organisation.unit(affiliation.unit)
        base = (self._person, affiliation, home, *self._functions)
        if not isinstance(rule, GroupRule):
            yield self._attempt(rule, affiliation, "", base)
        elif rule.for_each == "unit_path":
            for unit in home.line or (NO_UNIT,):
                yield self._attempt(rule, affiliation, unit.code or "", (*base, unit, None, ""))
        elif rule.for_each == "class":
            yield from self._class_attempts(rule, affiliation, base)
        else:
            yield self._attempt(rule, affiliation, "", (*base, NO_UNIT, None, ""))

    def _class_attempts(self, rule: GroupRule, affiliation: Affiliation, base: tuple[object, ...]) -> Iterator[Attempt]:
        known = [place for place in affiliation.classes if place.code in self._organisation.class_groups]
        for place in known:
            group: ClassNode = self._organisation.class_groups[place.code]
            yield self._attempt(rule, affiliation, place.code, (*base, NO_UNIT, group, place.role))
        if not known:  # nothing to go through: what can be said before is said, and the rule does not hold
            clauses = rule.when.trace(*base, NO_UNIT, None, "")
            yield Attempt(affiliation.id, "", holds=False, clauses=clauses)

    def _attempt(self, rule: Rule, affiliation: Affiliation, about: str, values: tuple[object, ...]) -> Attempt:
        holds, clauses = rule.when.test(*values), rule.when.trace(*values)
        if isinstance(rule, GroupRule) and rule.each_when:
            holds = holds and rule.each_when.test(*values)
            clauses += rule.each_when.trace(*values)
        return Attempt(affiliation.id, about, holds, clauses)

    def _behind(self, rule: LicenceRule) -> str | None:
        """The licence rule of the same exclusive set that gave its licence first."""
        for other in self._ruleset.licences:
            if other.id == rule.id:
                return None
            if rule.exclusive and other.exclusive == rule.exclusive and other.id in self._giving:
                return other.id
        return None


def _giving_rules(desired: Desired) -> frozenset[str]:
    parts = (desired.accounts, desired.memberships, desired.licences)
    return frozenset(part.rule for group in parts for part in group)


def _hidden(_value: Sealed) -> str:
    """Stands in where no rule reads a sealed field."""
    return ""
