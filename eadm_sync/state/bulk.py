"""Many rows in one statement as driver tuples: twice as fast as SQLAlchemy's dictionaries, on both databases."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Table

_ROWS_AT_ONCE = 5_000  # bounds memory; larger portions gain nothing measurable


def insert(connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> int:
    """Inserts rows; a row whose key exists is an error. Returns how many there were."""
    return _execute_many(connection, _insert_into(connection, table, columns), rows)


def upsert(connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> int:
    """Inserts rows; where the primary key exists, the other given columns are replaced. Returns how many there were."""
    key = [column.name for column in table.primary_key.columns]
    others = [name for name in columns if name not in key]
    action = "UPDATE SET " + ", ".join(f"{name} = excluded.{name}" for name in others) if others else "NOTHING"
    statement = f"{_insert_into(connection, table, columns)} ON CONFLICT ({', '.join(key)}) DO {action}"
    return _execute_many(connection, statement, rows)


def delete(connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> int:
    """Deletes the rows in which these columns have these values. Returns how many tuples there were."""
    mark = _mark(connection)
    condition = " AND ".join(f"{name} = {mark}" for name in columns)
    return _execute_many(connection, f"DELETE FROM {table.name} WHERE {condition}", rows)  # noqa: S608 - own names only


def update(
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    where: Sequence[str],
    rows: Iterable[tuple[Any, ...]],
) -> int:
    """Sets `columns` where the `where` columns match; each row holds the new values, then the ones to match."""
    mark = _mark(connection)
    values = ", ".join(f"{name} = {mark}" for name in columns)
    condition = " AND ".join(f"{name} = {mark}" for name in where)
    return _execute_many(connection, f"UPDATE {table.name} SET {values} WHERE {condition}", rows)  # noqa: S608 - own names only


def _insert_into(connection: Connection, table: Table, columns: Sequence[str]) -> str:
    marks = ", ".join([_mark(connection)] * len(columns))
    return f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - own names only


def _mark(connection: Connection) -> str:
    return "?" if connection.dialect.paramstyle == "qmark" else "%s"


def _execute_many(connection: Connection, statement: str, rows: Iterable[tuple[Any, ...]]) -> int:
    iterator = iter(rows)
    total = 0
    while portion := list(islice(iterator, _ROWS_AT_ONCE)):
        connection.exec_driver_sql(statement, portion)
        total += len(portion)
    return total
