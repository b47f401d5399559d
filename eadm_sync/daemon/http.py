"""`/healthz`, `/readyz` and `/metrics` over HTTP, on this machine only unless configured otherwise.

There is no sign-in and nothing can be changed: only GET and HEAD, three paths, a few threads, a few seconds for each
request. Answers never repeat what was asked.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from eadm_sync.clock import Clock
from eadm_sync.config.settings import HttpSettings
from eadm_sync.daemon.health import Health, Healthy
from eadm_sync.errors import StateError
from eadm_sync.events import get_logger
from eadm_sync.state.database import Database

log = get_logger(__name__)

_REQUESTS_AT_ONCE = 8
"""More are turned away: a scraper and a probe need two."""

_REQUEST_SECONDS = 5.0
"""For a client to send anything, or to take anything."""

_LONGEST_SECONDS = 15.0
"""For a whole request and its answer: whoever sends a byte every few seconds must not keep a place for ever."""

_STUCK_AFTER = timedelta(seconds=150)
"""The main loop waits for the state database for at most a minute at a time, twice in one round at the worst."""


class Answer(NamedTuple):
    """What is sent: status, type and content."""

    status: HTTPStatus
    content_type: str
    body: bytes


def liveness(health: Health, now: datetime) -> list[str]:
    """Why the process is not well, if it is not: what only a new start helps against."""
    reasons = []
    if now - health.last_tick > _STUCK_AFTER:
        reasons.append(f"the main loop last went round at {health.last_tick.isoformat()}")
    reasons += [
        f"{one.workers - one.alive} of {one.workers} workers of {one.name} have ended"
        for one in health.crew or ()
        if one.alive < one.workers and not health.stopping
    ]
    return reasons


def readiness(health: Health, now: datetime, database: Database) -> list[str]:
    """Why it cannot do its work now, if it cannot."""
    reasons = liveness(health, now)
    if health.stopping:
        reasons.append("it is stopping")
    if not health.state_reachable:
        reasons.append("the state database could not be used lately: the log says why")
    if health.crew is None:
        reasons.append("no workers have been started")
    try:
        database.check_version()
    except StateError as error:
        reasons.append(str(error))
    return reasons


class Observed(NamedTuple):
    """What can be asked.

    Attributes:
        daemon: How it is.
        database: The state.
        registry: The metrics.
        clock: The time.
    """

    daemon: Healthy
    database: Database
    registry: CollectorRegistry
    clock: Clock

    def answer(self, path: str, accept: str) -> Answer:
        """The answer to one path; 404 for any other."""
        match path:
            case "/healthz":
                return _verdict(liveness(self.daemon.health(), self.clock.now()))
            case "/readyz":
                return _verdict(readiness(self.daemon.health(), self.clock.now(), self.database))
            case "/metrics":
                encode, content_type = choose_encoder(accept)
                return Answer(HTTPStatus.OK, content_type, encode(self.registry))
            case _:
                return _plain(HTTPStatus.NOT_FOUND)


def _verdict(reasons: list[str]) -> Answer:
    status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
    content = {"status": "unavailable" if reasons else "ok", "reasons": reasons}
    return Answer(status, "application/json", json.dumps(content).encode() + b"\n")


def _plain(status: HTTPStatus) -> Answer:
    return Answer(status, "text/plain; charset=utf-8", f"{status.phrase}\n".encode())


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _REQUEST_SECONDS
    protocol_version = "HTTP/1.0"  # one request for each connection, so that none is kept

    def do_GET(self) -> None:
        """Answers."""
        self._send(self._answer(), with_body=True)

    def do_HEAD(self) -> None:
        """Answers without content."""
        self._send(self._answer(), with_body=False)

    def _answer(self) -> Answer:
        try:
            return self.server.observed.answer(self.path.partition("?")[0], self.headers.get("Accept", ""))
        except Exception:  # a fault of ours is told in the log, never to whoever asks
            log.exception("http.failed")
            return _plain(HTTPStatus.INTERNAL_SERVER_ERROR)

    def _send(self, answer: Answer, *, with_body: bool) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        if answer.status is HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        self.end_headers()
        if with_body:
            self.wfile.write(answer.body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Says what is wrong with a request without a word of it; the base class would quote it."""
        _ = message, explain
        unknown = code == HTTPStatus.NOT_IMPLEMENTED  # how the base class tells of another method
        self._send(_plain(HTTPStatus.METHOD_NOT_ALLOWED if unknown else HTTPStatus(code)), with_body=True)

    def version_string(self) -> str:
        """Without versions: they help attackers only."""
        return "eadm-sync"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Nothing: probes come every few seconds, and what they ask is theirs."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = sys.platform != "win32"  # where it would let two processes listen on one port

    def __init__(self, settings: HttpSettings, observed: Observed) -> None:
        self.address_family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        self.observed = observed
        self._free = threading.BoundedSemaphore(_REQUESTS_AT_ONCE)
        self._began: dict[socket.socket, float] = {}
        super().__init__((settings.host, settings.port), _Handler)

    def server_bind(self) -> None:
        """Binds without asking the name service who we are, which can take many seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answers in a thread of its own, if there are not too many."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        self._began[request] = time.monotonic()
        super().process_request(request, client_address)

    def service_actions(self) -> None:
        """Ends requests that take too long; asked several times a second, by the thread that takes requests."""
        late = time.monotonic() - _LONGEST_SECONDS
        for request in [request for request, began in self._began.copy().items() if began < late]:
            with contextlib.suppress(OSError):  # it has ended just now
                request.shutdown(socket.SHUT_RDWR)  # whoever waits for it wakes; to close it is for that thread

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """As the base class."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._began.pop(request, None)
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is no news."""
        _ = request, client_address
        log.debug("http.client_gone")


@contextlib.contextmanager
def listening(settings: HttpSettings | None, observed: Callable[[], Observed]) -> Iterator[int | None]:
    """Answers while inside; yields the port, or None where nothing is told.

    A port that is taken, by another daemon on the same machine for instance, keeps nobody from working: it is logged.

    Args:
        settings: Where to listen; None: nowhere.
        observed: Makes what can be asked.
    """
    server = None
    try:
        server = None if settings is None else _Server(settings, observed())
    except OSError as error:
        assert settings is not None  # noqa: S101 - otherwise nothing was tried
        log.warning("http.not_listening", host=settings.host, port=settings.port, error=error.strerror or str(error))
    if server is None:
        yield None
        return
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.2}, name="http", daemon=True)
    thread.start()
    log.info("http.listening", host=server.server_name, port=server.server_port)
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
