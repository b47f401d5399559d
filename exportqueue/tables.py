"""The queue's tables: one schema for SQLite and PostgreSQL.

Times are whole microseconds since 1970 in UTC (`item.to_micros`): exact, ordered, and without a conversion in the
driver. There are no foreign keys: each would cost a look-up per row enqueued, and `Queue.purge` removes an item's
edges with it.

Every index on items is partial, so that finished items cost nothing but their own space. SQLite uses a partial index
only where a query repeats the index's condition word for word: queries take it from here. "Unfinished" goes by
`finished_at`, not by state, because SQLite rewrites an index whenever a column in its condition changes.
"""

from __future__ import annotations

from functools import cache

import msgspec
import sqlalchemy as sa

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite makes only INTEGER keys the row's own number

IS_DUE = sa.text("state = 'ready' AND not_before IS NULL")
IS_DELAYED = sa.text("state = 'ready' AND not_before IS NOT NULL")
IS_RUNNING = sa.text("state = 'running'")
IS_DEAD = sa.text("state = 'dead'")
IS_UNFINISHED = sa.text("finished_at IS NULL")
IS_FINISHED = sa.text("finished_at IS NOT NULL")


class QueueTables(msgspec.Struct, frozen=True):
    """The tables of one queue.

    Attributes:
        items: One row per item, in the column order of `item.Item`.
        prerequisites: `item_id` waits for `needs_id`. Edges stay until the item is purged, so that a purge removes a
            few for each item, not one for each of thousands that waited for it; what they name may be gone before.
        pauses: Targets of which nothing may be claimed.
        counters: The next item's id. Ids are never used again.
        circuits: Targets that are away, so that every worker and every operator knows.
    """

    items: sa.Table
    prerequisites: sa.Table
    pauses: sa.Table
    counters: sa.Table
    circuits: sa.Table


@cache
def queue_tables() -> QueueTables:
    """The tables by themselves, the same at each call, for whoever works on tables that are there.

    Defined anew, they would cost some milliseconds, and all that SQLAlchemy remembers of statements on them.
    """
    return define(sa.MetaData())


def define(metadata: sa.MetaData) -> QueueTables:
    """Adds the queue's tables to `metadata`; their names begin with `queue_`."""
    return QueueTables(
        items=_items(metadata),
        prerequisites=_prerequisites(metadata),
        pauses=sa.Table(
            "queue_pauses",
            metadata,
            sa.Column("target", sa.Text, primary_key=True),
            sa.Column("reason", sa.Text, nullable=False),
            sa.Column("paused_at", BIG, nullable=False),
        ),
        counters=sa.Table(
            "queue_counters",
            metadata,
            sa.Column("name", sa.Text, primary_key=True),
            sa.Column("next_id", BIG, nullable=False),
        ),
        circuits=sa.Table(
            "queue_circuits",
            metadata,
            sa.Column("target", sa.Text, primary_key=True),
            sa.Column("opened_at", BIG, nullable=False),
            sa.Column("probe_at", BIG, nullable=False),  # before it nobody asks the target again
            sa.Column("failures", sa.Integer, nullable=False),  # in a row
            sa.Column("error", sa.Text, nullable=False),
        ),
    )


def _items(metadata: sa.MetaData) -> sa.Table:
    items = sa.Table(
        "queue_items",
        metadata,
        sa.Column("id", BIG, primary_key=True, autoincrement=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("object_key", sa.Text, nullable=False),
        sa.Column("operation", sa.Text, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("format", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("not_before", BIG),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("fence", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("last_error", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("plan_id", sa.Text),
        sa.Column("run_id", sa.Text),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("started_at", BIG),
        sa.Column("finished_at", BIG),
        sa.Column("lease_until", BIG),
        sa.Column("worker", sa.Text),
    )
    column = items.c
    _partial("ix_queue_items_due", IS_DUE, column.target, column.priority, column.id)
    _partial("ix_queue_items_delayed", IS_DELAYED, column.target, column.not_before)
    _partial("ix_queue_items_running", IS_RUNNING, column.target, column.lease_until)
    _partial("ix_queue_items_dead", IS_DEAD, column.target)
    _partial("ix_queue_items_object", IS_UNFINISHED, column.target, column.object_key, column.id)
    _partial("ix_queue_items_subject", IS_UNFINISHED, column.subject)
    _partial("ix_queue_items_finished", IS_FINISHED, column.finished_at)
    sa.event.listen(items, "before_create", _with_conditions)
    return items


def _prerequisites(metadata: sa.MetaData) -> sa.Table:
    prerequisites = sa.Table(
        "queue_prerequisites",
        metadata,
        sa.Column("item_id", BIG, primary_key=True, autoincrement=False),
        sa.Column("needs_id", BIG, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    sa.Index("ix_queue_prerequisites_needs_id", prerequisites.c.needs_id)
    return prerequisites


def _partial(name: str, condition: sa.TextClause, *columns: sa.Column[object]) -> None:
    sa.Index(name, *columns, sqlite_where=condition)


def _with_conditions(items: sa.Table, connection: sa.Connection, **_: object) -> None:
    """Gives the indexes their conditions in PostgreSQL, too.

    Only when they are made there: to be told of an option of PostgreSQL, SQLAlchemy loads all that it has for it.
    """
    if connection.dialect.name == "postgresql":
        for index in items.indexes:
            index.dialect_kwargs["postgresql_where"] = index.dialect_kwargs["sqlite_where"]
