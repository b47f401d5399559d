"""How fast a target is served: a configured limit, and less than that while the target asks for less."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

SLOWEST_PER_SECOND = 0.1
"""An item in ten seconds: slow enough for any service, fast enough to notice that it recovered."""
SLOWDOWN = 0.5
RECOVERY = 1.25
"""With 0.5 on the way down, four good batches undo about one throttling."""
DEFAULT_PAUSE_SECONDS = 5.0
"""Where a throttling target names no time of its own."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The rate at which items may go out; each method gives the pace that follows.

    Attributes:
        limit_per_second: Configured limit in items, or None.
        slowed_per_second: Rate learnt from throttling, or None while there is none.
        ceiling_per_second: Rate at which the target last throttled. Once the learnt rate is past it, it is forgotten.
        free_at: Nothing may go out before this. None: at once.
    """

    limit_per_second: float | None = None
    slowed_per_second: float | None = None
    ceiling_per_second: float = 0.0
    free_at: datetime | None = None

    @property
    def per_second(self) -> float | None:
        """The rate in force, or None: as fast as it goes."""
        return self.slowed_per_second if self.slowed_per_second is not None else self.limit_per_second

    def wait_seconds(self, now: datetime) -> float:
        """Seconds until something may go out; 0 if it may now."""
        return max(0.0, (self.free_at - now).total_seconds()) if self.free_at else 0.0

    def burst(self, batch_size: int) -> int:
        """How many may go out together: one second's worth, so that a slow target is not hit by whole batches."""
        return batch_size if self.per_second is None else max(1, min(batch_size, math.ceil(self.per_second)))

    def sent(self, items: int, started: datetime) -> Pace:
        """After `items` went out, the first of them at `started`."""
        rate = self.per_second
        return replace(self, free_at=started + timedelta(seconds=items / rate)) if rate else self

    def throttled(self, now: datetime, observed_per_second: float, retry_after_seconds: float | None = None) -> Pace:
        """After the target asked for less while it was served at `observed_per_second`; 0: it let nothing through."""
        pause = DEFAULT_PAUSE_SECONDS if retry_after_seconds is None else retry_after_seconds
        rate = min(observed_per_second or math.inf, self.per_second or math.inf)
        if rate == math.inf:  # nothing is known of what it can take: pause, then see
            return replace(self, free_at=now + timedelta(seconds=pause))
        return replace(
            self,
            slowed_per_second=max(SLOWEST_PER_SECOND, rate * SLOWDOWN),
            ceiling_per_second=max(SLOWEST_PER_SECOND, rate),
            free_at=now + timedelta(seconds=pause),
        )

    def recovered(self) -> Pace:
        """After a batch that nobody complained about."""
        if self.slowed_per_second is None:
            return self
        rate = self.slowed_per_second * RECOVERY
        ceiling = self.ceiling_per_second if self.limit_per_second is None else self.limit_per_second
        return replace(self, slowed_per_second=None if rate > ceiling else rate)
