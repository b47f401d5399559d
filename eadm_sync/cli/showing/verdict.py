"""The answer to `why-not` in a sentence or two."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING

from eadm_sync.cli.output import clean
from eadm_sync.cli.showing.reasons import reason_line

if TYPE_CHECKING:
    from eadm_sync.app.explaining import WhyNot
    from eadm_sync.desired.explaining import RuleExplanation


def verdict(answer: WhyNot) -> str:
    """Why somebody does not have something; or that they have it."""
    what = f"{answer.kind} {clean(answer.name)}"
    if answer.has:
        return f"Has {what}, {_has(answer)}"
    if answer.shall_have:
        return f"Does not have {what} yet, though the rules give it: {_why_not_there(answer)}."
    if answer.by_way:
        return f"{_by_way(answer)} Not in {what} themselves: {_why_not_given(answer)}."
    yet = "" if answer.is_known else ", which nobody has yet"
    return f"Does not have {what}{yet}: {_why_not_given(answer)}."


def _has(answer: WhyNot) -> str:
    """What is to be said of something that somebody has."""
    disabled = _disabled(answer)
    if answer.shall_have:
        return f"and the rules give it.{disabled}"
    if disabled:
        return f"though no rule gives it any more.{disabled} Why: {_why_not_given(answer)}."
    kept = answer.kept_until
    then = "it will be taken away" if kept is None else f"it is kept until {kept}"
    return f"though no rule gives it any more: {then}. Why: {_why_not_given(answer)}."


def _disabled(answer: WhyNot) -> str:
    account = answer.explained.known.accounts.get(answer.name)
    if answer.kind != "account" or account is None or account.enabled:
        return ""
    since = f" since {account.deactivated_on}" if account.deactivated_on else ""
    days = (turn.day for turn in answer.explained.turns if (turn.kind, turn.about) == ("deleted", answer.name))
    deleted = "".join(f", and may be deleted on {day}" for day in days)
    return f" It is disabled{since}{deleted}."


def _by_way(answer: WhyNot) -> str:
    """How somebody is in a group by way of others."""
    one = answer.by_way[0]
    through = ", which is in ".join(map(clean, one.through))
    word = "Is" if one.has else "Will be"
    once = "" if answer.is_known else ", once a rule gives that group to somebody"
    rule = clean(one.rule)
    return f"{word} in group {clean(one.group)} of {clean(one.target)} by way of group {through} ({rule}){once}."


def _why_not_there(answer: WhyNot) -> str:
    """What stands between the rules and the target."""
    why = answer.explained
    if why.faults:
        return f"the next run can do nothing, because {'; '.join(map(clean, why.faults))}"
    of_it = [wait for wait in why.waits if answer.concerns(wait.item.target, wait.item.object_key)]
    for wait in of_it:
        first = reason_line(wait.reasons[0]) if wait.reasons else "it goes out with the next delivery"
        return f"item {wait.item.id} in the export queue is to give it; {first}"
    held = {
        hold.name
        for one in why.prospects
        if answer.concerns(one.change.target, one.change.object_key)
        for hold in one.holds
    }
    if held:
        return f"a brake held it: {', '.join(map(clean, sorted(held)))}"
    return "the next `sync` gives it, unless a brake holds it"


def _why_not_given(answer: WhyNot) -> str:
    """Why no rule gives it."""
    why = answer.explained
    if not why.standing.counting:
        absent = sorted(record.absent_since for record in why.records if record.absent_since)
        missing = f"; absent from a source since {clean(absent[-1])}" if absent else ""
        next_day = f"; that can change on {why.standing.next_change}" if why.standing.next_change else ""
        return f"no affiliation counts today (stage: {why.standing.stage}){missing}{next_day}"
    if not answer.rules:
        return "there is no rule that could give it"
    return next(_passed_over(answer), f"no rule gives it{_what_is_missing(answer)}")


def _passed_over(answer: WhyNot) -> Iterator[str]:
    for rule in answer.rules:
        if why := why_it_gives_nothing(rule, answer.explained.today):
            yield f"{clean(rule.rule)} {why}"


def _what_is_missing(answer: WhyNot) -> str:
    """What the first rules that could give it ask for in vain: ". pupils/pupil-ad asks for …"."""
    told = [f"{clean(rule.rule)} asks for {missing}" for rule in answer.rules if (missing := _missing(rule))]
    more = f"; and {len(told) - _MOST_RULES} more rules" if len(told) > _MOST_RULES else ""
    return f". {'; '.join(told[:_MOST_RULES])}{more}" if told else ""


_MOST_RULES = 3
"""Rules named in the answer; all stand below it."""


def _missing(rule: RuleExplanation) -> str:
    """The clauses that are false on the affiliation that comes closest."""
    false = ([clean(clause.text) for clause in attempt.clauses if not clause.truth] for attempt in rule.attempts)
    closest = sorted((clauses for clauses in false if clauses), key=len)
    return " and ".join(closest[0]) if closest else ""


def why_it_gives_nothing(rule: RuleExplanation, today: date) -> str:
    """Why a rule that holds gives nothing all the same; "" where that is not so."""
    if rule.holds and not rule.in_force:
        if rule.first_day is not None and today < rule.first_day:
            return f"holds, but is not in force before {rule.first_day}"
        return f"holds, but was in force until {rule.last_day}"
    if rule.on_leave:
        return "holds, but only for an affiliation on a leave that gives accounts only"
    if rule.needs_account:
        return f"holds, but there is no account in {clean(rule.target)}"
    if rule.behind is not None:
        return f"holds, but {clean(rule.behind)} of the same exclusive set came first"
    return ""
