"""Explanations as text and as plain data for JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from eadm_sync.cli.output import clean, many, plain, styled
from eadm_sync.cli.showing.reasons import (
    decision_lines,
    mark,
    moment,
    order_line,
    outcome_words,
    prospect_lines,
    turn_line,
    wait_lines,
)
from eadm_sync.cli.showing.tracing import clause_data, clause_lines, found_data, origin_lines
from eadm_sync.cli.showing.verdict import verdict, why_it_gives_nothing

if TYPE_CHECKING:
    from datetime import date

    from eadm_sync.app.explaining import Explained, WhyNot
    from eadm_sync.app.programs import Follower
    from eadm_sync.app.waits import Outcome
    from eadm_sync.desired.explaining import Attempt, RuleExplanation
    from eadm_sync.model import Affiliation

Thing = tuple[str, str, str]
"""What somebody has or shall have: (target, `account`/`group`/`licence`, group or sku or "")."""


def lines(why: Explained, *, every_rule: bool) -> Iterator[str]:
    """Why a person has what they have.

    Args:
        why: The explanation.
        every_rule: Whether rules are shown that give nothing, too.
    """
    yield _name_line(why)
    yield from _person_lines(why)
    has, shall, last = has_by_rule(why), shall_by_rule(why), _last_outcomes(why)
    kept = _kept(why)
    silent = 0
    for rule in why.explanation.rules:
        things = shall.get(rule.rule, ())
        if not (things or rule.gives or rule.holds or every_rule):
            silent += 1
            continue
        yield ""
        yield _rule_line(rule, why.today)
        yield from (f"  {_thing(thing)}: {_state(thing, has, shall, kept)}{_last(thing, last)}" for thing in things)
        yield from _attempt_lines(rule, all_of_them=every_rule)
    yield from _lost_lines(has, shall, kept)
    yield from _by_way_lines(why)
    yield from _follower_lines(why.followers)
    yield from _left_lines(why)
    yield from prospect_lines(why)
    yield from wait_lines(why.waits)
    if silent:
        yield ""
        yield f"{many(silent, 'more rule')} {'does' if silent == 1 else 'do'} not hold: see all with --all, or ask"
        yield f"about one thing: eadm-sync why-not {clean(why.person.id)} TARGET|GROUP|LICENCE"


def why_not_lines(answer: WhyNot) -> Iterator[str]:
    """Why a person does not have one thing, or that they do: the answer first, then what it stands on."""
    why = answer.explained
    yield _name_line(why)
    yield styled(verdict(answer), "bold")
    yield from _last_outcome_line(answer)
    yield ""
    yield from _person_lines(why)
    for rule in answer.rules:
        yield ""
        yield _rule_line(rule, why.today)
        yield from _attempt_lines(rule, all_of_them=True)
    yield from _follower_lines(one for one in why.followers if answer.is_account_in(one.target))
    yield from _left_lines(why)
    yield from prospect_lines(why)
    yield from wait_lines(why.waits)


def _last_outcome_line(answer: WhyNot) -> Iterator[str]:
    for outcome in answer.explained.outcomes:
        if answer.concerns(outcome.target, outcome.object):
            yield f"Last in {clean(outcome.target)}: {outcome_words(outcome)}."


# ---------------------------------------------------------------- the person


def _name_line(why: Explained) -> str:
    person = why.person
    return styled(f"{clean(person.id)}  {clean(person.given_name)} {clean(person.family_name)}", "bold")


def _person_lines(why: Explained) -> Iterator[str]:
    person, standing = why.person, why.standing
    yield f"Stage: {standing.stage}"
    yield from map(order_line, why.orders)
    yield from map(turn_line, why.turns)
    if why.pending:
        yield "Will be looked at by the next run: something was held or under way."
    yield from origin_lines(why)
    counting = {affiliation.id for affiliation in standing.counting}
    yield "Affiliations:" if person.affiliations else "No affiliations."
    for affiliation in person.affiliations:
        yield f"  {mark(affiliation.id in counting)} {_affiliation(affiliation)}"
    if why.decisions:
        yield "Identifiers:"
    for decision in why.decisions:
        yield from decision_lines(decision)


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


def _kept(why: Explained) -> dict[Thing, date]:
    """What is kept for an overlap → its last day."""
    return {
        (one.target, "group" if one.kind == "membership" else str(one.kind), one.name): one.last_day for one in why.kept
    }


def _state(
    thing: Thing,
    has: Mapping[str, Iterable[Thing]],
    shall: Mapping[str, Iterable[Thing]],
    kept: Mapping[Thing, date],
) -> str:
    if thing not in _all(shall):
        return f"has it, kept until {kept[thing]}" if thing in kept else "has it, to be taken away"
    return "has it" if thing in _all(has) else "shall have it, not there yet"


def _last_outcomes(why: Explained) -> dict[Thing, Outcome]:
    """What was confirmed last, of each thing."""
    person = why.person.id
    return {_thing_of(outcome, person): outcome for outcome in why.outcomes}


def _thing_of(outcome: Outcome, person: str) -> Thing:
    kind, _, name = outcome.object.partition(f":{person}")
    return outcome.target, "group" if kind == "membership" else kind, name.removeprefix(":")


def _last(thing: Thing, last: Mapping[Thing, Outcome]) -> str:
    return styled(f"  ({outcome_words(last[thing])})", "dim") if thing in last else ""


def _lost_lines(
    has: Mapping[str, Iterable[Thing]], shall: Mapping[str, Iterable[Thing]], kept: Mapping[Thing, date]
) -> Iterator[str]:
    lost = _all(has) - _all(shall)
    if lost:
        yield ""
        yield styled("What no rule gives any more:", "bold")
    for rule, things in sorted(has.items()):
        for thing in things:
            if thing in lost:
                until = f", kept until {kept[thing]}" if thing in kept else ""
                by = f"once given by {clean(rule)}" if rule else "found where it was made unheard"
                yield f"  {_thing(thing)}, {by}{until}"


def _by_way_lines(why: Explained) -> Iterator[str]:
    if why.by_way:
        yield ""
        yield styled("By way of other groups:", "bold")
    for one in why.by_way:
        through = ", which is in ".join(map(clean, one.through))
        state = "" if one.has else ", not there yet"
        yield f"  {clean(one.target)} group {clean(one.group)}: through {through}, by {clean(one.rule)}{state}"


def _follower_lines(followers: Iterable[Follower]) -> Iterator[str]:
    """Programs that follow changes to accounts, and what came of them last."""
    shown = list(followers)
    if shown:
        yield ""
        yield styled("Programs behind changes to accounts:", "bold")
    for one in shown:
        asked = f"after {', '.join(one.on)}, by {clean(one.rule)}" if one.on else f"once asked for by {clean(one.rule)}"
        ran = "never run" if one.at is None else f"run {moment(one.at)}, exit code {one.code}"
        yield f"  {clean(one.target)} {clean(one.name)}: {asked}; {ran}{', still to be run' if one.is_owed else ''}"


# ---------------------------------------------------------------- rules


def _left_lines(why: Explained) -> Iterator[str]:
    """What somebody changed in a target by hand, and no plan puts back."""
    if why.known.left:
        yield ""
        yield "Changed in the target by hand and left alone:"
    for (target, kind, name), aspects in sorted(why.known.left.items()):
        about = " ".join(filter(None, (kind, name)))
        yield f"  {clean(target)}: {clean(about)}: {clean(', '.join(sorted(aspects)))}"
    if why.known.left:
        yield f"  decide with 'eadm-sync drift list --person {clean(why.person.id)}'"


def _rule_line(rule: RuleExplanation, today: date) -> str:
    head = f"{mark(rule.holds)} {styled(clean(rule.rule), 'bold')}  {clean(rule.file)}:{rule.line}"
    return f"{head}{_dates(rule)} {why_it_gives_nothing(rule, today)}".rstrip()


def _dates(rule: RuleExplanation) -> str:
    """From when until when it counts, where it does not always."""
    first = f" from {rule.first_day}" if rule.first_day else ""
    last = f" until {rule.last_day}" if rule.last_day else ""
    return f" {first}{last}" if first or last else ""


def _attempt_lines(rule: RuleExplanation, *, all_of_them: bool) -> Iterator[str]:
    for attempt in rule.attempts:
        if attempt.holds or all_of_them or not rule.holds:
            yield f"    {mark(attempt.holds)} for {_about(attempt)}"
            for clause in attempt.clauses:
                yield from clause_lines(clause, "      ")


def _about(attempt: Attempt) -> str:
    return clean(attempt.affiliation) + (f", {clean(attempt.about)}" if attempt.about else "")


# ---------------------------------------------------------------- data


def as_data(why: Explained, rules: Iterable[RuleExplanation] | None = None) -> dict[str, Any]:
    """An explanation for JSON; with `rules`, only those."""
    has, shall = _all(has_by_rule(why)), _all(shall_by_rule(why))
    last = _last_outcomes(why)
    return {
        "person": plain(why.person),
        "stage": why.standing.stage,
        "next_change": why.standing.next_change,
        "turns": [plain(turn) for turn in why.turns],
        "records": [plain(record) for record in why.records],
        "quarantined": [plain(row) for row in why.quarantined],
        **found_data(why.found),
        "counting": [affiliation.id for affiliation in why.standing.counting],
        "identifiers": {one.name: one.value for one in why.decisions if one.value is not None},
        "decisions": [plain(decision) for decision in why.decisions],
        "unnamed": list(why.unnamed),
        "pending": why.pending,
        "orders": [plain(order) for order in why.orders],
        "kept": [plain(one) for one in why.kept],
        "things": [
            {
                "target": target,
                "kind": kind,
                "name": name or None,
                "has": thing in has,
                "shall_have": thing in shall,
                "last": plain(last.get(thing)),
            }
            for thing in sorted(has | shall)
            for target, kind, name in [thing]
        ],
        "by_way": [plain(one) for one in why.by_way],
        "left": [
            {"target": target, "kind": kind, "name": name or None, "what": sorted(aspects)}
            for (target, kind, name), aspects in sorted(why.known.left.items())
        ],
        "programs": [plain(one) for one in why.followers],
        "rules": [_rule_data(rule) for rule in (why.explanation.rules if rules is None else rules)],
        "plan": [plain(prospect) for prospect in why.prospects],
        "faults": list(why.faults),
        "in_doubt": [{"target": doubt.target, "whether": doubt.aspect} for doubt in why.doubts],
        "queue": [{**plain(wait.item), "waits_for": plain(wait.reasons)} for wait in why.waits],
        "outcomes": [plain(outcome) for outcome in why.outcomes],
    }


def why_not_data(answer: WhyNot) -> dict[str, Any]:
    """The answer to `why-not` for JSON."""
    asked = {"kind": answer.kind, "name": answer.name, "has": answer.has, "shall_have": answer.shall_have}
    asked["is_known"] = answer.is_known
    return {**asked, "verdict": verdict(answer), **as_data(answer.explained, answer.rules)}


def _rule_data(rule: RuleExplanation) -> dict[str, Any]:
    names = ("rule", "kind", "target", "file", "line", "holds", "gives", "needs_account", "behind", "on_leave")
    dates = ("in_force", "first_day", "last_day")
    return {
        **{name: getattr(rule, name) for name in (*names, *dates)},
        "attempts": [
            {
                "affiliation": attempt.affiliation,
                "about": attempt.about or None,
                "holds": attempt.holds,
                "clauses": [clause_data(clause) for clause in attempt.clauses],
            }
            for attempt in rule.attempts
        ],
    }
