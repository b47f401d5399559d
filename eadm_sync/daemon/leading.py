"""Which of several daemons runs the jobs: whoever has the lock. On SQLite there can be only one daemon."""

from __future__ import annotations

from eadm_sync.errors import StateError
from eadm_sync.events import get_logger
from eadm_sync.state.database import Database
from eadm_sync.state.locks import Lock, holder_of

log = get_logger(__name__)

_NAME = "leader"


class Leadership:
    """Tries to lead, and finds out when it does no longer."""

    def __init__(self, database: Database, holder: str) -> None:
        self._database = database
        self._holder = holder
        self._lock: Lock | None = None

    @property
    def is_held(self) -> bool:
        """Whether it led when it was last asked."""
        return self._lock is not None

    def take_sole(self) -> None:
        """Leads, or refuses to run beside another daemon where the database cannot serve two.

        Raises:
            StateError: Another daemon is at work on an embedded database; says who. Or the state cannot be used.
        """
        if not self.check() and self._database.engine.dialect.name == "sqlite":
            who = holder_of(self._database.engine, _NAME) or "a process that did not say who it is"
            raise StateError(
                f"a daemon is running already: {who}; on SQLite there can be only one, and any number of workers"
            )

    def check(self) -> bool:
        """Whether it leads now: makes sure that it still does, or tries to.

        Whoever finds that it does no longer tries again at the next look only: somebody else may have led meanwhile,
        so that it has to begin anew in any case.

        Raises:
            StateError: The state cannot be asked; then it does not lead.
        """
        if self._lock is not None and not self._lock.is_held():
            self._lock = None
            log.warning("leader.lost")
        elif self._lock is None:
            self._lock = self._database.try_lock(_NAME, self._holder)
        return self._lock is not None

    def release(self) -> None:
        """Lets another one lead."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()
