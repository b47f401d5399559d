"""Has the next run, or that of a certain day, look again at what a queued change was about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from types import MappingProxyType

from sqlalchemy import Connection, select

from eadm_sync.plan.change import group_key
from eadm_sync.state import bulk, tables

_NOTE = (
    "UPDATE people SET pending = (pending OR ?), due = CASE WHEN due IS NULL OR due > ? THEN ? ELSE due END "
    "WHERE id = ?"
)
"""Without a day (NULL) `due` stays as it is."""


def look_again(connection: Connection, subjects: Iterable[str], on: Mapping[str, date] = MappingProxyType({})) -> None:
    """Marks people for the next run; of a group, those who are known to be in it, since it is looked at with them.

    A group that only groups are in is looked at with somebody of one of those. People are always taken in the order of
    their ids, so that two targets that write down what they did at one moment do not wait for each other for ever:
    call it once in a transaction.

    Args:
        connection: A connection that may write.
        subjects: Of queued changes: ids of people, and groups as `group_key` writes them.
        on: Ids of people who are to be looked at on a day, if not before.
    """
    asked = set(subjects)
    people = {subject for subject in asked if not subject.startswith(group_key(""))}
    columns = tables.known_memberships.c
    for group in asked - people:
        key = group.removeprefix(group_key(""))
        inside = set(connection.scalars(select(columns.person_id).where(columns.group_key == key)))
        people.update(inside or _somebody_below(connection, key))
    days = {person_id: day.isoformat() for person_id, day in on.items()}
    rows = ((one in people, days.get(one), days.get(one), one) for one in sorted(people | days.keys()))
    bulk.execute_many(connection, _NOTE, rows)


def _somebody_below(connection: Connection, group: str) -> set[str]:
    """One person who is known to be in a group by way of others; empty where nobody is."""
    memberships, nestings = tables.known_memberships.c, tables.known_nestings.c
    seen, waiting = {group}, [group]
    while waiting:
        query = select(nestings.member_key).where(nestings.group_key == waiting.pop())
        below = sorted(set(connection.scalars(query)) - seen)
        seen.update(below)
        waiting += below
        for key in below:
            person = connection.scalar(select(memberships.person_id).where(memberships.group_key == key).limit(1))
            if person is not None:
                return {person}
    return set()
