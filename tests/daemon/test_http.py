from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from eadm_sync.app.context import Context, open_context
from eadm_sync.app.delivering import TargetHealth
from eadm_sync.app.starting import start
from eadm_sync.app.syncing import sync
from eadm_sync.clock import FixedClock
from eadm_sync.config.settings import HttpSettings
from eadm_sync.daemon import http as module
from eadm_sync.daemon.health import Health
from eadm_sync.daemon.http import Observed, listening
from eadm_sync.daemon.metrics import StateCollector, facts, registry
from eadm_sync.state import tables
from eadm_sync.state.database import Database

NOW = datetime(2026, 8, 17, 4, tzinfo=UTC)
CREW = TargetHealth("directory", 2, 2, 2, NOW, NOW, done=5, retried=2, dead=1, circuit=None, error=None)


class Daemon:
    """A daemon that says what it is told to say."""

    def __init__(self) -> None:
        self.now = Health(role="leader", started_at=NOW, last_tick=NOW, crew=(CREW,))

    def health(self) -> Health:
        """As told."""
        return self.now

    def change(self, **values: Any) -> None:
        """Tells it something."""
        self.now = msgspec.structs.replace(self.now, **values)


class Answered(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: str


class World(NamedTuple):
    """A daemon that listens."""

    daemon: Daemon
    context: Context
    database: Database
    port: int

    def ask(self, path: str, method: str = "GET", **headers: str) -> Answered:
        """One request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return Answered(answer.status, dict(answer.getheaders()), answer.read().decode())
        finally:
            connection.close()

    def raw(self, request: bytes) -> bytes:
        """What comes back for any bytes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as sent:
            sent.sendall(request)
            sent.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: sent.recv(4096), b""))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """An installation after its first run, with everything delivered."""
    start(tmp_path)
    clock = FixedClock(NOW)
    context = open_context(tmp_path / "config.yaml", clock)
    sync(context, lambda _planned: True)
    daemon = Daemon()
    with ExitStack() as stack:
        database = stack.enter_context(context.writing())
        observed = Observed(daemon, database, registry(lambda: context, database, daemon), clock)
        port = stack.enter_context(listening(HttpSettings(port=0), lambda: observed))
        assert port
        yield World(daemon, context, database, port)


def test_a_daemon_that_is_well_says_so(world: World):
    """Alive and ready, as JSON."""
    for path in ("/healthz", "/readyz"):
        answer = world.ask(path)
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
        assert json.loads(answer.body) == {"status": "ok", "reasons": []}


@pytest.mark.parametrize(
    ("change", "alive", "ready", "reason"),
    [
        # the main loop waits for a commit of another process
        ({"last_tick": NOW - timedelta(seconds=100)}, 200, 200, None),
        # it is stuck
        ({"last_tick": NOW - timedelta(seconds=200)}, 503, 503, "the main loop last went round at 2026-08-17T03:56"),
        ({"crew": (msgspec.structs.replace(CREW, alive=1),)}, 503, 503, "1 of 2 workers of directory have ended"),
        # as they should
        ({"crew": (msgspec.structs.replace(CREW, alive=1),), "stopping": True}, 200, 503, "it is stopping"),
        ({"crew": None}, 200, 503, "no workers have been started"),
        # it can be read, but not written: the disk is full
        ({"state_reachable": False}, 200, 503, "the state database could not be used lately"),
    ],
)
def test_what_is_not_well_is_told_with_its_reason(
    world: World, change: dict[str, Any], alive: int, ready: int, reason: str | None
):
    """Liveness is what a new start helps against; readiness whether work can be done now."""
    world.daemon.change(**change)

    healthz, readyz = world.ask("/healthz"), world.ask("/readyz")

    assert (healthz.status, readyz.status) == (alive, ready)
    assert reason is None or reason in json.loads(readyz.body)["reasons"][0]


def test_a_state_of_another_version_is_not_ready(world: World):
    """Alive all the same: a new start would not help."""
    with world.database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")

    assert world.ask("/healthz").status == 200
    answer = world.ask("/readyz")
    assert answer.status == 503
    assert "eadm-sync migrate" in json.loads(answer.body)["reasons"][0]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "NONSENSE"])
def test_nothing_but_reading_is_allowed(world: World, method: str):
    """Another method is refused, and not repeated."""
    answer = world.ask("/metrics", method)

    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert method not in answer.body


def test_head_has_no_content(world: World):
    """But says how much there would be."""
    answer = world.ask("/healthz", "HEAD")

    assert (answer.status, answer.body) == (200, "")
    assert int(answer.headers["Content-Length"]) > 0


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /<script>secret</script> HTTP/1.0\r\n\r\n",
        b"GET /../../etc/passwd?secret HTTP/1.1\r\nHost: x\r\n\r\n",
        b"secret nonsense\r\n\r\n",
        b"GET /secret HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.0\r\nsecret: " + b"x" * 70_000 + b"\r\n\r\n",
        b"GET /secret" + b"x" * 70_000,
        b"\x16\x03\x01secret",
    ],
)
def test_whatever_is_asked_is_never_repeated(world: World, request_: bytes):
    """Nonsense gets a status, no echo; and the next request is answered."""
    answer = world.raw(request_)

    assert b"secret" not in answer
    assert b"script" not in answer
    assert b" 200 " not in answer
    assert world.ask("/healthz").status == 200


def test_too_many_at_once_are_turned_away(world: World, monkeypatch: pytest.MonkeyPatch):
    """Idle connections cannot use up the daemon's threads; they end by themselves."""
    monkeypatch.setattr(module._Handler, "timeout", 6.0)
    with ExitStack() as stack:
        idle = [
            stack.enter_context(socket.create_connection(("127.0.0.1", world.port), timeout=60))
            for _ in range(module._REQUESTS_AT_ONCE)
        ]
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            world.ask("/healthz")
        assert [one.recv(1) for one in idle] == [b""] * len(idle)
    assert world.ask("/healthz").status == 200


def test_a_client_that_never_ends_its_request_is_ended(world: World, monkeypatch: pytest.MonkeyPatch):
    """A header every now and then, within every time-out: it would keep its place for as long as it likes."""
    monkeypatch.setattr(module, "_LONGEST_SECONDS", 0.5)
    with socket.create_connection(("127.0.0.1", world.port), timeout=10) as slow:
        slow.sendall(b"GET /healthz HTTP/1.0\r\n")
        with pytest.raises(OSError, match=r"Broken pipe|reset"):  # noqa: PT012 - one of them is refused
            for number in range(80):
                slow.sendall(b"x: y\r\n")
                assert number < 79
                time.sleep(0.1)
    assert world.ask("/healthz").status == 200


def test_a_port_that_is_taken_keeps_nobody_from_working(world: World):
    """A second daemon on the machine works, and is not asked."""
    with listening(HttpSettings(port=world.port), lambda: Observed(*[None] * 4)) as port:  # type: ignore[arg-type]
        assert port is None
    with listening(None, lambda: Observed(*[None] * 4)) as port:  # type: ignore[arg-type]
        assert port is None


# ---------------------------------------------------------------- metrics


def scraped(world: World) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """What a scrape says, by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(world.ask("/metrics").body)
        for sample in family.samples
    }


def test_a_scrape_tells_what_the_state_says(world: World):
    """Counts by target and state, confirmed changes, last successes, and how the daemon is."""
    found = scraped(world)
    target = ("target", "directory")

    assert found["eadm_sync_state_up", ()] == 1
    assert found["eadm_sync_people", ()] == 6
    assert found["eadm_sync_accounts", (("enabled", "true"), target)] == 6
    assert found["eadm_sync_changes_confirmed_total", (target,)] > 6
    assert found["eadm_sync_queue_items", (("state", "ready"), target)] == 0
    assert found["eadm_sync_target_away", (target,)] == 0
    assert found["eadm_sync_run_last_success_timestamp_seconds", (("command", "sync"),)] == NOW.timestamp()
    assert found["eadm_sync_daemon_leader", ()] == 1
    assert found["eadm_sync_deliveries_total", (("outcome", "retried"), target)] == 2
    assert found["eadm_sync_workers_alive", (target,)] == 2
    assert any(name == "eadm_sync_build_info" for name, _ in found)
    assert any(name == "process_resident_memory_bytes" for name, _ in found)


def test_what_waits_and_who_is_away_is_told(world: World):
    """Dead letters with their age, a pause, a target that does not answer."""
    items, circuits = world.context.queue.tables.items, world.context.queue.tables.circuits
    dead = {"state": "dead", "finished_at": None, "created_at": 7_000_000}
    with world.database.write() as connection:
        connection.execute(items.update().where(items.c.id == 1).values(**dead))
        world.context.queue.pause(connection, "directory", "maintenance")
        row = {"target": "directory", "opened_at": 9_000_000, "probe_at": 10_000_000, "failures": 1, "error": "down"}
        connection.execute(circuits.insert(), row)

    found = scraped(world)

    target = ("target", "directory")
    assert found["eadm_sync_queue_items", (("state", "dead"), target)] == 1
    assert found["eadm_sync_queue_oldest_item_timestamp_seconds", (("state", "dead"), target)] == 7
    assert found["eadm_sync_queue_paused", (target,)] == 1
    assert found["eadm_sync_target_away", (target,)] == 1
    assert found["eadm_sync_target_away_since_timestamp_seconds", (target,)] == 9


def test_a_state_that_cannot_be_read_is_told_and_nothing_else_of_it(world: World):
    """Old figures would look like fresh ones."""
    with world.database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE people RENAME TO gone")

    found = scraped(world)

    assert found["eadm_sync_state_up", ()] == 0
    assert ("eadm_sync_people", ()) not in found
    assert found["eadm_sync_daemon_leader", ()] == 1


def test_the_state_is_read_at_most_once_in_a_while(world: World):
    """Scrapes cannot hurt: what took long to read is kept for long."""
    seconds = iter([100.0, 101.0, 102.0, 110.9, 111.1, 111.1])  # began, ended, asked, asked, began again, ended
    collector = StateCollector(lambda: world.context, world.database, clock=lambda: next(seconds))

    def people() -> float:
        return next(one.samples[0].value for one in collector.collect() if one.name == "eadm_sync_people")

    first = people()
    with world.database.write() as connection:
        connection.execute(tables.people.delete())

    assert [first, people(), people(), people()] == [6, 6, 6, 0]


def test_no_metric_tells_of_a_person(world: World):
    """Labels are names of the configuration, never of people."""
    with world.database.read() as connection:
        people = [row for row in connection.execute(tables.people.select())]  # noqa: C416 - before the connection ends
    body = world.ask("/metrics").body

    assert not [row for row in people if row.name in body or row.id in body]


def test_both_forms_of_the_text_are_offered(world: World):
    """Prometheus asks for OpenMetrics by its Accept header."""
    answer = world.ask("/metrics", Accept="application/openmetrics-text; version=1.0.0")

    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    assert answer.body.endswith("# EOF\n")
    assert world.ask("/metrics").headers["Content-Type"].startswith("text/plain")


def test_every_metric_is_documented_and_every_documented_one_is_there(world: World):
    """docs/metrics.md names them all, with their labels, and none that is not there."""
    import re  # noqa: PLC0415 - this test only

    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
    documented = {
        name: set(re.findall(r"`(\w+)`", labels))
        for name, labels in re.findall(r"^\| `(eadm_sync_\w+)` \| ([^|]*) \|", page, re.MULTILINE)
    }
    told = {
        family.name + ("_total" if family.type == "counter" else "_info" if family.type == "info" else "")
        for family in registry(lambda: world.context, world.database, world.daemon).collect()
        if family.name.startswith("eadm_sync_")
    }

    assert documented.keys() == told
    with world.database.read() as connection:
        assert facts(world.context, connection).status.people == 6
    for name, labels in documented.items():
        for sample, found in scraped(world):
            assert sample != name or name.endswith("_info") or {key for key, _ in found} == labels, name
    used = set(re.findall(r"eadm_sync_\w+", page)) - documented.keys()
    assert not used, "a rule asks for what is not there"
