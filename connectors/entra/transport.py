"""Requests to Graph over the SDK's adapter: batches side by side, and what is read one by one.

The adapter signs each request. It is given a plain HTTP client: the SDK's own retries sleep within a call, ignore
fractions of seconds and give up after three minutes. Here a change is sent once: to send it again is the queue's. What
is only read is asked for again. Both wait for their turn where the quota is nearly used up, for some seconds at most.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
from azure.core.exceptions import AzureError, ClientAuthenticationError
from kiota_abstractions.method import Method
from kiota_abstractions.native_response_handler import NativeResponseHandler
from kiota_abstractions.request_adapter import RequestAdapter
from kiota_abstractions.request_information import RequestInformation
from kiota_http.middleware.options import ResponseHandlerOption

from connectors.entra.batching import Request, Response, bundles, understood, written
from connectors.entra.budget import Budget, Sent
from connectors.entra.refusals import sign_in_refused
from connectors.errors import AuthenticationFailed, ConnectorError, Rejected, Stale, Throttled, Unavailable

DEFAULT_IN_FLIGHT = 4
"""Batches at the same time: at 50 ms a batch 1 600 requests a second, 80 times what Graph's quota of writes allows
in the long run, so that the quota is the limit and not the way there."""
LONGEST_WAIT_SECONDS = 10.0
"""Longest wait within a call, the window in which Graph counts units. For longer the caller is told to come back."""
STEP_SECONDS = 0.05
"""How often it is looked whether there is room while answers are on their way: about as long as one takes."""
PAUSES_SECONDS = (0.25, 0.5, 1.0, 2.0)
"""Between the attempts at reading something: where one request in twenty fails, five in a row do once in 3 000 000."""
_CONTEXT = re.compile(r" ssl:<[^>]*>")
"""Of this process's memory, in the words of aiohttp for a host that does not answer."""


class Transport:
    """Sends requests by one adapter. One event loop at a time."""

    def __init__(
        self,
        adapter: RequestAdapter,
        *,
        in_flight: int = DEFAULT_IN_FLIGHT,
        budget: Budget | None = None,
        pauses_seconds: Sequence[float] = PAUSES_SECONDS,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`adapter.base_url` says where Graph is; `in_flight` is the number of batches at the same time.

        `budget` knows what was sent before; `pauses_seconds` lie between the attempts at reading something; `sleep`
        waits for so many seconds.
        """
        self._adapter = adapter
        self._in_flight = in_flight
        self._pauses = pauses_seconds
        self._sleep = sleep
        self._budget = budget or Budget()

    async def send(self, requests: Sequence[Request]) -> AsyncIterator[Response]:
        """One response for each request, as they come, from as few HTTP requests as possible.

        Raises:
            Unavailable, Throttled, AuthenticationFailed, Rejected: A batch as a whole was refused or got lost, or has
                to wait for the quota, after all responses of the others were told. What became of the requests of a
                batch that got lost is unknown, and what was not sent by then is not.
            ValueError: The requests cannot be put into batches; nothing is sent.
        """
        sending = _Sending(asyncio.Semaphore(self._in_flight), time.monotonic() + LONGEST_WAIT_SECONDS)
        tasks = [asyncio.create_task(self._send(bundle, sending)) for bundle in bundles(requests)]
        try:
            for done in asyncio.as_completed(tasks):
                for response in await done:
                    yield response
        finally:
            for task in tasks:
                task.cancel()
        if sending.failures:  # what got lost weighs more than what was not let in, of which nothing was done
            raise min(sending.failures, key=lambda error: isinstance(error, AuthenticationFailed))

    async def _send(self, bundle: Sequence[Request], sending: _Sending) -> list[Response]:
        async with sending.gate:
            # Whoever refuses one batch as a whole refuses the next: to go on asking makes the wait longer.
            if sending.failures:
                return []
            try:
                async with sending.turn:
                    await self._wait_for_room(bundle, sending.until)
                    sent = self._budget.sent(bundle)
                return await self._answered(bundle, sent)
            except ConnectorError as error:
                sending.failures.append(error)
                return []

    async def _answered(self, bundle: Sequence[Request], sent: Sent) -> list[Response]:
        try:
            answer = _judged(await self._asked(Method.POST, "/$batch", written(bundle)))
        except ConnectorError:
            self._budget.lost(sent)
            raise
        responses = understood(bundle, answer)
        self._budget.told(sent, responses)
        return responses

    async def read(self, requests: Sequence[Request]) -> dict[str, Response]:
        """The response to each request, by its id. Whatever fails in passing is asked for again: they only read.

        Raises:
            Unavailable, Throttled, AuthenticationFailed, Rejected: As for `send`, and again and again.
        """
        told: dict[str, Response] = {}
        waiting = list(requests)
        for pause in (*self._pauses, None):
            failure: Unavailable | Throttled | None = None
            try:
                async for response in self.send(waiting):
                    told[response.id] = response
            except (Unavailable, Throttled) as error:
                failure = error
            waiting = [one for one in waiting if one.id not in told or told[one.id].is_passing]
            wishes = [told[one.id].retry_after_seconds or 0.0 for one in waiting if one.id in told]
            wait = max([*wishes, 0.0 if failure is None else failure.retry_after_seconds or 0.0])
            if not waiting or pause is None or wait > LONGEST_WAIT_SECONDS:
                break
            await self._sleep(max(pause, wait))
        if failure is not None and waiting:
            raise failure
        return told

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> Any:
        """The JSON at a relative URL, or at a link that Graph gave. Whatever fails in passing is asked for again.

        Raises:
            Unavailable, Throttled, AuthenticationFailed, Rejected: As for `send`, and again and again.
            Stale: 410, or the code of a delta token that is no longer good: read fully.
        """
        for pause in self._pauses:
            try:
                return await self._get(url, headers)
            except (Unavailable, Throttled) as error:
                wait = max(pause, error.retry_after_seconds or 0.0)
                if wait > LONGEST_WAIT_SECONDS:
                    raise
            await self._sleep(wait)
        return await self._get(url, headers)

    async def _get(self, url: str, headers: Mapping[str, str] | None) -> Any:
        request = [Request("", "GET", url)]
        await self._wait_for_room(request, time.monotonic() + LONGEST_WAIT_SECONDS)
        sent = self._budget.sent(request)
        try:
            answer = await self._asked(Method.GET, url, None, headers)
        except ConnectorError:
            self._budget.lost(sent)
            raise
        self._budget.told(sent, [_told(answer)])
        return _judged(answer)

    async def _wait_for_room(self, requests: Sequence[Request], until: float) -> None:
        """Waits until the quota has room for these.

        Raises:
            Throttled: That is later than `until`, by the monotonic clock.
        """
        while wait := self._budget.wait_seconds(requests):
            if time.monotonic() + wait > until and not self._budget.is_open:
                raise Throttled(f"{self._budget.load:.0%} of the quota is used", wait)
            await self._sleep(min(wait, STEP_SECONDS) if self._budget.is_open else wait)

    # ------------------------------------------------------------ one HTTP request

    async def _asked(
        self, method: Method, url: str, body: Mapping[str, Any] | None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        information = RequestInformation(method)
        information.url = self._address(url)
        information.headers.try_add("Accept", "application/json")
        for name, value in (headers or {}).items():
            information.headers.try_add(name, value)
        if body is not None:
            information.set_stream_content(json.dumps(body).encode(), "application/json")
        information.add_request_options([ResponseHandlerOption(NativeResponseHandler())])
        try:
            # The handler gives the HTTP response as it is, whatever its status.
            answer: Any = await self._adapter.send_primitive_async(information, "bytes", {})
        except ClientAuthenticationError as error:
            raise AuthenticationFailed(f"signing in failed: {sign_in_refused(error.message)}") from error
        except AzureError as error:
            told = _CONTEXT.sub("", str(error))
            raise Unavailable(f"signing in is not possible: {type(error).__name__}: {told}") from error
        except httpx.TransportError as error:
            host = urlsplit(information.url).netloc
            raise Unavailable(f"{host} does not answer: {type(error).__name__}: {error}") from error
        except OSError as error:
            if error.filename is None:
                raise
            told = f"{error.filename}: {error.strerror}"  # a cluster's token that is not there
            raise AuthenticationFailed(f"signing in is not possible: {told}") from error
        return cast("httpx.Response", answer)

    def _address(self, url: str) -> str:
        """A full address. A link must lead to where we are: our token goes with it.

        Raises:
            Rejected: It leads elsewhere.
        """
        base = self._adapter.base_url.rstrip("/")
        if not urlsplit(url).scheme:
            return f"{base}/{url.lstrip('/')}"
        if urlsplit(url)[:2] != urlsplit(base)[:2]:
            raise Rejected(f"Graph gave a link that leads away from it, to {urlsplit(url).hostname}")
        return url


@dataclass
class _Sending:
    """What the batches of one `send` share.

    Attributes:
        gate: Lets so many out at the same time.
        until: When to wait no longer, by the monotonic clock.
        turn: Has one at a time wait for room.
        failures: What befell batches as a whole.
    """

    gate: asyncio.Semaphore
    until: float
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    failures: list[ConnectorError] = field(default_factory=list)


def _told(answer: httpx.Response) -> Response:
    try:
        body = answer.json() if answer.content else None
    except ValueError:
        body = None
    return Response("", answer.status_code, body, answer.headers)


def _judged(answer: httpx.Response) -> Any:
    """The JSON of a good answer.

    Raises:
        ConnectorError: By its status.
    """
    told = _told(answer)
    if told.ok and told.body is None:
        raise Unavailable(f"{told.status} without JSON: something stands between us and Graph")
    if told.ok:
        return told.body
    code = str(told.error.get("code", ""))
    reason = f"{told.status} {code}: {told.error.get('message', answer.reason_phrase)}"
    if told.is_throttled:
        raise Throttled(reason, told.retry_after_seconds)
    if told.status >= HTTPStatus.INTERNAL_SERVER_ERROR or told.status == HTTPStatus.REQUEST_TIMEOUT:
        raise Unavailable(reason, told.retry_after_seconds)
    if told.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        raise AuthenticationFailed(reason)
    if told.status == HTTPStatus.GONE or code.lower() in {"syncstatenotfound", "resyncrequired"}:
        raise Stale(reason)
    raise Rejected(reason)
