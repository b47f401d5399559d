"""Shares a target's slots among processes: whoever has several lets one go to a process that has none and waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from eadm_sync.state.database import Database
from eadm_sync.state.locks import Lock

_ASK_SECONDS = 5.0
"""How often a process that has several slots of a target asks whether another one waits for its first."""


class Share:
    """What one process has of one target's slots. For the threads of its slots.

    A process that waits for its first slot holds a lock of its own meanwhile, by which the others know. So every daemon
    delivers, as far as there are slots, whichever of them came first.

    Args:
        database: The state.
        target: Name of the target.
        clock: Seconds that only go forward.
    """

    def __init__(self, database: Database, target: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._name = f"wait-{target}"
        self._clock = clock
        self._mutex = threading.Lock()
        self._held = 0
        self._wish: Lock | None = None
        self._ask_at = 0.0

    def wish(self) -> None:
        """Has other processes know that this one has no slot and waits for one.

        Raises:
            StateError: The state cannot be reached.
        """
        with self._mutex:
            if self._wish is not None and not self._wish.is_held():
                self._wish = None
            if not self._held and self._wish is None:
                self._wish = self._database.try_lock(self._name)

    def take(self) -> None:
        """Notes that a slot was got."""
        with self._mutex:
            self._held += 1
        self.forgo()

    def give(self) -> None:
        """Notes that a slot was let go."""
        with self._mutex:
            self._held -= 1

    def forgo(self) -> None:
        """Waits for a slot no longer."""
        with self._mutex:
            wish, self._wish = self._wish, None
        if wish is not None:
            wish.release()

    def is_asked(self) -> bool:
        """Whether one of several slots is to be let go, by the thread that asks: another process waits for its first.

        Raises:
            StateError: The state cannot be reached.
        """
        with self._mutex:
            if self._held <= 1 or self._clock() < self._ask_at:
                return False
            self._ask_at = self._clock() + _ASK_SECONDS
            probe = self._database.try_lock(self._name)
        if probe is not None:
            probe.release()
        return probe is None
