"""A target that is away is one fact, not ten thousand errors: a circuit per target, as a frozen value.

An open circuit stands in the queue's tables too (`OpenCircuit`), so that of all workers one at a time probes.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

MAX_DOUBLINGS = 32
"""Past this the delay is at its cap for any sensible base; the power is not computed further."""


class OpenCircuit(msgspec.Struct, frozen=True):
    """A target that is taken to be away.

    Attributes:
        target: Its name.
        opened_at: Since when.
        probe_at: When the next probe may go out.
        failures: In a row: how often it was found away.
        error: What its absence looked like the last time.
    """

    target: str
    opened_at: datetime
    probe_at: datetime
    failures: int
    error: str


class Circuit(msgspec.Struct, frozen=True):
    """Closed: deliver. Open: do not, until `open_until`; then probe with one item, which closes or opens it again.

    Attributes:
        base_seconds: How long it stays open the first time; doubles with every failed probe.
        cap_seconds: Longest time between probes: how late a target's return may be noticed.
        failures: Failures in a row.
        open_until: When the next probe may go out, or None while closed.
    """

    base_seconds: float = 5.0
    cap_seconds: float = 300.0
    failures: int = 0
    open_until: datetime | None = None

    @property
    def closed(self) -> bool:
        """Whether the target is taken to be there."""
        return self.open_until is None

    def blocks(self, now: datetime) -> bool:
        """Whether nothing at all may be sent, not even a probe."""
        return self.open_until is not None and now < self.open_until

    def failed(self, now: datetime, retry_after_seconds: float | None = None) -> Circuit:
        """The circuit after the target was found away; its own wish is never undercut."""
        delay = min(self.cap_seconds, self.base_seconds * 2 ** min(self.failures, MAX_DOUBLINGS))
        until = now + timedelta(seconds=max(delay, retry_after_seconds or 0.0))
        return msgspec.structs.replace(self, failures=self.failures + 1, open_until=until)

    def answered(self) -> Circuit:
        """The circuit after the target answered, were it with a refusal."""
        return self if self.closed else msgspec.structs.replace(self, failures=0, open_until=None)

    def told(self, known: OpenCircuit | None) -> Circuit:
        """The circuit as everybody knows it: `known` is what the queue holds of the target."""
        if known is None:
            return self.answered()
        return msgspec.structs.replace(self, failures=known.failures, open_until=known.probe_at)
