"""Has the next run look again at what a queued change was about."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, select

from eadm_sync.plan.change import group_key
from eadm_sync.state import bulk, tables


def look_again(connection: Connection, subjects: Iterable[str]) -> None:
    """Marks people for the next run; of a group, those who are known to be in it, since it is looked at with them.

    A group that only groups are in is looked at with somebody of one of those.

    Args:
        connection: A connection that may write.
        subjects: Of queued changes: ids of people, and groups as `group_key` writes them.
    """
    asked = set(subjects)
    people = {subject for subject in asked if not subject.startswith(group_key(""))}
    columns = tables.known_memberships.c
    for group in asked - people:
        key = group.removeprefix(group_key(""))
        inside = set(connection.scalars(select(columns.person_id).where(columns.group_key == key)))
        people.update(inside or _somebody_below(connection, key))
    bulk.update(connection, tables.people, ("pending",), ("id",), ((True, person_id) for person_id in sorted(people)))


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
