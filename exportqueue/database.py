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
from sqlalchemy.dialects.postgresql import ARRAY

GATE_KEY = 0x6578706F727471  # "exportq": any number will do that nothing else in the database locks

Row = tuple[object, ...]


class Database(Protocol):
    """One kind of database."""

    def numbers(self, name: str) -> sa.Select[Any]:
        """The integers in the array parameter `name`, as a subquery of one column."""
        ...

    def words(self, name: str) -> sa.FromClause:
        """The strings in the array parameter `name`, as a table with the column `value`."""
        ...

    def held(self) -> sa.FromClause:
        """The array parameters of `pack_held`, as a table with the columns `id` and `fence`."""
        ...

    def pack(self, values: Sequence[int] | Sequence[str]) -> object:
        """An array in the form in which the driver takes it."""
        ...

    def pack_held(self, ids: Sequence[int], fences: Sequence[int]) -> dict[str, object]:
        """Parameters for `held`."""
        ...

    def gate(self, conn: sa.Connection, *, alone: bool) -> None:
        """Passes the gate, alone or beside others that share it; held until the transaction ends."""
        ...

    def insert(self, conn: sa.Connection, table: sa.Table, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Inserts many rows, the fastest way the driver has."""
        ...


class _Sqlite:
    """Arrays travel as JSON: one parameter, so that the statement's text does not change with the length."""

    def numbers(self, name: str) -> sa.Select[Any]:
        return sa.select(sa.func.json_each(sa.bindparam(name, type_=sa.Text)).table_valued("value").c.value)

    def words(self, name: str) -> sa.FromClause:
        return sa.func.json_each(sa.bindparam(name, type_=sa.Text)).table_valued(sa.column("value", sa.Text))

    def held(self) -> sa.FromClause:
        pair = sa.func.json_each(sa.bindparam("held", type_=sa.Text)).table_valued("value").c.value
        return sa.select(
            sa.func.json_extract(pair, "$[0]").label("id"), sa.func.json_extract(pair, "$[1]").label("fence")
        ).subquery("held")

    def pack(self, values: Sequence[int] | Sequence[str]) -> object:
        return json.dumps(values)

    def pack_held(self, ids: Sequence[int], fences: Sequence[int]) -> dict[str, object]:
        return {"held": json.dumps(list(zip(ids, fences, strict=True)))}

    def gate(self, conn: sa.Connection, *, alone: bool) -> None:
        """Nothing to do: a transaction that writes is the only one that does."""

    def insert(self, conn: sa.Connection, table: sa.Table, columns: Sequence[str], rows: Iterable[Row]) -> None:
        # Driver tuples: twice as fast as Core's dictionaries.
        marks = ", ".join("?" * len(columns))
        statement = f"INSERT INTO {table.fullname} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - own names
        conn.exec_driver_sql(statement, list(rows))


class _Postgresql:
    """Arrays are arrays; bulk inserts are COPY, seven times as fast as executemany."""

    def numbers(self, name: str) -> sa.Select[Any]:
        return sa.select(sa.func.unnest(sa.bindparam(name, type_=ARRAY(sa.BigInteger))).column_valued("number"))

    def words(self, name: str) -> sa.FromClause:
        array = sa.bindparam(name, type_=ARRAY(sa.Text))
        return sa.func.unnest(array).table_valued(sa.column("value", sa.Text)).render_derived("words")

    def held(self) -> sa.FromClause:
        arrays = [sa.bindparam(name, type_=ARRAY(sa.BigInteger)) for name in ("held_ids", "held_fences")]
        return sa.func.unnest(*arrays).table_valued("id", "fence").render_derived("held")

    def pack(self, values: Sequence[int] | Sequence[str]) -> object:
        return list(values)

    def pack_held(self, ids: Sequence[int], fences: Sequence[int]) -> dict[str, object]:
        return {"held_ids": list(ids), "held_fences": list(fences)}

    def gate(self, conn: sa.Connection, *, alone: bool) -> None:
        lock = sa.func.pg_advisory_xact_lock if alone else sa.func.pg_advisory_xact_lock_shared
        conn.execute(sa.select(lock(GATE_KEY)))

    def insert(self, conn: sa.Connection, table: sa.Table, columns: Sequence[str], rows: Iterable[Row]) -> None:
        cursor = cast("Any", conn.connection.cursor())
        with cursor, cursor.copy(f"COPY {table.fullname} ({', '.join(columns)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)


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
