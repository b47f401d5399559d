"""Chance that falls the same way on every machine.

Of `random.Random` only `random()` is promised to give the same numbers for the same seed in every Python version
(https://docs.python.org/3/library/random.html#notes-on-reproducibility), so everything here is made of it alone.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from hashlib import sha256
from itertools import accumulate
from random import Random
from typing import Generic, TypeVar

T = TypeVar("T")


class Weighted(Generic[T]):
    """Things to choose from, some oftener than others."""

    def __init__(self, *pairs: tuple[T, float]) -> None:
        self.values = tuple(value for value, _ in pairs)
        self.bounds = tuple(accumulate(weight for _, weight in pairs))


class Dice:
    """A stream of chance, named by the words it is made with: the same words, the same stream."""

    __slots__ = ("_random",)

    def __init__(self, *words: object) -> None:
        digest = sha256("/".join(map(str, words)).encode()).digest()
        self._random = Random(int.from_bytes(digest, "big")).random

    def chance(self, probability: float) -> bool:
        """True with this probability (0–1)."""
        return self._random() < probability

    def below(self, bound: int) -> int:
        """A whole number from 0 up to, but not including, `bound` (at least 1)."""
        return int(self._random() * bound)

    def between(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return low + int(self._random() * (high - low + 1))

    def pick(self, values: Sequence[T]) -> T:
        """One of `values`, which must not be empty."""
        return values[int(self._random() * len(values))]

    def weigh(self, table: Weighted[T]) -> T:
        """One of the table's values, as often as its weight says."""
        return table.values[bisect_right(table.bounds, self._random() * table.bounds[-1], hi=len(table.bounds) - 1)]

    def count(self, expected: float) -> int:
        """A whole number that is `expected` on average: 2.3 gives 2, and 3 three times in ten."""
        whole = int(expected)
        return whole + self.chance(expected - whole)
