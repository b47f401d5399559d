"""Groups that a person is in by way of other groups."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator

import msgspec
from sqlalchemy import Connection, select

from eadm_sync.desired import Desired
from eadm_sync.plan.groups import called
from eadm_sync.state import tables
from eadm_sync.state.known import Known

_Key = tuple[str, str]
"""(target, key of a group)"""

_Above = dict[_Key, dict[_Key, str]]
"""Group → the groups it is in → the rule that puts it there."""


class ByWay(msgspec.Struct, frozen=True):
    """A group that a person is in, or shall be, because another one is in it.

    Attributes:
        target: Name of the target.
        group: Key of the outer group.
        through: Keys from the person's own group to the one that is in the outer group.
        rule: Id of the rule that puts that one there.
        has: Whether they are known to be in it so.
    """

    target: str
    group: str
    through: tuple[str, ...]
    rule: str
    has: bool


def by_way(connection: Connection, known: Known, desired: Desired) -> tuple[ByWay, ...]:
    """Each group that is not the person's own once, by a shortest way; by target and key."""
    own = [(row.target, row.group) for row in desired.memberships]
    nestings = list(_to_come(connection, desired))
    above = _known_above(connection, {*known.memberships, *own, *(outer for _, outer, _ in nestings)})
    has = {(one.target, one.group): one for one in _ways(known.memberships, above, has=True)}
    for group, outer, rule in nestings:
        above.setdefault(group, {}).setdefault(outer, rule)
    shall = {(one.target, one.group): one for one in _ways(own, above, has=False)}
    return tuple(one for _, one in sorted({**shall, **has}.items()))


def _to_come(connection: Connection, desired: Desired) -> Iterator[tuple[_Key, _Key, str]]:
    """(group, the one it shall be in, the rule) of groups that the person shall be in."""
    columns = tables.known_groups.c
    named = {(group.target, name) for group in desired.groups for name in group.member_of}
    there = {(group.target, group.key) for group in desired.groups}
    if named:
        targets, names = map(set, zip(*named, strict=True))
        query = select(columns.target, columns.key).where(columns.target.in_(targets), columns.key.in_(names))
        there |= {(row.target, row.key) for row in connection.execute(query)}
    for group in desired.groups:
        for name in group.member_of:
            yield (group.target, group.key), (group.target, called(group.target, name, there)), group.rule


def _known_above(connection: Connection, groups: Collection[_Key]) -> _Above:
    """Of some groups, and of all that these are in, the groups they are known to be in."""
    columns = tables.known_nestings.c
    above: _Above = {}
    new, seen = set(groups), set(groups)
    while new:
        targets, keys = map(set, zip(*new, strict=True))
        query = select(columns.target, columns.member_key, columns.group_key, columns.rule)
        query = query.where(columns.target.in_(targets), columns.member_key.in_(keys))
        new = set()
        for row in connection.execute(query):
            outer = (row.target, row.group_key)
            above.setdefault((row.target, row.member_key), {})[outer] = row.rule
            new.add(outer)
        new -= seen
        seen |= new
    return above


def _ways(own: Collection[_Key], above: _Above, *, has: bool) -> Iterator[ByWay]:
    """Upwards from the person's own groups, the nearest first."""
    seen = set(own)
    waiting: deque[tuple[_Key, tuple[str, ...]]] = deque((key, (key[1],)) for key in sorted(own))
    while waiting:
        key, through = waiting.popleft()
        for outer, rule in sorted(above.get(key, {}).items()):
            if outer not in seen:
                seen.add(outer)
                yield ByWay(outer[0], outer[1], through, rule, has)
                waiting.append((outer, (*through, outer[1])))
