"""Until the queue is empty: what comes by itself is waited for, what needs somebody is not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import Action, Kind
from eadm_sync.app.context import Context, open_context
from eadm_sync.app.draining import drain
from eadm_sync.clock import FixedClock
from eadm_sync.config.keys import write_key_file
from eadm_sync.delivery.enqueueing import items
from eadm_sync.errors import NotFound, StateBusy
from eadm_sync.plan.change import Change

MORNING = datetime(2026, 8, 17, 4, tzinfo=UTC)
CONFIG = """
organisation: {name: Test}
rulesets: [rules.yaml]
sources:
  hr: {type: csv, files: {people: people.csv}, map: {people: {from: people, key: "{{ row.Nr }}"}}}
targets:
  ad: {type: embedded, path: ad.db, faults: {fail: [%s]}}
  web: {type: embedded, path: web.db}
"""
ONCE_AWAY = "{kind: unavailable, operations: [1], retry_after_seconds: 60}"
ONCE_FAILING = "{kind: transient, operations: [2], retry_after_seconds: 90}"
REFUSING = "{kind: rejected, every: 1}"
ALWAYS_AWAY = "{kind: unavailable, every: 1}"


@pytest.fixture
def installed(tmp_path: Path) -> Callable[..., tuple[Context, FixedClock]]:
    """An installation whose first target misbehaves as told, with three accounts in the queue."""

    def made(*faults: str) -> tuple[Context, FixedClock]:
        clock = FixedClock(MORNING)
        (tmp_path / "config.yaml").write_text(CONFIG % ", ".join(faults), encoding="utf-8")
        (tmp_path / "rules.yaml").write_text("ruleset: none\n", encoding="utf-8")
        write_key_file(tmp_path / "var" / "eadm-sync.key")
        context = open_context(tmp_path / "config.yaml", clock)
        with context.writing() as database, database.write() as connection:
            changes = (create("ad", "hr:1"), create("ad", "hr:2"), create("web", "hr:1"))
            context.queue.enqueue(connection, items(changes, context.vault))
        return context, clock

    return made


def create(target: str, person: str) -> Change:
    """A new account."""
    attributes: Any = {"username": (None, person)}
    return Change(target, Kind.ACCOUNT, Action.CREATE, person=person, attributes=attributes, enabled=True)


def sleeping(clock: FixedClock) -> Callable[[float], None]:
    """Time passes."""

    def sleep(seconds: float) -> None:
        clock.moment += timedelta(seconds=seconds)

    return sleep


def test_what_comes_by_itself_is_waited_for(installed: Callable[..., tuple[Context, FixedClock]]) -> None:
    """A target that is away, then a change that is tried again: all is delivered, and each target told of once."""
    context, clock = installed(ONCE_AWAY, ONCE_FAILING)
    told: list[str] = []

    reports = drain(context, limit_seconds=3600, progress=lambda step, *_: told.append(step), sleep=sleeping(clock))

    assert [(one.name, one.done, one.retried, one.left, one.is_complete) for one in reports] == [
        ("ad", 2, 1, 0, True),
        ("web", 1, 0, 0, True),
    ]
    assert timedelta(seconds=90) <= clock.moment - MORNING < timedelta(minutes=10)
    assert "waiting for ad: it is tried again in 60 s" in told


@pytest.mark.parametrize(
    ("fault", "dead", "left"),
    [
        (REFUSING, 2, 0),  # waits for an operator
        (ALWAYS_AWAY, 0, 2),  # the time is up
    ],
)
def test_it_ends_where_something_is_left(
    installed: Callable[..., tuple[Context, FixedClock]], fault: str, dead: int, left: int
) -> None:
    """What needs somebody is not waited for, and nothing longer than it may."""
    context, clock = installed(fault)

    ad, web = drain(context, limit_seconds=600, sleep=sleeping(clock))

    assert (ad.done, ad.dead, ad.left, ad.is_complete) == (0, dead, left, False)
    assert web.is_complete
    assert clock.moment - MORNING <= timedelta(seconds=600)


def test_an_absent_target_is_asked_once_more_when_the_time_is_up(
    installed: Callable[..., tuple[Context, FixedClock]],
) -> None:
    """Though its next probe would be later."""
    context, clock = installed(ONCE_AWAY)

    ad, _ = drain(context, limit_seconds=20, sleep=sleeping(clock))

    assert ad.is_complete
    assert clock.moment - MORNING == timedelta(seconds=20)


def test_a_retry_that_comes_too_late_is_not_waited_for(installed: Callable[..., tuple[Context, FixedClock]]) -> None:
    """No time passes."""
    context, clock = installed("{kind: transient, operations: [1], retry_after_seconds: 7200}")

    ad, _ = drain(context, limit_seconds=600, sleep=sleeping(clock))

    assert (ad.done, ad.left, clock.moment) == (1, 1, MORNING)


def test_a_paused_target_is_not_waited_for(installed: Callable[..., tuple[Context, FixedClock]]) -> None:
    """Its changes stay, and the report says so; no time passes."""
    context, clock = installed()
    with context.writing() as database, database.write() as connection:
        context.queue.pause(connection, "ad", "maintenance")

    ad, _ = drain(context, limit_seconds=600, sleep=sleeping(clock))

    assert (ad.left, clock.moment) == (2, MORNING)
    assert "maintenance" in (ad.error or "")


def test_one_target_is_drained_alone(installed: Callable[..., tuple[Context, FixedClock]]) -> None:
    """The other one's changes stay where they are; a name that is none is refused."""
    context, clock = installed(ALWAYS_AWAY)

    (web,) = drain(context, only="web", limit_seconds=600, sleep=sleeping(clock))

    assert (web.done, clock.moment) == (1, MORNING)
    with pytest.raises(NotFound):
        drain(context, only="wbe", limit_seconds=600)


def test_nobody_plans_meanwhile(installed: Callable[..., tuple[Context, FixedClock]]) -> None:
    """While it waits the lock of planning runs is held; and a planning run is not drained beside."""
    context, clock = installed(ONCE_AWAY)
    refused: list[str] = []

    def sleep(seconds: float) -> None:
        clock.moment += timedelta(seconds=seconds)
        with context.writing() as database, pytest.raises(StateBusy), database.run_lock():
            raise AssertionError
        refused.append("a plan")

    drain(context, limit_seconds=600, sleep=sleep)

    assert refused
    with context.writing() as database, database.run_lock(), pytest.raises(StateBusy):
        drain(context, limit_seconds=600)
