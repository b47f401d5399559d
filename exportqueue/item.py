"""Items of the queue, their states, and every transition between states.

enqueue ──▶ WAITING ──last prerequisite finished──▶ READY ◀──retry, give_back, resurrect──┐
   │            │                                     │                                   │
   └────────────┼──no prerequisites──▶ READY        claim                                 │
                │                                     ▼                                   │
                └──supersede, drop──▶ DROPPED      RUNNING ──finish──▶ DONE               │
                         ▲                            ├────────────────retry, give_back───┤
                         └──supersede, drop── DEAD ◀──bury                                │
                                                └───────────────────────resurrect─────────┘
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache

import msgspec

from exportqueue.circuit import OpenCircuit

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

MAX_ERROR_LENGTH = 1000
"""Characters kept of an error: enough for a service's own explanation, too little for a whole response."""


class State(StrEnum):
    """Where an item is on its way."""

    WAITING = "waiting"
    """A prerequisite is unfinished. Held, if one of them is dead."""
    READY = "ready"
    """Can be claimed, once its not-before has passed. Retrying, if it was attempted before."""
    RUNNING = "running"
    """A worker holds it until its lease expires."""
    DONE = "done"
    """Its effect is at the target. Final."""
    DEAD = "dead"
    """Failed for good; holds its dependents until somebody resurrects or drops it."""
    DROPPED = "dropped"
    """Will never be delivered; `Item.reason` says why. Final."""


class Phase(StrEnum):
    """What operators see of an item: its state, with that told apart which needs somebody and which comes by itself."""

    READY = "ready"
    """Could be claimed now."""
    WAITING = "waiting"
    """For a prerequisite that is on its way, or for its first not-before."""
    RUNNING = "running"
    """Held by a worker."""
    RETRYING = "retrying"
    """Failed before, due later."""
    DEAD = "dead"
    """Failed for good."""
    HELD = "held"
    """Waits, directly or through others, for a dead item."""
    DONE = "done"
    DROPPED = "dropped"


TRANSITIONS: dict[State, frozenset[State]] = {
    State.WAITING: frozenset({State.READY, State.DROPPED}),
    State.READY: frozenset({State.RUNNING, State.DROPPED}),
    State.RUNNING: frozenset({State.RUNNING, State.READY, State.DONE, State.DEAD}),  # itself: an expired lease, claimed
    State.DEAD: frozenset({State.READY, State.DROPPED}),
    State.DONE: frozenset(),
    State.DROPPED: frozenset(),
}
"""From each state, the states that one operation can lead to."""

UNFINISHED = frozenset(state for state, following in TRANSITIONS.items() if following)
"""States of an item that others still wait for."""

UNSTARTED = frozenset({State.WAITING, State.READY, State.DEAD})
"""States in which nobody is at work on the item, so that it can be superseded or dropped."""


class NewItem(msgspec.Struct, frozen=True):
    """What a caller hands in.

    Attributes:
        target: Name of the target; items of different targets never wait for one another.
        object_key: The object that the item is about; unique within the target. Items of one object run in the
            order in which they were enqueued.
        operation: What the item does, for lists and statistics ("create account").
        payload: Opaque bytes for the handler. Whatever is secret in them is the caller's to encrypt.
        format: Name and version of the payload's format ("change/1").
        subject: Opaque label that the caller finds items by (a person's id).
        after: Object keys in the same target. The latest unfinished item of each, enqueued before this one, has to
            be done first; a key without one is satisfied.
        priority: Lower is claimed earlier. Never overrides a prerequisite.
        not_before: Aware; not claimed earlier. None: at once.
    """

    target: str
    object_key: str
    operation: str
    payload: bytes
    format: str
    subject: str
    after: tuple[str, ...] = ()
    priority: int = 100
    not_before: datetime | None = None


class Item(msgspec.Struct, frozen=True):
    """An item as the queue holds it. All times are aware and UTC.

    Attributes:
        id: Grows in the order of enqueueing.
        target: As `NewItem`; so are the following.
        object_key: …
        operation: …
        payload: …
        format: …
        subject: …
        priority: …
        not_before: …, or when a retry is due. None as soon as it is claimed.
        state: Where it is.
        attempts: Failed deliveries so far, vanished workers included.
        fence: Counts the claims; a holder proves with it that nobody has taken the item over.
        last_error: Type and message of the last failure, truncated; never any of the payload. None: never failed.
        reason: Why it was dropped, or None.
        plan_id: The caller's, given when it was enqueued.
        run_id: Likewise.
        created_at: When it was enqueued.
        started_at: Latest claim, or None.
        finished_at: When it became DONE or DROPPED. None: unfinished.
        lease_until: While RUNNING, when others may take it over. Otherwise None.
        worker: Name of the latest holder, or None.
    """

    id: int
    target: str
    object_key: str
    operation: str
    payload: bytes
    format: str
    subject: str
    priority: int
    not_before: datetime | None
    state: State
    attempts: int
    fence: int
    last_error: str | None
    reason: str | None
    plan_id: str | None
    run_id: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    lease_until: datetime | None
    worker: str | None


class Superseded(msgspec.Struct, frozen=True):
    """What `supersede` did: `dropped` items, and the subjects that keep `running` ones."""

    dropped: int
    running: frozenset[str]


class Unfinished(msgspec.Struct, frozen=True, gc=False):
    """One unfinished item, as short as planning needs it."""

    subject: str
    target: str
    object_key: str
    state: State


class Wanted(msgspec.Struct, frozen=True):
    """Which items are looked for: those that fulfil all conditions that are not None.

    Attributes:
        target: Name of the target.
        phase: Where they are. None: all that are unfinished.
        subject: As `NewItem`.
        object_key: Likewise.
    """

    target: str | None = None
    phase: Phase | None = None
    subject: str | None = None
    object_key: str | None = None


class TargetStats(msgspec.Struct, frozen=True):
    """One target's part of the queue. The first six numbers, of `Phase`, add up to all unfinished items.

    Attributes:
        target: Name of the target.
        ready: As `Phase`; so are the following.
        waiting: …
        running: …
        retrying: …
        dead: …
        held: …
        oldest: When the oldest unfinished item was enqueued, or None.
        rate_per_second: Items done lately, per second since the first of them; 0 after minutes without any.
        paused: Why the target is paused, or None.
        circuit: How the target is away, or None.
    """

    target: str
    ready: int = 0
    waiting: int = 0
    running: int = 0
    retrying: int = 0
    dead: int = 0
    held: int = 0
    oldest: datetime | None = None
    rate_per_second: float = 0.0
    paused: str | None = None
    circuit: OpenCircuit | None = None


def phase_of(item: Item, now: datetime) -> Phase:
    """Where an item is that is not held."""
    if item.state is State.READY and item.not_before is not None and item.not_before > now:
        return Phase.RETRYING if item.attempts else Phase.WAITING
    return Phase(item.state.value)


def rate(done: int, first: datetime, now: datetime) -> float:
    """Items per second, of which the first was done at a moment; those of the first second count as those of one."""
    return done / max((now - first).total_seconds(), 1.0)


def describe(error: BaseException) -> str:
    """Type and message of an error, truncated, as it is kept with an item."""
    return f"{type(error).__name__}: {error}"[:MAX_ERROR_LENGTH]


def to_micros(moment: datetime) -> int:
    """Whole microseconds since 1970 in UTC of an aware moment: exact, ordered, and the same in every database."""
    return (moment - EPOCH) // MICROSECOND


@lru_cache(maxsize=1024)
def from_micros(micros: int) -> datetime:
    """The reverse of `to_micros`. The items of a batch share most of their moments, hence the cache."""
    return EPOCH + timedelta(microseconds=micros)
