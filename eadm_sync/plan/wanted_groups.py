"""The groups that a plan wants, of which memory does not hold what they are to hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping

import msgspec

from eadm_sync.desired import DesiredGroup
from eadm_sync.pieces import Pieces

Key = tuple[str, str]
"""(target, key of a group)"""

Wanted = tuple[DesiredGroup, str]
"""A group, and the id of somebody who shall be in it."""


class WantedGroups(MutableMapping[Key, Wanted]):
    """Groups by key. A large town has a hundred thousand, and most are asked for once, when everybody was looked at."""

    def __init__(self) -> None:
        self._pieces = Pieces()
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode: Callable[[bytes], Wanted] = msgspec.msgpack.Decoder(Wanted).decode
        self._places: dict[Key, tuple[frozenset[str], int]] = {}
        """Key → (the rules that give it, its place among the pieces)."""
        self._rules: dict[frozenset[str], frozenset[str]] = {}
        """Each set of rules once."""
        self._nested: dict[Key, None] = {}
        """Those that shall be in other groups, in the order in which they were found."""

    def says(self, key: Key, group: DesiredGroup) -> bool:
        """Whether what a rule says of a group is in what is there of it already."""
        rules, _ = self._places[key]
        return group.rule in rules and rules.issuperset(group.further)

    def nested(self) -> Iterator[tuple[Key, Wanted]]:
        """Those that shall be in other groups."""
        return ((key, self[key]) for key in self._nested)

    def __getitem__(self, key: Key) -> Wanted:
        return self._decode(self._pieces[self._places[key][1]])

    def __setitem__(self, key: Key, wanted: Wanted) -> None:
        group, _ = wanted
        rules = frozenset((group.rule, *group.further))
        self._places[key] = self._rules.setdefault(rules, rules), self._pieces.add(self._encode(wanted))
        if group.member_of:
            self._nested[key] = None
        else:
            self._nested.pop(key, None)

    def __delitem__(self, key: Key) -> None:
        del self._places[key]
        self._nested.pop(key, None)

    def __contains__(self, key: object) -> bool:
        return key in self._places

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Key]:
        return iter(self._places)
