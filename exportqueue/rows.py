"""Rows of `queue_items` as items."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from exportqueue.item import Item, State, from_micros

UNKNOWN_TO_CLAIM = (
    "id", "object_key", "operation", "payload", "format", "subject", "priority", "attempts", "fence", "last_error",
    "plan_id", "run_id", "created_at",
)  # fmt: skip
"""Columns that whoever claims items has to read; the others it has just written, or they are empty in what is due."""
STATE = Item.__struct_fields__.index("state")
MOMENTS = tuple(
    map(
        Item.__struct_fields__.index,
        ("not_before", "created_at", "started_at", "finished_at", "lease_until"),
    )
)
_STATES = {str(state): state for state in State}


def to_item(row: Sequence[Any]) -> Item:
    """The item in a row that holds all columns of `tables.QueueTables.items`, in their order."""
    fields = list(row)
    fields[STATE] = _STATES[fields[STATE]]
    for index in MOMENTS:
        if fields[index] is not None:
            fields[index] = from_micros(fields[index])
    return Item(*fields)


def claimed_item(row: Sequence[Any], target: str, worker: str, started_at: datetime, lease_until: datetime) -> Item:
    """The item in a row of `UNKNOWN_TO_CLAIM`, as it has just been claimed."""
    id_, key, operation, payload, format_, subject, priority, attempts, fence, error, plan_id, run_id, created_at = row
    return Item(
        id=id_,
        target=target,
        object_key=key,
        operation=operation,
        payload=payload,
        format=format_,
        subject=subject,
        priority=priority,
        not_before=None,
        state=State.RUNNING,
        attempts=attempts,
        fence=fence,
        last_error=error,
        reason=None,
        plan_id=plan_id,
        run_id=run_id,
        created_at=from_micros(created_at),
        started_at=started_at,
        finished_at=None,
        lease_until=lease_until,
        worker=worker,
    )
