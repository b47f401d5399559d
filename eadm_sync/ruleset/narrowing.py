"""A ruleset made smaller: what can be said without the rules that nobody asks about is said much faster.

Rules are independent but for three things, which a smaller ruleset has to keep: the account rules of a target fill one
account together; groups and licences need an account in their target; of an exclusive set one licence is given.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from eadm_sync.expression import Namespace
from eadm_sync.model import Affiliation, Person
from eadm_sync.ruleset.code import build_function
from eadm_sync.ruleset.organisation import UnitNode
from eadm_sync.ruleset.rules import IdentifierRule, Identify, Matcher, Reveal, Rule, Ruleset, Value
from eadm_sync.ruleset.scopes import BASE

AnyHolds = Callable[[Person, Affiliation, UnitNode, Identify, Reveal], bool]
"""(person, affiliation, its unit, …) → whether one of some rules holds."""


@dataclass(frozen=True)
class RuleEdit:
    """One rule, identifier or setting that two rulesets have otherwise.

    Attributes:
        id: The rule's id, "identifier <name>", "affiliation_order" or "lifecycle".
        edit: `added`, `removed`, `changed` or `moved` (stands elsewhere among the rules of its kind).
        old: Where it stands in the old ruleset, as "file:line"; None where it does not.
        new: As `old`, in the new one.
    """

    id: str
    edit: str
    old: str | None
    new: str | None


@dataclass(frozen=True)
class Edits:
    """What differs between two rulesets.

    Attributes:
        edits: All of it, to be shown.
        rules: Ids of rules that may give something else to somebody.
        everything: Something differs that every rule hangs on.
    """

    edits: tuple[RuleEdit, ...]
    rules: frozenset[str]
    everything: bool


def edits_between(old: Ruleset, new: Ruleset) -> Edits:
    """What differs between two rulesets of one installation."""
    settings = [
        RuleEdit(name, "changed", None, None)
        for name in ("lifecycle", "affiliation_order")
        if getattr(old, name) != getattr(new, name)
    ]
    edits = [
        *_rule_edits(old.accounts, new.accounts),
        *_rule_edits(old.groups, new.groups),
        *_rule_edits(old.licences, new.licences),
    ]
    identifiers = [
        RuleEdit(f"identifier {name}", "changed", _place(old.identifiers[name]), _place(new.identifiers[name]))
        for name in old.identifiers.keys() & new.identifiers.keys()
        if old.identifiers[name].fingerprint != new.identifiers[name].fingerprint
    ]
    return Edits((*settings, *identifiers, *edits), frozenset(edit.id for edit in edits), bool(settings))


def _rule_edits(old: Sequence[Rule], new: Sequence[Rule]) -> list[RuleEdit]:
    before, after = {rule.id: rule for rule in old}, {rule.id: rule for rule in new}
    edits = []
    for rule_id in {**before, **after}:
        was, now = before.get(rule_id), after.get(rule_id)
        if was is None or now is None:
            edit = "added" if was is None else "removed"
        elif was.fingerprint != now.fingerprint or was.sensitive != now.sensitive:
            edit = "changed"
        else:
            continue
        edits.append(RuleEdit(rule_id, edit, _place(was) if was else None, _place(now) if now else None))
    common_before = [rule_id for rule_id in before if rule_id in after]
    common_after = [rule_id for rule_id in after if rule_id in before]
    told = {edit.id for edit in edits}
    for was_id, now_id in zip(common_before, common_after, strict=True):
        if was_id != now_id and now_id not in told:  # the first that holds wins, so that order matters
            edits.append(RuleEdit(now_id, "moved", _place(before[now_id]), _place(after[now_id])))
    return edits


def _place(rule: Rule | IdentifierRule) -> str:
    return f"{rule.file}:{rule.line}"


def touching(ruleset: Ruleset, rules: Collection[str]) -> AnyHolds:
    """Whether one of some rules holds for an affiliation: as far as their `when` says before units and classes."""
    codes = [rule.when.typed.code for rule in ruleset.rules if rule.id in rules]
    result = ast.BoolOp(ast.Or(), codes) if len(codes) > 1 else codes[0] if codes else ast.Constant(value=False)
    return build_function("touching", BASE, result, (), _namespace(ruleset))


@dataclass(frozen=True)
class Question:
    """What is asked of two rulesets: what some rules come to, that one of them may lack.

    Attributes:
        rules: Ids of the rules.
        filled: Targets of the account rules among them.
        grouped: Targets of the group rules among them.
        licensed: Whether a licence rule is among them.
        licensing: Targets of all licence rules.
    """

    rules: frozenset[str]
    filled: frozenset[str]
    grouped: frozenset[str]
    licensed: bool
    licensing: frozenset[str]


def question(rules: frozenset[str], *rulesets: Ruleset) -> Question:
    """The question what some rules come to, the same for all rulesets it is put to."""
    return Question(
        rules,
        frozenset(rule.target for ruleset in rulesets for rule in ruleset.accounts if rule.id in rules),
        frozenset(rule.target for ruleset in rulesets for rule in ruleset.groups if rule.id in rules),
        any(rule.id in rules for ruleset in rulesets for rule in ruleset.licences),
        frozenset(rule.target for ruleset in rulesets for rule in ruleset.licences),
    )


def narrowed(ruleset: Ruleset, asked: Question, *, with_neighbours: bool = False) -> Ruleset:
    """The ruleset with what is needed to answer.

    Of targets that an account rule is asked of, all account rules; of the other targets only whether there is an
    account. Group rules that are asked about. All licence rules where one is.

    Args:
        ruleset: The whole.
        asked: The question; rules that the ruleset does not have are passed over.
        with_neighbours: Also all group rules of the targets that an account or group rule is asked of, since another
            one may give the same group, and all licence rules where an account rule is: accounts can come and go.
    """
    grouped = asked.grouped | asked.filled if with_neighbours else frozenset()
    groups = tuple(rule for rule in ruleset.groups if rule.id in asked.rules or rule.target in grouped)
    licensed = asked.licensed or (with_neighbours and bool(asked.filled))
    licences = ruleset.licences if licensed else ()
    # Not what this ruleset needs, but what either does: otherwise an account would seem to be on one side only.
    needed = asked.filled | asked.grouped | (asked.licensing if licensed else frozenset())
    accounts = tuple(
        rule if rule.target in asked.filled else replace(rule, make=_empty, attributes=(), reads=rule.when.fields)
        for rule in ruleset.accounts
        if rule.target in asked.filled or (rule.shapes and rule.target in needed)
    )
    kept: tuple[Rule, ...] = (*accounts, *groups, *licences)
    return replace(ruleset, accounts=accounts, groups=groups, licences=licences, match=_matcher(ruleset, kept))


def _matcher(ruleset: Ruleset, rules: Sequence[Rule]) -> Matcher:
    codes = [rule.when.typed.code for rule in rules]
    return build_function("match", BASE, ast.Tuple(codes, ast.Load()), (), _namespace(ruleset))


def _namespace(ruleset: Ruleset) -> Namespace:
    """The one that all of a ruleset's code shares."""
    return next((rule.when.namespace for rule in ruleset.rules), Namespace())


def _empty(
    _person: Person, _affiliation: Affiliation, _home: UnitNode, _identify: Identify, _reveal: Reveal
) -> tuple[str | None, dict[str, Value]]:
    """An account of which only its being there counts."""
    return None, {}
