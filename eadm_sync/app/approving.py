"""Saved plans: how long they hold, and their approval by a second person. Audited.

An approval is for one plan, by its hash, and stands in the state, not in the file. It counts only where another user
applies the plan than the one who approved it, whatever the file says of who made it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from sqlalchemy import Connection, select

from eadm_sync.app.context import Context
from eadm_sync.errors import EadmError
from eadm_sync.plan import saved
from eadm_sync.plan.brakes import Hold
from eadm_sync.plan.plan import Plan
from eadm_sync.plan.saved import Header
from eadm_sync.state import bulk, tables
from eadm_sync.state.auditing import AuditEntry, append_audit


class NotApproved(EadmError):
    """A plan cannot be approved, or applied without an approval; the text says why, and what would do."""


def save(context: Context, plan: Plan, file: Path) -> Header:
    """Saves a plan for review and `apply`, and returns what its first line says.

    Raises:
        OSError: The folder cannot be written.
    """
    now = context.clock.now()
    expires = now + timedelta(hours=context.loaded.settings.plans.expire_hours)
    return saved.write(plan, file, now, planned_by=context.actor, expires_at=expires)


def approve(context: Context, file: Path, reason: str) -> tuple[Hold, ...]:
    """Approves a saved plan as a second person; returns what of it that lets through.

    Raises:
        NotApproved: No reason is given, the plan has expired, needs no approval, or was made by the same user.
        NotAPlan: The file is none.
        StateError: The state cannot be used.
    """
    header = saved.read_header(file)
    if not reason.strip():
        raise NotApproved("say why with --reason; it is kept in the audit")
    require_current(context, header)
    wanted = tuple(hold for hold in header.holds if hold.approval)
    if not wanted:
        raise NotApproved("nothing in this plan is to be approved; 'eadm-sync apply' does it")
    if header.planned_by == context.actor:
        raise NotApproved(f"{context.actor} made this plan: another user of this system has to approve it")
    now = context.clock.now().isoformat()
    columns = ("plan", "actor", "planned_by", "reason", "at", "expires_at")
    row = (header.hash, context.actor, header.planned_by, reason.strip(), now, header.expires_at)
    detail = msgspec.msgpack.encode({"planned_by": header.planned_by, "reason": reason.strip()})
    entry = AuditEntry(now, None, context.actor, None, "plan", "approve", header.hash, None, detail)
    with context.writing() as database, database.write() as connection:
        bulk.upsert(connection, tables.approvals, columns, [row])
        append_audit(connection, context.vault, [entry])
    return wanted


def require_current(context: Context, header: Header) -> None:
    """Refuses a saved plan that is too old.

    Raises:
        NotApproved: It has expired.
    """
    if datetime.fromisoformat(header.expires_at) <= context.clock.now():
        raise NotApproved(f"the plan expired at {header.expires_at}; make another one. Nothing was done")


def let_through(context: Context, connection: Connection, plan: Plan) -> None:
    """Takes away from a plan, that is about to be applied, what was held until it was approved.

    Raises:
        NotApproved: It is to be approved, and no other user than who applies it has done so.
    """
    wanted = [hold.name for hold in plan.holds if hold.approval]
    if not wanted:
        return
    columns = tables.approvals.c
    by = connection.scalars(
        select(columns.actor).where(
            columns.plan == plan.hash,
            columns.actor != context.actor,
            columns.actor != columns.planned_by,
            columns.expires_at > context.clock.now().isoformat(),
        )
    ).all()
    if not by:
        raise NotApproved(
            f"{', '.join(wanted)}: to be approved by another user than {context.actor}, who applies it, with "
            "'eadm-sync approve FILE --reason ...'. Nothing was done"
        )
    plan.holds = tuple(hold for hold in plan.holds if not hold.approval)
