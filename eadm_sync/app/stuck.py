"""Queued changes that no worker takes up by itself: dead letters, and what is held behind them."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
from sqlalchemy import Connection, select

from eadm_sync.plan.change import person_of
from exportqueue import Queue, queue_tables
from exportqueue.tables import IS_DEAD, IS_UNFINISHED

_ITEMS = queue_tables().items.c

REASON = "superseded: known state was put right"
"""What a dropped item says."""


class Queued(msgspec.Struct, frozen=True, gc=False):
    """One unfinished item, as short as that needs it."""

    id: int
    object: str
    subject: str


class Standing(msgspec.Struct, frozen=True):
    """The unfinished items of one target.

    Attributes:
        moving: Keys of objects with a change on its way, which is delivered or tried again by itself.
        stuck: Items that wait until somebody does something.
    """

    moving: frozenset[str]
    stuck: tuple[Queued, ...]


def standing(connection: Connection, queue: Queue, target: str) -> Standing:
    """Which of a target's changes are on their way, and which are stuck."""
    dead = list(connection.scalars(select(_ITEMS.id).where(IS_DEAD, _ITEMS.target == target)))
    waiting = {*dead, *queue.behind(connection, dead)} if dead else set()
    moving: set[str] = set()
    stuck: list[Queued] = []
    query = select(_ITEMS.id, _ITEMS.object_key, _ITEMS.subject).where(IS_UNFINISHED, _ITEMS.target == target)
    for item_id, key, subject in connection.execute(query):
        if item_id in waiting:
            stuck.append(Queued(item_id, key, subject))
        else:
            moving.add(key)
    return Standing(frozenset(moving), tuple(stuck))


def supersede(
    connection: Connection,
    queue: Queue,
    stuck: Collection[Queued],
    *,
    subjects: Collection[str],
    gone: Collection[str] = (),
) -> tuple[int, set[str]]:
    """Drops what was computed from what is not so any more; returns how many items, and who is to be looked at again.

    Args:
        connection: A transaction in which no worker writes down what it has delivered (`Queue.hold_up`).
        queue: The queue.
        stuck: Items that are stuck.
        subjects: Those of which known state was put right.
        gone: Keys of objects that are not there any more: nothing at all can be done to them.
    """
    first = {one.id for one in stuck if one.subject in subjects or one.object in gone}
    if not first:
        return 0, set()
    ids = {*first, *queue.behind(connection, sorted(first))}
    dropped = queue.drop(connection, ids, REASON)
    about = {one.subject for one in stuck if one.id in dropped}
    return len(dropped), {person_of(subject) or subject for subject in about}
