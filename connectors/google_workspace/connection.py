"""One customer of Google Workspace, spoken to from one thread. The client is imported with the first call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors.errors import ConnectorError
from connectors.google_workspace.options import GoogleOptions
from connectors.google_workspace.pacing import Pace

if TYPE_CHECKING:  # the client takes half a second to import: only who speaks to Google waits for it
    import httplib2
    from googleapiclient.http import HttpRequest

    from connectors.google_workspace.apis import Apis
    from connectors.google_workspace.batching import Reply
    from connectors.google_workspace.credentials import Signer
    from connectors.google_workspace.transport import Transport

_SCOPE = "https://www.googleapis.com/auth/"
SCOPES = {
    f"{_SCOPE}admin.directory.user": "to read, create, change, delete and undelete accounts",
    f"{_SCOPE}admin.directory.user.security": "to sign out whoever is disabled",
    f"{_SCOPE}admin.directory.userschema.readonly": "to know the custom fields of accounts",
    f"{_SCOPE}admin.directory.orgunit": "to create organisational units",
    f"{_SCOPE}admin.directory.group": "to read, create, change and delete groups and their members",
    f"{_SCOPE}apps.groups.settings": "to set who may write to a group and see it",
    f"{_SCOPE}apps.licensing": "to give and take licences",
    f"{_SCOPE}admin.datatransfer": "to hand data over before an account is deleted",
}
"""What domain-wide delegation has to grant to the service account's client id, and what for."""


def scopes_of(options: GoogleOptions) -> tuple[str, ...]:
    """The scopes that are asked for: one that nothing needs by these settings need not be granted."""
    unneeded = {
        f"{_SCOPE}admin.directory.userschema.readonly": not options.custom_fields,
        f"{_SCOPE}apps.licensing": not options.licences,
        f"{_SCOPE}admin.datatransfer": options.transfer_to is None,
    }
    return tuple(scope for scope in SCOPES if not unneeded.get(scope))


class Connection:
    """One customer. Opened by the first call; one thread at a time."""

    def __init__(self, options: GoogleOptions, folder: Path) -> None:
        """Relative files of the options are relative to `folder`. Touches nothing."""
        self._options = options
        self._folder = folder
        self._pace = Pace(options.rates.model_dump())
        self._apis: Apis | None = None
        self._transport: Transport | None = None
        self._signer: Signer | None = None
        self._signing: httplib2.Http | None = None

    @property
    def apis(self) -> Apis:
        """The calls there are."""
        if self._apis is None:
            from connectors.google_workspace.apis import apis_of  # noqa: PLC0415 - as above

            self._apis = apis_of(self._options.endpoint)
        return self._apis

    @property
    def signer(self) -> Signer:
        """Who we are."""
        if self._signer is None:
            from connectors.google_workspace.credentials import Signer  # noqa: PLC0415 - as above

            self._signing = self._http()
            self._signer = Signer(self._options, self._folder, scopes_of(self._options), self._signing)
        return self._signer

    def fits(self, rate: str) -> float:
        """How many calls under a rate may be begun now: `Pace.fits`."""
        return self._pace.fits(rate)

    def send(self, requests: Sequence[HttpRequest]) -> tuple[list[Reply | None], ConnectorError | None]:
        """A reply for each call, in their order; None for those that got lost, and why."""
        return self._opened().send(requests)

    def stream(self, requests: Sequence[HttpRequest]) -> Iterator[tuple[int, Reply]]:
        """Replies as they come, each with the position of its call.

        Raises:
            ConnectorError: As `Transport.stream`.
        """
        return self._opened().stream(requests)

    def get(self, request: HttpRequest) -> dict[str, Any]:
        """What one call outside a batch is answered with.

        Raises:
            ConnectorError: As `Transport.get`.
        """
        return self._opened().get(request)

    def pages(
        self, request: HttpRequest, following: Callable[[HttpRequest, Any], HttpRequest | None]
    ) -> Iterator[dict[str, Any]]:
        """A page and those behind it; `following` is the client's `list_next`.

        Raises:
            ConnectorError: As `Transport.get`.
        """
        return self._opened().pages(request, following)

    def close(self) -> None:
        """Lets go of everything; safe to call twice."""
        if self._transport is not None:
            self._transport.close()
        if self._signing is not None:
            self._signing.close()
        self._transport, self._signer, self._signing = None, None, None

    def _opened(self) -> Transport:
        if self._transport is None:
            from connectors.google_workspace.transport import Transport  # noqa: PLC0415 - as above

            in_flight = self._options.in_flight
            self._transport = Transport(self.apis, self.signer, self._http, self._pace, in_flight=in_flight)
        return self._transport

    def _http(self) -> httplib2.Http:
        import httplib2  # noqa: PLC0415 - as above

        http = httplib2.Http(timeout=self._options.answer_timeout_seconds)
        http.follow_redirects = False  # our token goes to nobody else
        return http
