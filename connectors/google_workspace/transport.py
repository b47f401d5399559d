"""Calls on their way to Google: batches side by side, and pages one after the other. Imports the client.

Nothing is retried here, that is the queue's; save that what gets lost with a kept connection, which may have been
closed long before, is sent once more over a new one. Whatever is sent has to be safe to repeat anyway.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from http import HTTPStatus
from typing import Any, Protocol

import httplib2
from googleapiclient.http import HttpRequest

from connectors.errors import AuthenticationFailed, ConnectorError, NotFound, Rejected, Throttled, Unavailable
from connectors.google_workspace.apis import Apis
from connectors.google_workspace.batching import Reply, bundles, replied, understood, written
from connectors.google_workspace.pacing import Pace

DEFAULT_IN_FLIGHT = 4
"""Batches at the same time: more than the quota of 40 queries a second ever keeps busy."""


class Signer(Protocol):
    """Who we are to Google."""

    def authorization(self) -> str:
        """The value of the header of that name, for the next few minutes.

        Raises:
            AuthenticationFailed: Google does not let us in, or not with all scopes.
            Unavailable: It cannot be asked.
        """
        ...

    def forget(self) -> None:
        """Google takes it no longer, whatever it was to be good for: the next one is fetched anew."""
        ...


class Transport:
    """Sends calls. One thread at a time; threads of its own, each with an httplib2 object of its own, send batches."""

    def __init__(
        self,
        apis: Apis,
        signer: Signer,
        connect: Callable[[], httplib2.Http],
        pace: Pace,
        *,
        in_flight: int = DEFAULT_IN_FLIGHT,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`connect` makes the object that a thread sends by; `in_flight` is the number of batches at the same time."""
        self._apis = apis
        self._signer = signer
        self._connect = connect
        self._pace = pace
        self._sleep = sleep
        self._threads = ThreadPoolExecutor(in_flight, thread_name_prefix="google")
        self._local = threading.local()
        self._opened: list[httplib2.Http] = []

    def send(self, requests: Sequence[HttpRequest]) -> tuple[list[Reply | None], ConnectorError | None]:
        """A reply for each call, in their order; None for those that got lost, and why."""
        replies: list[Reply | None] = [None] * len(requests)
        try:
            for at, reply in self.stream(requests):
                replies[at] = reply
        except ConnectorError as error:
            return replies, error
        return replies, None

    def stream(self, requests: Sequence[HttpRequest]) -> Iterator[tuple[int, Reply]]:
        """Replies as they come, each with the position of its call.

        Raises:
            ConnectorError: A batch as a whole was refused or got lost, after all replies of the others were told. What
                became of its calls is unknown; what was not sent by then is not: whoever refuses one refuses the next.
        """
        waiting = list(range(len(requests)))
        while waiting:
            authorization = self._signer.authorization()  # before the pace counts: signing in takes its time
            ready, wait = self._pace.take([str(requests[at].methodId) for at in waiting])
            if not ready:
                self._sleep(wait)
                continue
            now = [waiting[one] for one in ready]
            yield from self._send_now(requests, now, authorization)
            sent = set(now)
            waiting = [at for at in waiting if at not in sent]

    def _send_now(
        self, requests: Sequence[HttpRequest], now: Sequence[int], authorization: str
    ) -> Iterator[tuple[int, Reply]]:
        failures: list[ConnectorError] = []
        # By API and not by address: two of them share one, and still take no batch with calls of both.
        packed = bundles((str(requests[at].methodId).partition(".")[0], at) for at in now)
        sending = {
            self._threads.submit(self._batch, [requests[at] for at in each], authorization, failures): each
            for _, each in packed
        }
        try:
            for done in as_completed(sending):
                yield from zip(sending[done], done.result(), strict=False)  # what failed has no replies
        finally:
            for one in sending:
                one.cancel()
        if failures:
            raise failures[0]

    def _batch(
        self, requests: Sequence[HttpRequest], authorization: str, failures: list[ConnectorError]
    ) -> Sequence[Reply]:
        if failures:
            return ()
        url = self._apis.batch_url_of(requests[0])
        content_type, body = written(requests)
        headers = {"content-type": content_type, "accept-encoding": "gzip, deflate", "user-agent": "eadm-sync (gzip)"}
        try:
            reply, content = self._http("POST", url, body, {**headers, "authorization": authorization})
        except ConnectorError as error:
            failures.append(error)
            return ()
        if not reply.ok:
            failures.append(whole(reply))
            return ()
        replies = understood(requests, reply.headers.get("content-type", ""), content)
        if any(one.status == HTTPStatus.UNAUTHORIZED for one in replies):
            self._signer.forget()
        return replies

    # ------------------------------------------------------------ reads

    def get(self, request: HttpRequest) -> dict[str, Any]:
        """What one call outside a batch is answered with.

        Raises:
            Unavailable, Throttled, AuthenticationFailed, Rejected: It was refused or got lost.
            NotFound: 404.
        """
        headers = {**request.headers, "authorization": self._signer.authorization()}
        ready, wait = self._pace.take([str(request.methodId)])
        while not ready:
            self._sleep(wait)
            ready, wait = self._pace.take([str(request.methodId)])
        raw, content = self._http(request.method, request.uri, request.body, headers)
        reply = replied(request, raw.status, raw.headers, content)
        if not reply.ok:
            raise whole(reply)
        return dict(reply.body)

    def pages(
        self, request: HttpRequest, following: Callable[[HttpRequest, Any], HttpRequest | None]
    ) -> Iterator[dict[str, Any]]:
        """A page and those behind it; `following` is the client's `list_next`.

        Raises:
            ConnectorError: As `get`.
        """
        next_: HttpRequest | None = request
        while next_ is not None:
            page = self.get(next_)
            yield page
            next_ = following(next_, page)

    # ------------------------------------------------------------ one HTTP request

    def _http(self, method: str, url: str, body: bytes | str | None, headers: dict[str, str]) -> tuple[Reply, bytes]:
        if not hasattr(self._local, "http"):
            self._local.http = self._connect()
            self._opened.append(self._local.http)
        while True:
            kept = bool(self._local.http.connections)
            try:
                response, content = self._local.http.request(url, method, body=body, headers=headers)
                break
            except (OSError, httplib2.HttpLib2Error, http.client.HTTPException) as error:
                _close_connections(self._local.http)
                if not kept or isinstance(error, TimeoutError):
                    raise Unavailable(f"{type(error).__name__}: {error}") from error
        if response.status == HTTPStatus.UNAUTHORIZED:
            self._signer.forget()
        told = {str(name).lower(): str(value) for name, value in response.items()}
        if response.status < HTTPStatus.MULTIPLE_CHOICES:
            return Reply(response.status, headers=told), content
        return replied(None, response.status, told, content), content

    def close(self) -> None:
        """Lets go of connections and threads; safe to call twice."""
        self._threads.shutdown()
        while self._opened:
            self._opened.pop().close()


def _close_connections(http: httplib2.Http) -> None:
    while http.connections:
        http.connections.popitem()[1].close()


def whole(reply: Reply) -> ConnectorError:
    """Why an HTTP request as a whole was refused."""
    told = f"{reply.status} {reply.reason}: {reply.message}"
    if reply.is_throttled:
        return Throttled(told, reply.retry_after_seconds)
    if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR or reply.status == HTTPStatus.REQUEST_TIMEOUT:
        return Unavailable(told, reply.retry_after_seconds)
    if reply.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return AuthenticationFailed(told)
    if reply.is_missing:
        return NotFound("object", told)
    return Rejected(told)
