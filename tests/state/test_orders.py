"""Orders about single people, as they are stored."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Connection

from eadm_sync.model import Orders
from eadm_sync.state.database import open_for_writing
from eadm_sync.state.orders import Order, OrderKind, give_order, load_orders, standing_orders, take_back

STOP = Order(OrderKind.STOP, None, "lost laptop", "anna", "2026-08-17T08:00:00+00:00")
EXTENSION = Order(OrderKind.EXTEND, date(2026, 9, 30), "exam in September", "anna", "2026-08-17T08:00:00+00:00")


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """A new state."""
    with open_for_writing("sqlite:///state.db", tmp_path) as database, database.write() as connection:
        yield connection


def test_orders_of_both_kinds_stand_side_by_side(connection: Connection):
    """Somebody whose access was extended can be stopped, and nobody else is touched."""
    give_order(connection, "hr:1", EXTENSION)
    give_order(connection, "hr:1", STOP)
    give_order(connection, "hr:2", STOP)

    assert standing_orders(connection, "hr:1") == (EXTENSION, STOP)
    assert load_orders(connection) == {
        "hr:1": Orders(stopped=True, extended_until=date(2026, 9, 30)),
        "hr:2": Orders(stopped=True),
    }
    assert load_orders(connection, ["hr:2", "hr:3"]) == {"hr:2": Orders(stopped=True)}


def test_a_second_order_of_a_kind_takes_the_place_of_the_first(connection: Connection):
    """An extension is prolonged by giving it again."""
    later = Order(OrderKind.EXTEND, date(2026, 12, 31), "the exam was put off", "bo", EXTENSION.at)
    give_order(connection, "hr:1", EXTENSION)

    give_order(connection, "hr:1", later)

    assert standing_orders(connection, "hr:1") == (later,)


def test_an_order_is_taken_back_once(connection: Connection):
    """Whoever takes back what does not stand is told so."""
    give_order(connection, "hr:1", STOP)

    assert take_back(connection, "hr:1", OrderKind.STOP)
    assert not take_back(connection, "hr:1", OrderKind.STOP)
    assert load_orders(connection) == {}
