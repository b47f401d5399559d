from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import Action, Kind
from eadm_sync.app.context import Context, open_context
from eadm_sync.app.delivering import Crew, TargetReport, deliver_all
from eadm_sync.clock import FixedClock
from eadm_sync.config.keys import write_key_file
from eadm_sync.delivery.enqueueing import items
from eadm_sync.delivery.settling import unsettled
from eadm_sync.plan.change import Change
from eadm_sync.state.database import Database

CONFIG = """
organisation: {name: Test}
rulesets: [rules.yaml]
sources:
  hr: {type: csv, files: {people: people.csv}, map: {people: {from: people, key: "{{ row.Nr }}"}}}
targets:
  ad: {type: embedded, path: ad.db}
  files: {type: file, path: files, format: jsonl}
"""


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """Two targets, and a source that nobody reads."""
    (tmp_path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "rules.yaml").write_text("ruleset: none\n", encoding="utf-8")
    write_key_file(tmp_path / "var" / "eadm-sync.key")
    return open_context(tmp_path / "config.yaml", FixedClock(datetime(2026, 8, 17, 4, tzinfo=UTC)))


@pytest.fixture
def database(context: Context) -> Iterator[Database]:
    """An empty state."""
    with context.writing() as opened:
        yield opened


def create(target: str, person: str) -> Change:
    """A new account."""
    attributes: Any = {"username": (None, person)}
    return Change(target, Kind.ACCOUNT, Action.CREATE, person=person, attributes=attributes, enabled=True)


def enqueue(context: Context, database: Database, *changes: Change) -> None:
    """Puts changes into the queue."""
    with database.write() as connection:
        context.queue.enqueue(connection, items(changes, context.vault), plan_id=None, run_id="run-1")


def test_a_target_with_nothing_to_do_is_not_opened(context: Context, database: Database):
    """Nor is it reported on; its file is not even made."""
    enqueue(context, database, create("ad", "hr:1"))

    reports = deliver_all(context, database)

    assert reports == (TargetReport("ad", done=1),)
    assert not context.loaded.path(Path("files")).exists()
    assert deliver_all(context, database) == ()


def test_delivered_targets_are_settled(context: Context, database: Database):
    """Closed in good order, they are not visited again."""
    enqueue(context, database, create("ad", "hr:1"), create("files", "hr:1"))

    deliver_all(context, database)

    with database.read() as connection:
        assert unsettled(connection, ("ad", "files")) == {}


def test_a_target_that_could_not_be_closed_is_visited_again(context: Context, database: Database):
    """Its files could not be written: the run says so, and the next one makes them."""
    enqueue(context, database, create("files", "hr:1"))
    folder = context.loaded.path(Path("files"))
    obstacle = folder / ".accounts.jsonl.tmp"
    obstacle.mkdir(parents=True)

    (first,) = deliver_all(context, database)
    obstacle.rmdir()
    (second,) = deliver_all(context, database)

    assert first.done == 1
    assert first.left == 0
    assert first.error
    assert second == TargetReport("files")
    assert "hr:1" in (folder / "accounts.jsonl").read_text(encoding="utf-8")
    assert deliver_all(context, database) == ()


def test_a_paused_target_keeps_its_changes(context: Context, database: Database):
    """Reported as left, not delivered; resumed, they are."""
    enqueue(context, database, create("ad", "hr:1"), create("files", "hr:1"))
    with database.write() as connection:
        context.queue.pause(connection, "ad", "maintenance")

    paused = deliver_all(context, database)
    with database.write() as connection:
        context.queue.resume(connection, "ad")
    resumed = deliver_all(context, database)

    why = "paused (maintenance); it goes on after 'eadm-sync queue resume ad'"
    assert paused == (TargetReport("ad", left=1, error=why), TargetReport("files", done=1))
    assert resumed == (TargetReport("ad", done=1),)


def test_what_a_dead_process_had_claimed_is_delivered_at_once(context: Context, database: Database):
    """Whoever gets its slot knows that it is gone: its lease need not run out, and no attempt is spent."""
    enqueue(context, database, create("ad", "hr:1"))
    with database.write() as connection:
        (claimed,) = context.queue.claim(connection, "ad", limit=9, lease_seconds=3600, worker="ad#0@gone:1")

    reports = deliver_all(context, database)

    with database.read() as connection:
        item = context.queue.get(connection, claimed.id)
    assert reports == (TargetReport("ad", done=1),)
    assert item.attempts == 0


def test_what_a_living_process_has_claimed_is_left_to_it_and_waited_for(context: Context, database: Database):
    """A slot that somebody holds is not taken from them; who delivers beside them ends when they have."""
    enqueue(context, database, create("ad", "hr:1"))
    lock = database.try_lock("slot-ad-0", "somebody")
    assert lock
    with database.write() as connection:
        (claimed,) = context.queue.claim(connection, "ad", limit=1, lease_seconds=3600, worker="ad#0@alive:1")
    crew = Crew(context, database, until_empty=True)
    crew.start()

    ended_early = crew.wait(0.3)
    with database.write() as connection:
        context.queue.finish(connection, [claimed])

    assert not ended_early
    assert crew.wait(10)
    assert crew.reports() == (TargetReport("ad"),)
    assert lock.is_held()
    lock.release()


def test_a_target_that_is_not_configured_any_more_is_left_alone(context: Context, database: Database):
    """Its changes stay where they are, for an operator to drop."""
    enqueue(context, database, create("gone", "hr:1"))

    assert deliver_all(context, database) == ()


def test_progress_counts_on(context: Context, database: Database):
    """Over all batches of a target."""
    enqueue(context, database, *(create("ad", f"hr:{number}") for number in range(250)))
    told: list[tuple[str, int, int | None]] = []

    deliver_all(context, database, lambda *step: told.append(step))

    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    assert told[-1] == ("delivering to ad", 250, None)
