"""Rows of `queue_items` as items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from exportqueue.item import Item, State, from_micros

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
