"""Items as a worker takes them out of the queue."""

from __future__ import annotations

from datetime import datetime

from eadm_sync.delivery.payload import FORMAT, pack
from eadm_sync.plan.change import Change
from eadm_sync.state.crypto import Vault
from exportqueue import Item, State


def queued(change: Change, number: int, target: str, vault: Vault, moment: datetime) -> Item:
    """A change as the queue holds it while a worker delivers it for the first time."""
    return Item(
        id=number,
        target=target,
        object_key=change.object_key,
        operation="",
        payload=pack(change, vault),
        format=FORMAT,
        subject=change.subject,
        priority=50,
        not_before=None,
        state=State.RUNNING,
        attempts=0,
        fence=1,
        last_error=None,
        reason=None,
        plan_id=None,
        run_id="run-1",
        created_at=moment,
        started_at=moment,
        finished_at=None,
        lease_until=None,
        worker=None,
    )
