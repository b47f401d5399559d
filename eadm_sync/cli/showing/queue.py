"""The export queue as text: by target, as a list, one item, and what became of items that somebody acted on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from eadm_sync.cli.output import clean, line, many, pairs, section, styled, table
from eadm_sync.cli.showing.preview import shown

if TYPE_CHECKING:
    from eadm_sync.app.queueing import Chosen, Done, Lane, Listed, QueuedChange
    from eadm_sync.plan.change import Change

_MOST_NAMED = 10
"""Of many items so many are named."""

_MOST_SUBJECTS = 4
"""Likewise of people and groups, whose names are longer."""

_SLOWEST = 0.1
"""Slower paces are told no more exactly."""

_COUNTS = ("ready", "waiting", "running", "retrying", "dead", "held")
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def moment(value: datetime | None) -> str | None:
    """A moment to the second, in UTC."""
    return None if value is None else f"{value:%Y-%m-%d %H:%M:%S} UTC"


def duration(seconds: float) -> str:
    """A length of time in its largest unit: "45 s", "3 min", "2.5 h"."""
    for length, unit in _UNITS:
        if seconds >= length:
            return f"{seconds / length:.1f}".removesuffix(".0") + f" {unit}"
    return "1 s"


# ---------------------------------------------------------------- by target


def show_stats(found: Sequence[tuple[Any, float | None]], lanes: Iterable[Lane], config: str) -> None:
    """The queue by target (`exportqueue.TargetStats` with the seconds it takes, or None), and what keeps it."""
    headings = ("target", *_COUNTS, "oldest", "per second", "ends in about")
    table(headings, (_stats_row(stats, remaining) for stats, remaining in found))
    dead = {stats.target: stats for stats, _ in found if stats.dead}
    for lane in lanes:
        for text in hindrances(lane, config):
            line(styled(text, "yellow"))
        if lane.target in dead:
            line(styled(_about_dead(dead[lane.target], config), "yellow"))


def _stats_row(stats: Any, remaining: float | None) -> tuple[object, ...]:
    rate = stats.rate_per_second
    pace = None if not rate else f"{rate:.1f}" if rate >= _SLOWEST else f"< {_SLOWEST}"
    left = None if remaining is None else duration(remaining)
    return (stats.target, *(getattr(stats, name) for name in _COUNTS), moment(stats.oldest), pace, left)


def _about_dead(stats: Any, config: str) -> str:
    target = clean(stats.target)
    held = f", which hold {many(stats.held, 'other')}" if stats.held else ""
    see = f"'eadm-sync queue list{config} --target {target} --state dead' says why"
    again = f"'eadm-sync queue retry{config} --all --target {target}' tries them again when the cause is put right"
    return f"{target} refused {many(stats.dead, 'change')}{held}: {see}, {again}"


def hindrances(lane: Lane, config: str) -> Iterator[str]:
    """What keeps a target's changes from going out, and what ends it."""
    target = clean(lane.target)
    if lane.paused is not None:
        end = f"'eadm-sync queue resume{config} {target}' ends it"
        yield f"{target} is paused since {moment(lane.paused_at)} ({clean(lane.paused)}); {end}"
    if lane.is_orphan:
        drop = f"'eadm-sync queue drop{config} --all --target {target}' drops them"
        yield f"{target} is not configured any more: nobody delivers its changes; {drop}"
    elif lane.away is not None:
        tried = f"tried {many(lane.away.failures, 'time')}: {clean(lane.away.error)}"
        when = f"it is asked again at {moment(lane.away.probe_at)}" if lane.has_daemon else "no daemon asks it again"
        ask = f"'eadm-sync deliver{config} --target {target}' does at once"
        yield f"{target} is away since {moment(lane.away.opened_at)} ({tried}); {when}, {ask}"


# ---------------------------------------------------------------- the list


def show_list(found: Listed) -> None:
    """Items, one a line."""
    table(
        ("id", "target", "what", "object", "state", "attempts", "not before", "last error"),
        (
            (
                one.id,
                one.target,
                one.operation,
                one.object_key,
                found.phases[one.id],
                one.attempts,
                moment(one.not_before),
                one.last_error or one.reason,
            )
            for one in found.items
        ),
    )


# ---------------------------------------------------------------- one item


def show_item(found: QueuedChange, config: str) -> None:
    """One item: what it is to do, how it got on, why it waits, what waits for it."""
    item = found.item
    title = f"{item.id}: {clean(item.operation)} in {clean(item.target)}, {found.phase}"
    line(styled(title, "bold"))
    pairs(
        {
            "object": item.object_key,
            "run": item.run_id,
            "enqueued": moment(item.created_at),
            "last tried": moment(item.started_at),
            "finished": moment(item.finished_at),
            "failed attempts": item.attempts or None,
            "last error": item.last_error,
            "dropped because": item.reason,
            "delivered by": item.worker if item.lease_until is not None else None,
            "taken over by others after": moment(item.lease_until),
        }
    )
    for why in _why_it_waits(found, config):
        line(styled(f"  {why}", "yellow"))
    if found.change is None:
        line(f"  what it is to do cannot be read: {clean(found.unreadable)}")
    else:
        _show_change(found.change)
    if found.outcome is not None:
        line(f"  last run {clean(found.outcome.at)}: exit code {found.outcome.code}")
        for text in found.outcome.output.splitlines():
            line(f"    {clean(text)}")
    section("Held by", _HEADINGS, list(map(_row, found.held_by)))
    section("Waits for", _HEADINGS, [_row(one) for one in found.waits_for if one not in found.held_by])


_HEADINGS = ("id", "what", "object", "state", "last error")


def _row(item: Any) -> tuple[object, ...]:
    return (item.id, item.operation, item.object_key, item.state, item.last_error)


def _why_it_waits(found: QueuedChange, config: str) -> Iterator[str]:
    item = found.item
    if item.finished_at is not None:
        return
    if found.held_by:
        dead = ", ".join(str(one.id) for one in found.held_by)
        yield f"it is held until somebody retries or drops what was refused: {dead}"
    elif found.waits_for:
        yield f"it waits for {many(len(found.waits_for), 'other change')}"
    if item.not_before is not None:
        yield f"it is not tried again before {moment(item.not_before)}"
    yield from (f"its target {text}" for text in hindrances(found.lane, config))
    if found.behind:
        yield f"behind it: {many(len(found.behind), 'other change')} ({_ids(found.behind)})"
    if found.phase == "dead":
        retry, drop = f"eadm-sync queue retry{config} {item.id}", f"eadm-sync queue drop{config} {item.id}"
        yield f'when the cause is put right: {retry}; if it is not to be made at all: {drop} --reason "…"'


def _show_change(change: Change) -> None:
    pairs(
        {
            "person": change.person,
            "group": change.group,
            "licence": change.sku,
            "script": None if change.script is None else f"{change.script.program}, after {change.script.event}",
            "arguments": " ".join(map(shown, change.script.arguments)) if change.script else None,
            "role": change.role if change.group is not None and change.person is not None else None,
            "container": None if change.container is None else _moved(change.container),
            "enabled": change.enabled,
            "password policy": change.password or None,
            "rule": change.rule or None,
            "because": change.reason or None,
        }
    )
    section(
        "Attributes",
        ("attribute", "old", "new"),
        [(name, old, new) for name, (old, new) in sorted(change.attributes.items())],
    )


def _moved(container: tuple[Any, Any]) -> str:
    old, new = container
    return clean(new) if old is None else f"{clean(old)} → {clean(new)}"


# ---------------------------------------------------------------- acting


def show_choice(items: Sequence[Chosen]) -> None:
    """What is about to be retried or dropped: how many of which kind, and what became of them."""
    kinds = Counter((one.operation, one.last_error) for one in items)
    table(("changes", "what", "last error"), ((number, *kind) for kind, number in kinds.most_common()))


def show_retried(done: Done, lanes: Iterable[Lane], config: str) -> None:
    """What will be tried again, and by whom."""
    if not done.done:
        return
    line(f"will be tried again: {_ids([one.id for one in done.done])}")
    for lane in lanes:
        stops = list(hindrances(lane, config))
        command = f"eadm-sync deliver{config} --target {clean(lane.target)}"
        for text in stops or ["a daemon delivers what is due" if lane.has_daemon else f"deliver it with: {command}"]:
            line(text)


def show_dropped(done: Done) -> None:
    """What was dropped, what goes on without it, and what comes next."""
    if not done.done:
        return
    line(f"dropped: {_ids([one.id for one in done.done])}")
    if done.going_on:
        line(f"{many(len(done.going_on), 'change')} waited for that and will be tried without it:")
        for one in done.going_on[:_MOST_NAMED]:
            line(f"  {one.id}  {clean(one.operation)} {clean(one.object_key)}")
        if len(done.going_on) > _MOST_NAMED:
            line(f"  … and {len(done.going_on) - _MOST_NAMED} more")
        line("What cannot do without is refused, and the next plan takes its place; --with-waiting drops it too.")
    subjects = sorted({one.subject for one in (*done.done, *done.going_on)})
    named = ", ".join(map(clean, subjects[:_MOST_SUBJECTS]))
    more = f" and {len(subjects) - _MOST_SUBJECTS} more" if len(subjects) > _MOST_SUBJECTS else ""
    line(f"The next run looks anew at {named}{more}: what the rules still give is planned again.")


def _ids(ids: Sequence[int]) -> str:
    more = f" and {len(ids) - _MOST_NAMED} more" if len(ids) > _MOST_NAMED else ""
    return ", ".join(map(str, ids[:_MOST_NAMED])) + more
