"""Whose the accounts of targets are, as tables and as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from eadm_sync.app.reviewing import Line, Review
from eadm_sync.cli.output import clean, csv_table, line, many, section
from eadm_sync.cli.showing.preview import shown

COLUMNS = (
    "target",
    "state",
    "person",
    "name",
    "account",
    "anchor",
    "container",
    "found by",
    "reason",
    "actions",
    "changes",
)

MOST_SHOWN = 50
"""Accounts of each state in a table; all of them are in JSON and CSV."""

_TITLES = {
    "adopt": "to be adopted",
    "ambiguous": "ambiguous, waiting for your word",
    "proposed": "proposed, waiting for your word",
    "protected": "protected, left alone",
    "left": "left alone by somebody's word",
    "unmatched": "nobody's, left alone",
}


def show_table(found: Review) -> None:
    """One table for each target and state; the first accounts of each."""
    if not found.lines:
        line("No account in scope that nobody is known to have.")
    for (target, state), lines in groupby(found.lines, key=lambda one: (one.target, one.state)):
        rows = list(lines)
        title = f"{clean(target)}: {many(len(rows), 'account')} {_TITLES[state]}"
        section(title, *_table(state, rows[:MOST_SHOWN]))
        if len(rows) > MOST_SHOWN:
            line(f"… and {len(rows) - MOST_SHOWN} more: --format csv")


def _table(state: str, rows: Sequence[Line]) -> tuple[Sequence[str], list[Sequence[object]]]:
    """Headings and cells that matter for one state."""
    headings: tuple[str, ...]
    if state == "adopt":
        headings = ("person", "name", "account", "anchor", "found by", "what would change")
        return headings, [
            (one.person, one.name, one.account, one.anchor, _found_by(one), _changes(one)) for one in rows
        ]
    if state == "unmatched":
        headings = ("account", "anchor", "container", "why")
        return headings, [(one.account, one.anchor, one.container, one.reason) for one in rows]
    headings = ("person", "name", "account", "anchor", "why")
    return headings, [(one.person, one.name, one.account, one.anchor, one.reason) for one in rows]


def show_csv(found: Review) -> None:
    """Every account."""
    csv_table(
        COLUMNS,
        (
            (
                one.target,
                one.state,
                one.person,
                one.name,
                one.account,
                one.anchor,
                one.container,
                one.rule,
                one.reason,
                one.actions,
                _values(one),
            )
            for one in found.lines
        ),
    )


def _found_by(one: Line) -> str:
    return one.rule or one.reason


def _changes(one: Line) -> str:
    switched = [action for action in one.actions if action != "update"]
    return "; ".join([*switched, *([_values(one)] if one.changes else [])]) or "nothing"


def _values(one: Line) -> str:
    return "; ".join(f"{name}: {shown(old)} → {shown(new)}" for name, (old, new) in one.changes.items())
