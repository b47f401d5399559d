"""What differs between two rulesets, and a ruleset made smaller: what an edit cannot touch need not be evaluated.

Rules are independent but for three things, which a smaller ruleset has to keep: the account rules of a target fill one
account together, attribute by attribute; groups and licences need an account in their target; two rules can give the
same group, and of an exclusive set one licence is given.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from msgspec.structs import replace

from eadm_sync.expression import Namespace, Origin, check_template
from eadm_sync.expression.scope import LIST
from eadm_sync.expression.typed import call
from eadm_sync.model import Affiliation, Person
from eadm_sync.ruleset.code import build_function, mapping
from eadm_sync.ruleset.organisation import UnitNode
from eadm_sync.ruleset.rules import (
    AccountRule,
    GroupRule,
    IdentifierRule,
    Identify,
    LicenceRule,
    Matcher,
    Reveal,
    Rule,
    Ruleset,
)
from eadm_sync.ruleset.scopes import BASE

Held = Callable[[Person, Affiliation, UnitNode, Identify, Reveal], Sequence[bool]]
"""(person, affiliation, its unit, …) → whether one of some rules holds; then of some others, whether each does."""

Look = Callable[[Person, Affiliation, UnitNode, Identify, Reveal], Hashable]
"""(person, affiliation, its unit, …) → all that some rules read of them."""


@dataclass(frozen=True)
class RuleEdit:
    """One rule, identifier or setting that two rulesets have otherwise.

    Attributes:
        id: The rule's id, "identifier <name>", "affiliation_order", "lifecycle" or "drift".
        edit: `added`, `removed`, `changed` or `moved` (stands elsewhere among the rules of its kind).
        old: Where it stands in the old ruleset, as "file:line"; None where it does not.
        new: As `old`, in the new one.
    """

    id: str
    edit: str
    old: str | None
    new: str | None


class _Difference(NamedTuple):
    """How a rule differs.

    Attributes:
        edit: As `RuleEdit.edit`.
        condition: Whether it can hold for other affiliations than before.
        rest: Whether it can give something else where it holds.
        attributes: The attributes that differ, where it is these alone that it gives otherwise; else None.
    """

    edit: str
    condition: bool
    rest: bool
    attributes: frozenset[str] | None


@dataclass(frozen=True)
class Edits:
    """What differs between two rulesets, and where to look for what that does.

    Attributes:
        edits: All of it, to be shown.
        rules: Ids of rules that can give something else where they hold.
        steady: Those of them that hold for the same affiliations on both sides.
        conditions: Ids of rules that give the same, only to others.
        filled: Targets of the account rules among them, with the attributes in question; None: all, and accounts can
            come and go.
        groups: The group rules among them, of either ruleset.
        licensed: Whether a licence rule is among them.
        licensing: Targets of all licence rules.
        identifiers: Names whose patterns differ: they matter for people who have none yet.
        lifecycle: Whether other affiliations can count.
        order: Whether another affiliation can win.
    """

    edits: tuple[RuleEdit, ...]
    rules: frozenset[str]
    steady: frozenset[str]
    conditions: frozenset[str]
    filled: Mapping[str, frozenset[str] | None]
    groups: tuple[GroupRule, ...]
    licensed: bool
    licensing: frozenset[str]
    identifiers: frozenset[str]
    lifecycle: bool
    order: bool

    @property
    def touched(self) -> frozenset[str]:
        """Ids of all rules through which somebody can get something else."""
        return self.rules | self.conditions

    @property
    def spreads(self) -> bool:
        """Whether somebody for whom no such rule holds can get something else too."""
        return bool(self.identifiers) or self.lifecycle or self.order

    @property
    def values(self) -> dict[str, frozenset[str]]:
        """Targets of which some attributes are in question, and not whether there is an account."""
        return {target: attributes for target, attributes in self.filled.items() if attributes is not None}

    @property
    def moves_accounts(self) -> bool:
        """Whether accounts can come and go, and with them what other rules give."""
        return None in self.filled.values()


def edits_between(old: Ruleset, new: Ruleset) -> Edits:
    """What differs between two rulesets of one installation."""
    settings = [
        name for name in ("lifecycle", "affiliation_order", "drift") if getattr(old, name) != getattr(new, name)
    ]
    identifiers = {
        name
        for name in old.identifiers.keys() & new.identifiers.keys()
        if old.identifiers[name].content != new.identifiers[name].content
    }
    followed = frozenset(name for name in identifiers if old.identifiers[name].follows or new.identifiers[name].follows)
    found = {
        **_differences(old.accounts, new.accounts, followed),
        **_differences(old.groups, new.groups, followed),
        **_differences(old.licences, new.licences, followed),
    }
    before, after = {rule.id: rule for rule in old.rules}, {rule.id: rule for rule in new.rules}
    shown = [
        *(RuleEdit(name, "changed", None, None) for name in settings),
        *(
            RuleEdit(f"identifier {name}", "changed", _place(old.identifiers[name]), _place(new.identifiers[name]))
            for name in sorted(identifiers)
        ),
        *(
            RuleEdit(rule_id, each.edit, _place(before.get(rule_id)), _place(after.get(rule_id)))
            for rule_id, each in found.items()
            if each.edit
        ),
    ]
    touched = {rule_id for rule_id, each in found.items() if each.condition or each.rest}
    sides = (old, new)
    return Edits(
        edits=tuple(shown),
        rules=frozenset(rule_id for rule_id, each in found.items() if each.rest),
        steady=frozenset(rule_id for rule_id, each in found.items() if each.rest and not each.condition),
        conditions=frozenset(rule_id for rule_id, each in found.items() if each.condition and not each.rest),
        filled=_filled([rule for side in sides for rule in side.accounts if rule.id in touched], found),
        groups=tuple(rule for side in sides for rule in side.groups if rule.id in touched),
        licensed=any(rule.id in touched for side in sides for rule in side.licences),
        licensing=frozenset(rule.target for side in sides for rule in side.licences),
        identifiers=frozenset(identifiers - followed),
        lifecycle="lifecycle" in settings,
        order="affiliation_order" in settings,
    )


def _differences(old: Sequence[Rule], new: Sequence[Rule], followed: frozenset[str]) -> dict[str, _Difference]:
    before, after = {rule.id: rule for rule in old}, {rule.id: rule for rule in new}
    found: dict[str, _Difference] = {}
    for rule_id in {**before, **after}:
        was, now = before.get(rule_id), after.get(rule_id)
        if was is None or now is None:
            found[rule_id] = _Difference("removed" if now is None else "added", True, True, None)
        elif (difference := _difference(was, now, followed)) is not None:
            found[rule_id] = difference
    common_before = [rule_id for rule_id in before if rule_id in after]
    common_after = [rule_id for rule_id in after if rule_id in before]
    for was_id, now_id in zip(common_before, common_after, strict=True):
        if was_id != now_id:  # the first that holds wins, so that order matters
            told = found.get(now_id)
            condition = told is not None and told.condition
            found[now_id] = _Difference((told and told.edit) or "moved", condition, True, None)
    return found


def _difference(was: Rule, now: Rule, followed: frozenset[str]) -> _Difference | None:
    """How a rule that both have differs, None where it does not."""
    condition = was.condition != now.condition
    rest = was.content != now.content
    attributes: frozenset[str] = frozenset()
    whole = rest
    if isinstance(was, AccountRule) and isinstance(now, AccountRule):
        attributes = _other_attributes(was, now)
        whole = rest or was.shapes != now.shapes
    if isinstance(was, GroupRule) and isinstance(now, GroupRule):
        rest = rest or was.each_content != now.each_content
    edit = "changed" if condition or rest or attributes or was.sensitive != now.sensitive else ""
    if followed & (was.reads | now.reads):
        rest = whole = True
    if not edit and not rest:
        return None
    return _Difference(edit, condition, rest or bool(attributes), None if whole or condition else attributes)


def _other_attributes(was: AccountRule, now: AccountRule) -> frozenset[str]:
    names = was.attributes.keys() | now.attributes.keys()
    contents = ([rule.attributes[name].content for rule in (was, now) if name in rule.attributes] for name in names)
    return frozenset(
        name for name, content in zip(names, contents, strict=True) if len(content) == 1 or content[0] != content[1]
    )


def _filled(rules: Sequence[AccountRule], found: Mapping[str, _Difference]) -> dict[str, frozenset[str] | None]:
    filled: dict[str, frozenset[str] | None] = {}
    for rule in rules:
        attributes, more = filled.get(rule.target, frozenset()), found[rule.id].attributes
        filled[rule.target] = None if attributes is None or more is None else attributes | more
    return filled


def _place(rule: Rule | IdentifierRule | None) -> str | None:
    return f"{rule.file}:{rule.line}" if rule else None


# ---------------------------------------------------------------- who is touched, and who is like whom


def holding(ruleset: Ruleset, anyhow: Collection[str], each: Collection[str]) -> Held | None:
    """Tests edited rules for one affiliation, as far as their `when` says before units and classes; None without any.

    Args:
        ruleset: One of the two.
        anyhow: Rules of which only counts whether one of them holds.
        each: Rules that are told one by one, so that both sides can be compared; both have them.
    """
    codes = [rule.when.typed.code for rule in ruleset.rules if rule.id in anyhow]
    told = [rule.when.typed.code for rule in sorted(ruleset.rules, key=lambda rule: rule.id) if rule.id in each]
    if not codes and not told:
        return None
    some = ast.BoolOp(ast.Or(), [*codes, ast.Constant(value=False)]) if codes else ast.Constant(value=False)
    return build_function("holding", BASE, ast.Tuple([some, *told], ast.Load()), (), _namespace(ruleset))


def looking(*rulesets: Ruleset) -> Look | None:
    """What the rules of narrowed rulesets see of an affiliation; None where they see who the person is.

    Those of whom rules see the same get the same.
    """
    rules = [rule for ruleset in rulesets for rule in ruleset.rules]
    paths = {path for rule in rules for path in rule.reads}
    personal = any(path.startswith("person.") or path in ruleset.identifiers for ruleset in rulesets for path in paths)
    if personal or not rules:
        return None
    scope, namespace = rules[0].when.scope, rules[0].when.namespace
    units = any(isinstance(rule, GroupRule) and rule.for_each == "unit_path" for rule in rules)
    classes = any(isinstance(rule, GroupRule) and rule.for_each == "class" for rule in rules)
    codes: list[ast.expr] = [ast.Name("home", ast.Load())] if units else []
    if classes or "affiliation.classes" in paths:
        codes.append(ast.Attribute(ast.Name("affiliation", ast.Load()), "classes", ast.Load()))
    for path in sorted(paths - {"affiliation.classes"}):
        # What a table says is decided by the field it is asked with, which is read too.
        if path.startswith("affiliation.") and "[" not in path:
            typed = check_template(f"{{{{ {path} }}}}", scope, Origin(""), namespace, typed=True)
            codes.append(call(namespace.bind("tuple", tuple))(typed.code) if typed.type is LIST else typed.code)
    return build_function("looking", BASE, ast.Tuple(codes, ast.Load()), (), namespace)


# ---------------------------------------------------------------- smaller rulesets


def narrowed(ruleset: Ruleset, edits: Edits) -> Ruleset:
    """The ruleset with what is needed to say what the edits come to, as long as no account comes or goes.

    Of targets that an edited account rule fills, its account rules with the attributes in question; of the other
    targets only whether there is an account. Edited group rules, and those that may give the same groups. All licence
    rules where one is edited.
    """
    groups = tuple(rule for rule in ruleset.groups if any(map(rule.may_give_same, edits.groups)))
    licences = ruleset.licences if edits.licensed else ()
    # Not what this ruleset needs, but what either does: otherwise an account would seem to be on one side only.
    needed = {rule.target for rule in edits.groups} | (edits.licensing if edits.licensed else frozenset())
    filled = {**dict.fromkeys(needed, frozenset[str]()), **edits.filled}
    return _with(ruleset, _filling(ruleset, filled), groups, licences)


def filling(ruleset: Ruleset, filled: Mapping[str, frozenset[str]]) -> Ruleset:
    """The ruleset with nothing but account rules, and of these the attributes of some targets."""
    return _with(ruleset, _filling(ruleset, filled), (), ())


def _filling(ruleset: Ruleset, filled: Mapping[str, frozenset[str] | None]) -> Iterator[AccountRule]:
    for rule in ruleset.accounts:
        if rule.target not in filled:
            continue
        wanted = filled[rule.target]
        if wanted is None:
            yield rule
        elif rule.shapes or wanted & rule.attributes.keys():
            yield _with_attributes(ruleset, rule, wanted)


def _with_attributes(ruleset: Ruleset, rule: AccountRule, wanted: frozenset[str]) -> AccountRule:
    """The rule with some of its attributes, and without the container."""
    attributes = {name: part for name, part in rule.attributes.items() if name in wanted}
    reads = frozenset(path for part in attributes.values() for path in part.reads)
    codes = mapping({name: part.code for name, part in attributes.items()})
    result = ast.Tuple([ast.Constant(None), codes], ast.Load())
    identifiers = [name for name in ruleset.identifiers if name in reads]
    make = build_function("some_attributes", BASE, result, identifiers, _namespace(ruleset))
    return replace(rule, make=make, attributes=attributes, reads=rule.when.fields | reads)


def _with(
    ruleset: Ruleset, accounts: Iterator[AccountRule], groups: tuple[GroupRule, ...], licences: tuple[LicenceRule, ...]
) -> Ruleset:
    filling = tuple(accounts)
    rules: tuple[Rule, ...] = (*filling, *groups, *licences)
    return replace(ruleset, accounts=filling, groups=groups, licences=licences, match=_matcher(ruleset, rules))


def _matcher(ruleset: Ruleset, rules: Sequence[Rule]) -> Matcher:
    codes = [rule.when.typed.code for rule in rules]
    return build_function("match", BASE, ast.Tuple(codes, ast.Load()), (), _namespace(ruleset))


def _namespace(ruleset: Ruleset) -> Namespace:
    """The one that all of a ruleset's code shares."""
    return next((rule.when.namespace for rule in ruleset.rules), Namespace())
