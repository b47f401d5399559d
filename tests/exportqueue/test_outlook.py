"""What workers of a target have before them, and know of one another, on every kind of queue."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from exportqueue import NewItem, OpenCircuit, Outlook


def outlook(store: Any) -> Outlook:
    """What there is to do for ad."""
    with store.begin() as conn:
        found: Outlook = store.queue.outlook(conn, "ad")
    return found


def fill(store: Any, *keys: str, **values: Any) -> None:
    """Enqueues items of ad."""
    with store.begin() as conn:
        store.queue.enqueue(conn, [NewItem("ad", key, "update", b"", "change/1", "p", **values) for key in keys])


def away(store: Any, *, failures: int = 1, seconds: float = 60, error: str = "down") -> None:
    """Tells that ad is away."""
    now = store.clock()
    with store.begin() as conn:
        store.queue.open_up(conn, OpenCircuit("ad", now, now + timedelta(seconds=seconds), failures, error))


def circuit(store: Any) -> OpenCircuit | None:
    """What is known of ad."""
    with store.begin() as conn:
        found: OpenCircuit | None = store.queue.open_circuit(conn, "ad")
    return found


def test_nothing_to_do(store: Any):
    """Nothing to claim, nobody at work; what another target has does not count."""
    with store.begin() as conn:
        store.queue.enqueue(conn, [NewItem("entra", "k", "update", b"", "change/1", "p")])

    assert outlook(store) == Outlook(claimable=False, running=False, delayed=False, circuit=None)


def test_work_is_seen_as_it_passes_by(store: Any):
    """Ready, then at work, then done; what waits for it is nothing that could be claimed."""
    fill(store, "k")
    fill(store, "k2", after=("k",))
    assert outlook(store).claimable
    with store.begin() as conn:
        items = store.queue.claim(conn, "ad", limit=9, lease_seconds=60, worker="w")
    assert (outlook(store).claimable, outlook(store).running) == (False, True)
    store.clock.forward(61)
    assert outlook(store).claimable  # its lease is over
    with store.begin() as conn:
        store.queue.finish(conn, items)
    assert (outlook(store).claimable, outlook(store).running) == (True, False)


def test_a_retry_is_claimable_when_it_is_due(store: Any):
    """Until then it is known to come."""
    fill(store, "k")
    with store.begin() as conn:
        (item,) = store.queue.claim(conn, "ad", limit=9, lease_seconds=60, worker="w")
        store.queue.retry(conn, item, OSError("x"), store.clock() + timedelta(seconds=30))
    assert (outlook(store).claimable, outlook(store).delayed) == (False, True)

    store.clock.forward(30)

    assert outlook(store).claimable


@pytest.mark.parametrize("what", ["pause", "away"])
def test_nothing_can_be_claimed_of_a_target_that_is_paused_or_away(store: Any, what: str):
    """However much there is."""
    fill(store, "k")
    if what == "away":
        away(store)
    else:
        with store.begin() as conn:
            store.queue.pause(conn, "ad", "maintenance")

    assert not outlook(store).claimable


def test_an_absent_target_may_be_probed_when_it_is_time(store: Any):
    """Or sooner, where somebody asks for it."""
    fill(store, "k")
    away(store)
    assert not outlook(store).claimable
    store.clock.forward(60)
    assert outlook(store).claimable

    with store.begin() as conn:
        store.queue.put_off_probe(conn, "ad", store.clock() + timedelta(seconds=9))

    assert not outlook(store).claimable
    with store.begin() as conn:
        store.queue.close_up(conn, "ad")
    assert outlook(store) == Outlook(claimable=True, running=False, delayed=False, circuit=None)


def test_an_absence_is_one_however_often_it_is_found(store: Any):
    """Since when is kept; two workers that find it at the same time count it once."""
    began = store.clock()
    away(store)
    store.clock.forward(60)
    away(store, failures=1, error="found by another")
    assert circuit(store) == OpenCircuit("ad", began, began + timedelta(seconds=60), 1, "down")

    away(store, failures=2, error="still down")

    assert circuit(store) == OpenCircuit("ad", began, began + timedelta(seconds=120), 2, "still down")


def test_statistics_tell_of_an_absence(store: Any):
    """Also where nothing is queued."""
    away(store)

    with store.begin() as conn:
        (stats,) = store.queue.stats(conn)

    assert (stats.target, stats.circuit) == ("ad", circuit(store))


def test_an_absence_is_rolled_back_with_its_transaction(store: Any):
    """As all else."""

    class Stop(Exception):
        pass

    def undone() -> None:
        with store.begin() as conn:
            store.queue.open_up(conn, OpenCircuit("ad", store.clock(), store.clock(), 1, "down"))
            raise Stop

    with pytest.raises(Stop):
        undone()

    assert circuit(store) is None
