"""How much of Graph's quota is in use, as far as its answers tell, and how long to wait for room. No I/O.

Graph counts resource units over ten seconds and writes over 150, per application and tenant. How many it allows depends
on the size of the tenant, and others may use some; so nothing is assumed of it: from four fifths on its answers say
which share is in use, and with what was sent lately that share tells the limit. What it refuses it counts as well.
https://learn.microsoft.com/graph/throttling-limits#identity-and-access-service-limits
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from connectors.entra.batching import Request, Response, seconds_of

NEARLY_ALL = 0.98
"""Share of a limit up to which is sent. The rest is for what others send between two answers."""
UNIT_SECONDS, WRITE_SECONDS = 10.0, 150.0
UNITS, WRITES = 3500, 3000
"""What the page above says of small tenants; only to tell which of the two limits a share is about."""
CLOSE = 0.05
BUSY = 0.2
"""Share of what it allows otherwise that Graph may be taken to allow at times. What we know less of, others use."""
DEFAULT_PAUSE_SECONDS = 2.0
"""Where a refusal does not say for how long: a fifth of the window of units."""


@dataclass
class Sent:
    """Requests that were sent together.

    Attributes:
        moment: When.
        units: What they cost; one each until their answers say so.
        writes: How many of them change something.
        answered: When their answers came, or were given up; None before. Graph counted them at some time in between.
    """

    moment: float
    units: float
    writes: float
    answered: float | None = None


class Budget:
    """What this process has sent to one tenant lately, and what is known of the limits."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` is monotonic, in seconds."""
        self._clock = clock
        self._units = _Ledger(UNIT_SECONDS, UNITS, lambda sent: sent.units)
        self._writes = _Ledger(WRITE_SECONDS, WRITES, lambda sent: sent.writes)
        self._closed_until = self._learnt_of = 0.0
        self._on_their_way = 0
        self.load = 0.0

    @property
    def is_open(self) -> bool:
        """Whether answers are on their way, which may tell that there is more room than it seems."""
        return self._on_their_way > 0

    def wait_seconds(self, requests: Sequence[Request]) -> float:
        """How long until these may be sent; 0: now."""
        now = self._clock()
        units = self._units.seconds_until_room(now, len(requests))
        writes = self._writes.seconds_until_room(now, _writes(requests))
        return max(0.0, self._closed_until - now, units, writes)

    def sent(self, requests: Sequence[Request]) -> Sent:
        """They are on their way; `lost` or `told` ends that."""
        sent = Sent(self._clock(), len(requests), _writes(requests))
        self._units.add(sent)
        self._writes.add(sent)
        self._on_their_way += 1
        return sent

    def lost(self, sent: Sent) -> None:
        """Their answers will not come; they count all the same."""
        self._on_their_way -= 1
        sent.answered = self._clock()

    def told(self, sent: Sent, responses: Iterable[Response]) -> None:
        """Their answers have come."""
        self.lost(sent)
        answers = list(responses)
        now = self._clock()
        sent.units = sum(map(_units, answers))
        loads = [one.load for one in answers if one.load is not None]
        if loads:
            self._learn(now, max(loads), sent)
        elif sent.moment >= self._learnt_of and any(one.ok for one in answers):  # else it is older than what is known
            self.load = 0.0
            self._units.limit = self._writes.limit = None
        for one in answers:
            if one.is_throttled:
                pause = DEFAULT_PAUSE_SECONDS if one.retry_after_seconds is None else one.retry_after_seconds
                self._closed_until = max(self._closed_until, now + pause)

    def _learn(self, now: float, load: float, sent: Sent) -> None:
        """The share is the larger of two, of units or of writes: of whichever our own comes near it."""
        self.load, self._learnt_of = load, max(self._learnt_of, sent.moment)
        near = [one for one in (self._units, self._writes) if one.used(now, sent) >= (load - CLOSE) * one.usual]
        for ledger in near or [self._units]:
            ledger.learn(now, load, sent)


class _Ledger:
    """What was sent in the last so many seconds, of the one or the other; in the order in which it was sent."""

    def __init__(self, seconds: float, usual: float, amount: Callable[[Sent], float]) -> None:
        self.limit: float | None = None
        self.usual = usual
        self._learnt_at = 0.0
        self._seconds = seconds
        self._amount = amount
        self._entries: deque[Sent] = deque()

    def add(self, sent: Sent) -> None:
        if self._amount(sent):
            self._entries.append(sent)

    def used(self, now: float, last: Sent) -> float:
        """What Graph must have counted when it answered the last, at the least, and cannot have forgotten by now."""
        return sum(
            self._amount(one)
            for one in self._entries
            if one.moment > now - self._seconds
            and (one is last or (one.answered is not None and one.answered <= last.moment))
        )

    def learn(self, now: float, share: float, last: Sent) -> None:
        """What had been used by then is this share of the limit, which is at least so much: of late the most counts."""
        limit = self.used(now, last) / share if share > 0 else math.inf
        if self.limit is None or limit >= self.limit or now - self._learnt_at >= UNIT_SECONDS:
            self.limit, self._learnt_at = limit, now
            if limit >= self.usual * BUSY:
                self.usual = limit

    def seconds_until_room(self, now: float, amount: float) -> float:
        """Until so much has room under the limit; more than the whole limit waits for an empty window."""
        while self._entries and self._gone(self._entries[0], now) <= now:
            self._entries.popleft()
        if self.limit is None or not amount:
            return 0.0
        over = sum(map(self._amount, self._entries)) + amount - self.limit * NEARLY_ALL
        until = now
        for one in self._entries:
            if over <= 0:
                break
            over -= self._amount(one)
            until = max(until, self._gone(one, now))
        return until - now

    def _gone(self, sent: Sent, now: float) -> float:
        """When Graph has certainly forgotten it."""
        return (now if sent.answered is None else sent.answered) + self._seconds


def _writes(requests: Sequence[Request]) -> int:
    return sum(one.method != "GET" for one in requests)


def _units(response: Response) -> float:
    """Resource units that it took; 1 where it does not say so."""
    return seconds_of(response.headers.get("x-ms-resource-unit")) or 1.0
