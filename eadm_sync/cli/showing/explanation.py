"""Explanations as text and as plain data for JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from eadm_sync.app.explaining import Explained, WhyNot
from eadm_sync.cli.output import clean, plain, styled
from eadm_sync.cli.showing.preview import counted, shown
from eadm_sync.desired.explaining import Attempt, RuleExplanation
from eadm_sync.expression import Clause
from eadm_sync.model import Affiliation

Thing = tuple[str, str, str]
"""What somebody has or shall have: (target, `account`/`group`/`licence`, group or sku or "")."""


def lines(why: Explained, *, every_rule: bool) -> Iterator[str]:
    """Why a person has what they have.

    Args:
        why: The explanation.
        every_rule: Whether rules are shown that give nothing, too.
    """
    yield from _person_lines(why)
    has, shall = has_by_rule(why), shall_by_rule(why)
    silent = 0
    for rule in why.explanation.rules:
        things = shall.get(rule.rule, ())
        if not (things or rule.gives or rule.holds or every_rule):
            silent += 1
            continue
        yield ""
        yield _rule_line(rule)
        yield from (f"  {_thing(thing)}: {_state(thing, has, shall)}" for thing in things)
        yield from _attempt_lines(rule, all_of_them=every_rule)
    yield from _lost_lines(has, shall)
    yield from _queue_lines(why)
    if silent:
        yield ""
        yield f"{counted(silent, 'more rule')} {'does' if silent == 1 else 'do'} not hold: see all with --all, or ask"
        yield f"about one thing: eadm-sync why-not {clean(why.person.id)} TARGET|GROUP|LICENCE"


def why_not_lines(answer: WhyNot) -> Iterator[str]:
    """Why a person does not have one thing, or that they do."""
    yield from _person_lines(answer.explained)
    yield ""
    yield styled(verdict(answer), "bold")
    for rule in answer.rules:
        yield ""
        yield _rule_line(rule)
        yield from _attempt_lines(rule, all_of_them=True)
    yield from _queue_lines(answer.explained)


def verdict(answer: WhyNot) -> str:
    """The answer in a sentence or two."""
    what = f"{answer.kind} {clean(answer.name)}"
    if answer.has and answer.shall_have:
        return f"Has {what}, and the rules give it."
    if answer.has:
        return f"Has {what}, though no rule gives it any more: it will be taken away."
    if answer.shall_have:
        items = answer.explained.items
        wait = (
            "see what is in the export queue, below" if items else "the next `sync` plans it, unless a brake holds it"
        )
        return f"Does not have {what} yet, though the rules give it: {wait}."
    return f"Does not have {what}: {_why_not_given(answer)}."


def _why_not_given(answer: WhyNot) -> str:
    if not answer.explained.standing.counting:
        return f"no affiliation counts today (stage: {answer.explained.standing.stage})"
    if not answer.rules:
        return "there is no rule that could give it"
    passed_over = ((rule, _why_it_gives_nothing(rule)) for rule in answer.rules)
    return next((f"{clean(rule.rule)} {why}" for rule, why in passed_over if why), "no rule gives it")


# ---------------------------------------------------------------- the person


def _person_lines(why: Explained) -> Iterator[str]:
    person, standing = why.person, why.standing
    yield styled(f"{clean(person.id)}  {clean(person.given_name)} {clean(person.family_name)}", "bold")
    until = "" if standing.next_change is None else f"; can change on {standing.next_change}"
    yield f"Stage: {standing.stage}{until}"
    if why.pending:
        yield "Will be looked at by the next run: something was held or under way."
    counting = {affiliation.id for affiliation in standing.counting}
    yield "Affiliations:" if person.affiliations else "No affiliations."
    for affiliation in person.affiliations:
        yield f"  {_mark(affiliation.id in counting)} {_affiliation(affiliation)}"
    if why.identifiers or why.unnamed:
        yield "Identifiers:"
    yield from (f"  {clean(name)} = {shown(value)}" for name, value in sorted(why.identifiers.items()))
    for name in why.unnamed:
        yield styled(f"  {clean(name)}: every candidate is taken or reserved", "red")


def _affiliation(affiliation: Affiliation) -> str:
    start, end = affiliation.start or "", affiliation.end or ""
    parts = [affiliation.id, affiliation.kind, affiliation.unit, affiliation.title]
    parts.append(None if affiliation.fraction is None else f"{affiliation.fraction:.0%}")
    parts.append(f"{start}–{end}" if start or end else None)
    parts.append("on leave" if affiliation.leave else None)
    return "  ".join(clean(part) for part in parts if part)


# ---------------------------------------------------------------- what they have


def has_by_rule(why: Explained) -> dict[str, tuple[Thing, ...]]:
    """Rule id → what the person is known to have by it."""
    known = why.known
    found: dict[str, list[Thing]] = {}
    for target, account in known.accounts.items():
        found.setdefault(account.rule, []).append((target, "account", ""))
    for (target, group), (_, rule) in known.memberships.items():
        found.setdefault(rule, []).append((target, "group", group))
    for (target, sku), rule in known.licences.items():
        found.setdefault(rule, []).append((target, "licence", sku))
    return {rule: tuple(sorted(things)) for rule, things in found.items()}


def shall_by_rule(why: Explained) -> dict[str, tuple[Thing, ...]]:
    """Rule id → what the rules give the person by it."""
    desired = why.explanation.desired
    found: dict[str, list[Thing]] = {}
    for account in desired.accounts:
        found.setdefault(account.rule, []).append((account.target, "account", ""))
    for row in desired.memberships:
        found.setdefault(row.rule, []).append((row.target, "group", row.group))
    for licence in desired.licences:
        found.setdefault(licence.rule, []).append((licence.target, "licence", licence.sku))
    return {rule: tuple(sorted(things)) for rule, things in found.items()}


def _thing(thing: Thing) -> str:
    target, kind, name = map(clean, thing)
    return f"{target} {kind} {name}".rstrip()


def _all(by_rule: Mapping[str, Iterable[Thing]]) -> set[Thing]:
    return {thing for things in by_rule.values() for thing in things}


def _state(thing: Thing, has: Mapping[str, Iterable[Thing]], shall: Mapping[str, Iterable[Thing]]) -> str:
    if thing not in _all(shall):
        return "has it, to be taken away"
    return "has it" if thing in _all(has) else "shall have it, not there yet"


def _lost_lines(has: Mapping[str, Iterable[Thing]], shall: Mapping[str, Iterable[Thing]]) -> Iterator[str]:
    lost = _all(has) - _all(shall)
    if lost:
        yield ""
        yield styled("What no rule gives any more:", "bold")
    for rule, things in sorted(has.items()):
        yield from (f"  {_thing(thing)}, once given by {clean(rule)}" for thing in things if thing in lost)


# ---------------------------------------------------------------- rules


def _rule_line(rule: RuleExplanation) -> str:
    where = f"{clean(rule.file)}:{rule.line}"
    return (
        f"{_mark(rule.holds)} {styled(f'{clean(rule.rule)}', 'bold')}  {where} {_why_it_gives_nothing(rule)}".rstrip()
    )


def _why_it_gives_nothing(rule: RuleExplanation) -> str:
    if rule.needs_account:
        return f"holds, but there is no account in {clean(rule.target)}"
    if rule.behind is not None:
        return f"holds, but {clean(rule.behind)} of the same exclusive set came first"
    return ""


def _attempt_lines(rule: RuleExplanation, *, all_of_them: bool) -> Iterator[str]:
    for attempt in rule.attempts:
        if attempt.holds or all_of_them or not rule.holds:
            yield f"    {_mark(attempt.holds)} for {_about(attempt)}"
            for clause in attempt.clauses:
                yield from _clause_lines(clause, "      ")


def _about(attempt: Attempt) -> str:
    return clean(attempt.affiliation) + (f", {clean(attempt.about)}" if attempt.about else "")


def _clause_lines(clause: Clause, indent: str) -> Iterator[str]:
    seen = ", ".join(f"{clean(name)} = {_seen(value)}" for name, value in clause.values)
    yield f"{indent}{_mark(clause.truth)} {clean(clause.text)}" + (styled(f"    {seen}", "dim") if seen else "")
    for part in clause.clauses:
        yield from _clause_lines(part, f"{indent}  ")


def _seen(value: object) -> str:
    return "(missing)" if value is None else shown(value)


def _mark(truth: bool) -> str:
    return styled("✓", "green") if truth else styled("✗", "red")


# ---------------------------------------------------------------- the queue


def _queue_lines(why: Explained) -> Iterator[str]:
    if why.items:
        yield ""
        yield styled("In the export queue:", "bold")
    for item in why.items:
        failed = f", failed {counted(item.attempts, 'time')}: {clean(item.last_error)}" if item.last_error else ""
        when = f", not before {item.not_before:%Y-%m-%d %H:%M} UTC" if item.not_before else ""
        what = f"{clean(item.target)}: {clean(item.operation)} {clean(item.object_key)}"
        yield f"  {item.id}  {what}: {item.state}{when}{failed}"


# ---------------------------------------------------------------- data


def as_data(why: Explained, rules: Iterable[RuleExplanation] | None = None) -> dict[str, Any]:
    """An explanation for JSON; with `rules`, only those."""
    has, shall = _all(has_by_rule(why)), _all(shall_by_rule(why))
    return {
        "person": plain(why.person),
        "stage": why.standing.stage,
        "next_change": why.standing.next_change,
        "counting": [affiliation.id for affiliation in why.standing.counting],
        "identifiers": why.identifiers,
        "unnamed": list(why.unnamed),
        "pending": why.pending,
        "things": [
            {"target": target, "kind": kind, "name": name or None, "has": thing in has, "shall_have": thing in shall}
            for thing in sorted(has | shall)
            for target, kind, name in [thing]
        ],
        "rules": [_rule_data(rule) for rule in (why.explanation.rules if rules is None else rules)],
        "queue": [plain(item) for item in why.items],
    }


def why_not_data(answer: WhyNot) -> dict[str, Any]:
    """The answer to `why-not` for JSON."""
    asked = {"kind": answer.kind, "name": answer.name, "has": answer.has, "shall_have": answer.shall_have}
    return {**asked, "verdict": verdict(answer), **as_data(answer.explained, answer.rules)}


def _rule_data(rule: RuleExplanation) -> dict[str, Any]:
    names = ("rule", "kind", "target", "file", "line", "holds", "gives", "needs_account", "behind")
    return {
        **{name: getattr(rule, name) for name in names},
        "attempts": [
            {
                "affiliation": attempt.affiliation,
                "about": attempt.about or None,
                "holds": attempt.holds,
                "clauses": [_clause_data(clause) for clause in attempt.clauses],
            }
            for attempt in rule.attempts
        ],
    }


def _clause_data(clause: Clause) -> dict[str, Any]:
    return {
        "text": clause.text,
        "truth": clause.truth,
        "values": dict(clause.values),
        "clauses": [_clause_data(part) for part in clause.clauses],
    }
