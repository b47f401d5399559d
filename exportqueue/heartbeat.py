"""Keeps leases alive while a batch takes longer than expected."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

from exportqueue.item import Item

BEATS_PER_LEASE = 3
"""Two beats may fail (a database that restarts) before a lease runs out."""

Extend = Callable[[Sequence[Item]], Sequence[Item]]
"""Prolongs leases; returns the items that are still held."""

_log = logging.getLogger("exportqueue")


@contextmanager
def heartbeat(items: Sequence[Item], extend: Extend, lease_seconds: float) -> Iterator[None]:
    """Extends the items' leases from a thread of its own for as long as the block runs.

    A beat that the database refuses is logged and repeated with the next. Items that were taken over are let go: their
    fence keeps the block from finishing them.
    """
    over = threading.Event()
    beating = threading.Thread(
        target=_beat, args=(items, extend, lease_seconds / BEATS_PER_LEASE, over), name="heartbeat", daemon=True
    )
    beating.start()
    try:
        yield
    finally:
        over.set()
        beating.join()


def _beat(items: Sequence[Item], extend: Extend, interval_seconds: float, over: threading.Event) -> None:
    held = items
    while held and not over.wait(interval_seconds):
        try:
            held = extend(held)
        except DBAPIError as error:
            _log.warning("heartbeat failed", extra={"error": type(error).__name__, "items": len(held)})
