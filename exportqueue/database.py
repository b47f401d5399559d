"""What SQLite and PostgreSQL do differently: arrays as parameters, bulk inserts, and the gate.

**The gate.** Whoever adds, drops or re-links prerequisites (enqueue, supersede, drop) must not run beside whoever
counts them down (finish): an item could wait for ever for one that has just finished. On SQLite every writer is alone
anyway. On PostgreSQL the former take an advisory lock alone, the latter share it; both hold it to the end of the
caller's transaction, which has to run at READ COMMITTED, the default, so that each statement sees what was committed
before it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Protocol, cast

import sqlalchemy as sa

GATE_KEY = 0x6578706F727471  # "exportq": any number will do that nothing else in the database locks

# Before its first ANALYZE the planner takes look-ups for so costly that it compiles them: 0.1 s for each batch.
_UNCOMPILED = sa.func.set_config("jit", "off", True)
_ALONE = sa.select(_UNCOMPILED, sa.func.pg_advisory_xact_lock(GATE_KEY))
_SHARED = sa.select(_UNCOMPILED, sa.func.pg_advisory_xact_lock_shared(GATE_KEY))

Row = tuple[object, ...]


class Database(Protocol):
    """One kind of database."""

    def __hash__(self) -> int:
        """There is one of each kind."""
        ...

    def among(self, column: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[bool]:
        """Whether a column's value is in the array parameter `name`, by a look-up for each value."""
        ...

    def matching(self, wanted: sa.Column[Any], column: sa.Column[Any], name: str) -> sa.Select[Any]:
        """`wanted` of all rows whose `column` is in the array parameter `name`, by an index look-up for each value."""
        ...

    def locked(self, key: sa.Column[Any], few: sa.Select[Any], condition: sa.TextClause) -> sa.Select[Any] | None:
        """The keys in an ordered subquery whose rows fulfil a condition, each locked before the next is looked up.

        None: there is nothing to lock, because a transaction that writes is the only one that does.
        """
        ...

    def within(self, column: sa.ColumnElement[Any], few: sa.Select[Any]) -> sa.ColumnElement[bool]:
        """Whether a column's value is in a subquery of few rows, run once, by a look-up for each value."""
        ...

    def words(self, name: str) -> sa.FromClause:
        """The strings in the array parameter `name`, as a table with the column `value`."""
        ...

    def pairs(self, first: str, second: str) -> sa.FromClause:
        """The array parameters of `pack_pairs`, as a table with two columns of integers, so named."""
        ...

    def pack(self, numbers: Sequence[int]) -> object:
        """An array of integers in the form in which the driver takes it."""
        ...

    def pack_words(self, words: Sequence[str]) -> object:
        """An array of strings, likewise."""
        ...

    def pack_pairs(self, firsts: Sequence[int], seconds: Sequence[int]) -> dict[str, object]:
        """Parameters for `pairs`."""
        ...

    def gate(self, conn: sa.Connection, *, alone: bool) -> None:
        """Passes the gate, alone or beside others that share it; held until the transaction ends."""
        ...

    def insert(self, conn: sa.Connection, table: sa.Table, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Inserts many rows, the fastest way the driver has."""
        ...

    def analyse(self, conn: sa.Connection, *tables: sa.Table) -> None:
        """Renews what the planner knows of tables that have just grown."""
        ...


class _Sqlite:
    """Arrays travel as JSON: one parameter, so that the statement's text does not change with the length."""

    def among(self, column: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[bool]:
        return column.in_(sa.select(self.words(name).c.value))

    def matching(self, wanted: sa.Column[Any], column: sa.Column[Any], name: str) -> sa.Select[Any]:
        return sa.select(wanted).where(self.among(column, name))

    def locked(self, key: sa.Column[Any], few: sa.Select[Any], condition: sa.TextClause) -> None:
        """Nothing to lock."""

    def within(self, column: sa.ColumnElement[Any], few: sa.Select[Any]) -> sa.ColumnElement[bool]:
        return column.in_(few)

    def words(self, name: str) -> sa.FromClause:
        return sa.func.json_each(sa.bindparam(name, type_=sa.Text)).table_valued(sa.column("value", sa.Text))

    def pairs(self, first: str, second: str) -> sa.FromClause:
        pair = sa.func.json_each(sa.bindparam("pairs", type_=sa.Text)).table_valued("key", "value").c
        return sa.select(sa.cast(pair.key, sa.Integer).label(first), pair.value.label(second)).subquery("pairs")

    def pack(self, numbers: Sequence[int]) -> object:
        return json.dumps(numbers)

    def pack_words(self, words: Sequence[str]) -> object:
        return json.dumps(words)

    def pack_pairs(self, firsts: Sequence[int], seconds: Sequence[int]) -> dict[str, object]:
        # An object, whose keys are the firsts: half the time that an array of arrays takes to read.
        return {"pairs": json.dumps(dict(zip(firsts, seconds, strict=True)))}

    def gate(self, conn: sa.Connection, *, alone: bool) -> None:
        """Nothing to do: a transaction that writes is the only one that does."""

    def insert(self, conn: sa.Connection, table: sa.Table, columns: Sequence[str], rows: Iterable[Row]) -> None:
        # Driver tuples: twice as fast as Core's dictionaries.
        marks = ", ".join("?" * len(columns))
        statement = f"INSERT INTO {table.fullname} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - own names
        conn.exec_driver_sql(statement, list(rows))

    def analyse(self, conn: sa.Connection, *tables: sa.Table) -> None:
        """Nothing to do: its plans do not go by sizes here."""


class _Postgresql:
    """Arrays are arrays; bulk inserts are COPY, seven times as fast as executemany.

    Those of integers travel as the text of an array: of a list, SQLAlchemy and the driver look at each element twice.
    """

    def among(self, column: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[bool]:
        # Not IN (SELECT unnest(…)): before its first ANALYZE a table would be read from end to end.
        return column == sa.any_(_array(name, column.type))

    def matching(self, wanted: sa.Column[Any], column: sa.Column[Any], name: str) -> sa.Select[Any]:
        values = (
            sa.func.unnest(_array(name, column.type))
            .table_valued(sa.column("value", column.type))
            .render_derived("wanted")
        )
        found = _one_by_one(sa.select(wanted).where(column == values.c.value), "found")
        return sa.select(found.c[wanted.name]).select_from(values.join(found, sa.true()))

    def locked(self, key: sa.Column[Any], few: sa.Select[Any], condition: sa.TextClause) -> sa.Select[Any]:
        keys = few.subquery("few")
        (wanted,) = keys.c
        row = _one_by_one(sa.select(key).where(key == wanted, condition).with_for_update(), "locked")
        return sa.select(row.c[key.name]).select_from(keys.join(row, sa.true()))

    def within(self, column: sa.ColumnElement[Any], few: sa.Select[Any]) -> sa.ColumnElement[bool]:
        # An array is made once; IN might be run again for each row, and lock more rows than its limit.
        return column == sa.any_(sa.func.array(few.scalar_subquery()))

    def words(self, name: str) -> sa.FromClause:
        return sa.func.unnest(_array(name, sa.Text())).table_valued(sa.column("value", sa.Text)).render_derived("words")

    def pairs(self, first: str, second: str) -> sa.FromClause:
        arrays = [_array(name, sa.BigInteger()) for name in ("firsts", "seconds")]
        return sa.func.unnest(*arrays).table_valued(first, second).render_derived("pairs")

    def pack(self, numbers: Sequence[int]) -> object:
        return f"{{{','.join(map(str, numbers))}}}"

    def pack_words(self, words: Sequence[str]) -> object:
        return list(words)

    def pack_pairs(self, firsts: Sequence[int], seconds: Sequence[int]) -> dict[str, object]:
        return {"firsts": self.pack(firsts), "seconds": self.pack(seconds)}

    def gate(self, conn: sa.Connection, *, alone: bool) -> None:
        conn.execute(_ALONE if alone else _SHARED)

    def insert(self, conn: sa.Connection, table: sa.Table, columns: Sequence[str], rows: Iterable[Row]) -> None:
        cursor = cast("Any", conn.connection.cursor())
        with cursor, cursor.copy(f"COPY {table.fullname} ({', '.join(columns)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def analyse(self, conn: sa.Connection, *tables: sa.Table) -> None:
        conn.exec_driver_sql(f"ANALYZE {', '.join(table.fullname for table in tables)}")


def _array(name: str, of: sa.types.TypeEngine[Any]) -> sa.ColumnElement[Any]:
    """The array parameter `name` of PostgreSQL, as `pack` or `pack_words` makes it."""
    if isinstance(of, sa.Text):
        return sa.bindparam(name, type_=sa.ARRAY(of))
    return sa.cast(sa.bindparam(name, type_=sa.Text), sa.ARRAY(of))


def _one_by_one(look_up: sa.Select[Any], name: str) -> sa.FromClause:
    """A look-up for each row that it refers to, in their order.

    OFFSET keeps the planner from making one join of whole tables of the look-ups, as it does without statistics.
    """
    return look_up.offset(sa.literal_column("0")).lateral(name)


_DATABASES: dict[str, Database] = {"sqlite": _Sqlite(), "postgresql": _Postgresql()}


def database_of(conn: sa.Connection) -> Database:
    """The kind of database behind a connection.

    Raises:
        NotImplementedError: It is neither SQLite nor PostgreSQL.
    """
    try:
        return _DATABASES[conn.dialect.name]
    except KeyError:
        raise NotImplementedError(f"the queue does not run on {conn.dialect.name}") from None
