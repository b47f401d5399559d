"""Connections that are cut on purpose."""

from __future__ import annotations

from enum import StrEnum
from random import Random


class Drop(StrEnum):
    """When a connection is cut."""

    BEFORE = "before"
    AFTER = "after"


def drop(fraction: float, random: Random) -> Drop | None:
    """Whether an HTTP request's connection is cut, and when: before anything is done, or before it is answered."""
    if not fraction or random.random() >= fraction:
        return None
    return random.choice(list(Drop))
