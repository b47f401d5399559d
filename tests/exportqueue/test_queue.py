"""The contract that every kind of queue fulfils."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from exportqueue import Item, LeaseLost, NewItem, State, TargetStats, Unfinished, UnknownItem
from exportqueue.item import MAX_ERROR_LENGTH


def new(object_key: str, *after: str, **values: Any) -> NewItem:
    """An item that is as plain as can be but for what is named."""
    given = {"target": "ad", "operation": "update", "payload": b"\x00{}", "format": "change/1", "subject": "p1"}
    return NewItem(object_key=object_key, after=after, **{**given, **values})


def claim(store: Any, limit: int = 100, *, target: str = "ad", worker: str = "w1") -> Sequence[Item]:
    """What a worker gets in a transaction of its own."""
    with store.begin() as conn:
        items: Sequence[Item] = store.queue.claim(conn, target, limit=limit, lease_seconds=60, worker=worker)
        return items


def keys(items: Sequence[Item]) -> list[str]:
    """The object keys of items."""
    return [item.object_key for item in items]


def fill(store: Any, *items: NewItem) -> None:
    """Enqueues items in a transaction of their own."""
    with store.begin() as conn:
        store.queue.enqueue(conn, items)


def finish(store: Any, items: Sequence[Item]) -> frozenset[int]:
    """Finishes items in a transaction of their own."""
    with store.begin() as conn:
        finished: frozenset[int] = store.queue.finish(conn, items)
        return finished


def states(store: Any) -> dict[str, State]:
    """The state of the latest item of each object."""
    with store.begin() as conn:
        return {item.object_key: item.state for item in store.queue.list(conn, limit=10_000)}


def kill(store: Any, object_key: str) -> Item:
    """Makes a dead letter of the one ready item of an object."""
    (item,) = [item for item in claim(store) if item.object_key == object_key]
    with store.begin() as conn:
        store.queue.bury(conn, item, ValueError("no such unit"))
    return item


# ---------------------------------------------------------------- filling


def test_an_item_comes_out_as_it_went_in(store: Any):
    """Every field survives, payload bytes and Norwegian letters included."""
    given = new("a/ærlig", payload=bytes(range(256)), subject="p\tå\\n", priority=7)
    with store.begin() as conn:
        count = store.queue.enqueue(conn, [given], plan_id="plan", run_id="run")
    (item,) = claim(store)
    assert count == 1
    assert (item.payload, item.object_key, item.subject, item.priority) == (given.payload, "a/ærlig", given.subject, 7)
    assert (item.plan_id, item.run_id, item.format, item.operation) == ("plan", "run", "change/1", "update")
    assert (item.state, item.fence, item.attempts, item.worker) == (State.RUNNING, 1, 0, "w1")
    assert (item.created_at, item.started_at) == (store.clock(), store.clock())
    assert item.lease_until == store.clock() + timedelta(seconds=60)


def test_a_rolled_back_transaction_leaves_nothing(store: Any):
    """Items exist only if the caller's transaction commits."""

    def fail() -> None:
        with store.begin() as conn:
            store.queue.enqueue(conn, [new("a")])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert claim(store) == []


def test_enqueue_streams_across_chunks(store: Any):
    """Thousands of items from a generator keep their order and their prerequisites from one chunk to the next."""
    with store.begin() as conn:
        count = store.queue.enqueue(conn, (new(f"k{n % 1100}") for n in range(2300)))
    assert count == 2300
    first = claim(store, 5000)
    assert keys(first) == [f"k{n}" for n in range(1100)]
    finish(store, first)
    second = claim(store, 5000)
    assert len(second) == 1100
    finish(store, second)
    assert len(claim(store, 5000)) == 100


@pytest.mark.parametrize("calls", [1, 2], ids=["within one call", "across calls"])
def test_items_of_one_object_run_in_order(store: Any, calls: int):
    """A later item on an object waits for the earlier one."""
    items = [new("a", operation="create"), new("a", operation="update"), new("a", operation="delete")]
    for part in [items] if calls == 1 else [items[:1], items[1:]]:
        fill(store, *part)
    done = []
    while batch := claim(store):
        assert len(batch) == 1
        done.append(batch[0].operation)
        finish(store, batch)
    assert done == ["create", "update", "delete"]


def test_an_item_waits_for_all_its_prerequisites(store: Any):
    """A membership is ready when account and group are done, not before."""
    fill(store, new("account"), new("group"), new("membership", "account", "group", "group", "unknown"))
    account, group = claim(store)
    finish(store, [account])
    assert states(store)["membership"] is State.WAITING
    finish(store, [group])
    assert keys(claim(store)) == ["membership"]


def test_finished_prerequisites_are_satisfied(store: Any):
    """What is done already is not waited for."""
    fill(store, new("account"))
    finish(store, claim(store))
    fill(store, new("membership", "account"))
    assert keys(claim(store)) == ["membership"]


def test_targets_never_wait_for_one_another(store: Any):
    """The same key in another target is another object."""
    fill(store, new("a"), new("a", target="entra"), new("b", "a", target="google"))
    assert len(claim(store)) == len(claim(store, target="entra")) == len(claim(store, target="google")) == 1


# ---------------------------------------------------------------- delivering


def test_claims_go_by_priority_then_age(store: Any):
    """Lower priority numbers first; equals in the order of enqueueing; never more than the limit."""
    fill(store, new("late"), new("urgent", priority=1), new("later"))
    assert keys(claim(store, 2)) == ["urgent", "late"]
    assert keys(claim(store, 2)) == ["later"]


def test_a_prerequisite_outranks_priority(store: Any):
    """An urgent item still waits for what it needs."""
    fill(store, new("account", priority=200), new("membership", "account", priority=1))
    assert keys(claim(store)) == ["account"]


def test_two_workers_never_hold_one_item(store: Any):
    """What one has claimed the other does not get."""
    fill(store, *(new(f"k{n}") for n in range(10)))
    first, second = claim(store, 6), claim(store, 6, worker="w2")
    assert len(first) + len(second) == 10
    assert not {item.id for item in first} & {item.id for item in second}


def test_not_before_is_kept(store: Any):
    """An item with a not-before is claimed from that moment on."""
    fill(store, new("later", not_before=store.clock() + timedelta(seconds=10)))
    assert claim(store) == []
    store.clock.forward(10)
    assert keys(claim(store)) == ["later"]


def test_an_expired_lease_is_taken_over_and_fenced(store: Any):
    """The new holder has an attempt counted; the former one can do nothing any more."""
    fill(store, new("a"))
    (old,) = claim(store)
    store.clock.forward(59)
    assert claim(store, worker="w2") == []
    store.clock.forward(1)
    (taken,) = claim(store, worker="w2")
    assert (taken.attempts, taken.fence, taken.worker) == (1, 2, "w2")
    assert finish(store, [old]) == frozenset()
    with store.begin() as conn:
        assert store.queue.extend(conn, [old], 60) == []
        assert store.queue.give_back(conn, [old]) == frozenset()
        with pytest.raises(LeaseLost):
            store.queue.retry(conn, old, ValueError("x"), store.clock())
        with pytest.raises(LeaseLost) as caught:
            store.queue.bury(conn, old, ValueError("x"))
    assert caught.value.item_id == old.id
    assert finish(store, [taken]) == {taken.id}


def test_what_is_overdue_can_wait_for_the_rest_and_is_found_then(store: Any):
    """Expired leases and retries are claimed first, or else where nothing else is left; never missed."""
    fill(store, new("a"), new("retried", not_before=store.clock() + timedelta(seconds=60)))
    (old,) = claim(store)
    fill(store, new("b"), new("c"))
    store.clock.forward(60)
    with store.begin() as conn:
        held = {"lease_seconds": 60, "worker": "w2", "overdue_first": False}
        assert keys(store.queue.claim(conn, "ad", limit=2, **held)) == ["b", "c"]
        (taken, retried) = store.queue.claim(conn, "ad", limit=9, **held)
    assert (taken.id, taken.attempts, retried.object_key) == (old.id, 1, "retried")


def test_a_late_holder_finishes_what_nobody_took(store: Any):
    """An expired lease alone costs nothing."""
    fill(store, new("a"))
    batch = claim(store)
    store.clock.forward(600)
    assert finish(store, batch) == {batch[0].id}


def test_an_extended_lease_lasts_longer(store: Any):
    """A heartbeat keeps items from others."""
    fill(store, new("a"))
    batch = claim(store)
    store.clock.forward(50)
    with store.begin() as conn:
        (kept,) = store.queue.extend(conn, batch, 60)
    store.clock.forward(50)
    assert kept.lease_until == store.clock() + timedelta(seconds=10)
    assert claim(store, worker="w2") == []


def test_an_item_is_finished_once(store: Any):
    """A second finish is not a finish, and counts nothing down twice."""
    fill(store, new("a"), new("b"), new("c", "a", "b"))
    batch = claim(store)
    finish(store, batch[:1])
    assert finish(store, batch[:1]) == frozenset()
    assert states(store)["c"] is State.WAITING


def test_a_retry_spends_an_attempt_and_waits(store: Any):
    """The error is kept, truncated; the item comes back when it is due, with what depends on it still waiting."""
    fill(store, new("a"), new("a"))
    (item,) = claim(store)
    with store.begin() as conn:
        store.queue.retry(conn, item, ValueError("x" * 5000), store.clock() + timedelta(seconds=30))
    assert claim(store) == []
    store.clock.forward(30)
    (again,) = claim(store)
    assert (again.id, again.attempts, again.fence) == (item.id, 1, 2)
    assert again.last_error is not None
    assert again.last_error.startswith("ValueError: xxx")
    assert len(again.last_error) == MAX_ERROR_LENGTH


def test_giving_back_spends_nothing(store: Any):
    """An item given back is as it was; with a not-before it waits for that."""
    fill(store, new("a"))
    batch = claim(store)
    with store.begin() as conn:
        assert store.queue.give_back(conn, batch) == {batch[0].id}
    (again,) = claim(store)
    assert again.attempts == 0
    with store.begin() as conn:
        store.queue.give_back(conn, [again], not_before=store.clock() + timedelta(seconds=5))
    assert claim(store) == []
    store.clock.forward(5)
    assert len(claim(store)) == 1


def test_what_only_some_workers_hold_is_recovered(store: Any):
    """Those who are gone; what the others hold stays with them, and so does what is done."""
    fill(store, *(new(key) for key in "abc"))
    for worker in ("gone", "alive", "done"):
        held = claim(store, 1, worker=worker)
    finish(store, held)
    with store.begin() as conn:
        assert store.queue.recover(conn, "ad", is_gone=lambda worker: worker != "alive") == 1
    assert states(store) == {"a": State.READY, "b": State.RUNNING, "c": State.DONE}


def test_a_lone_worker_recovers_at_once(store: Any):
    """Who knows that nobody else is alive need not wait for leases; the former holder is fenced off."""
    fill(store, new("a"), new("b", target="entra"))
    (old,) = claim(store)
    claim(store, target="entra")
    with store.begin() as conn:
        assert store.queue.recover(conn, "ad") == 1
    assert finish(store, [old]) == frozenset()
    (again,) = claim(store)
    assert (again.attempts, again.fence) == (0, 2)
    assert states(store)["b"] is State.RUNNING


# ---------------------------------------------------------------- dead letters


def test_a_dead_letter_holds_its_dependents_and_says_so(store: Any):
    """Directly or through others, what waits for a dead item names it."""
    fill(store, new("a"), new("b", "a"), new("c", "b"), new("other"))
    dead = kill(store, "a")
    with store.begin() as conn:
        ids = {item.object_key: item.id for item in store.queue.list(conn)}
        assert keys(store.queue.held_by(conn, ids["b"])) == ["a"]
        assert [item.id for item in store.queue.held_by(conn, ids["c"])] == [dead.id]
        assert store.queue.held_by(conn, ids["other"]) == []
        assert keys(store.queue.prerequisites(conn, ids["c"])) == ["b"]
        buried = store.queue.get(conn, dead.id)
    assert (buried.state, buried.attempts, buried.last_error) == (State.DEAD, 1, "ValueError: no such unit")
    assert buried.finished_at is None


def test_resurrection_gives_all_attempts_back(store: Any):
    """A dead item becomes ready; others are left alone."""
    fill(store, new("a"), new("b", "a"))
    dead = kill(store, "a")
    with store.begin() as conn:
        ids = [item.id for item in store.queue.list(conn)]
        assert store.queue.resurrect(conn, [*ids, 999]) == {dead.id}
    (again,) = claim(store)
    assert (again.id, again.attempts) == (dead.id, 0)
    finish(store, [again])
    assert keys(claim(store)) == ["b"]


def test_dropping_releases_what_waited(store: Any):
    """A dropped dead letter no longer holds anybody, and keeps its reason."""
    fill(store, new("a"), new("b", "a"))
    dead = kill(store, "a")
    with store.begin() as conn:
        assert store.queue.drop(conn, [dead.id], "unit was closed") == {dead.id}
        dropped = store.queue.get(conn, dead.id)
    assert (dropped.state, dropped.reason) == (State.DROPPED, "unit was closed")
    assert keys(claim(store)) == ["b"]


def test_running_and_finished_items_cannot_be_dropped(store: Any):
    """Only what nobody is at work on, and what is not settled, can be dropped."""
    fill(store, new("done"))
    finish(store, claim(store))
    fill(store, new("running"))
    claim(store)
    with store.begin() as conn:
        assert store.queue.drop(conn, [item.id for item in store.queue.list(conn)], "x") == frozenset()


def test_order_survives_a_dropped_link(store: Any):
    """What waited for a chain of dropped items waits for what the chain waited for."""
    fill(store, new("a"), new("b", "a"), new("c", "b"), new("d", "c"))
    running = claim(store)
    with store.begin() as conn:
        ids = {item.object_key: item.id for item in store.queue.list(conn)}
        store.queue.drop(conn, [ids["b"]], "x")
        store.queue.drop(conn, [ids["c"]], "x")
        assert "a" in keys(store.queue.prerequisites(conn, ids["d"]))
    assert claim(store) == []
    finish(store, running)
    assert keys(claim(store)) == ["d"]


# ---------------------------------------------------------------- superseding


def test_superseding_drops_what_is_not_started(store: Any):
    """Waiting, ready and dead items of the subjects go; running ones stay and are reported."""
    fill(store, new("dead", subject="p1"))
    kill(store, "dead")
    fill(store, new("running", subject="p2"))
    claim(store)
    fill(
        store,
        new("running", subject="p2"),  # waits for the running one
        new("ready", subject="p1"),
        new("theirs", "ready", subject="p3"),
    )
    with store.begin() as conn:
        superseded = store.queue.supersede(conn, {"p1", "p2", "nobody"})
        left = {(u.object_key, u.state) for u in store.queue.unfinished(conn)}
    assert (superseded.dropped, superseded.running) == (3, {"p2"})
    assert left == {("running", State.RUNNING), ("theirs", State.READY)}


def test_a_new_plan_waits_for_what_is_running(store: Any):
    """Superseding and enqueueing anew in one transaction keeps the order on the object."""
    fill(store, new("a"))
    running = claim(store)
    with store.begin() as conn:
        store.queue.supersede(conn, ["p1"])
        store.queue.enqueue(conn, [new("a", operation="newer")])
    assert claim(store) == []
    finish(store, running)
    assert [item.operation for item in claim(store)] == ["newer"]


def test_unfinished_lists_subjects(store: Any):
    """All unfinished items, or those of the subjects asked for."""
    fill(store, new("a", subject="p1"), new("b", "a", subject="p2"))
    with store.begin() as conn:
        everything = list(store.queue.unfinished(conn))
        some = list(store.queue.unfinished(conn, ["p2", "p9"]))
        nobody = list(store.queue.unfinished(conn, []))
    assert len(everything) == 2
    assert some == [Unfinished("p2", "ad", "b", State.WAITING)]
    assert nobody == []


def test_tried_items_are_those_that_may_have_had_an_effect(store: Any):
    """Claimed once and unfinished, but not at work: given back, failed, dead; for all subjects or some."""
    fill(store, *(new(key, subject=f"p{number}") for number, key in enumerate("abcde")))
    given_back, failed, dead, done = claim(store, 4)
    with store.begin() as conn:
        assert list(store.queue.tried(conn)) == []
    with store.begin() as conn:
        store.queue.give_back(conn, [given_back])
        store.queue.retry(conn, failed, TimeoutError(), store.clock())
        store.queue.bury(conn, dead, TimeoutError())
        store.queue.finish(conn, [done])

    with store.begin() as conn:
        assert [item.object_key for item in store.queue.tried(conn)] == ["a", "b", "c"]
        assert [item.object_key for item in store.queue.tried(conn, ["p1", "p4"])] == ["b"]
        assert [item.object_key for item in store.queue.tried(conn, None, ["update"])] == ["a", "b", "c", "e"]
        assert list(store.queue.tried(conn, ["p4"], ["delete"])) == []
        store.queue.supersede(conn, ["p0", "p1", "p2"])
        assert list(store.queue.tried(conn)) == []


# ---------------------------------------------------------------- operating


def test_a_paused_target_gives_nothing(store: Any):
    """Pause stops claims of one target, expired leases included; resume lets them go on."""
    fill(store, new("a"), new("b"), new("c", target="entra"))
    claim(store, 1)
    store.clock.forward(3600)
    with store.begin() as conn:
        store.queue.pause(conn, "ad", "maintenance")
        store.queue.pause(conn, "ad", "moving house")
        assert store.queue.stats(conn)[0].paused == "moving house"
    assert claim(store) == []
    assert len(claim(store, target="entra")) == 1
    with store.begin() as conn:
        store.queue.resume(conn, "ad")
        store.queue.resume(conn, "ad")
    assert len(claim(store)) == 2


def test_stats_count_every_item_once(store: Any):
    """The six numbers exclude one another and add up."""
    fill(store, new("dead"))
    kill(store, "dead")
    fill(store, new("held", "dead"), new("held too", "held"), new("retrying"))
    (failing,) = claim(store)
    with store.begin() as conn:
        store.queue.retry(conn, failing, ValueError("x"), store.clock() + timedelta(hours=2))
    fill(store, new("done"))
    finish(store, claim(store))
    store.clock.forward(60)
    fill(store, new("running"))
    claim(store)
    fill(store, new("running"), new("later", not_before=store.clock() + timedelta(hours=1)), new("r1"), new("r2"))
    with store.begin() as conn:
        (stats,) = store.queue.stats(conn)
    assert stats == TargetStats(
        "ad",
        ready=2,
        waiting=2,
        running=1,
        retrying=1,
        dead=1,
        held=2,
        oldest=store.clock() - timedelta(seconds=60),
        rate_per_second=1 / 60,
        paused=None,
    )


def test_stats_forget_what_is_long_done(store: Any):
    """A target without unfinished or recent items is not listed."""
    fill(store, new("a"))
    finish(store, claim(store))
    store.clock.forward(3601)
    with store.begin() as conn:
        assert store.queue.stats(conn) == []


@pytest.mark.parametrize(
    ("conditions", "found"),
    [
        ({}, ["a", "b", "c"]),
        ({"limit": 1}, ["a"]),
        ({"target": "entra"}, ["c"]),
        ({"state": State.WAITING}, ["b"]),
        ({"subject": "p2"}, ["b"]),
        ({"subject": "p2", "state": State.DEAD}, []),  # conditions are combined
    ],
)
def test_list_filters(store: Any, conditions: dict[str, Any], found: list[str]):
    """Items are found by target, state and subject, in order, up to a limit."""
    fill(store, new("a"), new("b", "a", subject="p2"), new("c", target="entra"))
    with store.begin() as conn:
        assert keys(store.queue.list(conn, **conditions)) == found


def test_an_unknown_item_is_an_error(store: Any):
    """Asking for what is not there says so."""
    with store.begin() as conn, pytest.raises(UnknownItem) as caught:
        store.queue.get(conn, 17)
    assert caught.value.item_id == 17


def test_purge_removes_finished_items_only(store: Any):
    """Done and dropped items go, oldest first and in small batches; whatever is unfinished stays."""
    for key in ("a", "b", "c"):
        fill(store, new(key), new(f"{key}+", key, not_before=store.clock() + timedelta(days=1)))
        finish(store, claim(store))
        store.clock.forward(60)
    with store.begin() as conn:
        assert store.queue.purge(conn, store.clock() - timedelta(seconds=60), limit=1) == 1
        assert store.queue.purge(conn, store.clock() - timedelta(seconds=60), limit=10) == 1
        left = store.queue.list(conn)
        waits = {item.object_key: keys(store.queue.prerequisites(conn, item.id)) for item in left}
    assert waits["c+"] == ["c"]
    assert "a" not in waits
    assert "b" not in waits


def test_ids_are_never_used_again(store: Any):
    """A purged item's id does not come back."""
    fill(store, new("a"))
    (first,) = claim(store)
    finish(store, [first])
    store.clock.forward(1)
    with store.begin() as conn:
        store.queue.purge(conn, store.clock(), limit=10)
    fill(store, new("b"))
    assert claim(store)[0].id > first.id


def test_nothing_in_nothing_out(store: Any):
    """Empty collections are legal everywhere."""
    with store.begin() as conn:
        assert store.queue.enqueue(conn, []) == 0
        assert store.queue.finish(conn, []) == frozenset()
        assert store.queue.extend(conn, [], 60) == []
        assert store.queue.give_back(conn, []) == frozenset()
        assert store.queue.drop(conn, [], "x") == frozenset()
        assert store.queue.supersede(conn, []).dropped == 0
        assert store.queue.purge(conn, store.clock(), limit=5) == 0
        assert store.queue.stats(conn) == []
