"""How a daemon is, for whoever asks: probes, metrics, a watchdog. Asking costs nothing and never waits."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

import msgspec


class JobHealth(msgspec.Struct, frozen=True):
    """How a job is, as this daemon knows it.

    Attributes:
        name: As in the configuration's `schedule`.
        kind: What it does: sync, retention, reconcile, housekeeping or command.
        running_since: When it was started here, or None while it is not under way here.
        next_at: When it is due next; None where nothing but a request starts it, and on a daemon that does not lead.
        status: How it last ended, whichever daemon ran it: as in `jobs`; None where it never did.
        succeeded_at: When it last ended without a failure, or None.
    """

    name: str
    kind: str
    running_since: datetime | None = None
    next_at: datetime | None = None
    status: str | None = None
    succeeded_at: datetime | None = None


class Health(msgspec.Struct, frozen=True):
    """How a daemon is. Moments are in UTC.

    Attributes:
        role: leader, standby or worker.
        started_at: When the process began.
        last_tick: When its main loop last went round; several seconds ago means that it is stuck.
        state_reachable: Whether the state database answered when it was last asked.
        stopping: Whether it has been told to stop.
        jobs: The jobs of the schedule; empty for a worker.
        crew: What `app.delivering.Crew.health` says, or None where nothing is delivered (any more).
    """

    role: str
    started_at: datetime
    last_tick: datetime
    state_reachable: bool = True
    stopping: bool = False
    jobs: tuple[JobHealth, ...] = ()
    crew: Any = None

    @property
    def leading(self) -> bool:
        """Whether jobs are run here."""
        return self.role == "leader"


class Healthy(Protocol):
    """Who can be asked; from any thread."""

    def health(self) -> Health:
        """How it is now."""
        ...
