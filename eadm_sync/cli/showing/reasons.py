"""The links of an explanation in words: identifiers, coming days, the next run, the queue, what was confirmed last."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from eadm_sync.cli.output import clean, many, styled
from eadm_sync.cli.showing.preview import SIGNS, title, values
from eadm_sync.state.doubts import MADE

if TYPE_CHECKING:
    from eadm_sync.app.decisions import Decision, Tried
    from eadm_sync.app.explaining import Explained
    from eadm_sync.app.prospects import LastHold, Prospect, Turn
    from eadm_sync.app.waits import Outcome, Reason, Wait
    from eadm_sync.state.orders import Order


def moment(text: str) -> str:
    """A stored moment for people: to the minute, in UTC."""
    return f"{clean(text[:16]).replace('T', ' ')} UTC"


def _time(value: datetime) -> str:
    return f"{value:%Y-%m-%d %H:%M} UTC"


def mark(truth: bool) -> str:
    """Holds, or does not."""
    return styled("✓", "green") if truth else styled("✗", "red")


# ---------------------------------------------------------------- identifiers


def decision_lines(decision: Decision) -> Iterator[str]:
    """An identifier: what it is since when, and what became of each candidate before it."""
    name, where = clean(decision.name), styled(f"  {clean(decision.file)}:{decision.line}", "dim")
    if decision.value is None:
        yield styled(f"  {name}: every candidate is taken or reserved", "red") + where
    elif decision.since is None:
        yield f"  {name} = {clean(decision.value)}  the first free one: the next run gives it{where}"
    else:
        rule = "follow" if decision.follows else "keep"
        yield f"  {name} = {clean(decision.value)}  since {moment(decision.since)} (on_rename: {rule}){where}"
    if decision.value is not None and not decision.is_candidate and decision.tried:
        yield f"    kept, though today's patterns would begin with '{clean(decision.tried[0].name)}'"
        return
    if len(decision.tried) == 1 and decision.value is not None and decision.tried[0].whole is None:
        return  # the first candidate, and the person has it: nothing to tell
    own = decision.tried[-1:] if decision.value is not None else ()
    for tried in decision.tried[: len(decision.tried) - len(own)]:
        yield _tried_line(tried, decision)
    if decision.more:
        yield f"    … and {many(decision.more, 'candidate')} more that could not be given"
    yield from (_tried_line(tried, decision) for tried in own)


def _tried_line(tried: Tried, decision: Decision) -> str:
    is_good = tried.outcome in {"own", "free"}
    cut = ""
    if tried.whole is not None:
        longest = f"{clean(decision.limited_by)} has room for {decision.max_length}"
        cut = f" ('{clean(tried.whole)}' was cut: {longest})"
    return f"    {mark(is_good)} {clean(tried.name) or '(nothing)'}: {_fate(tried)}{cut}"


def _fate(tried: Tried) -> str:
    who = " ".join(clean(part) for part in (tried.person, tried.person_name) if part)
    until = f" until {clean(tried.until)}" if tried.until else ""
    fates = {
        "own": "given",
        "free": "free",
        "taken": f"taken by {who}" + (", whose account still waits in the export queue" if tried.is_pending else ""),
        "in use": f"in use in {clean(tried.place)}, by {who or 'several people'}",
        "reserved": f"reserved{until}: somebody had it whose data is gone",
        "forbidden": "a forbidden word of the ruleset",
        "empty": f"the pattern {clean(tried.pattern)} makes no name here",
    }
    return fates[tried.outcome]


# ---------------------------------------------------------------- coming days, next run


def silence(target: str, reason: str) -> str:
    """That accounts may be in a target otherwise than known, and what happens next."""
    asked = f"{clean(target)} did not say whether it has made or deleted accounts of which no answer came"
    return f"{asked} ({clean(reason)}): the next run asks again"


def order_line(order: Order) -> str:
    """What somebody ordered about the person."""
    what = "Stopped" if order.kind == "stop" else f"Access extended until {order.until}"
    words = f"{what} by {clean(order.actor)} at {moment(order.at)}: {clean(order.reason)}"
    return styled(words, "red" if order.kind == "stop" else "yellow")


def turn_line(turn: Turn) -> str:
    """What one of the coming days brings."""
    return f"  {turn.day}  {_TURNS[turn.kind](clean(turn.about))}"


_TURNS: dict[str, Callable[[str], str]] = {
    "stage": lambda stage: f"the stage becomes {stage}",
    "enabled": lambda _: "accounts are enabled",
    "disabled": lambda _: "accounts are disabled",
    "begins": lambda name: f"affiliation {name} begins to count",
    "ends": lambda name: f"affiliation {name} counts no more",
    "deleted": lambda target: f"the account in {target} may be deleted: its retention is over",
    "lost": lambda what: f"{what} is kept no more",
    "in force": lambda rule: f"rule {rule} comes into force",
    "out of force": lambda rule: f"rule {rule} goes out of force",
}


def prospect_lines(why: Explained) -> Iterator[str]:
    """What the next run would change that is not on its way yet, and why it may not."""
    queued = {(wait.item.target, wait.item.object_key) for wait in why.waits}
    fresh = [one for one in why.prospects if (one.change.target, one.change.object_key) not in queued]
    if not (fresh or why.faults or why.doubts):
        return
    yield ""
    yield styled("The next run:", "bold")
    yield from (styled(f"  can do nothing: {clean(fault)}", "red") for fault in why.faults)
    for doubt in why.doubts:
        done = "made" if doubt.aspect == MADE else "deleted"
        yield f"  looks first whether {clean(doubt.target)} has {done} the account: no answer came"
    for one in fresh:
        yield from _prospect_lines(one)


def _prospect_lines(one: Prospect) -> Iterator[str]:
    change = one.change
    yield f"  {SIGNS[change.action]} {title(change)}" + styled(
        f"  {clean(change.reason)} [{clean(change.rule)}]", "dim"
    )
    for name, old, new in values(change):
        yield f"      {name}: {new}" if old is None else f"      {name}: {old} → {new}"
    yield from (f"      {held_by(hold)}" for hold in one.holds)


def held_by(hold: LastHold) -> str:
    """Which brake held such a change, and when."""
    reason = f": {clean(hold.reason)}" if hold.reason else ""
    return styled(f"HELD by {clean(hold.name)} in run {clean(hold.run)}{reason}", "yellow")


# ---------------------------------------------------------------- the queue, the audit


def wait_lines(waits: tuple[Wait, ...]) -> Iterator[str]:
    """What is in the queue, and why each waits."""
    if waits:
        yield ""
        yield styled("In the export queue:", "bold")
    for wait in waits:
        item = wait.item
        failed = f", failed {many(item.attempts, 'time')}: {clean(item.last_error)}" if item.attempts else ""
        yield f"  {item.id}  {clean(item.target)}: {clean(wait.what)}: {item.state}{failed}"
        yield from (f"      {reason_line(reason)}" for reason in wait.reasons)
        if not wait.reasons:
            yield "      goes out with the next delivery: eadm-sync deliver"


def reason_line(reason: Reason) -> str:
    """Why a change waits."""
    what = clean(reason.what)
    until = f"; the next try is at {_time(reason.until)}" if reason.until else ""
    match reason.kind:
        case "prerequisite":
            return f"waits for item {reason.item}: {what}"
        case "refused":
            return f"the target refused item {reason.item}: {what} (see eadm-sync queue show {reason.item})"
        case "later":
            return f"its next try is at {_time(reason.until)}" if reason.until else "its next try is later"
        case "away":
            return f"the target does not answer: {what}{until}"
        case "paused":
            return f"the target is paused: {what}"
        case _:
            return "is being delivered just now"


def outcome_words(outcome: Outcome) -> str:
    """What was confirmed last of a thing."""
    run = f" by run {clean(outcome.run)}" if outcome.run else ""
    return f"{_DONE.get(outcome.action, clean(outcome.action))} {moment(outcome.at)}{run}"


_DONE = {
    "create": "given",
    "update": "changed",
    "enable": "enabled",
    "disable": "disabled",
    "delete": "taken away",
    "restore": "restored",
    "adopt": "taken under management",
}
