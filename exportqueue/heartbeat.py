"""Keeps leases alive while a batch takes longer than expected."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from sqlalchemy.exc import DBAPIError

from exportqueue.item import Item

BEATS_PER_LEASE = 3
"""Two beats may fail (a database that restarts) before a lease runs out."""

Extend = Callable[[Sequence[Item]], Sequence[Item]]
"""Prolongs leases; returns the items that are still held."""

_log = logging.getLogger("exportqueue")


class Heartbeat:
    """A thread that extends the leases of the batch in hand; a context manager.

    One thread serves all batches: to start one for each would take longer than a batch of quick items. A beat that the
    database refuses is logged and repeated with the next. Items that were taken over are let go: their fence keeps the
    worker from finishing them.

    Args:
        extend: Prolongs leases, in a transaction of its own.
        lease_seconds: How long a lease is.
    """

    def __init__(self, extend: Extend, lease_seconds: float) -> None:
        self._extend = extend
        self._interval_seconds = lease_seconds / BEATS_PER_LEASE
        self._held: Sequence[Item] = ()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    @contextmanager
    def over(self, items: Sequence[Item]) -> Iterator[None]:
        """Extends the items' leases for as long as the block runs."""
        self._held = items
        try:
            yield
        finally:
            self._held = ()

    def _run(self) -> None:
        while not self._over.wait(self._interval_seconds):
            held = self._held
            if held:
                self._beat(held)

    def _beat(self, held: Sequence[Item]) -> None:
        # A batch that ends meanwhile is harmless: what is finished is no longer held, and not extended.
        try:
            self._extend(held)
        except DBAPIError as error:
            _log.warning("heartbeat failed", extra={"error": type(error).__name__, "items": len(held)})
