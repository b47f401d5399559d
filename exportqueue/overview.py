"""What operators and planning read from the queue; nothing here writes."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from exportqueue.database import database_of
from exportqueue.item import Item, State, TargetStats, Unfinished, from_micros, to_micros
from exportqueue.outlook import open_circuits
from exportqueue.rows import to_item
from exportqueue.tables import IS_DEAD, IS_FINISHED, IS_UNFINISHED, QueueTables

HOUR = timedelta(hours=1)


def unfinished(conn: sa.Connection, tables: QueueTables, subjects: Collection[str] | None) -> Iterator[Unfinished]:
    """All unfinished items, or those of some subjects."""
    items = tables.items.c
    query = sa.select(items.subject, items.target, items.object_key, items.state).where(IS_UNFINISHED)
    parameters: dict[str, Any] = {}
    if subjects is not None:
        database = database_of(conn)
        query = query.where(database.among(items.subject, "subjects"))
        parameters["subjects"] = database.pack(sorted(subjects))
    states = {str(state): state for state in State}
    for subject, target, object_key, state in conn.execute(query, parameters):
        yield Unfinished(subject, target, object_key, states[state])


def find(
    conn: sa.Connection,
    tables: QueueTables,
    *,
    target: str | None,
    state: State | None,
    subject: str | None,
    limit: int,
) -> list[Item]:
    """Up to `limit` items that fulfil all conditions that are not None, in order of id."""
    items = tables.items.c
    query = sa.select(tables.items).order_by(items.id).limit(limit)
    if target is not None:
        query = query.where(items.target == target)
    if state is not None:
        query = query.where(items.state == sa.literal_column(f"'{state.value}'", sa.Text))
    if subject is not None:
        query = query.where(items.subject == subject)
    return [to_item(row) for row in conn.execute(query)]


def prerequisites(conn: sa.Connection, tables: QueueTables, item_id: int) -> list[Item]:
    """What an item waits, or waited, for directly."""
    items, edges = tables.items.c, tables.prerequisites.c
    needed = sa.select(edges.needs_id).where(edges.item_id == item_id)
    return [
        to_item(row) for row in conn.execute(sa.select(tables.items).where(items.id.in_(needed)).order_by(items.id))
    ]


def held_by(conn: sa.Connection, tables: QueueTables, item_id: int) -> list[Item]:
    """The dead items that an item waits for, directly or through others."""
    items, edges = tables.items, tables.prerequisites
    chain = sa.select(edges.c.needs_id).where(edges.c.item_id == item_id).cte("chain", recursive=True)
    waiting = items.alias("waiting")
    chain = chain.union(
        sa.select(edges.c.needs_id)
        .join(chain, chain.c.needs_id == edges.c.item_id)
        .join(waiting, waiting.c.id == edges.c.item_id)
        .where(waiting.c.state == sa.literal_column("'waiting'", sa.Text))
    )
    query = sa.select(items).where(items.c.id.in_(sa.select(chain.c.needs_id)), IS_DEAD).order_by(items.c.id)
    return [to_item(row) for row in conn.execute(query)]


def stats(conn: sa.Connection, tables: QueueTables, now: datetime, *, finished: bool = True) -> list[TargetStats]:
    """Every target that has unfinished items, a pause, an absence or, if `finished`, items done lately; by name."""
    counted: dict[str, dict[str, Any]] = {}
    for target, state, count, later, retrying, oldest in conn.execute(_by_state(tables, to_micros(now))):
        _count(counted.setdefault(target, {}), state, (count, later, retrying), oldest)
    for target, count in conn.execute(_held(tables)):
        counted[target]["held"] = count
        counted[target]["waiting"] -= count
    for target, count in conn.execute(_done_since(tables, to_micros(now - HOUR))) if finished else ():
        counted.setdefault(target, {})["done_last_hour"] = count
    for target, reason in conn.execute(sa.select(tables.pauses.c.target, tables.pauses.c.reason)):
        counted.setdefault(target, {})["paused"] = reason
    for target, circuit in open_circuits(conn, tables).items():
        counted.setdefault(target, {})["circuit"] = circuit
    return [TargetStats(target, **values) for target, values in sorted(counted.items())]


def _count(values: dict[str, Any], state: str, counts: tuple[int, int, int], oldest: int) -> None:
    count, later, retrying = counts
    if state == State.READY:
        values["ready"] = count - later
        values["retrying"] = retrying
        values["waiting"] = values.get("waiting", 0) + later - retrying
    elif state == State.WAITING:
        values["waiting"] = values.get("waiting", 0) + count
    else:
        values[state] = count
    moment = from_micros(oldest)
    values["oldest"] = min(values.get("oldest", moment), moment)


def _by_state(tables: QueueTables, now: int) -> sa.Select[Any]:
    items = tables.items.c
    later = sa.and_(items.state == State.READY, items.not_before > now)
    return (
        sa.select(
            items.target,
            items.state,
            sa.func.count(),
            sa.func.count(sa.case((later, 1))),
            sa.func.count(sa.case((sa.and_(later, items.attempts > 0), 1))),
            sa.func.min(items.created_at),
        )
        .where(IS_UNFINISHED)
        .group_by(items.target, items.state)
    )


def _held(tables: QueueTables) -> sa.Select[Any]:
    """Counts what is downstream of dead items: the cost grows with those alone."""
    items, edges = tables.items, tables.prerequisites
    waiting = items.alias("waiting")
    is_waiting = waiting.c.state == sa.literal_column("'waiting'", sa.Text)
    dead = sa.select(items.c.id).where(IS_DEAD)
    held = (
        sa.select(waiting.c.id, waiting.c.target)
        .join(edges, edges.c.item_id == waiting.c.id)
        .where(edges.c.needs_id.in_(dead), is_waiting)
        .cte("held", recursive=True)
    )
    held = held.union(
        sa.select(waiting.c.id, waiting.c.target)
        .join(edges, edges.c.item_id == waiting.c.id)
        .join(held, held.c.id == edges.c.needs_id)
        .where(is_waiting)
    )
    return sa.select(held.c.target, sa.func.count()).group_by(held.c.target)


def _done_since(tables: QueueTables, moment: int) -> sa.Select[Any]:
    items = tables.items.c
    return (
        sa.select(items.target, sa.func.count())
        .where(IS_FINISHED, items.state == State.DONE, items.finished_at >= moment)
        .group_by(items.target)
    )
