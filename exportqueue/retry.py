"""When to try again: pure policy, no clock and no randomness of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

MAX_STEPS = 64
"""Past this any sensible delay is at its cap; the power is not computed further, it would overflow."""


class VerdictKind(StrEnum):
    """What an error means for the item and for its target."""

    RETRY = "retry"
    """Time may cure it: try again later; an attempt is spent."""
    DEAD = "dead"
    """Repeating cannot help: a dead letter at once."""
    UNAVAILABLE = "unavailable"
    """The target is away: nothing is wrong with the item, no attempt is spent, the target's circuit opens."""
    THROTTLED = "throttled"
    """The target asks for less: no attempt is spent, the pace slows."""
    ABORT = "abort"
    """The fault is on this side. Of a batch: nobody spends an attempt, and the error goes on to whoever runs the
    worker. Of an item: as RETRY."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A classified error.

    Attributes:
        kind: What it means.
        retry_after_seconds: The target's own wish, or None.
    """

    kind: VerdictKind
    retry_after_seconds: float | None = None


Classify = Callable[[Exception], Verdict]
"""Says what an error means. Decides by type; never raises."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential delays with jitter, capped.

    Attributes:
        base_seconds: Delay after the first failure.
        factor: How much longer each further delay is.
        cap_seconds: Longest delay. With the defaults the last attempt comes about a day and a half after the first.
        max_attempts: Failures after which the item is dead (at least 1).
        max_age_seconds: An item that fails when it is older than this is dead. None: age does not matter, so that
            what waited out a target's absence still has its attempts.
        jitter: Share (0–1) of a delay that is left to chance: items that failed together do not return together.
    """

    base_seconds: float = 30.0
    factor: float = 3.0
    cap_seconds: float = 6 * 3600.0
    max_attempts: int = 12
    max_age_seconds: float | None = None
    jitter: float = 0.2

    def delay_seconds(self, attempts: int, chance: float, retry_after_seconds: float | None = None) -> float:
        """Seconds until the next attempt after the `attempts`-th failure (from 1).

        `chance` (0–1) takes that share of the jitter off. The target's own wish is never undercut, even past the cap.
        """
        steps = min(attempts - 1, MAX_STEPS)
        delay = min(self.base_seconds * self.factor**steps, self.cap_seconds) * (1 - self.jitter * chance)
        return max(delay, retry_after_seconds or 0.0)

    def next_attempt(
        self,
        *,
        attempts: int,
        created_at: datetime,
        now: datetime,
        chance: float,
        retry_after_seconds: float | None = None,
    ) -> datetime | None:
        """When to try again after the `attempts`-th failure (from 1), or None: the item is dead."""
        if attempts >= self.max_attempts:
            return None
        if self.max_age_seconds is not None and (now - created_at).total_seconds() >= self.max_age_seconds:
            return None
        return now + timedelta(seconds=self.delay_seconds(attempts, chance, retry_after_seconds))
