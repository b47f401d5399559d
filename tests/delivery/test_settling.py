from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine

from eadm_sync.delivery.settling import settle, unsettled
from eadm_sync.state import tables
from eadm_sync.state.outcomes import count_confirmed


@pytest.fixture
def connection() -> Iterator[Connection]:
    """An empty state."""
    engine = create_engine("sqlite://")
    tables.metadata.create_all(engine)
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def test_a_target_that_was_never_written_owes_nothing(connection: Connection):
    """There is nothing to put right before the first outcome."""
    assert unsettled(connection, ("ad", "entra")) == {}


def test_a_target_owes_from_its_first_outcome_until_it_is_closed(connection: Connection):
    """And again from the next one on; the others do not."""
    count_confirmed(connection, "ad", 3)
    assert unsettled(connection, ("ad", "entra")) == {"ad": 3}

    settle(connection, "ad", 3)
    assert unsettled(connection, ("ad", "entra")) == {}

    count_confirmed(connection, "ad", 1)
    assert unsettled(connection, ("ad", "entra")) == {"ad": 4}


def test_what_another_process_delivered_meanwhile_is_still_owed(connection: Connection):
    """The version is read before a target is closed, so a later outcome of another process keeps the target owing."""
    count_confirmed(connection, "ad", 3)
    (version,) = unsettled(connection, ("ad",)).values()
    count_confirmed(connection, "ad", 2)

    settle(connection, "ad", version)

    assert unsettled(connection, ("ad",)) == {"ad": 5}
