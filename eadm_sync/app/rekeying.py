"""Rotation of the installation's keys while it runs: a new key seals, and what older ones sealed is sealed anew.

Sealed values stand in people, source records, known state and the audit, and, sealed once more as a whole, in the
payloads of the export queue. Wherever one stands, the name before it (`national_id`, or an attribute's) is what it was
sealed for, so that values are found without knowing the layout of each row. Digests stay as they are: nobody looks new.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, Table, select, tuple_

from eadm_sync.app.context import Context
from eadm_sync.config.keys import Key, Use, prepare_key, read_keys, remove_keys, rotate_keys
from eadm_sync.delivery import payload
from eadm_sync.errors import StateError
from eadm_sync.events import get_logger
from eadm_sync.model import Sealed
from eadm_sync.state import bulk, passwords, tables
from eadm_sync.state.auditing import AuditEntry, append_audit
from eadm_sync.state.crypto import Vault, header
from eadm_sync.state.database import Database
from eadm_sync.state.sealing import check_key, note_key
from exportqueue.tables import IS_RUNNING, IS_UNFINISHED

log = get_logger(__name__)

_ROWS_AT_ONCE = 500
"""In one transaction: a fraction of a second, for which an embedded database lets nobody else write."""

_POLL_SECONDS = 1.0

PATIENCE_SECONDS = 120.0
"""How long to wait for changes that are being delivered: twice a lease, after which whoever had them is gone."""

_SEALED_FIELDS = {"ciphertext", "digest"}

_decode = msgspec.msgpack.Decoder().decode
_encode = msgspec.msgpack.Encoder().encode

Progress = Callable[[str, int, int | None], None]


class KeyRow(msgspec.Struct, frozen=True):
    """One key of the key file: its id, and what it is for (`seals`, `opens`, `next` or `digests`)."""

    id: str
    use: str


class Retired(msgspec.Struct, frozen=True):
    """What retiring old keys came to.

    Attributes:
        keys: Ids of the keys that were taken out of the key file; empty where there were none, or `left` says why not.
        resealed: How many rows were sealed anew, by table.
        left: Changes that are still being delivered and may bring back values of the old keys; the keys stay then.
    """

    keys: tuple[str, ...]
    resealed: dict[str, int]
    left: int = 0


def keys(context: Context) -> tuple[KeyRow, ...]:
    """The keys of the key file, newest first.

    Raises:
        StateError: The key file is not there, or wrong.
    """
    found = read_keys(_key_file(context))
    current = Vault(found).current
    words = {Use.NEXT: "next", Use.DIGEST: "digests"}
    return tuple(KeyRow(key.id, words.get(key.use, "seals" if key.id == current else "opens")) for key in found)


def prepare(context: Context) -> Key:
    """Adds a key that nobody uses yet, so that the key file can be copied to every machine first.

    Raises:
        StateError: There is one already, or the file cannot be written.
    """
    return prepare_key(_key_file(context))


def rotate(context: Context) -> Key:
    """Seals with a new key from now on: the prepared one, or a fresh one. Others go on reading with the older ones.

    Running daemons take it up with their next run, or as soon as they meet what it has sealed.

    Raises:
        StateError: The key file is not that of the state, or cannot be written.
    """
    with context.writing() as database:
        with database.read() as connection:
            check_key(connection, context.vault)
        key = rotate_keys(_key_file(context))
        context.vault.refresh()
        context.vault.seal_with(key.id)
        with database.write() as connection:
            note_key(connection, context.vault)
            append_audit(connection, context.vault, [_entry(context, "rotate", key.id)])
    log.info("key.rotated", key=key.id)
    return key


def retire(
    context: Context,
    *,
    patience_seconds: float = PATIENCE_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
    progress: Progress = lambda *_: None,
) -> Retired:
    """Seals anew all that older keys sealed, and takes those keys out of the key file.

    Nothing can plan meanwhile; delivery goes on. Changes that are under way when it begins may write values of the old
    keys when they end: it waits for them, and where that takes too long, it leaves the keys and says so.

    Args:
        context: The installation.
        patience_seconds: How long to wait for what is being delivered.
        sleep: Waits some seconds.
        progress: Told how it gets on.

    Raises:
        StateBusy: A run is at work.
        StateError: The key file is not that of the state, a value cannot be opened, or the file cannot be written.
    """
    with context.writing() as database, database.run_lock():
        with database.read() as connection:
            check_key(connection, context.vault)
        old = tuple(sorted(context.vault.ids - {context.vault.current} - _unused(context)))
        if not old:
            return Retired((), {})
        again = _Again(context, database, old, progress)
        again.seal(again.queue)  # whoever claims a change from now on has it under the new key
        left = _wait_for_deliveries(context, database, patience_seconds, sleep)
        for _ in range(_PASSES):
            if not again.seal(*again.places):
                break
        else:
            left = left or 1
        if left:
            return Retired((), again.counts, left)
        _remove(context, database, old)
    return Retired(old, again.counts)


_PASSES = 10
"""A delivery that began before may end between two passes; more than a few cannot."""


def _remove(context: Context, database: Database, old: tuple[str, ...]) -> None:
    with database.write() as connection:
        note_key(connection, context.vault)
        append_audit(connection, context.vault, (_entry(context, "retire", key) for key in old))
    remove_keys(_key_file(context), old, context.vault.digest_key)
    context.vault.refresh()
    log.info("key.retired", keys=old)


def _unused(context: Context) -> set[str]:
    return {key.id for key in read_keys(_key_file(context)) if key.use is Use.NEXT}


def _wait_for_deliveries(
    context: Context, database: Database, patience_seconds: float, sleep: Callable[[float], None]
) -> int:
    """Waits until every change that is under way now has ended; returns how many have not."""
    items = context.queue.tables.items.c
    query = select(items.id, items.fence).where(IS_RUNNING)

    def running() -> set[tuple[int, int]]:
        with database.read() as connection:
            return {(row.id, row.fence) for row in connection.execute(query)}

    under_way = running()
    waited = 0.0
    while under_way and waited < patience_seconds:
        sleep(_POLL_SECONDS)
        waited += _POLL_SECONDS
        under_way &= running()
    return len(under_way)


@dataclass(frozen=True)
class _Place:
    """A column that sealed values stand in; `again` seals what stands in one row anew.

    Attributes:
        column: The column.
        again: Returns the value itself where nothing in it is sealed with an old key.
        also: Rows to look at even where no old key's mark shows.
    """

    column: sa.Column[bytes]
    again: Callable[[bytes], bytes]
    also: sa.ColumnElement[bool] | sa.TextClause | None = None

    @property
    def table(self) -> Table:
        """The column's table."""
        table = self.column.table
        assert isinstance(table, Table)  # noqa: S101 - mypy takes a column's table for any selectable
        return table


class _Again:
    """Seals rows anew, place by place, in small transactions.

    Attributes:
        counts: Rows sealed anew so far, by table.
        queue: The payloads of the queue. What is sealed within one does not show, so unfinished ones are opened all.
        places: Every place that sealed values stand in.
    """

    def __init__(self, context: Context, database: Database, old: tuple[str, ...], progress: Progress) -> None:
        self.counts: dict[str, int] = {}
        self._database = database
        self._marks = [header(key_id.encode()) for key_id in old]
        self._progress = progress
        vault, items = context.vault, context.queue.tables.items.c
        values = partial(resealed, vault=vault)
        self.queue = _Place(items.payload, partial(payload.resealed, vault=vault, again=values), IS_UNFINISHED)
        columns = (
            *(tables.source_records.c.data, tables.people.c.data, tables.audit.c.detail),
            *(tables.known_accounts.c.attributes, tables.recycled_accounts.c.attributes),
            *(tables.known_groups.c.attributes, tables.known_scripts.c.owed, tables.known_scripts.c.output),
        )
        kept = _Place(tables.passwords.c.sealed, partial(passwords.resealed, vault=vault))
        self.places = (self.queue, kept, *(_Place(column, values) for column in columns))

    def seal(self, *places: _Place) -> int:
        """Seals those places anew; returns how many rows it were."""
        total = 0
        for place in places:
            done = sum(self._portions(place))
            self.counts[place.table.name] = self.counts.get(place.table.name, 0) + done
            total += done
        return total

    def _portions(self, place: _Place) -> Iterator[int]:
        keys = tuple(place.table.primary_key.columns)
        last: tuple[Any, ...] | None = None
        looked = 0
        while True:
            with self._database.write() as connection:
                query = self._query(connection, place, keys)
                if last is not None:
                    query = query.where(tuple_(*keys) > tuple_(*last))
                rows = connection.execute(query).all()
                yield _replace(connection, place, keys, rows)
            if len(rows) < _ROWS_AT_ONCE:
                return
            last = tuple(rows[-1][:-1])
            looked += len(rows)
            self._progress(f"sealing {place.table.name} anew", looked, None)

    def _query(self, connection: Connection, place: _Place, keys: tuple[sa.Column[Any], ...]) -> sa.Select[Any]:
        """Rows that hold the mark of an old key, were it by chance; locked, where the database locks rows."""
        marked = [_holds(connection, place.column, mark) for mark in self._marks]
        wanted = sa.or_(*marked) if place.also is None else sa.or_(*marked, place.also)
        return select(*keys, place.column).where(wanted).order_by(*keys).limit(_ROWS_AT_ONCE).with_for_update()


def _holds(connection: Connection, column: sa.Column[bytes], mark: bytes) -> sa.ColumnElement[bool]:
    if connection.dialect.name == "sqlite":
        return sa.func.instr(column, mark) > 0
    return sa.func.position(sa.literal(mark, sa.LargeBinary).op("IN")(column)) > 0


def _replace(connection: Connection, place: _Place, keys: tuple[sa.Column[Any], ...], rows: Sequence[Any]) -> int:
    """Writes back what differs; returns how many rows do."""
    changed = [(fresh, *row[:-1]) for row in rows if (fresh := place.again(row[-1])) != row[-1]]
    names = tuple(key.name for key in keys)
    return bulk.update(connection, place.table, (place.column.name,), names, changed)


def resealed(data: bytes, vault: Vault) -> bytes:
    """A row's msgpack with every sealed value under the vault's current key; itself where all of them are.

    Raises:
        StateError: One of them cannot be opened.
    """
    try:
        content = _decode(data)
    except msgspec.DecodeError:
        return data  # plain text, as the reason of a release
    fresh = _resealed(content, "", vault)
    return _encode(fresh) if fresh is not content else data


def _resealed(value: Any, name: str, vault: Vault) -> Any:
    """The value with sealed ones replaced; the very same object where there are none to replace."""
    if isinstance(value, dict):
        if value.keys() == _SEALED_FIELDS:
            return value if vault.is_current(value["ciphertext"]) else _sealed_anew(value, name, vault)
        pairs = {key: _resealed(each, str(key), vault) for key, each in value.items()}
        return pairs if any(pairs[key] is not each for key, each in value.items()) else value
    if isinstance(value, list):
        each_one = [_resealed(each, name, vault) for each in value]
        return each_one if any(one is not each for one, each in zip(each_one, value, strict=True)) else value
    return value


def _sealed_anew(value: Mapping[str, bytes], name: str, vault: Vault) -> dict[str, bytes]:
    former = Sealed(value["ciphertext"], value["digest"])
    fresh = vault.seal(vault.open(former, name), name)
    if fresh != former:
        raise StateError(f"a sealed '{name}' does not match its keyed hash: nothing more was done")
    return {"ciphertext": fresh.ciphertext, "digest": fresh.digest}


def _key_file(context: Context) -> Path:
    return context.loaded.path(context.loaded.settings.state.key_file)


def _entry(context: Context, action: str, key: str) -> AuditEntry:
    now = context.clock.now().isoformat()
    return AuditEntry(now, None, context.actor, None, "key", action, key, None, _encode({}))
