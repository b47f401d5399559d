"""What goes wrong on purpose, by the seed."""

from __future__ import annotations

from random import Random

from .config import Faults
from .errors import Refused
from .throttling import REASONS, over


def refuse_request(faults: Faults, random: Random) -> None:
    """Refuses an HTTP request as a whole.

    Raises:
        Refused: 503, one of the quota's reasons, or what `status_4xx` says.
    """
    if faults.status_4xx:
        raise Refused(faults.status_4xx, "forbidden", "Refused on purpose.")
    _refuse(faults.unavailable, faults.throttled, random)


def refuse_operation(faults: Faults, random: Random) -> None:
    """Refuses one operation of a batch.

    Raises:
        Refused: 503, or one of the quota's reasons.
    """
    _refuse(faults.item_unavailable, faults.item_throttled, random)


def _refuse(unavailable: float, throttled: float, random: Random) -> None:
    if unavailable and random.random() < unavailable:
        headers = {"Retry-After": "1"} if random.random() < 0.5 else {}
        raise Refused(503, "backendError", "Service unavailable. Please try again", headers=headers)
    if throttled and random.random() < throttled:
        raise over(random.choice(REASONS))
