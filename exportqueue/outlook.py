"""What a target's workers have before them: whether there is work, and whether the target is away."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from exportqueue.circuit import OpenCircuit
from exportqueue.item import MAX_ERROR_LENGTH, from_micros, to_micros
from exportqueue.tables import IS_DELAYED, IS_DUE, IS_RUNNING, QueueTables


class Outlook(msgspec.Struct, frozen=True):
    """What a target's workers have before them.

    Attributes:
        claimable: Whether something can be claimed now. Never while the target is paused, or away and not to be
            probed yet.
        running: Whether somebody is at work for the target.
        delayed: Whether something is to be claimed later, as a retry is.
        circuit: How the target is away, or None.
    """

    claimable: bool
    running: bool
    delayed: bool
    circuit: OpenCircuit | None


def outlook(conn: sa.Connection, tables: QueueTables, target: str, now: datetime) -> Outlook:
    """What there is to do for a target: a look-up in each index, whatever the queue's length."""
    items, pauses = tables.items.c, tables.pauses.c
    mine = items.target == sa.bindparam("lane")
    moment: sa.BindParameter[int] = sa.bindparam("now")
    due = sa.select(items.id).where(IS_DUE, mine)
    delayed = sa.select(items.id).where(IS_DELAYED, mine)
    running = sa.select(items.id).where(IS_RUNNING, mine)
    query = sa.select(
        due.exists()
        | delayed.where(items.not_before <= moment).exists()
        | running.where(items.lease_until <= moment).exists(),
        running.exists(),
        delayed.exists(),
        sa.select(pauses.target).where(pauses.target == sa.bindparam("lane")).exists(),
    )
    row = conn.execute(query, {"lane": target, "now": to_micros(now)}).one()
    claimable, is_running, is_delayed, paused = map(bool, row)
    circuit = open_circuit(conn, tables, target)
    blocked = paused or (circuit is not None and now < circuit.probe_at)
    return Outlook(claimable and not blocked, is_running, is_delayed, circuit)


def open_circuit(
    conn: sa.Connection, tables: QueueTables, target: str, *, for_update: bool = False
) -> OpenCircuit | None:
    """How a target is away, or None; `for_update` keeps others from changing it until the transaction ends."""
    query = sa.select(tables.circuits).where(tables.circuits.c.target == target)
    row = conn.execute(query.with_for_update() if for_update else query).first()
    return None if row is None else _circuit(row)


def open_circuits(conn: sa.Connection, tables: QueueTables) -> dict[str, OpenCircuit]:
    """Every target that is away."""
    return {row.target: _circuit(row) for row in conn.execute(sa.select(tables.circuits))}


def open_up(conn: sa.Connection, circuit: OpenCircuit) -> None:
    """Notes that a target is away. Since when stays as it was; what somebody else has found later is left alone."""
    conn.execute(
        sa.text(
            "INSERT INTO queue_circuits (target, opened_at, probe_at, failures, error) "
            "VALUES (:lane, :opened_at, :probe_at, :failures, :error) ON CONFLICT (target) DO UPDATE "
            "SET probe_at = excluded.probe_at, failures = excluded.failures, error = excluded.error "
            "WHERE excluded.failures > queue_circuits.failures"
        ),
        {
            "lane": circuit.target,
            "opened_at": to_micros(circuit.opened_at),
            "probe_at": to_micros(circuit.probe_at),
            "failures": circuit.failures,
            "error": circuit.error[:MAX_ERROR_LENGTH],
        },
    )


def put_off_probe(conn: sa.Connection, tables: QueueTables, target: str, probe_at: datetime) -> None:
    """Changes when an absent target may be probed; nothing happens if it is not known to be away."""
    circuits = tables.circuits
    update = sa.update(circuits).where(circuits.c.target == target)
    conn.execute(update.values(probe_at=to_micros(probe_at)))


def close_up(conn: sa.Connection, tables: QueueTables, target: str) -> None:
    """Notes that a target is there."""
    conn.execute(sa.delete(tables.circuits).where(tables.circuits.c.target == target))


def _circuit(row: sa.Row[Any]) -> OpenCircuit:
    return OpenCircuit(row.target, from_micros(row.opened_at), from_micros(row.probe_at), row.failures, row.error)
