"""What operators see of items: where they are, how many, how fast they go; on every kind of queue."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from exportqueue import NewItem, Phase, TargetStats, Wanted


def new(key: str, *after: str, **values: Any) -> NewItem:
    """An item of ad that is as plain as can be but for what is named."""
    given = {"target": "ad", "operation": "update", "payload": b"", "format": "change/1", "subject": "p1"}
    return NewItem(object_key=key, after=after, **{**given, **values})


def fill(store: Any, *items: NewItem) -> None:
    """Enqueues items."""
    with store.begin() as conn:
        store.queue.enqueue(conn, items)


def stats(store: Any, **how: Any) -> list[TargetStats]:
    """The statistics."""
    with store.begin() as conn:
        return list(store.queue.stats(conn, **how))


@pytest.fixture
def queue(store: Any) -> Any:
    """An item in each phase, named after it; two are held, one directly and one behind it."""
    fill(store, new("dead"), new("retrying"), new("done"), new("dropped"), new("running"))
    with store.begin() as conn:
        items = {item.object_key: item for item in store.queue.claim(conn, "ad", limit=9, lease_seconds=60, worker="w")}
        store.queue.bury(conn, items["dead"], ValueError("no"))
        store.queue.retry(conn, items["retrying"], ValueError("no"), store.clock() + timedelta(minutes=1))
        store.queue.finish(conn, [items["done"]])
        store.queue.give_back(conn, [items["dropped"]])
        store.queue.drop(conn, [items["dropped"].id], "by hand")
    fill(store, new("held", "dead"), new("held too", "held"), new("waiting", "running"), new("ready"))
    fill(store, new("waiting for its day", not_before=store.clock() + timedelta(days=1)))
    fill(store, new("elsewhere", target="entra", subject="p2"))
    return store


@pytest.mark.parametrize("phase", list(Phase))
def test_each_item_is_in_one_phase(queue: Any, phase: Phase) -> None:
    """It is found, counted, shown and summed up under the same word."""
    wanted = Wanted(target="ad", phase=phase)
    with queue.begin() as conn:
        found = queue.queue.select(conn, wanted)
        shown = queue.queue.phases(conn, queue.queue.list(conn, "ad"))

        assert {item.object_key for item in found} == {
            "waiting": {"waiting", "waiting for its day"},
            "held": {"held", "held too"},
        }.get(phase, {phase.value})
        assert {item.id for item in found} == {item_id for item_id, where in shown.items() if where is phase}
        assert queue.queue.count(conn, wanted) == len(found)
        assert getattr(queue.queue.stats(conn)[0], phase, len(found)) == len(found)


def test_what_is_due_is_ready(queue: Any) -> None:
    """A retry, and what waited for its day, from their moment on."""
    queue.clock.forward(86_400)

    with queue.begin() as conn:
        ready = queue.queue.select(conn, Wanted(target="ad", phase=Phase.READY))
        assert {item.object_key for item in ready} == {"ready", "retrying", "waiting for its day"}
        assert queue.queue.count(conn, Wanted(phase=Phase.RETRYING)) == 0


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(object_key="held"), ["held"]),
        (Wanted(subject="p2"), ["elsewhere"]),
        (Wanted(target="entra"), ["elsewhere"]),
        (Wanted(target="entra", subject="p1"), []),  # conditions are combined
        (Wanted(object_key="done"), []),  # finished ones only where they are asked for
        (Wanted(object_key="done", phase=Phase.DONE), ["done"]),
    ],
)
def test_items_are_found_by_what_they_are(queue: Any, wanted: Wanted, found: list[str]) -> None:
    """By target, subject and object."""
    with queue.begin() as conn:
        assert [item.object_key for item in queue.queue.select(conn, wanted)] == found


@pytest.mark.parametrize(
    ("key", "behind"),
    [("dead", ["held", "held too"]), ("held", ["held too"]), ("running", ["waiting"]), ("ready", [])],
)
def test_what_waits_for_an_item_is_found(queue: Any, key: str, behind: list[str]) -> None:
    """Directly or through others."""
    with queue.begin() as conn:
        (item,) = queue.queue.select(conn, Wanted(object_key=key))

        assert [queue.queue.get(conn, found).object_key for found in queue.queue.behind(conn, [item.id])] == behind


def test_no_more_are_found_than_asked_for(queue: Any) -> None:
    """The first ones; all are counted."""
    with queue.begin() as conn:
        everything = queue.queue.select(conn, Wanted())

        assert queue.queue.select(conn, Wanted(), 2) == everything[:2]
        assert queue.queue.count(conn, Wanted()) == len(everything) == 9


def test_the_rate_is_that_of_the_last_minutes(store: Any) -> None:
    """Counted from the first that was done lately; forgotten after five minutes; each target has its own."""
    fill(store, *(new(f"k{n}") for n in range(30)), new("other", target="entra"))
    for target, seconds in (("ad", 10), ("ad", 10), ("entra", 10), ("ad", 0)):
        with store.begin() as conn:
            claimed = store.queue.claim(conn, target, limit=10, lease_seconds=60, worker="w")
            store.queue.finish(conn, claimed)
        store.clock.forward(seconds)

    assert [(one.target, one.rate_per_second) for one in stats(store)] == [("ad", 1.0), ("entra", 0.1)]
    assert stats(store, finished=False) == []
    store.clock.forward(301)
    assert stats(store) == []


def test_what_was_done_this_second_makes_no_monstrous_rate(store: Any) -> None:
    """It counts as that of one second."""
    fill(store, new("a"), new("b"))
    with store.begin() as conn:
        store.queue.finish(conn, store.queue.claim(conn, "ad", limit=9, lease_seconds=60, worker="w"))

    assert stats(store)[0].rate_per_second == 2.0
