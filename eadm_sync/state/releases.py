"""Holds that somebody let go: for one run by name, or stored beforehand for the next run that needs it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

State = Literal["free", "held", "released"]


class Use(msgspec.Struct, frozen=True):
    """How far a limit was used.

    Attributes:
        name: What releases it where it holds something: "ad.account.disable", "hr.vanished[unit 32]".
        count: How many changes, or absences, there were.
        limit: How many may be.
        population: Of how many objects or people.
        state: Whether it held them, or was let go.
    """

    name: str
    count: int
    limit: int
    population: int
    state: State = "free"


class Releases:
    """What may pass a brake.

    Attributes:
        named: Holds that this run was told to let go, whatever their size: whoever said so sees the plan.
        granted: Hold → the most that may pass, as it was shown to whoever let it go beforehand.
        used: Names of those that let something through so far.
    """

    def __init__(self, named: Iterable[str] = (), granted: Mapping[str, int] | None = None) -> None:
        self.named = frozenset(named)
        self.granted = dict(granted or {})
        self.used: set[str] = set()

    def allows(self, name: str, count: int) -> bool:
        """Whether so many may pass a hold of this name."""
        return name in self.named or count <= self.granted.get(name, -1)

    def lets(self, name: str, count: int) -> bool:
        """As `allows`; what passes is noted in `used`."""
        if not self.allows(name, count):
            return False
        self.used.add(name)
        return True
