"""What operators see of the queue, and what becomes of what they drop."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from eadm_sync.app import queueing
from eadm_sync.errors import NotFound
from eadm_sync.state import tables
from exportqueue import NewItem, OpenCircuit, TargetStats

if TYPE_CHECKING:
    from .conftest import Place


def fill(place: Place, *items: NewItem) -> None:
    """Puts items into the queue."""
    context = place.context
    with context.writing() as database, database.write() as connection:
        context.queue.enqueue(connection, items)


def new(key: str, *after: str, target: str = "ad", subject: str = "hr:x") -> NewItem:
    """An item that nobody will deliver."""
    return NewItem(target, key, "create account", b"", "none/1", subject, after)


def pending(place: Place) -> set[str]:
    """People whom the next run looks at whatever comes."""
    with place.context.reading() as database, database.read() as connection:
        return set(connection.scalars(select(tables.people.c.id).where(tables.people.c.pending)))


def people(place: Place) -> list[str]:
    """Some people."""
    with place.context.reading() as database, database.read() as connection:
        return list(connection.scalars(select(tables.people.c.id).order_by(tables.people.c.id).limit(2)))


@pytest.mark.parametrize(
    ("stats", "seconds"),
    [
        (TargetStats("ad", ready=30, waiting=10, retrying=10, rate_per_second=2.0), 25.0),
        (TargetStats("ad", ready=30, dead=4, held=6, rate_per_second=2.0), 15.0),  # those wait for somebody
        (TargetStats("ad", ready=30), None),  # nothing was done lately
        (TargetStats("ad", dead=4, rate_per_second=2.0), None),  # nothing is on its way
        (TargetStats("ad", ready=30, rate_per_second=2.0, paused="later"), None),
    ],
)
def test_the_remaining_time_is_that_of_what_is_on_its_way(stats: TargetStats, seconds: float | None) -> None:
    """At the pace of the last minutes; nobody can tell where nothing goes out."""
    assert queueing.remaining_seconds(stats) == seconds


def test_every_configured_target_is_counted(place: Place) -> None:
    """Also where nothing is queued; others only while something is."""
    place.clock.moment += timedelta(hours=1)
    fill(place, new("a", target="old"))
    context = place.context
    with context.writing() as database, database.write() as connection:
        context.queue.open_up(connection, OpenCircuit("older", place.clock.now(), place.clock.now(), 1, "gone"))

    assert [one.target for one in queueing.stats(context)] == ["ad", "entra", "google", "old"]
    (lane,) = queueing.lanes(context, ["old"])
    assert lane.is_orphan


def test_the_list_knows_how_many_there_are(place: Place) -> None:
    """The first ones, and the number of all; by target, object and state."""
    fill(place, new("a"), new("b", "a"), new("c", target="entra"))
    context = place.context

    first = queueing.listed(context, limit=1)

    assert ([one.object_key for one in first.items], first.total) == (["a"], 3)
    assert queueing.listed(context, target="ad").total == 2
    assert queueing.listed(context, object_key="b", phase="waiting").total == 1
    with pytest.raises(NotFound):
        queueing.listed(context, target="da")


def test_what_waited_for_a_dropped_change_is_named_and_looked_at_again(place: Place) -> None:
    """With those who were dropped, also the people whose changes go on without it."""
    one, other = people(place)
    fill(place, new("a", subject=one), new("b", "a", subject=other), new("c", "b", subject=other))
    context = place.context
    first, *_ = queueing.listed(context).items

    done = queueing.drop(context, [first.id], "a test")

    assert [item.object_key for item in done.done] == ["a"]
    assert [item.object_key for item in done.going_on] == ["b", "c"]
    assert {one, other} <= pending(place)
    assert queueing.listed(context, phase="ready").total == 1


def test_what_waits_can_be_dropped_too(place: Place) -> None:
    """But for what waits for something that cannot be dropped: that goes on as it was."""
    fill(place, new("a"), new("b", "a"), new("running"), new("after running", "running"))
    context = place.context
    with context.writing() as database, database.write() as connection:
        claimed = context.queue.claim(connection, "ad", limit=9, lease_seconds=60, worker="w")
        context.queue.give_back(connection, [item for item in claimed if item.object_key != "running"])
    asked = [item.id for item in queueing.listed(context).items if item.object_key in {"a", "running"}]

    done = queueing.drop(context, asked, "a test", with_waiting=True)

    assert {item.object_key for item in done.done} == {"a", "b"}
    assert (done.left, done.going_on) == ((asked[1],), ())
    assert {item.object_key for item in queueing.listed(context).items} == {"running", "after running"}


@pytest.mark.parametrize(("target", "orphans", "found"), [("ad", True, 0), ("old", True, 2), ("old", False, 0)])
def test_all_of_a_target_are_its_dead_letters(place: Place, target: str, orphans: bool, found: int) -> None:
    """Of a target that is gone, all that is queued, where it is asked for."""
    fill(place, new("a", target=target), new("b", "a", target=target))

    assert len(queueing.all_dead(place.context, target, orphans=orphans)) == found


def test_a_target_that_nobody_knows_has_nothing(place: Place) -> None:
    """It may be misspelt."""
    with pytest.raises(NotFound):
        queueing.all_dead(place.context, "da")


def test_ids_are_told_that_are_none(place: Place) -> None:
    """All of them, and nothing is done."""
    fill(place, new("a"))
    context = place.context
    (item,) = queueing.listed(context).items

    with pytest.raises(NotFound) as caught:
        queueing.drop(context, [item.id, 10**6, 10**6 + 1], "a test")

    assert caught.value.name == "1000000, 1000001"
    assert queueing.listed(context).total == 1
