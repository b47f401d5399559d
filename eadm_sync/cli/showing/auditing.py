"""The audit in words: its lines, what is wrong with them, and who had what."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from eadm_sync.cli.output import clean, plain

if TYPE_CHECKING:
    from eadm_sync.app.auditing import AuditRow, Held
    from eadm_sync.state.verifying import Fault

LINES = ("id", "at", "run", "actor", "target", "kind", "action", "object", "person", "rule", "reason", "detail")
HELD = ("person", "target", "kind", "name", "state", "since", "rule", "attributes")


def line_row(one: AuditRow) -> tuple[object, ...]:
    """One line, whole, for programs."""
    detail = dict(one.detail)
    rule, reason = detail.pop("rule", None), detail.pop("reason", None)
    told = json.dumps(plain(detail), ensure_ascii=False) if detail else None
    about = (one.id, one.at, one.run, one.actor, one.target, one.kind, one.action, one.object, one.person)
    return *about, rule, reason, told


def held_row(one: Held) -> tuple[object, ...]:
    """One thing that somebody had."""
    values = "; ".join(f"{name}={clean(value)}" for name, value in one.attributes.items())
    return one.person, one.target, one.kind, one.name, one.state, one.since, one.rule, values


def in_words(fault: Fault) -> str:
    """What is wrong with a line."""
    told = _FAULTS[fault.what].format(target=clean(fault.target) if fault.target else "the installation itself")
    if fault.line is None:
        return f"{told} {clean(fault.about)}".rstrip()
    return f"line {fault.line} ({clean(fault.at)}, {clean(fault.about)}): {told}"


_FAULTS = {
    "broken": "it, or a line just before it about {target}, was changed, removed, added or moved",
    "detail": "what it tells was changed",
    "detail-removed": "what it told was removed, though its person was never purged",
    "unchained": "it was not written by this program, or its digest was removed",
    "former": "a line that an older program wrote was changed, removed or added",
    "checkpoint": "lines that it commits to are missing, or are not as they were",
    "end": "the last lines about {target} are missing, or the note of where they end was changed",
    "expected": "no line has the digest",
}
