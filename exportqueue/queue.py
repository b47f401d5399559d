"""The queue itself: every method is one step inside the caller's transaction, and none of them commits."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TypeVar

import msgspec
import sqlalchemy as sa

from exportqueue import filling, outlook, overview
from exportqueue.circuit import OpenCircuit
from exportqueue.database import database_of
from exportqueue.errors import LeaseLost, UnknownItem
from exportqueue.item import (
    Item,
    NewItem,
    Phase,
    State,
    Superseded,
    TargetStats,
    Unfinished,
    Wanted,
    describe,
    to_micros,
)
from exportqueue.outlook import Outlook
from exportqueue.rows import claimed_item, to_item
from exportqueue.statements import Statements, build
from exportqueue.tables import QueueTables

CHUNK = 1000
"""Items (or ids) in one statement: large enough that a statement's own cost is nothing, small enough to stream."""

MANY = 10_000
"""From so many new items on, the planner's statistics are renewed at once: autovacuum comes up to a minute later, and
until then PostgreSQL would read whole tables for each batch."""

T = TypeVar("T")

SUPERSEDED = "superseded by a newer plan"


def utc_now() -> datetime:
    """The present moment, by the machine's clock."""
    return datetime.now(UTC)


class Queue:
    """A durable queue with order, dependencies and leases, in tables beside the caller's own.

    It holds no state but its tables and a clock, so that one object serves any number of threads and connections.
    On PostgreSQL `enqueue`, `supersede`, `drop` and `resurrect` run alone and `finish` shares (see `database`): call
    them before writing to tables that `Handler.record` writes to, as the worker does, or two transactions can deadlock.

    Args:
        tables: From `tables.define`.
        clock: The present moment, aware.
    """

    def __init__(self, tables: QueueTables, clock: Callable[[], datetime] = utc_now) -> None:
        self.tables = tables
        self._clock = clock

    # ---------------------------------------------------------------- filling

    def enqueue(
        self,
        conn: sa.Connection,
        items: Iterable[NewItem],
        *,
        plan_id: str | None = None,
        run_id: str | None = None,
    ) -> int:
        """Adds items, streaming; returns how many.

        An item waits for the latest unfinished item of its own object and of each key in `after`, enqueued before it,
        in this call or earlier. Without any it is ready at once.
        """
        database_of(conn).gate(conn, alone=True)
        common = plan_id, run_id, self._micros()
        count = 0
        for chunk in _chunks(items):
            filling.add(conn, self.tables, self._for(conn), chunk, common)
            count += len(chunk)
        if count >= MANY:
            database_of(conn).analyse(conn, self.tables.items, self.tables.prerequisites)
        return count

    def supersede(self, conn: sa.Connection, subjects: Collection[str]) -> Superseded:
        """Drops all unstarted items of these subjects, so that a newer plan can take their place.

        What waited for a dropped item waits for whatever that one was waiting for. Items already running go on.
        """
        database, statements = database_of(conn), self._for(conn)
        database.gate(conn, alone=True)
        dropped: builtins.list[int] = []
        running: set[str] = set()
        for chunk in _chunks(subjects):
            packed = {"subjects": database.pack_words(chunk)}
            parameters = {**packed, "why": SUPERSEDED, "now": self._micros()}
            dropped += conn.execute(statements.supersede, parameters).scalars()
            running.update(conn.execute(statements.running_subjects, packed).scalars())
        self._relink(conn, dropped)
        return Superseded(dropped=len(dropped), running=frozenset(running))

    def unfinished(self, conn: sa.Connection, subjects: Collection[str] | None = None) -> Iterator[Unfinished]:
        """All unfinished items, or those of some subjects, in no particular order; streaming."""
        return overview.unfinished(conn, self.tables, subjects)

    def tried(
        self, conn: sa.Connection, subjects: Collection[str] | None = None, operations: Collection[str] = ()
    ) -> Sequence[Item]:
        """Unfinished items, or those of some subjects, that somebody had claimed and nobody is at work on now.

        Whether they had an effect, nobody may know: an answer can be lost. Those that do one of some operations are
        among them, claimed or not. In order of id.
        """
        return overview.tried(conn, self.tables, subjects, operations)

    # ---------------------------------------------------------------- delivering

    def claim(
        self,
        conn: sa.Connection,
        target: str,
        *,
        limit: int,
        lease_seconds: float,
        worker: str,
        overdue_first: bool = True,
    ) -> Sequence[Item]:
        """Takes up to `limit` items of a target for `worker`, by priority, then in the order of enqueueing.

        Items whose lease has expired come first, with an attempt counted: their holder may have died of them. Without
        `overdue_first`, these and retries that have become due are looked for only where there is nothing else: that
        spares two statements for each batch, and whoever asks so has to look now and then. Empty if nothing is due or
        the target is paused.
        """
        statements, now = self._for(conn), self._clock()
        until = now + timedelta(seconds=lease_seconds)
        parameters = {
            "lane": target,
            "limit": limit,
            "holder": worker,
            "now": to_micros(now),
            "until": to_micros(until),
        }
        claimed = [] if overdue_first else conn.execute(statements.claim, parameters).all()
        if len(claimed) < limit:
            parameters["limit"] = limit - len(claimed)
            claimed = [*claimed, *conn.execute(statements.reclaim, parameters).all()]
        if len(claimed) < limit:
            parameters["limit"] = limit - len(claimed)
            conn.execute(statements.wake, parameters)
            claimed = [*claimed, *conn.execute(statements.claim, parameters).all()]
        items = [claimed_item(row, target, worker, now, until) for row in claimed]
        return sorted(items, key=lambda item: (item.priority, item.id))

    def extend(self, conn: sa.Connection, items: Sequence[Item], lease_seconds: float) -> Sequence[Item]:
        """Prolongs leases, counted from now; returns the items that are still held, with their new lease."""
        until = self._clock() + timedelta(seconds=lease_seconds)
        kept = self._fenced(conn, self._for(conn).extend, items, lease_until=to_micros(until))
        return [msgspec.structs.replace(item, lease_until=until) for item in items if item.id in kept]

    def finish(self, conn: sa.Connection, items: Sequence[Item]) -> frozenset[int]:
        """Marks items done and releases what waited for them; returns the ids of those that were still held.

        The others were taken over: what became of them is for their new holder to say. Call it first of all that is
        written down of a batch, also for none: planning waits for it, or it for planning (see `database`).
        """
        database_of(conn).gate(conn, alone=False)
        if not items:
            return frozenset()
        finished = self._fenced(conn, self._for(conn).finish, items, now=self._micros())
        self._release(conn, finished)
        return finished

    def retry(self, conn: sa.Connection, item: Item, error: BaseException, not_before: datetime) -> None:
        """Gives an item back after a failure; it can be claimed again from `not_before`. An attempt is spent.

        Raises:
            LeaseLost: It is no longer held.
        """
        statement = self._for(conn).retry
        self._one(item, self._fenced(conn, statement, [item], due=to_micros(not_before), error=describe(error)))

    def bury(self, conn: sa.Connection, item: Item, error: BaseException) -> None:
        """Makes a dead letter of an item; what waits for it is held.

        Raises:
            LeaseLost: It is no longer held.
        """
        statement = self._for(conn).bury
        self._one(item, self._fenced(conn, statement, [item], error=describe(error)))

    def give_back(
        self, conn: sa.Connection, items: Sequence[Item], *, not_before: datetime | None = None
    ) -> frozenset[int]:
        """Gives items back as if never claimed, no attempt spent; returns the ids of those that were still held."""
        due = None if not_before is None else to_micros(not_before)
        return self._fenced(conn, self._for(conn).give_back, items, due=due)

    def recover(self, conn: sa.Connection, target: str, *, is_gone: Callable[[str], bool] | None = None) -> int:
        """Takes back what is running for a target, no attempt spent; returns how many items.

        For a caller who knows that nobody is at work on it: leases need not expire. What ended the last worker is taken
        to be the machine or somebody's hand, not the item.

        Args:
            conn: The transaction.
            target: Name of the target.
            is_gone: Asked of each worker, by name, whether what it holds is taken back; None: all of it.
        """
        statements = self._for(conn)
        running = conn.execute(statements.running, {"lane": target}).all()
        ids = [item_id for item_id, worker in running if is_gone is None or is_gone(worker)]
        conn.execute(statements.recover, {"ids": database_of(conn).pack(ids)})
        return len(ids)

    def outlook(self, conn: sa.Connection, target: str) -> Outlook:
        """Whether there is something to do for a target, at next to no cost."""
        return outlook.outlook(conn, self.tables, target, self._clock())

    def open_circuit(self, conn: sa.Connection, target: str, *, for_update: bool = False) -> OpenCircuit | None:
        """How a target is away, or None; with `for_update`, others wait for the transaction's end to change it."""
        return outlook.open_circuit(conn, self.tables, target, for_update=for_update)

    def open_up(self, conn: sa.Connection, circuit: OpenCircuit) -> None:
        """Notes that a target is away. A count of failures that is not higher than the one known changes nothing."""
        outlook.open_up(conn, circuit)

    def put_off_probe(self, conn: sa.Connection, target: str, probe_at: datetime) -> None:
        """Changes when a target that is away may be probed."""
        outlook.put_off_probe(conn, self.tables, target, probe_at)

    def close_up(self, conn: sa.Connection, target: str) -> None:
        """Notes that a target is there."""
        outlook.close_up(conn, self.tables, target)

    def hold_up(self, conn: sa.Connection) -> None:
        """Keeps deliveries from being written down until the transaction ends; those half written end first."""
        database_of(conn).gate(conn, alone=True)

    # ---------------------------------------------------------------- operating

    def stats(self, conn: sa.Connection, *, finished: bool = True) -> Sequence[TargetStats]:
        """Every target that has unfinished items, a pause or an absence, or with `finished` recent ones, by name.

        Without `finished` no rate is taken.
        """
        return overview.stats(conn, self.tables, self._clock(), finished=finished)

    def get(self, conn: sa.Connection, item_id: int) -> Item:
        """One item.

        Raises:
            UnknownItem: There is none with this id.
        """
        row = conn.execute(sa.select(self.tables.items).where(self.tables.items.c.id == item_id)).first()
        if row is None:
            raise UnknownItem(item_id)
        return to_item(row)

    def prerequisites(self, conn: sa.Connection, item_id: int) -> Sequence[Item]:
        """What an item waits, or waited, for directly, in order of id; purged ones are left out."""
        return overview.prerequisites(conn, self.tables, item_id)

    def held_by(self, conn: sa.Connection, item_id: int) -> Sequence[Item]:
        """The dead items that an item waits for, directly or through others, in order of id. Empty: it is not held."""
        return overview.held_by(conn, self.tables, item_id)

    def behind(self, conn: sa.Connection, ids: Collection[int]) -> Sequence[int]:
        """Ids of what waits for some items, directly or through others, in their order."""
        return overview.behind(conn, self.tables, ids)

    def resurrect(self, conn: sa.Connection, ids: Collection[int]) -> frozenset[int]:
        """Makes dead items ready again, with all their attempts; returns the ids of those that were dead."""
        database = database_of(conn)
        database.gate(conn, alone=True)
        return frozenset(conn.execute(self._for(conn).resurrect, {"ids": database.pack(sorted(ids))}).scalars())

    def drop(self, conn: sa.Connection, ids: Collection[int], reason: str) -> frozenset[int]:
        """Drops unstarted items for good; returns the ids of those that were. Dependents fare as by `supersede`."""
        database = database_of(conn)
        database.gate(conn, alone=True)
        parameters = {"ids": database.pack(sorted(ids)), "why": reason, "now": self._micros()}
        dropped = list(conn.execute(self._for(conn).drop, parameters).scalars())
        self._relink(conn, dropped)
        return frozenset(dropped)

    def pause(self, conn: sa.Connection, target: str, reason: str) -> None:
        """Lets nothing more of a target be claimed; what is running goes on. A second pause replaces the reason."""
        self.resume(conn, target)
        conn.execute(sa.insert(self.tables.pauses), {"target": target, "reason": reason, "paused_at": self._micros()})

    def resume(self, conn: sa.Connection, target: str) -> None:
        """Ends a pause; nothing happens if there is none."""
        conn.execute(sa.delete(self.tables.pauses).where(self.tables.pauses.c.target == target))

    def purge(self, conn: sa.Connection, finished_before: datetime, limit: int) -> int:
        """Removes up to `limit` items done or dropped before a moment, oldest first; returns how many.

        Call it in transactions of their own until it returns less than `limit`: deliveries go on in between.
        """
        database, statements = database_of(conn), self._for(conn)
        purged = conn.execute(statements.purge, {"before": to_micros(finished_before), "limit": limit}).scalars().all()
        conn.execute(statements.purge_edges, {"ids": database.pack(purged)})
        return len(purged)

    def list(
        self,
        conn: sa.Connection,
        target: str | None = None,
        state: State | None = None,
        subject: str | None = None,
        limit: int = 100,
    ) -> Sequence[Item]:
        """Up to `limit` items that fulfil all conditions given, in order of id."""
        return overview.find(conn, self.tables, target=target, state=state, subject=subject, limit=limit)

    def select(self, conn: sa.Connection, wanted: Wanted, limit: int = 100) -> Sequence[Item]:
        """Up to `limit` of the items wanted, in order of id."""
        return overview.select(conn, self.tables, wanted, self._clock(), limit)

    def count(self, conn: sa.Connection, wanted: Wanted) -> int:
        """How many items are wanted."""
        return overview.count(conn, self.tables, wanted, self._clock())

    def phases(self, conn: sa.Connection, items: Sequence[Item]) -> dict[int, Phase]:
        """Where each of some items is, as operators see it; by id."""
        return overview.phases(conn, self.tables, items, self._clock())

    # ---------------------------------------------------------------- within

    def _for(self, conn: sa.Connection) -> Statements:
        return build(self.tables, database_of(conn))

    def _micros(self) -> int:
        return to_micros(self._clock())

    def _fenced(
        self, conn: sa.Connection, statement: sa.UpdateBase, items: Sequence[Item], **values: object
    ) -> frozenset[int]:
        if not items:
            return frozenset()
        held = database_of(conn).pack_pairs([item.id for item in items], [item.fence for item in items])
        return frozenset(conn.execute(statement, {**held, **values}).scalars().all())

    def _one(self, item: Item, kept: frozenset[int]) -> None:
        if item.id not in kept:
            raise LeaseLost(item.id)

    def _release(self, conn: sa.Connection, settled: Collection[int]) -> None:
        """Makes ready what waited for these items, and waits for nothing any more.

        On PostgreSQL it is locked first: of two workers that finish the last two prerequisites of an item, the second
        then sees what the first has done; and as both lock in the same order, they cannot deadlock.
        """
        if not settled:
            return
        statements, packed = self._for(conn), {"ids": database_of(conn).pack(sorted(settled))}
        if statements.lock is None or conn.execute(statements.lock, packed).first() is not None:
            conn.execute(statements.release, packed)

    def _relink(self, conn: sa.Connection, dropped: Sequence[int]) -> None:
        """Lets what waited for dropped items wait for what those were waiting for; releases what waits for nothing."""
        database, statements = database_of(conn), self._for(conn)
        dependents = conn.execute(statements.dependents, {"ids": database.pack(sorted(dropped))}).scalars().all()
        for chunk in _chunks(dependents):
            conn.execute(statements.relink, {"ids": database.pack(chunk)})
        self._release(conn, dropped)


def _chunks(values: Iterable[T]) -> Iterator[builtins.list[T]]:
    iterator = iter(values)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk
