"""What operators and planning read from the queue; nothing here writes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from exportqueue.database import database_of
from exportqueue.item import (
    Item,
    Phase,
    State,
    TargetStats,
    Unfinished,
    Wanted,
    from_micros,
    phase_of,
    rate,
    to_micros,
)
from exportqueue.outlook import open_circuits
from exportqueue.rows import to_item
from exportqueue.tables import (
    IS_DEAD,
    IS_DELAYED,
    IS_DUE,
    IS_FINISHED,
    IS_RUNNING,
    IS_UNFINISHED,
    QueueTables,
)

IS_NOT_RUNNING = sa.text("state <> 'running'")

LATELY = timedelta(minutes=5)
"""What a rate is taken from: long enough for a target that takes seconds for each batch."""

SAMPLE = 10_000
"""Of those items only the last so many: a rate costs the same whatever was done."""


def unfinished(conn: sa.Connection, tables: QueueTables, subjects: Collection[str] | None) -> Iterator[Unfinished]:
    """All unfinished items, or those of some subjects."""
    items = tables.items.c
    query = sa.select(items.subject, items.target, items.object_key, items.state).where(IS_UNFINISHED)
    parameters: dict[str, Any] = {}
    if subjects is not None:
        database = database_of(conn)
        query = query.where(database.among(items.subject, "subjects"))
        parameters["subjects"] = database.pack_words(sorted(subjects))
    states = {str(state): state for state in State}
    for subject, target, object_key, state in conn.execute(query, parameters):
        yield Unfinished(subject, target, object_key, states[state])


def tried(
    conn: sa.Connection, tables: QueueTables, subjects: Collection[str] | None, operations: Collection[str]
) -> list[Item]:
    """Unfinished items at which nobody is at work: those that were claimed before, and those of some operations.

    In order of id. They are sorted here: asked to, SQLite goes through all items in that order, finished ones included.
    """
    items = tables.items.c
    query = sa.select(tables.items).where(IS_UNFINISHED, IS_NOT_RUNNING)
    query = query.where(sa.or_(items.fence > 0, items.operation.in_(operations)))
    parameters: dict[str, Any] = {}
    if subjects is not None:
        database = database_of(conn)
        query = query.where(database.among(items.subject, "subjects"))
        parameters["subjects"] = database.pack_words(sorted(subjects))
    return sorted((to_item(row) for row in conn.execute(query, parameters)), key=lambda item: item.id)


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


def select(conn: sa.Connection, tables: QueueTables, wanted: Wanted, now: datetime, limit: int) -> list[Item]:
    """Up to `limit` of the items wanted, in order of id."""
    query = sa.select(tables.items).where(*_conditions(tables, wanted, now)).order_by(tables.items.c.id).limit(limit)
    return [to_item(row) for row in conn.execute(query)]


def count(conn: sa.Connection, tables: QueueTables, wanted: Wanted, now: datetime) -> int:
    """How many items are wanted."""
    query = sa.select(sa.func.count()).select_from(tables.items).where(*_conditions(tables, wanted, now))
    return conn.execute(query).scalar_one()


def phases(conn: sa.Connection, tables: QueueTables, items: Sequence[Item], now: datetime) -> dict[int, Phase]:
    """Where each of some items is, by id."""
    waiting = [item.id for item in items if item.state is State.WAITING]
    held: set[int] = set()
    if waiting:
        database, downstream = database_of(conn), _held(tables)
        query = sa.select(downstream.c.id).where(database.among(downstream.c.id, "ids"))
        held.update(conn.execute(query, {"ids": database.pack(waiting)}).scalars())
    return {item.id: Phase.HELD if item.id in held else phase_of(item, now) for item in items}


def _conditions(tables: QueueTables, wanted: Wanted, now: datetime) -> Iterator[sa.ColumnElement[bool]]:
    items = tables.items.c
    given = ((items.target, wanted.target), (items.subject, wanted.subject), (items.object_key, wanted.object_key))
    yield from (column == value for column, value in given if value is not None)
    due: sa.ColumnElement[bool] = sa.func.coalesce(items.not_before, 0) <= to_micros(now)
    is_held = items.id.in_(sa.select(_held(tables).c.id))
    match wanted.phase:
        case None:
            yield sa.and_(IS_UNFINISHED)
        case Phase.READY:
            yield sa.and_(_is(tables, State.READY), due)
        case Phase.RETRYING:
            yield sa.and_(_is(tables, State.READY), ~due, items.attempts > 0)
        case Phase.HELD:
            yield sa.and_(_is(tables, State.WAITING), is_held)
        case Phase.WAITING:
            late = sa.and_(_is(tables, State.READY), ~due, items.attempts == 0)
            yield sa.and_(IS_UNFINISHED, sa.or_(late, sa.and_(_is(tables, State.WAITING), ~is_held)))
        case phase:
            yield _is(tables, State(phase.value))


def _is(tables: QueueTables, state: State) -> sa.ColumnElement[bool]:
    """A condition on the state as indexes have it."""
    return tables.items.c.state == sa.literal_column(f"'{state.value}'", sa.Text)


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


def behind(conn: sa.Connection, tables: QueueTables, ids: Collection[int]) -> list[int]:
    """What waits for some items, directly or through others; by id."""
    database, downstream = database_of(conn), _downstream(tables, database_of(conn).among(tables.items.c.id, "ids"))
    query = sa.select(downstream.c.id).distinct().order_by(downstream.c.id)
    return list(conn.execute(query, {"ids": database.pack(sorted(ids))}).scalars())


def stats(conn: sa.Connection, tables: QueueTables, now: datetime, *, finished: bool = True) -> list[TargetStats]:
    """Every target that has unfinished items, a pause, an absence or, if `finished`, items done lately; by name."""
    counted = _counted(conn, tables, now)
    for target, number in conn.execute(_held_by_target(tables)):
        counted[target]["held"] = number
        counted[target]["waiting"] -= number
    for target, number, first in conn.execute(_done_lately(tables, to_micros(now - LATELY))) if finished else ():
        counted.setdefault(target, {})["rate_per_second"] = rate(number, from_micros(first), now)
    for target, reason in conn.execute(sa.select(tables.pauses.c.target, tables.pauses.c.reason)):
        counted.setdefault(target, {})["paused"] = reason
    for target, circuit in open_circuits(conn, tables).items():
        counted.setdefault(target, {})["circuit"] = circuit
    return [TargetStats(target, **values) for target, values in sorted(counted.items())]


def _counted(conn: sa.Connection, tables: QueueTables, now: datetime) -> dict[str, dict[str, Any]]:
    """By target, how many unfinished items are where, and since when the first is; what is held counts as waiting."""
    counted: dict[str, dict[str, Any]] = {}
    for place, target, number, later, retrying, oldest in conn.execute(_by_index(tables, to_micros(now))):
        values = counted.setdefault(target, {"ready": 0, "waiting": 0, "retrying": 0})
        if place == _UNFINISHED:
            values["waiting"] += number
            values["oldest"] = from_micros(oldest)
        else:  # what is ready, but later, waits too
            values["waiting"] -= number - later + retrying
            values[place] = values.get(place, 0) + number - later
            values["retrying"] += retrying
    return counted


_UNFINISHED = "unfinished"


def _by_index(tables: QueueTables, now: int) -> sa.Select[Any]:
    """By place and target: how many items, how many of them later, and retrying, and when the first was enqueued.

    What waits for other items is in no index of its own: it is what the others leave of all that is unfinished.
    Indexes alone count millions in a second; grouped by state, SQLite would look up every item, and sort them all in
    memory.
    """
    items = tables.items.c

    def of(place: str, which: sa.TextClause, **numbers: sa.ColumnElement[int]) -> sa.Select[Any]:
        given = {"number": sa.func.count(), "later": _NONE, "retrying": _NONE, "first": _NONE} | numbers
        labelled = (column.label(name) for name, column in given.items())
        name = sa.literal_column(f"'{place}'", sa.Text).label("place")
        return sa.select(name, items.target, *labelled).where(which).group_by(items.target)

    later = items.not_before > now
    retrying = sa.and_(later, items.attempts > 0)
    places = sa.union_all(
        of(_UNFINISHED, IS_UNFINISHED, first=sa.func.min(items.id)),
        of(State.READY, IS_DUE),
        of(State.READY, IS_DELAYED, later=_count_of(later), retrying=_count_of(retrying)),
        of(State.RUNNING, IS_RUNNING),
        of(State.DEAD, IS_DEAD),
    ).subquery()
    *numbers, first = places.c
    oldest = tables.items.alias("oldest")
    return sa.select(*numbers, oldest.c.created_at).outerjoin(oldest, oldest.c.id == first)


_NONE = sa.literal_column("0", sa.Integer)


def _count_of(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.count(sa.case((condition, 1)))


def _held_by_target(tables: QueueTables) -> sa.Select[Any]:
    held = _held(tables)
    return sa.select(held.c.target, sa.func.count()).group_by(held.c.target)


def _held(tables: QueueTables) -> sa.CTE:
    """What is downstream of dead items, with its target: the cost grows with those alone."""
    return _downstream(tables, IS_DEAD)


def _downstream(tables: QueueTables, which: sa.TextClause | sa.ColumnElement[bool]) -> sa.CTE:
    """What waits, directly or through others, for the items of which something holds."""
    items, edges = tables.items, tables.prerequisites
    waiting = items.alias("waiting")
    is_waiting = waiting.c.state == sa.literal_column("'waiting'", sa.Text)
    some = sa.select(items.c.id).where(which)
    held = (
        sa.select(waiting.c.id, waiting.c.target)
        .join(edges, edges.c.item_id == waiting.c.id)
        .where(edges.c.needs_id.in_(some), is_waiting)
        .cte("held", recursive=True)
    )
    return held.union(
        sa.select(waiting.c.id, waiting.c.target)
        .join(edges, edges.c.item_id == waiting.c.id)
        .join(held, held.c.id == edges.c.needs_id)
        .where(is_waiting)
    )


def _done_lately(tables: QueueTables, since: int) -> sa.Select[Any]:
    """By target, how many were done and when the first of them was; the index finds the last ones."""
    items = tables.items.c
    done = (
        sa.select(items.target, items.finished_at)
        .where(IS_FINISHED, items.state == State.DONE, items.finished_at >= since)
        .order_by(items.finished_at.desc())
        .limit(SAMPLE)
        .subquery()
    )
    return sa.select(done.c.target, sa.func.count(), sa.func.min(done.c.finished_at)).group_by(done.c.target)
