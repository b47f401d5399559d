"""The queue in memory: a real implementation for tests and rehearsals, which passes the same contract suite.

It has no tables, so its methods take any connection, also None. `begin` opens a transaction that rolls back when its
block raises; one at a time.
"""

# ruff: noqa: ARG002 - the connection is part of the contract

from __future__ import annotations

import builtins
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import msgspec

from exportqueue.circuit import OpenCircuit
from exportqueue.errors import LeaseLost, UnknownItem
from exportqueue.item import (
    UNFINISHED,
    UNSTARTED,
    Item,
    NewItem,
    Phase,
    State,
    Superseded,
    TargetStats,
    Unfinished,
    Wanted,
    describe,
    phase_of,
    rate,
)
from exportqueue.outlook import Outlook
from exportqueue.overview import LATELY, SAMPLE
from exportqueue.queue import SUPERSEDED, utc_now


class MemoryQueue:
    """As `Queue`, method by method; see there."""

    def __init__(self, clock: Callable[[], datetime] = utc_now) -> None:
        self._clock = clock
        self._items: dict[int, Item] = {}
        self._needs: dict[int, frozenset[int]] = {}
        self._pauses: dict[str, str] = {}
        self._circuits: dict[str, OpenCircuit] = {}
        self._next_id = 1

    @contextmanager
    def begin(self) -> Iterator[Any]:
        """A transaction; its connection is None."""
        before = self._items.copy(), self._needs.copy(), self._pauses.copy(), self._circuits.copy(), self._next_id
        try:
            yield None
        except BaseException:
            self._items, self._needs, self._pauses, self._circuits, self._next_id = before
            raise

    # ---------------------------------------------------------------- filling

    def enqueue(
        self, conn: Any, items: Iterable[NewItem], *, plan_id: str | None = None, run_id: str | None = None
    ) -> int:
        """As `Queue.enqueue`."""
        count = 0
        for count, new in enumerate(items, 1):  # noqa: B007 - the last count is the answer
            wanted = {new.object_key, *new.after}
            newest: dict[str, int] = {}
            for item in self._items.values():
                if item.target == new.target and item.object_key in wanted and item.state in UNFINISHED:
                    newest[item.object_key] = item.id
            self._add(new, frozenset(newest.values()), plan_id, run_id)
        return count

    def supersede(self, conn: Any, subjects: Collection[str]) -> Superseded:
        """As `Queue.supersede`."""
        wanted = frozenset(subjects)
        mine = [item for item in self._items.values() if item.subject in wanted]
        dropped = self.drop(conn, [item.id for item in mine], SUPERSEDED)
        running = frozenset(item.subject for item in mine if item.state is State.RUNNING)
        return Superseded(dropped=len(dropped), running=running)

    def unfinished(self, conn: Any, subjects: Collection[str] | None = None) -> Iterator[Unfinished]:
        """As `Queue.unfinished`."""
        for item in tuple(self._items.values()):
            if item.state in UNFINISHED and (subjects is None or item.subject in subjects):
                yield Unfinished(item.subject, item.target, item.object_key, item.state)

    def tried(
        self, conn: Any, subjects: Collection[str] | None = None, operations: Collection[str] = ()
    ) -> Sequence[Item]:
        """As `Queue.tried`."""
        return [
            item
            for item in self._items.values()
            if item.state in UNSTARTED
            and (item.fence or item.operation in operations)
            and (subjects is None or item.subject in subjects)
        ]

    # ---------------------------------------------------------------- delivering

    def claim(
        self,
        conn: Any,
        target: str,
        *,
        limit: int,
        lease_seconds: float,
        worker: str,
        overdue_first: bool = True,
    ) -> Sequence[Item]:
        """As `Queue.claim`."""
        now = self._clock()
        if target in self._pauses:
            return []
        mine = sorted((i for i in self._items.values() if i.target == target), key=lambda i: (i.priority, i.id))
        expired = [i for i in mine if i.lease_until is not None and i.lease_until <= now]
        due = [i for i in mine if i.state is State.READY and (i.not_before is None or i.not_before <= now)]
        claimed = [
            self._change(
                item,
                state=State.RUNNING,
                attempts=item.attempts + (item.state is State.RUNNING),
                fence=item.fence + 1,
                not_before=None,
                worker=worker,
                started_at=now,
                lease_until=now + timedelta(seconds=lease_seconds),
            )
            for item in ([*expired, *due] if overdue_first else sorted([*due, *expired], key=_is_overdue))[:limit]
        ]
        return sorted(claimed, key=lambda item: (item.priority, item.id))

    def extend(self, conn: Any, items: Sequence[Item], lease_seconds: float) -> Sequence[Item]:
        """As `Queue.extend`."""
        until = self._clock() + timedelta(seconds=lease_seconds)
        return [self._change(held, lease_until=until) for held in self._held(items)]

    def finish(self, conn: Any, items: Sequence[Item]) -> frozenset[int]:
        """As `Queue.finish`."""
        held = self._held(items)
        for item in held:
            self._change(item, state=State.DONE, finished_at=self._clock(), lease_until=None)
        self._release()
        return frozenset(item.id for item in held)

    def retry(self, conn: Any, item: Item, error: BaseException, not_before: datetime) -> None:
        """As `Queue.retry`."""
        self._fail(item, error, state=State.READY, not_before=not_before)

    def bury(self, conn: Any, item: Item, error: BaseException) -> None:
        """As `Queue.bury`."""
        self._fail(item, error, state=State.DEAD)

    def give_back(self, conn: Any, items: Sequence[Item], *, not_before: datetime | None = None) -> frozenset[int]:
        """As `Queue.give_back`."""
        held = self._held(items)
        for item in held:
            self._change(item, state=State.READY, not_before=not_before, lease_until=None)
        return frozenset(item.id for item in held)

    def recover(self, conn: Any, target: str, *, is_gone: Callable[[str], bool] | None = None) -> int:
        """As `Queue.recover`."""
        running = [
            item
            for item in self._items.values()
            if item.target == target and item.state is State.RUNNING and (is_gone is None or is_gone(item.worker or ""))
        ]
        for item in running:
            self._change(item, state=State.READY, lease_until=None)
        return len(running)

    def outlook(self, conn: Any, target: str) -> Outlook:
        """As `Queue.outlook`."""
        now, circuit = self._clock(), self._circuits.get(target)
        mine = [item for item in self._items.values() if item.target == target]
        running = [item for item in mine if item.state is State.RUNNING]
        delayed = [item for item in mine if item.state is State.READY and item.not_before is not None]
        due = [item for item in mine if item.state is State.READY and item not in delayed]
        late = [item for item in delayed if item.not_before is not None and item.not_before <= now]
        expired = [item for item in running if item.lease_until is not None and item.lease_until <= now]
        blocked = target in self._pauses or (circuit is not None and now < circuit.probe_at)
        return Outlook(bool(due or late or expired) and not blocked, bool(running), bool(delayed), circuit)

    def open_circuit(self, conn: Any, target: str, *, for_update: bool = False) -> OpenCircuit | None:
        """As `Queue.open_circuit`."""
        return self._circuits.get(target)

    def open_up(self, conn: Any, circuit: OpenCircuit) -> None:
        """As `Queue.open_up`."""
        known = self._circuits.get(circuit.target)
        if known is None:
            self._circuits[circuit.target] = circuit
        elif circuit.failures > known.failures:
            self._circuits[circuit.target] = msgspec.structs.replace(circuit, opened_at=known.opened_at)

    def put_off_probe(self, conn: Any, target: str, probe_at: datetime) -> None:
        """As `Queue.put_off_probe`."""
        if target in self._circuits:
            self._circuits[target] = msgspec.structs.replace(self._circuits[target], probe_at=probe_at)

    def close_up(self, conn: Any, target: str) -> None:
        """As `Queue.close_up`."""
        self._circuits.pop(target, None)

    def hold_up(self, conn: Any) -> None:
        """As `Queue.hold_up`: there is one transaction at a time."""

    # ---------------------------------------------------------------- operating

    def stats(self, conn: Any, *, finished: bool = True) -> Sequence[TargetStats]:
        """As `Queue.stats`."""
        targets = {item.target for item in self._items.values() if item.state in UNFINISHED}
        if finished:
            targets |= {item.target for item in self._items.values() if self._rate(item.target)}
        return [
            self._stats(target, finished=finished)
            for target in sorted(targets | self._pauses.keys() | self._circuits.keys())
        ]

    def get(self, conn: Any, item_id: int) -> Item:
        """As `Queue.get`."""
        try:
            return self._items[item_id]
        except KeyError:
            raise UnknownItem(item_id) from None

    def prerequisites(self, conn: Any, item_id: int) -> Sequence[Item]:
        """As `Queue.prerequisites`."""
        return [self._items[needed] for needed in sorted(self._needs.get(item_id, ())) if needed in self._items]

    def held_by(self, conn: Any, item_id: int) -> Sequence[Item]:
        """As `Queue.held_by`."""
        seen: set[int] = set()
        ahead = set(self._needs.get(item_id, ()))
        while ahead:
            seen |= ahead
            waiting = [i for i in ahead if i in self._items and self._items[i].state is State.WAITING]
            ahead = {needed for item in waiting for needed in self._needs[item]} - seen
        return [item for i in sorted(seen) if (item := self._items.get(i)) and item.state is State.DEAD]

    def behind(self, conn: Any, ids: Collection[int]) -> Sequence[int]:
        """As `Queue.behind`."""
        found: set[int] = set()
        for item_id, item in sorted(self._items.items()):  # prerequisites have lower ids
            if item.state is State.WAITING and self._needs[item_id] & {*ids, *found}:
                found.add(item_id)
        return sorted(found)

    def resurrect(self, conn: Any, ids: Collection[int]) -> frozenset[int]:
        """As `Queue.resurrect`."""
        dead = [self._items[i] for i in ids if i in self._items and self._items[i].state is State.DEAD]
        for item in dead:
            self._change(item, state=State.READY, attempts=0)
        return frozenset(item.id for item in dead)

    def drop(self, conn: Any, ids: Collection[int], reason: str) -> frozenset[int]:
        """As `Queue.drop`."""
        dropped = {i for i in ids if i in self._items and self._items[i].state in UNSTARTED}
        for i in dropped:
            self._change(
                self._items[i],
                state=State.DROPPED,
                not_before=None,
                reason=reason,
                finished_at=self._clock(),
            )
        for item_id in sorted(self._needs):  # prerequisites have lower ids: theirs are settled already
            inherited = (self._needs[needed] for needed in self._needs[item_id] & dropped)
            open_ = (i for needs in inherited for i in needs if self._items[i].state in UNFINISHED)
            self._needs[item_id] = self._needs[item_id].union(open_)
        self._release()
        return frozenset(dropped)

    def pause(self, conn: Any, target: str, reason: str) -> None:
        """As `Queue.pause`."""
        self._pauses[target] = reason

    def resume(self, conn: Any, target: str) -> None:
        """As `Queue.resume`."""
        self._pauses.pop(target, None)

    def purge(self, conn: Any, finished_before: datetime, limit: int) -> int:
        """As `Queue.purge`."""
        finished = [
            (item.finished_at, item.id)
            for item in self._items.values()
            if item.state not in UNFINISHED and item.finished_at is not None and item.finished_at < finished_before
        ]
        purged = {item_id for _, item_id in sorted(finished)[:limit]}
        for item_id in purged:
            del self._items[item_id]
            del self._needs[item_id]
        self._needs = {item_id: needs - purged for item_id, needs in self._needs.items()}
        return len(purged)

    def list(
        self,
        conn: Any,
        target: str | None = None,
        state: State | None = None,
        subject: str | None = None,
        limit: int = 100,
    ) -> Sequence[Item]:
        """As `Queue.list`."""
        wanted = {"target": target, "state": state, "subject": subject}
        conditions = {name: value for name, value in wanted.items() if value is not None}
        found = (
            item
            for _, item in sorted(self._items.items())
            if all(getattr(item, name) == value for name, value in conditions.items())
        )
        return [item for item, _ in zip(found, range(limit), strict=False)]

    def select(self, conn: Any, wanted: Wanted, limit: int = 100) -> Sequence[Item]:
        """As `Queue.select`."""
        return [item for _, item in sorted(self._items.items()) if self._is_wanted(item, wanted)][:limit]

    def count(self, conn: Any, wanted: Wanted) -> int:
        """As `Queue.count`."""
        return sum(self._is_wanted(item, wanted) for item in self._items.values())

    def phases(self, conn: Any, items: Sequence[Item]) -> dict[int, Phase]:
        """As `Queue.phases`."""
        return {item.id: self._phase(item) for item in items}

    # ---------------------------------------------------------------- within

    def _phase(self, item: Item) -> Phase:
        is_held = item.state is State.WAITING and bool(self.held_by(None, item.id))
        return Phase.HELD if is_held else phase_of(item, self._clock())

    def _is_wanted(self, item: Item, wanted: Wanted) -> bool:
        names = ("target", "subject", "object_key")
        if any(getattr(wanted, name) not in {None, getattr(item, name)} for name in names):
            return False
        return item.state in UNFINISHED if wanted.phase is None else self._phase(item) is wanted.phase

    def _add(self, new: NewItem, needs: frozenset[int], plan_id: str | None, run_id: str | None) -> None:
        item_id, self._next_id = self._next_id, self._next_id + 1
        given = {name: getattr(new, name) for name in NewItem.__struct_fields__ if name != "after"}
        self._needs[item_id] = needs
        self._items[item_id] = Item(
            id=item_id,
            **given,
            state=State.WAITING if needs else State.READY,
            attempts=0,
            fence=0,
            last_error=None,
            reason=None,
            plan_id=plan_id,
            run_id=run_id,
            created_at=self._clock(),
            started_at=None,
            finished_at=None,
            lease_until=None,
            worker=None,
        )

    def _change(self, item: Item, **values: Any) -> Item:
        changed = msgspec.structs.replace(item, **values)
        self._items[item.id] = changed
        return changed

    def _held(self, items: Sequence[Item]) -> builtins.list[Item]:
        """The present form of those items that are still held under the fence the caller knows."""
        return [
            now
            for item in items
            if (now := self._items.get(item.id)) and now.fence == item.fence and now.state is State.RUNNING
        ]

    def _fail(self, item: Item, error: BaseException, **values: Any) -> None:
        for held in self._held([item]):
            self._change(held, attempts=held.attempts + 1, last_error=describe(error), lease_until=None, **values)
            return
        raise LeaseLost(item.id)

    def _release(self) -> None:
        """Makes ready what waits for nothing any more."""
        for item in tuple(self._items.values()):
            if item.state is State.WAITING:
                ahead = (self._items.get(needed) for needed in self._needs[item.id])
                if not any(needed is not None and needed.state in UNFINISHED for needed in ahead):
                    self._change(item, state=State.READY)

    def _rate(self, target: str) -> float:
        now = self._clock()
        done = [item for item in self._items.values() if item.state is State.DONE]
        ended = ((item.finished_at, item.target) for item in done if item.finished_at is not None)
        recent = sorted((one for one in ended if one[0] >= now - LATELY), reverse=True)[:SAMPLE]
        mine = [moment for moment, each in recent if each == target]
        return rate(len(mine), mine[-1], now) if mine else 0.0

    def _stats(self, target: str, *, finished: bool) -> TargetStats:
        now = self._clock()
        mine = [item for item in self._items.values() if item.target == target]
        open_ = [item for item in mine if item.state in UNFINISHED]
        later = [i for i in open_ if i.state is State.READY and i.not_before is not None and i.not_before > now]
        retrying = sum(item.attempts > 0 for item in later)
        held = sum(item.state is State.WAITING and bool(self.held_by(None, item.id)) for item in open_)
        count = {state: sum(item.state is state for item in open_) for state in State}
        return TargetStats(
            target,
            ready=count[State.READY] - len(later),
            waiting=count[State.WAITING] - held + len(later) - retrying,
            running=count[State.RUNNING],
            retrying=retrying,
            dead=count[State.DEAD],
            held=held,
            oldest=min((item.created_at for item in open_), default=None),
            rate_per_second=self._rate(target) if finished else 0.0,
            paused=self._pauses.get(target),
            circuit=self._circuits.get(target),
        )


def _is_overdue(item: Item) -> bool:
    return item.state is State.RUNNING or item.not_before is not None
