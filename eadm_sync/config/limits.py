"""How much a limit lets through. Pure."""

from __future__ import annotations

from typing import Protocol

UNLIMITED = 2**63 - 1


class Limiting(Protocol):
    """A limit by number, by share, or by both."""

    @property
    def max(self) -> int | None:
        """At most so many, or None."""
        ...

    @property
    def max_fraction(self) -> float | None:
        """At most this share (0–1) of the population, or None."""
        ...

    @property
    def floor(self) -> int:
        """So many are never too many for `max_fraction`."""
        ...


def allowed_changes(limit: Limiting, population: int) -> int:
    """The most that a limit lets through: the lower of its count and its share.

    The share is never below `floor`, so that a small population can move at all; and the floor never lets a whole
    population of more than one go, so that a small one cannot be emptied either.
    """
    floor = limit.floor if population <= 1 else min(limit.floor, population - 1)
    bounds = []
    if limit.max is not None:
        bounds.append(limit.max)
    if limit.max_fraction is not None:
        bounds.append(max(floor, int(limit.max_fraction * population + _HAIR)))
    return min(bounds, default=UNLIMITED)


_HAIR = 1e-9
"""0.29 * 100 is a hair less than 29 in binary."""


def always_allowed(limit: Limiting) -> int:
    """So many pass whatever the population, unless it is smaller than that."""
    bounds = [] if limit.max_fraction is None else [limit.floor]
    return min([*bounds, *([] if limit.max is None else [limit.max])], default=UNLIMITED)


def is_part(population: int, whole: int) -> bool:
    """Whether so many of a whole are a part of it, and not nearly all: the root of the organisation is no part."""
    return population <= _NEARLY_ALL * whole


_NEARLY_ALL = 0.8
"""What has more than this share of everything is judged as the whole, under the whole's name."""
