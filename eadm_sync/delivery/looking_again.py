"""Has the next run look again at what a queued change was about."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, select

from eadm_sync.plan.change import group_key
from eadm_sync.state import bulk, tables


def look_again(connection: Connection, subjects: Iterable[str]) -> None:
    """Marks people for the next run; of a group, those who are known to be in it, since it is looked at with them.

    Args:
        connection: A connection that may write.
        subjects: Of queued changes: ids of people, and groups as `group_key` writes them.
    """
    asked = set(subjects)
    people = {subject for subject in asked if not subject.startswith(group_key(""))}
    columns = tables.known_memberships.c
    for group in asked - people:
        inside = select(columns.person_id).where(columns.group_key == group.removeprefix(group_key("")))
        people.update(connection.scalars(inside))
    bulk.update(connection, tables.people, ("pending",), ("id",), ((True, person_id) for person_id in sorted(people)))
