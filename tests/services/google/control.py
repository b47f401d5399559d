"""The service in a process of its own, held by whoever started it: for tests and measurements."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.services.common.process import Process

from .config import Config


class GoogleService(Process):
    """A running service. A context manager; kept on disk, it can be killed and started again.

    Attributes:
        config: What it was started with.
        folder: Its state: the journal, and the service account's key.
        port: Of http, on 127.0.0.1; kept over restarts.
    """

    package = "tests.services.google"

    def __init__(self, config: Config | None = None, folder: Path | None = None) -> None:
        self.config = config or Config()
        super().__init__(self.config.plain(), folder)

    # ------------------------------------------------------------ addresses

    @property
    def url(self) -> str:
        """What stands in the place of "https://admin.googleapis.com/" and "https://licensing.googleapis.com/"."""
        return f"http://127.0.0.1:{self.port}/"

    @property
    def settings_url(self) -> str:
        """What stands in the place of "https://www.googleapis.com/groups/v1/groups/"."""
        return self.url + "groups/v1/groups/"

    @property
    def batch_url(self) -> str:
        """Where batches of any one API go; "/admin/directory_v1" behind it for those of the Directory API."""
        return self.url + "batch"

    @property
    def key_file(self) -> Path:
        """The service account's key, with this service's token endpoint in it."""
        return self.folder / "service-account.json"

    # ------------------------------------------------------------ control

    def empty(self, config: Config | None = None) -> None:
        """Begins anew as another customer, empty, with other settings; quicker than another process."""
        self.config = config or Config()
        self.plain = self.config.plain()
        self.ask("empty", self.plain)

    def seed(self, **amounts: Any) -> tuple[list[str], list[str]]:
        """Fills the account; ids of the users and of the groups. See `seeding.Seed`."""
        told = self.ask("seed", amounts)
        return told["users"], told["groups"]

    def put(self, kind: str, key: str | None = None, **data: Any) -> str:
        """Makes or changes a "user" or a "group" as an administrator would, past all checks; its id."""
        return str(self.ask("put", {"kind": kind, "data": data, "id": key}))

    def link(self, group: str, ids: list[str], role: str = "MEMBER") -> None:
        """Puts users and groups into a group, past all checks."""
        self.ask("link", {"group": group, "ids": ids, "role": role})

    def unit(self, path: str) -> str:
        """Makes an organisational unit and those above it; its id."""
        return str(self.ask("unit", {"path": path}))

    def purge(self, kind: str, key: str) -> None:
        """Makes a "user" or a "group" vanish for good."""
        self.ask("delete", {"kind": kind, "id": key})

    def contents(self) -> dict[str, Any]:
        """All there is, as stored: "users" and "groups" by id, "units" (paths), "licences", "transfers"."""
        return dict(self.ask("contents"))

    def access_token(self, subject: str | None = None, scopes: list[str] | None = None) -> str:
        """A token for requests by hand."""
        return str(self.ask("token", {"subject": subject, "scopes": scopes}))
