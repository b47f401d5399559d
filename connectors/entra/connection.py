"""Signing in to a tenant, and speaking to it from synchronous code: the event loop is kept in here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from connectors.entra.batching import Request, Response
from connectors.entra.budget import Budget
from connectors.entra.options import EntraOptions
from connectors.errors import AuthenticationFailed, ConnectorError

if TYPE_CHECKING:  # the SDK takes half a second to import: only who speaks to Graph waits for it
    from azure.core.credentials_async import AsyncTokenCredential

    from connectors.entra.transport import Transport

T = TypeVar("T")


class Connection:
    """One tenant. Opened by the first request; one thread at a time.

    Tokens are renewed before they end. Whoever was let in and is no longer, because a token was taken back or a clock
    is wrong, signs in anew, once, and goes on: of what was not let in, nothing was done.
    """

    def __init__(self, options: EntraOptions, folder: Path) -> None:
        """Relative files of the options are relative to `folder`. Touches nothing."""
        self._options = options
        self._folder = folder
        self._runner: asyncio.Runner | None = None
        self._stack = AsyncExitStack()
        self._opened: Transport | None = None
        self._budget = Budget()
        self._let_in = False

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Any:
        """The JSON at a relative URL, or at a link that Graph gave.

        Raises:
            ConnectorError: As `Transport.get`.
        """
        return self._signed_in(lambda: self._get(url, headers))

    def pages(self, url: str, headers: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
        """A page and those behind it, empty ones too.

        Raises:
            ConnectorError: As `Transport.get`.
        """
        following: str | None = url
        while following is not None:
            page = self.get(following, headers)
            yield page
            following = page.get("@odata.nextLink")

    def send(self, requests: Sequence[Request]) -> tuple[dict[str, Response], ConnectorError | None]:
        """The responses that came, by the requests' ids; and why the others did not, where some are missing."""
        told, error = self._run(self._send(requests))
        if isinstance(error, AuthenticationFailed) and (self._let_in or told):
            self.close()
            more, error = self._run(self._send([one for one in requests if one.id not in told]))
            told.update(more)
        self._let_in = self._let_in or bool(told)
        return told, error

    def read(self, requests: Sequence[Request]) -> dict[str, Response]:
        """The response to each request, by its id; none of them changes anything.

        Raises:
            ConnectorError: As `Transport.read`.
        """
        return self._signed_in(lambda: self._read(requests))

    def close(self) -> None:
        """Lets go of everything; safe to call twice."""
        if self._runner is not None:
            self._runner.run(self._stack.aclose())
            self._runner.close()
        self._runner, self._opened, self._stack, self._let_in = None, None, AsyncExitStack(), False

    def _signed_in(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        try:
            done = self._run(work())
        except AuthenticationFailed:
            if not self._let_in:
                raise
            self.close()
            done = self._run(work())
        self._let_in = True
        return done

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._runner is None:
            self._runner = asyncio.Runner()
        return self._runner.run(work)

    async def _get(self, url: str, headers: Mapping[str, str] | None) -> Any:
        return await (await self._transport()).get(url, headers)

    async def _read(self, requests: Sequence[Request]) -> dict[str, Response]:
        return await (await self._transport()).read(requests)

    async def _send(self, requests: Sequence[Request]) -> tuple[dict[str, Response], ConnectorError | None]:
        told: dict[str, Response] = {}
        try:
            async for response in (await self._transport()).send(requests):
                told[response.id] = response
        except ConnectorError as error:
            return told, error
        return told, None

    async def _transport(self) -> Transport:
        if self._opened is None:
            self._opened = await self._open()
        return self._opened

    async def _open(self) -> Transport:
        import httpx  # noqa: PLC0415 - as above
        from kiota_authentication_azure.azure_identity_authentication_provider import (  # noqa: PLC0415 - as above
            AzureIdentityAuthenticationProvider,
        )
        from kiota_http.httpx_request_adapter import HttpxRequestAdapter  # noqa: PLC0415 - as above

        from connectors.entra.transport import Transport  # noqa: PLC0415 - as above

        options = self._options
        credential = await self._stack.enter_async_context(self._credential())
        trusted = True if options.ca_file is None else self._context()
        http = await self._stack.enter_async_context(
            httpx.AsyncClient(timeout=options.answer_timeout_seconds, verify=trusted)
        )
        provider = AzureIdentityAuthenticationProvider(
            credential,
            scopes=[f"{options.audience}/.default"],
            # To any other host an empty token would be sent, silently.
            allowed_hosts=[str(urlsplit(options.graph_url).hostname)],
        )
        adapter = HttpxRequestAdapter(provider, http_client=http)
        adapter.base_url = options.graph_url
        return Transport(adapter, in_flight=options.in_flight, budget=self._budget)

    def _context(self) -> Any:
        import ssl  # noqa: PLC0415 - as above

        path = self._folder / str(self._options.ca_file)
        try:
            return ssl.create_default_context(cafile=path)
        except OSError as error:  # not there, or no certificate: its own words do not name the file
            raise AuthenticationFailed(f"ca_file: {path}: {error.strerror or error}") from error

    def _credential(self) -> AsyncTokenCredential:
        from connectors.entra.credentials import credential_of  # noqa: PLC0415 - as above

        try:
            return credential_of(self._options, self._folder)
        except (OSError, ValueError) as error:  # a certificate that is not there, or none
            raise AuthenticationFailed(f"signing in is not possible: {error}") from error
