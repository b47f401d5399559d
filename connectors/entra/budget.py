"""How much of Graph's quota is in use, as far as its answers tell, and how long to wait for room. No I/O.

Graph counts resource units over ten seconds and writes over 150, per application and tenant. How many it allows depends
on the size of the tenant, and others may use some; so nothing is assumed of it: from four fifths on its answers say
which share is in use, and with what was sent lately that share tells the limit. What it refuses it counts as well.
https://learn.microsoft.com/graph/throttling-limits#identity-and-access-service-limits
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from connectors.entra.batching import Request, Response, seconds_of

NEARLY_ALL = 0.95
"""Share of a limit up to which is sent. The rest is for what others send between two answers."""
UNIT_SECONDS, WRITE_SECONDS = 10.0, 150.0
WRITES = 3000
"""What the page above says of writes; only to tell which of the two limits a share is about."""
CLOSE = 0.05
DEFAULT_PAUSE_SECONDS = 2.0
"""Where a refusal does not say for how long: a fifth of the window of units."""


class Budget:
    """What this process has sent to one tenant lately, and what is known of the limits."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` is monotonic, in seconds."""
        self._clock = clock
        self._units, self._writes = _Ledger(UNIT_SECONDS), _Ledger(WRITE_SECONDS)
        self._closed_until = 0.0
        self.load = 0.0

    def wait_seconds(self, requests: Sequence[Request]) -> float:
        """How long until these may be sent; 0: now."""
        now = self._clock()
        units = self._units.seconds_until_room(now, len(requests))
        writes = self._writes.seconds_until_room(now, _writes(requests))
        return max(0.0, self._closed_until - now, units, writes)

    def sent(self, requests: Sequence[Request]) -> None:
        """They are on their way; each is taken for one unit until its answer says what it was."""
        now = self._clock()
        self._units.add(now, len(requests))
        self._writes.add(now, _writes(requests))

    def lost(self, requests: Sequence[Request]) -> None:
        """Their answers will not come; they count all the same."""
        self._units.arrived(len(requests))
        self._writes.arrived(_writes(requests))

    def told(self, requests: Sequence[Request], responses: Iterable[Response]) -> None:
        """Their answers have come."""
        self.lost(requests)
        answers = list(responses)
        now = self._clock()
        self._units.add(now, sum(max(0.0, _units(one) - 1) for one in answers), on_its_way=False)
        loads = [one.load for one in answers if one.load is not None]
        if loads:
            self._learn(now, max(loads))
        elif any(one.ok for one in answers):
            self.load, self._units.limit, self._writes.limit = 0.0, None, None
        for one in answers:
            if one.is_throttled:
                pause = DEFAULT_PAUSE_SECONDS if one.retry_after_seconds is None else one.retry_after_seconds
                self._closed_until = max(self._closed_until, now + pause)

    def _learn(self, now: float, load: float) -> None:
        """The share is the larger of two: of the writes, where those that we know of come near it."""
        self.load = load
        of_writes = self._writes.used(now) >= (load - CLOSE) * WRITES
        ledger = self._writes if of_writes else self._units
        ledger.limit = ledger.used(now) / load if load > 0 else None


class _Ledger:
    """What was sent in the last so many seconds, of the one or the other."""

    def __init__(self, seconds: float) -> None:
        self.limit: float | None = None
        self._seconds = seconds
        self._entries: deque[tuple[float, float]] = deque()
        self._sum = 0.0
        self._on_their_way = 0.0

    def add(self, now: float, amount: float, *, on_its_way: bool = True) -> None:
        if amount:
            self._entries.append((now, amount))
            self._sum += amount
            self._on_their_way += amount if on_its_way else 0

    def arrived(self, amount: float) -> None:
        self._on_their_way -= amount

    def used(self, now: float) -> float:
        """What Graph has counted: all but what is on its way."""
        self._forget(now)
        return max(0.0, self._sum - self._on_their_way)

    def seconds_until_room(self, now: float, amount: float) -> float:
        """Until so much has room under the limit; more than the whole limit waits for an empty window."""
        if self.limit is None or not amount:
            return 0.0
        self._forget(now)
        over = self._sum + amount - self.limit * NEARLY_ALL
        for moment, gone in self._entries:
            if over <= 0:
                return 0.0
            over -= gone
            if over <= 0:
                return moment + self._seconds - now
        return self._entries[-1][0] + self._seconds - now if self._entries else 0.0

    def _forget(self, now: float) -> None:
        while self._entries and self._entries[0][0] <= now - self._seconds:
            self._sum -= self._entries.popleft()[1]


def _writes(requests: Sequence[Request]) -> int:
    return sum(one.method != "GET" for one in requests)


def _units(response: Response) -> float:
    """Resource units that it took; 1 where it does not say so."""
    return seconds_of(response.headers.get("x-ms-resource-unit")) or 1.0
