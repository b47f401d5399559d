"""Requests to Graph over the SDK's adapter: batches side by side, and pages one after the other.

The adapter signs each request. It is given a plain HTTP client: the SDK's own retries sleep within a call, ignore
fractions of seconds and give up after three minutes; here nothing is retried or slept on, that is the queue's.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import httpx
from azure.core.exceptions import AzureError, ClientAuthenticationError
from kiota_abstractions.method import Method
from kiota_abstractions.native_response_handler import NativeResponseHandler
from kiota_abstractions.request_adapter import RequestAdapter
from kiota_abstractions.request_information import RequestInformation
from kiota_http.middleware.options import ResponseHandlerOption

from connectors.entra.batching import Request, Response, bundles, understood, written
from connectors.errors import AuthenticationFailed, ConnectorError, Rejected, Stale, Throttled, Unavailable

DEFAULT_IN_FLIGHT = 4
"""Batches at the same time: at 50 ms a batch 1 600 requests a second, 80 times what Graph's quota of writes allows
in the long run, so that the quota is the limit and not the way there."""


class Transport:
    """Sends requests by one adapter. One event loop at a time."""

    def __init__(self, adapter: RequestAdapter, *, in_flight: int = DEFAULT_IN_FLIGHT) -> None:
        """`adapter.base_url` says where Graph is; `in_flight` is the number of batches at the same time."""
        self._adapter = adapter
        self._in_flight = in_flight

    async def send(self, requests: Sequence[Request]) -> AsyncIterator[Response]:
        """One response for each request, as they come, from as few HTTP requests as possible.

        Raises:
            Unavailable, Throttled, AuthenticationFailed, Rejected: A batch as a whole was refused or got lost, after
                all responses of the others were told. What became of its requests is unknown, and what was not sent
                by then is not.
            ValueError: The requests cannot be put into batches; nothing is sent.
        """
        gate = asyncio.Semaphore(self._in_flight)
        failures: list[ConnectorError] = []
        sending = [asyncio.create_task(self._send(bundle, gate, failures)) for bundle in bundles(requests)]
        try:
            for done in asyncio.as_completed(sending):
                for response in await done:
                    yield response
        finally:
            for task in sending:
                task.cancel()
        if failures:
            raise failures[0]

    async def _send(
        self, bundle: Sequence[Request], gate: asyncio.Semaphore, failures: list[ConnectorError]
    ) -> list[Response]:
        async with gate:
            # Whoever refuses one batch as a whole refuses the next: to go on asking makes the wait longer.
            if failures:
                return []
            try:
                return understood(bundle, await self._json(Method.POST, "/$batch", written(bundle)))
            except ConnectorError as error:
                failures.append(error)
                return []

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> Any:
        """The JSON at a relative URL, or at a link that Graph gave.

        Raises:
            Unavailable, Throttled, AuthenticationFailed, Rejected: As for `send`.
            Stale: 410, or the code of a delta token that is no longer good: read fully.
        """
        return await self._json(Method.GET, url, None, headers)

    async def pages(self, url: str, headers: Mapping[str, str] | None = None) -> AsyncIterator[dict[str, Any]]:
        """A page and those behind it, empty ones too; the last of a delta has an `@odata.deltaLink`.

        Raises:
            ConnectorError: As for `get`.
        """
        following: str | None = url
        while following is not None:
            page = await self.get(following, headers)
            yield page
            following = page.get("@odata.nextLink")

    # ------------------------------------------------------------ one HTTP request

    async def _json(
        self, method: Method, url: str, body: Mapping[str, Any] | None, headers: Mapping[str, str] | None = None
    ) -> Any:
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
            raise AuthenticationFailed(f"signing in failed: {error.message}") from error
        except (AzureError, httpx.TransportError) as error:
            raise Unavailable(f"{type(error).__name__}: {error}") from error
        return _judged(answer)

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


def _judged(answer: httpx.Response) -> Any:
    """The JSON of a good answer.

    Raises:
        ConnectorError: By its status.
    """
    try:
        body = answer.json() if answer.content else None
    except ValueError:
        body = None
    told = Response("", answer.status_code, body, answer.headers)
    if told.ok and body is None:
        raise Unavailable(f"{told.status} without JSON: something stands between us and Graph")
    if told.ok:
        return body
    code = str(told.error.get("code", ""))
    reason = f"{told.status} {code}: {told.error.get('message', answer.reason_phrase)}"
    if told.status == HTTPStatus.TOO_MANY_REQUESTS:
        raise Throttled(reason, told.retry_after_seconds)
    if told.status >= HTTPStatus.INTERNAL_SERVER_ERROR or told.status == HTTPStatus.REQUEST_TIMEOUT:
        raise Unavailable(reason, told.retry_after_seconds)
    if told.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        raise AuthenticationFailed(reason)
    if told.status == HTTPStatus.GONE or code.lower() in {"syncstatenotfound", "resyncrequired"}:
        raise Stale(reason)
    raise Rejected(reason)
