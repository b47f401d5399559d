"""What goes wrong on purpose, by the seed: https://learn.microsoft.com/graph/errors, .../best-practices-concept."""

from __future__ import annotations

from random import Random

from .config import Faults
from .errors import Refused
from .throttling import too_many


def refuse_request(faults: Faults, random: Random) -> None:
    """Refuses an HTTP request as a whole.

    Raises:
        Refused: 503 or 504, 429, or what `status_4xx` says.
    """
    if faults.status_4xx:
        raise Refused(faults.status_4xx, "Forbidden", "Refused on purpose.")
    if faults.unavailable and random.random() < faults.unavailable:
        raise unavailable(random)
    if faults.throttled and random.random() < faults.throttled:
        raise too_many(1, "CPULimitExceeded")


def refuse_operation(faults: Faults, random: Random) -> None:
    """Refuses one operation of a batch.

    Raises:
        Refused: 503 or 504, or 429.
    """
    if faults.item_unavailable and random.random() < faults.item_unavailable:
        raise unavailable(random)
    if faults.item_throttled and random.random() < faults.item_throttled:
        raise too_many(1, "CPULimitExceeded")


def unavailable(random: Random) -> Refused:
    """A 503 with a Retry-After, or a 504 without one."""
    if random.random() < 0.5:
        headers = {"Retry-After": "1"}
        return Refused(503, "serviceNotAvailable", "The service is temporarily unavailable.", headers=headers)
    return Refused(504, "GatewayTimeout", "The gateway did not get an answer in time.")
