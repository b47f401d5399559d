"""A daemon as a process, asked over HTTP."""

from __future__ import annotations

import json
import signal
import urllib.error
import urllib.request

import pytest

from .conftest import Installation, wait_until


def ask(port: int, path: str) -> tuple[int, str]:
    """Status and content."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.fixture
def listening(installation: Installation) -> Installation:
    """An installation whose daemon listens on any free port."""
    installation.configure(lambda settings: settings.update(daemon={"http": {"port": 0}}))
    return installation


def test_a_daemon_answers_from_its_first_moment_to_its_last(listening: Installation):
    """Health, readiness and metrics, of the job that has just run; and nobody answers any more when it has ended."""
    listening.schedule(now={"do": "sync"})
    daemon = listening.leader()
    port = daemon.wait_for("http.listening")["port"]

    listening.ask("now")
    wait_until(
        lambda: 'eadm_sync_job_last_status{job="now",status="done"} 1.0' in ask(port, "/metrics")[1], "it is told"
    )

    assert ask(port, "/healthz") == (200, '{"status": "ok", "reasons": []}\n')
    assert json.loads(ask(port, "/readyz")[1])["status"] == "ok"
    assert "eadm_sync_daemon_leader 1.0" in ask(port, "/metrics")[1]
    daemon.signal(signal.SIGTERM)
    assert daemon.ended() == 0
    with pytest.raises(urllib.error.URLError):
        ask(port, "/healthz")


def test_a_worker_answers_too(listening: Installation):
    """It leads nothing, and says so."""
    worker = listening.daemon("worker")
    port = worker.wait_for("http.listening")["port"]

    assert ask(port, "/readyz")[0] == 200
    assert "eadm_sync_daemon_leader 0.0" in ask(port, "/metrics")[1]


def test_where_nothing_is_to_be_told_nobody_listens(installation: Installation):
    """`http: null` is a decision."""
    installation.configure(lambda settings: settings.update(daemon={"http": None}))
    daemon = installation.leader()

    assert not daemon.events("http.listening")
