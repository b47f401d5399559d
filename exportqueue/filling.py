"""Adds items to the queue, each with what it has to wait for."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from exportqueue.database import Row, database_of
from exportqueue.item import NewItem, to_micros
from exportqueue.statements import Statements
from exportqueue.tables import QueueTables

_NEW_COLUMNS = (
    "id",
    "target",
    "object_key",
    "operation",
    "payload",
    "format",
    "subject",
    "priority",
    "not_before",
    "state",
    "plan_id",
    "run_id",
    "created_at",
)


def add(
    conn: sa.Connection,
    tables: QueueTables,
    statements: Statements,
    chunk: Sequence[NewItem],
    common: tuple[str | None, str | None, int],
) -> None:
    """Adds some items, in their order; the caller has passed the gate alone (see `database`).

    Args:
        conn: The transaction.
        tables: The queue's.
        statements: Likewise.
        chunk: The items; few enough for one statement.
        common: What they have in common: plan id, run id, and when they are created, in microseconds.
    """
    database = database_of(conn)
    latest = _latest(conn, statements, chunk)
    first: int = conn.execute(statements.allocate, {"count": len(chunk)}).scalar_one() - len(chunk)
    rows: list[Row] = []
    edges: list[Row] = []
    for item_id, item in enumerate(chunk, first):
        target, own = item.target, item.object_key
        needs = {latest[target, key] for key in (own, *item.after) if (target, key) in latest}
        edges += [(item_id, needed) for needed in needs]
        rows.append(_new_row(item_id, item, "waiting" if needs else "ready", common))
        latest[target, own] = item_id
    database.insert(conn, tables.items, _NEW_COLUMNS, rows)
    if edges:
        database.insert(conn, tables.prerequisites, ("item_id", "needs_id"), edges)


def _latest(conn: sa.Connection, statements: Statements, chunk: Sequence[NewItem]) -> dict[tuple[str, str], int]:
    """The latest unfinished item of every object that a chunk names, where there is one."""
    keys: dict[str, set[str]] = {}
    for item in chunk:
        keys.setdefault(item.target, set()).update((item.object_key, *item.after))
    pack = database_of(conn).pack_words
    return {
        (target, key): newest
        for target, wanted in keys.items()
        for key, newest in conn.execute(statements.latest, {"target": target, "keys": pack(sorted(wanted))})
        if newest is not None
    }


def _new_row(item_id: int, item: NewItem, state: str, common: tuple[object, ...]) -> Row:
    not_before = None if item.not_before is None else to_micros(item.not_before)
    return (
        item_id,
        item.target,
        item.object_key,
        item.operation,
        item.payload,
        item.format,
        item.subject,
        item.priority,
        not_before,
        state,
        *common,
    )
