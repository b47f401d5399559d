"""Rates that Google publishes, kept before it has to refuse.

The queue's pace is one for the whole target, and is slowed for all of it by a refusal; Google counts new users, writes
of organisational units and of licences apart. So calls wait here for their turn; of slow ones no more are begun than
some seconds have room for.
https://developers.google.com/workspace/admin/directory/v1/limits, .../admin/licensing/v1/limits
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

READS = frozenset({"get", "list", "hasMember", "listForProduct", "listForProductAndSku"})
MARGIN = 1.04
"""A window is taken to be so much longer than it is: what is sent evenly arrives less so."""
QUERIES_SECONDS = 15.0
"""The window of queries: Google counts 2 400 a minute, so 600 may go at once, and nobody waits longer than this."""


LONGEST_WAIT_SECONDS = 10.0
"""For licences, and for units: whoever delivers has to look up from time to time, and may be asked to stop."""


class Rate:
    """So many calls in any window of so many seconds."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds * MARGIN
        self._sent: deque[float] = deque()

    def wait_seconds(self, now: float) -> float:
        """Until one more may be sent; 0 if it may now."""
        self._forget(now)
        return 0.0 if len(self._sent) < self._most else self._sent[0] + self._seconds - now

    def fits(self, now: float, seconds: float) -> int:
        """How many may be sent within so many seconds."""
        self._forget(now)
        return int(seconds / self._seconds) * self._most + self._most - len(self._sent)

    def send(self, now: float) -> None:
        """Counts one."""
        self._sent.append(now)

    def _forget(self, now: float) -> None:
        while self._sent and self._sent[0] + self._seconds <= now:
            self._sent.popleft()


class Pace:
    """All rates of one customer."""

    def __init__(self, per_second: Mapping[str, int], clock: Callable[[], float] = time.monotonic) -> None:
        """Calls in a second, by the names that `_names` gives; 0: no limit. `clock` is monotonic, in seconds."""
        windows = {name: QUERIES_SECONDS if name == "queries" else 1.0 for name in per_second}
        self._rates = {
            name: Rate(round(most * windows[name]), windows[name]) for name, most in per_second.items() if most
        }
        self._clock = clock

    def fits(self, name: str) -> float:
        """How many calls under a rate of that name have room in `LONGEST_WAIT_SECONDS`; at least one."""
        rate = self._rates.get(name)
        return math.inf if rate is None else max(1, rate.fits(self._clock(), LONGEST_WAIT_SECONDS))

    def take(self, methods: Sequence[str]) -> tuple[list[int], float]:
        """Which of these calls, named by the ids of their methods, may be sent now; they count as sent.

        Returns:
            Their positions, and the seconds until the first of the others may; 0 where there are none.
        """
        now = self._clock()
        ready: list[int] = []
        wait = float("inf")
        for at, method in enumerate(methods):
            rates = [self._rates[name] for name in _names(method) if name in self._rates]
            seconds = max((rate.wait_seconds(now) for rate in rates), default=0.0)
            if seconds > 0:
                wait = min(wait, seconds)
                continue
            for rate in rates:
                rate.send(now)
            ready.append(at)
        return ready, 0.0 if wait == float("inf") else wait


def _names(method: str) -> list[str]:
    """The rates that a method is under, by its id ("directory.users.insert")."""
    api, resource, *_, verb = method.split(".")
    names = ["queries"] if api == "directory" else []
    if method == "directory.users.insert":
        names.append("creations")
    if resource == "orgunits" and verb not in READS:
        names.append("units")
    if api == "licensing" and verb not in READS:
        names.append("licences")
    return names
