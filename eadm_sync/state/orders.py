"""Orders about single people that the shell gave: stopped, or kept for longer than the rules say.

One row for each that stands; what was ordered and taken back before is in the audit.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from enum import StrEnum

import msgspec
from sqlalchemy import Connection, select

from eadm_sync.model import Orders
from eadm_sync.state import bulk, tables


class OrderKind(StrEnum):
    """What can be ordered."""

    STOP = "stop"  # all accounts are disabled until it is taken back
    EXTEND = "extend"  # access is kept up to a day


class Order(msgspec.Struct, frozen=True):
    """One order that stands.

    Attributes:
        kind: What is ordered.
        until: Last day of an extension, included; None for a stop.
        reason: Why, in the words of whoever gave it.
        actor: Who gave it.
        at: When, ISO text in UTC.
    """

    kind: OrderKind
    until: date | None
    reason: str
    actor: str
    at: str


def load_orders(connection: Connection, person_ids: Sequence[str] | None = None) -> dict[str, Orders]:
    """What is ordered about people, or about some of them (at most some thousands), by id; seldom anything at all."""
    columns = tables.person_orders.c
    query = select(columns.person_id, columns.kind, columns.until)
    if person_ids is not None:
        query = query.where(columns.person_id.in_(person_ids))
    found: dict[str, Orders] = {}
    for person_id, kind, until in connection.execute(query):
        orders = found.get(person_id, Orders())
        if kind == OrderKind.STOP:
            found[person_id] = msgspec.structs.replace(orders, stopped=True)
        else:
            found[person_id] = msgspec.structs.replace(orders, extended_until=date.fromisoformat(until))
    return found


def standing_orders(connection: Connection, person_id: str) -> tuple[Order, ...]:
    """The orders about one person, by kind."""
    columns = tables.person_orders.c
    query = select(columns.kind, columns.until, columns.reason, columns.actor, columns.at)
    return tuple(
        Order(OrderKind(kind), date.fromisoformat(until) if until else None, reason, actor, at)
        for kind, until, reason, actor, at in connection.execute(
            query.where(columns.person_id == person_id).order_by(columns.kind)
        )
    )


def give_order(connection: Connection, person_id: str, order: Order) -> None:
    """Writes an order down, in place of one of its kind."""
    until = None if order.until is None else order.until.isoformat()
    row = (person_id, str(order.kind), until, order.reason, order.actor, order.at)
    bulk.upsert(connection, tables.person_orders, ("person_id", "kind", "until", "reason", "actor", "at"), [row])


def take_back(connection: Connection, person_id: str, kind: OrderKind) -> bool:
    """Ends an order; returns whether there was one."""
    columns = tables.person_orders.c
    ended = tables.person_orders.delete().where(columns.person_id == person_id, columns.kind == str(kind))
    return bool(connection.execute(ended).rowcount)
