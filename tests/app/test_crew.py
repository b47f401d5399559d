"""Crews of workers: many targets at once, slots across crews, and going on whatever fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from connectors.contract import Action, Capabilities, Kind, Operation, Outcome, Target
from connectors.errors import Unavailable
from eadm_sync.app.context import Context
from eadm_sync.app.delivering import Crew, TargetReport, deliver_all
from eadm_sync.clock import SystemClock
from eadm_sync.config.keys import write_key_file
from eadm_sync.config.loading import load_settings
from eadm_sync.delivery.enqueueing import items
from eadm_sync.errors import StateError
from eadm_sync.plan.change import Change
from eadm_sync.state import tables
from eadm_sync.state.database import Database
from tests.postgresql import CUT_LOCKS, Server

CONFIG = """
organisation: {name: Test}
rulesets: [rules.yaml]
sources:
  hr: {type: csv, files: {people: people.csv}, map: {people: {from: people, key: "{{ row.Nr }}"}}}
targets:
  ad: {type: embedded, path: ad.db, concurrency: 2}
  entra: {type: embedded, path: entra.db}
"""


@dataclass
class Remote:
    """A service far away that any number of targets can be opened to, and what happened to it.

    Attributes:
        act: Called with each batch before it is answered.
        at_once: The most batches it was asked for at the same time.
        effects: What was carried out, in order.
        opened: How often somebody tried to open a target.
        refuses: Why it cannot be opened, or None.
    """

    act: Callable[[list[Operation]], None] = lambda _: None
    at_once: int = 0
    effects: list[str] = field(default_factory=list)
    opened: int = 0
    refuses: Exception | None = None
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def apply(self, operations: list[Operation]) -> list[Outcome]:
        """Carries a batch out."""
        with self._lock:
            self._now += 1
            self.at_once = max(self.at_once, self._now)
        try:
            self.act(operations)
            with self._lock:
                self.effects += [operation.owner or "" for operation in operations]
            return [Outcome(operation.id, None, f"anchor of {operation.owner}") for operation in operations]
        finally:
            with self._lock:
                self._now -= 1


@dataclass
class Line:
    """A target: one connection to the service."""

    remote: Remote
    capabilities: Capabilities

    def __enter__(self) -> Self:
        self.remote.opened += 1
        if self.remote.refuses is not None:
            raise self.remote.refuses
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def apply(self, operations: list[Operation]) -> Iterator[Outcome]:
        """One outcome each."""
        yield from self.remote.apply(list(operations))


@dataclass
class Town(Context):
    """An installation whose targets are services of the test."""

    remotes: dict[str, Remote] = field(default_factory=dict)
    at_once: int = 2

    def make_target(self, name: str) -> Target:
        """A connection to the target's service, two changes in a batch."""
        able = replace(super().make_target(name).capabilities, concurrency=self.at_once, batch_size=2)
        line: Any = Line(self.remotes.setdefault(name, Remote()), able)
        target: Target = line
        return target

    def use(self, url: str) -> None:
        """Keeps the state elsewhere."""
        settings = self.loaded.settings
        state = settings.state.model_copy(update={"url": url})
        self.loaded = replace(self.loaded, settings=settings.model_copy(update={"state": state}))

    def left(self, database: Database) -> int:
        """How many changes are not done."""
        with database.read() as connection:
            return sum(1 for _ in self.queue.unfinished(connection))

    def enqueue(self, database: Database, target: str, *people: str) -> None:
        """Queues new accounts."""
        changes = [
            Change(target, Kind.ACCOUNT, Action.CREATE, person=person, attributes={"username": (None, person)})
            for person in people
        ]
        with database.write() as connection:
            self.queue.enqueue(connection, items(changes, self.vault), plan_id=None, run_id="run-1")


@pytest.fixture
def town(tmp_path: Path) -> Town:
    """Two targets that do as they are told."""
    (tmp_path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "rules.yaml").write_text("ruleset: none\n", encoding="utf-8")
    write_key_file(tmp_path / "var" / "eadm-sync.key")
    made = Town(load_settings(tmp_path / "config.yaml"), SystemClock(), "test")
    made.remotes = {"ad": Remote(), "entra": Remote()}
    return made


@pytest.fixture
def database(town: Town) -> Iterator[Database]:
    """An empty state."""
    with town.writing() as opened:
        yield opened


@pytest.fixture
def crews(town: Town, database: Database) -> Iterator[Callable[..., Crew]]:
    """Starts crews that go on until they are stopped, and stops them in the end."""
    with ExitStack() as stack:

        def started(**options: Any) -> Crew:
            crew = Crew(town, database, until_empty=False, **options)
            crew.start()
            stack.callback(crew.wait, 20)
            stack.callback(crew.stop)
            return crew

        yield started


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Waits until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.01)


def test_targets_are_served_at_once(town: Town, database: Database):
    """A target that takes its time does not keep the others waiting."""
    both = threading.Barrier(2, timeout=20)
    for name, remote in town.remotes.items():
        remote.act = lambda _: both.wait() and None
        town.enqueue(database, name, "hr:1")

    reports = deliver_all(town, database)

    assert reports == (TargetReport("ad", done=1), TargetReport("entra", done=1))


def test_a_target_has_as_many_workers_as_slots(town: Town, database: Database):
    """Two here, whatever crews there are; each change is carried out once."""
    people = [f"hr:{number}" for number in range(40)]
    remote = town.remotes["ad"]

    def act(_: list[Operation]) -> None:
        until(lambda: remote.at_once >= 2)  # the first waits for the second
        time.sleep(0.02)  # time for a third that must not come

    remote.act = act
    town.enqueue(database, "ad", *people)
    crews = [Crew(town, database, until_empty=True) for _ in range(3)]
    for crew in crews:
        crew.start()

    assert all(crew.wait(30) for crew in crews)

    assert sum(crew.reports()[0].done for crew in crews) == 40
    assert sorted(town.remotes["ad"].effects) == sorted(people)
    assert town.remotes["ad"].at_once == 2


def test_concurrency_is_capped_by_what_the_connector_allows(town: Town):
    """Two are configured; `embedded` itself allows one."""
    assert (town.concurrency("ad"), town.concurrency("entra")) == (2, 1)

    town.at_once = 1
    del town.__dict__["_unopened_targets"]

    assert town.concurrency("ad") == 1


def test_an_idle_crew_finds_new_work_within_a_second_or_so(town: Town, database: Database, crews: Callable[..., Crew]):
    """Without being told, and without opening a target before there is anything."""
    crew = crews()
    until(lambda: all(one.holding == one.workers for one in crew.health()))
    assert town.remotes["ad"].opened == 0

    began = time.monotonic()
    town.enqueue(database, "ad", "hr:1")
    until(lambda: town.remotes["ad"].effects == ["hr:1"])

    assert time.monotonic() - began < 20  # half a second on average; the machine may be busy
    until(lambda: crew.health()[0].done == 1)


def test_a_stopped_crew_finishes_what_it_has_begun(town: Town, database: Database, crews: Callable[..., Crew]):
    """And nothing else: the rest stays ready for others."""
    begun, go_on = threading.Event(), threading.Event()

    def act(_: list[Operation]) -> None:
        begun.set()
        assert go_on.wait(20)

    town.at_once = 1
    town.remotes["entra"].act = act
    town.enqueue(database, "entra", *(f"hr:{number}" for number in range(6)))
    crew = crews(only=("entra",))
    assert begun.wait(20)

    crew.stop()
    ended_early = crew.wait(0.2)
    go_on.set()

    assert not ended_early
    assert crew.wait(20)
    assert town.remotes["entra"].effects == ["hr:0", "hr:1"]
    with database.read() as connection:
        (stats,) = town.queue.stats(connection, finished=False)
    assert (stats.ready, stats.running) == (4, 0)


def test_a_slot_is_taken_over_when_its_holder_is_gone(town: Town, database: Database, crews: Callable[..., Crew]):
    """With what the holder had claimed, long before its lease would end."""
    lock = database.try_lock("slot-entra-0")
    assert lock
    town.enqueue(database, "entra", "hr:1", "hr:2")
    with database.write() as connection:
        town.queue.claim(connection, "entra", limit=9, lease_seconds=3600, worker="entra#0@elsewhere:1")
    crew = crews(only=("entra",))
    until(lambda: crew.health()[0].seen_at)
    assert crew.health()[0].holding == 0

    lock.release()

    until(lambda: sorted(town.remotes["entra"].effects) == ["hr:1", "hr:2"])
    with database.read() as connection:
        assert {item.attempts for item in town.queue.list(connection)} == {0}


def test_a_target_that_cannot_be_opened_is_tried_again(town: Town, database: Database, crews: Callable[..., Crew]):
    """It is away until it can be: told of with its error, and not asked all the time."""
    remote = town.remotes["entra"]
    remote.refuses, began = Unavailable("no route to host", retry_after_seconds=1.5), time.monotonic()
    town.enqueue(database, "entra", "hr:1")
    crew = crews(only=("entra",))
    until(lambda: crew.health()[0].circuit)
    (health,) = crew.health()
    tried, remote.refuses, read_at = remote.opened, None, time.monotonic()

    until(lambda: remote.effects == ["hr:1"])

    assert health.error == "no route to host"
    assert tried <= 1 + (read_at - began) / 1.5
    until(lambda: crew.health()[0].circuit is None)
    with database.read() as connection:
        assert {item.attempts for item in town.queue.list(connection)} == {0}


def test_a_worker_that_fails_unforeseen_begins_again(town: Town, database: Database, crews: Callable[..., Crew]):
    """A thread is never lost silently: health tells of the failure until it works again."""
    town.enqueue(database, "entra", "hr:1")
    with database.write() as connection:
        connection.execute(text("ALTER TABLE audit RENAME TO hidden"))
    crew = crews(only=("entra",))
    until(lambda: crew.health()[0].error)
    assert crew.health()[0].alive == 1

    with database.write() as connection:
        connection.execute(text("ALTER TABLE hidden RENAME TO audit"))

    until(lambda: crew.health()[0].done == 1)
    assert crew.health()[0].error is None
    with database.read() as connection:
        assert [row.person_id for row in connection.execute(tables.audit.select())] == ["hr:1"]


def test_a_state_that_fails_ends_a_delivery_with_its_error(town: Town, database: Database):
    """Whoever called for it is told."""
    town.enqueue(database, "entra", "hr:1")
    with database.write() as connection:
        connection.execute(text("ALTER TABLE audit RENAME TO hidden"))

    with pytest.raises(StateError, match="audit"):
        deliver_all(town, database)


def test_an_interrupted_delivery_records_what_is_in_flight(town: Town, database: Database):
    """The rest is left; the interruption goes on to whoever called."""
    town.at_once = 1
    told: list[int] = []

    def interrupt(_step: str, done: int, _total: int | None) -> None:
        told.append(done)
        raise KeyboardInterrupt

    town.remotes["entra"].act = lambda _: time.sleep(0.05)
    town.enqueue(database, "entra", *(f"hr:{number}" for number in range(100)))

    with pytest.raises(KeyboardInterrupt):
        deliver_all(town, database, interrupt)

    with database.read() as connection:
        (stats,) = town.queue.stats(connection, finished=False)
        told_of = len(connection.execute(tables.audit.select()).all())
    assert stats.running == 0
    assert told_of == len(town.remotes["entra"].effects) == 100 - stats.ready < 100


def test_a_target_that_is_away_is_one_fact_for_all_workers(town: Town, database: Database):
    """One probe at a time, whoever asks; a delivery that is called for probes at once."""
    asked: list[datetime] = []

    def away(_: list[Operation]) -> None:
        asked.append(datetime.now(UTC))
        raise Unavailable("down")

    town.remotes["ad"].act = away
    town.enqueue(database, "ad", *(f"hr:{number}" for number in range(20)))
    (first,) = deliver_all(town, database)
    began = len(asked)

    (second,) = deliver_all(town, database)

    assert (first.error, second.error) == ("down", "down")
    assert (first.left, second.left) == (20, 20)
    assert began <= 2  # both workers may have had a batch in hand
    assert len(asked) == began + 1
    with database.read() as connection:
        circuit = town.queue.open_circuit(connection, "ad")
        assert {item.attempts for item in town.queue.list(connection)} == {0}
    assert circuit
    assert circuit.failures == 2

    town.remotes["ad"].act = lambda _: None
    assert deliver_all(town, database) == (TargetReport("ad", done=20),)
    with database.read() as connection:
        assert town.queue.open_circuit(connection, "ad") is None


def test_a_crew_outlives_a_restart_of_the_database(town: Town, lone_postgresql: Server):
    """It waits until the state is there again, and takes up what it had in hand; nothing is blamed for it."""
    people = [f"hr:{number}" for number in range(60)]
    town.remotes["ad"].act = lambda _: time.sleep(0.02)
    town.use(lone_postgresql.url)
    with town.writing() as database:
        town.enqueue(database, "ad", *people)
        crew = Crew(town, database, until_empty=False)
        crew.start()
        try:
            until(lambda: len(town.remotes["ad"].effects) > 10)
            lone_postgresql.stop()
            until(lambda: crew.health()[0].error)
            broken = crew.health()
            lone_postgresql.start()
            until(lambda: set(town.remotes["ad"].effects) == set(people), 60)
            until(lambda: town.left(database) == 0)
        finally:
            crew.stop()
            assert crew.wait(30)
        with database.read() as connection:
            done = town.queue.list(connection, limit=1000)
            told = [row.person_id for row in connection.execute(tables.audit.select())]
    assert "the state database failed" in (broken[0].error or "")
    assert broken[0].alive == 2
    assert sorted(told) == sorted(people)
    assert {item.attempts for item in done} == {0}


def test_a_lost_slot_is_got_again(town: Town, postgresql_url: str):
    """Its session was ended: nothing more is claimed until the slot is held anew."""
    town.use(postgresql_url)
    with town.writing() as database:
        crew = Crew(town, database, only=("entra",), until_empty=False)
        crew.start()
        try:
            until(lambda: crew.health()[0].holding)
            with database.write() as connection:
                connection.execute(text(CUT_LOCKS))
            town.enqueue(database, "entra", "hr:1")
            until(lambda: town.remotes["entra"].effects == ["hr:1"])
            until(lambda: crew.health()[0].holding)
        finally:
            crew.stop()
            assert crew.wait(30)
