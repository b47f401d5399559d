"""Every statement of the queue, built once per kind of database.

Conditions on `state` and `finished_at` are literal text, never parameters: only so does a partial index apply (see
`tables`).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec
import sqlalchemy as sa

from exportqueue.database import Database
from exportqueue.rows import UNKNOWN_TO_CLAIM
from exportqueue.tables import BIG, IS_DELAYED, IS_DUE, IS_FINISHED, IS_RUNNING, IS_UNFINISHED, QueueTables

IS_UNSTARTED = sa.text("state <> 'running'")  # given that it is unfinished
IS_WAITING = sa.text("state = 'waiting'")
IS_LEASED = sa.text("lease_until IS NOT NULL")
"""Running, in other words: PostgreSQL would go through all that is running for each item if it had an index for it."""


class Statements(msgspec.Struct, frozen=True):
    """Statements for one set of tables on one kind of database; parameters are named after what they hold."""

    allocate: sa.TextClause
    latest: sa.Select[Any]
    wake: sa.UpdateBase
    reclaim: sa.UpdateBase
    claim: sa.UpdateBase
    extend: sa.UpdateBase
    finish: sa.UpdateBase
    give_back: sa.UpdateBase
    retry: sa.UpdateBase
    bury: sa.UpdateBase
    running: sa.Select[Any]
    recover: sa.UpdateBase
    dependents: sa.Select[Any]
    lock: sa.Select[Any] | None
    release: sa.UpdateBase
    supersede: sa.UpdateBase
    running_subjects: sa.Select[Any]
    drop: sa.UpdateBase
    relink: sa.Insert
    resurrect: sa.UpdateBase
    purge: sa.UpdateBase
    purge_edges: sa.Delete


@lru_cache(maxsize=8)  # a program has one set of tables on one kind of database, and many a queue
def build(tables: QueueTables, database: Database) -> Statements:
    """All statements for `tables`; the same ones each time."""
    items = tables.items.c
    return Statements(
        allocate=sa.text(
            "INSERT INTO queue_counters (name, next_id) VALUES ('items', :count + 1) ON CONFLICT (name) "
            "DO UPDATE SET next_id = queue_counters.next_id + :count RETURNING next_id"
        ),
        latest=_latest(tables, database),
        wake=_wake(tables, database),
        reclaim=_take(
            tables, database, IS_RUNNING, items.lease_until <= sa.bindparam("now"), attempts=items.attempts + 1
        ),
        claim=_take(tables, database, IS_DUE),
        extend=_fenced(tables, database, lease_until=sa.bindparam("lease_until")),
        finish=_fenced(tables, database, state="done", finished_at=sa.bindparam("now"), lease_until=None),
        give_back=_fenced(tables, database, state="ready", not_before=sa.bindparam("due", type_=BIG), lease_until=None),
        retry=_fenced(
            tables,
            database,
            state="ready",
            not_before=sa.bindparam("due"),
            lease_until=None,
            attempts=items.attempts + 1,
            last_error=sa.bindparam("error"),
        ),
        bury=_fenced(
            tables,
            database,
            state="dead",
            lease_until=None,
            attempts=items.attempts + 1,
            last_error=sa.bindparam("error"),
        ),
        running=sa.select(items.id, items.worker)
        .where(IS_RUNNING, items.target == sa.bindparam("lane"))
        .with_for_update(),
        recover=sa.update(tables.items)
        .where(IS_RUNNING, database.among(items.id, "ids"))
        .values(state="ready", lease_until=None),
        dependents=_dependents(tables, database),
        lock=database.locked(tables.items.c.id, _dependents(tables, database), IS_WAITING),
        release=_release(tables, database),
        supersede=_drop(tables, database.among(items.subject, "subjects")),
        running_subjects=sa.select(items.subject)
        .distinct()
        .where(IS_RUNNING, IS_UNFINISHED, database.among(items.subject, "subjects")),
        drop=_drop(tables, database.among(items.id, "ids")),
        relink=_relink(tables, database),
        resurrect=_resurrect(tables, database),
        purge=_purge(tables, database),
        purge_edges=sa.delete(tables.prerequisites).where(database.among(tables.prerequisites.c.item_id, "ids")),
    )


def _latest(tables: QueueTables, database: Database) -> sa.Select[Any]:
    """The latest unfinished item of each object key: a look-up per key, whatever the planner thinks of the sizes."""
    items = tables.items.c
    keys = database.words("keys")
    newest = (
        sa.select(sa.func.max(items.id))
        .where(items.target == sa.bindparam("target"), items.object_key == keys.c.value, IS_UNFINISHED)
        .scalar_subquery()
    )
    return sa.select(keys.c.value, newest)


def _wake(tables: QueueTables, database: Database) -> sa.UpdateBase:
    """Items whose not-before has passed join the index that claims read, so that those to come cost a claim nothing."""
    items = tables.items.c
    due = (
        sa.select(items.id)
        .where(IS_DELAYED, items.target == sa.bindparam("lane"), items.not_before <= sa.bindparam("now"))
        .order_by(items.not_before)
        .limit(sa.bindparam("limit"))
        .with_for_update(skip_locked=True)
    )
    return sa.update(tables.items).where(database.within(items.id, due)).values(not_before=None)


def _take(
    tables: QueueTables, database: Database, condition: sa.TextClause, *more: Any, **values: Any
) -> sa.UpdateBase:
    """Claims items that fulfil a condition, by priority, then id; none of a paused target."""
    items = tables.items.c
    paused = sa.select(tables.pauses.c.target).where(tables.pauses.c.target == sa.bindparam("lane"))
    picked = (
        sa.select(items.id)
        .where(condition, items.target == sa.bindparam("lane"), ~paused.exists(), *more)
        .order_by(items.priority, items.id)
        .limit(sa.bindparam("limit"))
        .with_for_update(skip_locked=True)
    )
    return (
        sa.update(tables.items)
        .where(database.within(items.id, picked))
        .values(
            state="running",
            fence=items.fence + 1,
            worker=sa.bindparam("holder"),
            started_at=sa.bindparam("now"),
            lease_until=sa.bindparam("until"),
            **values,
        )
        .returning(*(items[name] for name in UNKNOWN_TO_CLAIM))
    )


def _fenced(tables: QueueTables, database: Database, **values: Any) -> sa.UpdateBase:
    """Changes the items that are still held under the fence the caller knows; answers with their ids."""
    items = tables.items.c
    held = database.pairs("id", "fence")
    return (
        sa.update(tables.items)
        .where(items.id == held.c.id, items.fence == held.c.fence, IS_LEASED)
        .values(**values)
        .returning(items.id)
    )


def _dependents(tables: QueueTables, database: Database) -> sa.Select[Any]:
    """What waits, or waited, for some items, in order of id."""
    edges = tables.prerequisites.c
    dependents = database.matching(edges.item_id, edges.needs_id, "ids").distinct()
    return dependents.order_by(*dependents.selected_columns)


def _release(tables: QueueTables, database: Database) -> sa.UpdateBase:
    """Makes ready what waits for some items, and has no unfinished prerequisite left."""
    items, edges = tables.items, tables.prerequisites
    needed = items.alias("needed")
    dependents = database.matching(edges.c.item_id, edges.c.needs_id, "ids")
    # A look-up for each edge, and no LIMIT: PostgreSQL would hash, or scan for an early hit, before its first ANALYZE.
    unfinished = (
        sa.select(needed.c.id)
        .where(needed.c.id == edges.c.needs_id, needed.c.finished_at.is_(None))
        .correlate(edges)
        .scalar_subquery()
    )
    unmet = (
        sa.select(sa.func.count())
        .select_from(edges)
        .where(edges.c.item_id == items.c.id, unfinished.is_not(None))
        .correlate(items)
        .scalar_subquery()
    )
    return (
        sa.update(items)
        .where(database.within(items.c.id, dependents), IS_WAITING, unmet == 0)
        .values(state=sa.literal_column("'ready'", sa.Text))
    )


def _drop(tables: QueueTables, which: sa.ColumnElement[bool]) -> sa.UpdateBase:
    """Drops the unstarted among some items; answers with their ids."""
    return (
        sa.update(tables.items)
        .where(which, IS_UNFINISHED, IS_UNSTARTED)
        .values(state="dropped", not_before=None, reason=sa.bindparam("why"), finished_at=sa.bindparam("now"))
        .returning(tables.items.c.id)
    )


def _relink(tables: QueueTables, database: Database) -> sa.Insert:
    """Lets items wait for whatever their dropped prerequisites were waiting for, through chains of dropped ones."""
    items, edges = tables.items, tables.prerequisites
    waiting = items.alias("waiting")
    through = (
        sa.select(edges.c.item_id.label("root"), edges.c.needs_id.label("needs_id"))
        .join(waiting, waiting.c.id == edges.c.item_id)
        .where(database.among(edges.c.item_id, "ids"), waiting.c.state == sa.literal_column("'waiting'", sa.Text))
        .cte("through", recursive=True)
    )
    dropped, further = items.alias("dropped"), edges.alias("further")
    through = through.union(
        sa.select(through.c.root, further.c.needs_id)
        .join(dropped, dropped.c.id == through.c.needs_id)
        .join(further, further.c.item_id == dropped.c.id)
        .where(dropped.c.state == sa.literal_column("'dropped'", sa.Text))
    )
    existing = edges.alias("existing")
    known = sa.select(existing.c.item_id).where(
        existing.c.item_id == through.c.root, existing.c.needs_id == through.c.needs_id
    )
    missing = (
        sa.select(through.c.root, through.c.needs_id)
        .join(items, items.c.id == through.c.needs_id)
        .where(IS_UNFINISHED, ~known.exists())
    )
    return sa.insert(edges).from_select(["item_id", "needs_id"], missing)


def _resurrect(tables: QueueTables, database: Database) -> sa.UpdateBase:
    """Makes dead items ready, as if never attempted; the last error stays to be read."""
    items = tables.items.c
    return (
        sa.update(tables.items)
        .where(database.among(items.id, "ids"), sa.text("state = 'dead'"))
        .values(state="ready", attempts=0)
        .returning(items.id)
    )


def _purge(tables: QueueTables, database: Database) -> sa.UpdateBase:
    """Removes the items that finished longest ago; answers with their ids."""
    items = tables.items.c
    oldest = (
        sa.select(items.id)
        .where(IS_FINISHED, items.finished_at < sa.bindparam("before"))
        .order_by(items.finished_at)
        .limit(sa.bindparam("limit"))
    )
    return sa.delete(tables.items).where(database.within(items.id, oldest)).returning(items.id)
