"""Drift that was left alone, and what an administrator decides about it. Each decision is audited.

What is overwritten is no longer left alone: the next plan puts it back, through brakes and queue. What is accepted
stays as it is for good, until somebody has it overwritten.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection

from connectors.contract import Kind
from eadm_sync.app.context import Context
from eadm_sync.app.differing import Found
from eadm_sync.app.holdings import Holding
from eadm_sync.app.mirroring import Mirror
from eadm_sync.app.naming import find_person, known_name
from eadm_sync.app.reconciling import shown
from eadm_sync.app.wishes import Wishes
from eadm_sync.delivery.looking_again import look_again
from eadm_sync.errors import NotFound
from eadm_sync.plan.change import account_key, group_key
from eadm_sync.state import drift
from eadm_sync.state.auditing import AuditEntry, append_audit
from eadm_sync.state.drift import IN_BIN, MISSING, LeftRow
from eadm_sync.state.known import load_accounts

AUDITED = "drift"
"""Kind of the audit's lines about decisions."""

Decision = Literal["accept", "overwrite"]

_encode = msgspec.msgpack.Encoder().encode


class LeftShown(msgspec.Struct, frozen=True):
    """One thing that is left alone.

    Attributes:
        id: Its number.
        target: Name of the target.
        kind: Account, group, membership, nesting or licence.
        object: Its key.
        what: As `state.drift` has it.
        name: The attribute, or "".
        known: What was known before; '***' where it is sensitive.
        present: What the target holds.
        desired: What the rules give today.
        since: When it was found, ISO text in UTC.
        accepted_by: Who accepted it for good; None: somebody has to decide.
        reason: Why.
    """

    id: int
    target: str
    kind: str
    object: str
    what: str
    name: str
    known: Any
    present: Any
    desired: Any
    since: str
    accepted_by: str | None
    reason: str | None


def left_alone(
    context: Context, *, target: str | None = None, person: str | None = None, accepted: bool = False
) -> tuple[LeftShown, ...]:
    """What waits for a decision, or with `accepted` what was accepted for good.

    Raises:
        NotFound, AmbiguousName: There is no such target or person.
        ConfigError: The rules are wrong.
        StateError: The state cannot be read.
    """
    if target is not None:
        known_name("target", target, context.loaded.settings.targets)
    with context.reading() as database, database.read() as connection:
        people = None if person is None else [find_person(connection, person)]
        found = drift.rows(connection, target=target, people=people)
        rows = [row for row in found if (row.accepted_at is not None) == accepted]
        wishes = Wishes(context, connection)
        wishes.load(
            {row.person for row in rows if row.person is not None}, {row.group for row in rows if row.group is not None}
        )
        return tuple(_shown(row, wishes) for row in rows)


def _shown(row: LeftRow, wishes: Wishes) -> LeftShown:
    return LeftShown(
        id=row.id,
        target=row.target,
        kind=row.kind,
        object=row.object,
        what=row.what,
        name=row.name,
        known=shown(row.former),
        present=shown(row.present),
        desired=shown(wishes.value(row.target, row)),
        since=row.found_at,
        accepted_by=row.accepted_by,
        reason=row.reason,
    )


def decide(context: Context, decision: Decision, ids: Sequence[int], reason: str) -> int:
    """Accepts, or has overwritten, what is left alone under some numbers, all or nothing; returns how many it was.

    Raises:
        NotFound: Nothing is left alone under one of the numbers.
        StateError: The state cannot be used.
    """
    with context.writing() as database, database.write() as connection:
        context.queue.hold_up(connection)  # no worker writes down what it has delivered meanwhile
        there = {row.id: row for row in drift.rows(connection)}
        unknown = [number for number in ids if number not in there]
        if unknown:
            raise NotFound("drift", str(unknown[0]), tuple(map(str, sorted(there)[:5])))
        rows = [there[number] for number in dict.fromkeys(ids)]
        _lose_missing(context, connection, rows)
        now = context.clock.now()
        if decision == "accept":
            numbers = [row.id for row in rows]
            drift.accept(connection, numbers, context.actor, now.isoformat(timespec="seconds"), reason)
        else:
            drift.remove(connection, [row.place for row in rows])
            look_again(connection, {row.person or group_key(row.group or "") for row in rows})
        append_audit(connection, context.vault, [_entry(context, row, decision, reason) for row in rows])
    return len(rows)


def _lose_missing(context: Context, connection: Connection, rows: Sequence[LeftRow]) -> None:
    """Accounts that somebody deleted are gone from known state now, whatever was decided."""
    for target in sorted({row.target for row in rows}):
        gone = [row for row in rows if (row.target, row.kind, row.what) == (target, Kind.ACCOUNT, MISSING)]
        held = load_accounts(connection, target, [row.person or "" for row in gone])
        found = [
            Found(
                Kind.ACCOUNT,
                row.object,
                MISSING,
                holding=Holding(account_key(person), person, one.enabled, one.container, b"", one.rule, ""),
                in_bin=row.present == IN_BIN,
            )
            for row in gone
            if (person := row.person or "") in held and (one := held[person])
        ]
        Mirror(context, connection, target, None).take(found)


def _entry(context: Context, row: LeftRow, decision: Decision, reason: str) -> AuditEntry:
    detail = _encode({"target": row.target, "what": row.aspect, "reason": reason})
    now = context.clock.now().isoformat()
    return AuditEntry(now, None, context.actor, None, AUDITED, decision, row.object, row.person, detail)
