"""The service in a process of its own, held by whoever started it: for tests and measurements."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from tests.services.common.process import Process

from .config import Config
from .tls import Files, certificates


class GraphService(Process):
    """A running service. A context manager; kept on disk, it can be killed and started again.

    Attributes:
        config: What it was started with.
        folder: Its state: the journal, and the certificates.
        port: Of http, on 127.0.0.1; kept over restarts.
        secure_port: Of https.
    """

    package = "tests.services.graph"
    port_names = ("port", "secure_port")

    def __init__(self, config: Config | None = None, folder: Path | None = None) -> None:
        self.config = config or Config()
        super().__init__(self.config.plain(), folder)

    # ------------------------------------------------------------ addresses

    @property
    def secure_port(self) -> int:
        """Of https."""
        return self.ports["secure_port"]

    @property
    def url(self) -> str:
        """Base address of Graph over http: "http://127.0.0.1:port/v1.0"."""
        return f"http://127.0.0.1:{self.port}/v1.0"

    @property
    def secure_url(self) -> str:
        """Base address of Graph over https, for who trusts `ca_file`."""
        return f"https://localhost:{self.secure_port}/v1.0"

    @property
    def authority(self) -> str:
        """Where to sign in: "https://localhost:port"."""
        return f"https://localhost:{self.secure_port}"

    @property
    def files(self) -> Files:
        """The certificates."""
        return certificates(self.folder)

    @property
    def ca_file(self) -> str:
        """What https clients have to trust."""
        return str(self.files.authority)

    # ------------------------------------------------------------ control

    def empty(self, config: Config | None = None) -> None:
        """Begins anew as another tenant, empty, with other settings; quicker than another process."""
        self.config = config or Config()
        self.plain = self.config.plain()
        self.ask("empty", self.plain)

    def seed(self, **amounts: Any) -> tuple[list[str], list[str]]:
        """Fills the tenant; ids of the users and of the groups. See `seeding.Seed`."""
        told = self.ask("seed", amounts)
        return told["users"], told["groups"]

    def put(self, kind: str, key: str | None = None, **data: Any) -> str:
        """Makes or changes an object as an administrator or Entra Connect would, past all checks; its id."""
        return str(self.ask("put", {"kind": kind, "data": data, "id": key}))

    def synchronise(self, after_seconds: float = 0.0, *, gone: bool = False, **data: Any) -> None:
        """Has Entra Connect bring a user, or what changed of one, after a while; see `connect`."""
        self.ask("synchronise", {"data": data, "after_seconds": after_seconds, "gone": gone})

    def link(self, group: str, ids: list[str], relation: str = "members") -> None:
        """Puts objects into a group, past all checks."""
        self.ask("link", {"group": group, "ids": ids, "relation": relation})

    def purge(self, key: str) -> None:
        """Makes an object vanish for good."""
        self.ask("delete", {"id": key})

    def refuse_delta_tokens(self, how: str) -> None:
        """From now on the delta tokens given out so far are "expired" (400) or "reset" (410 with a Location)."""
        self.ask("delta", {"how": how})

    def contents(self) -> dict[str, Any]:
        """All there is, as stored: "users" and "groups" by id, "purged" ids. Hidden properties begin with `_`."""
        return dict(self.ask("contents"))

    def federated_token(self) -> str:
        """What a cluster would write into the file of a workload identity."""
        return str(self.ask("federated"))

    def access_token(self) -> str:
        """A token for requests by hand."""
        form = {
            "client_id": self.config.client_id,
            "client_secret": self.config.secret,
            "grant_type": "client_credentials",
            "scope": "https://graph.microsoft.com/.default",
        }
        address = f"http://127.0.0.1:{self.port}/{self.config.tenant_id}/oauth2/v2.0/token"
        data = urllib.parse.urlencode(form).encode()
        with urllib.request.urlopen(address, data, timeout=60) as answer:
            return str(json.load(answer)["access_token"])
