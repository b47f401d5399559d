"""The service in a process of its own, held by whoever started it: for tests and measurements."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .config import Config
from .tls import Files, certificates

ROOT = Path(__file__).resolve().parents[3]
"""Where the process is started, so that it finds the package."""


class GraphService:
    """A running service. A context manager; kept on disk, it can be killed and started again.

    Attributes:
        config: What it was started with.
        folder: Its state: the journal, and the certificates.
        port: Of http, on 127.0.0.1; kept over restarts.
        secure_port: Of https.
    """

    def __init__(self, config: Config | None = None, folder: Path | None = None) -> None:
        self.config = config or Config()
        self._temporary = tempfile.TemporaryDirectory(prefix="graph-") if folder is None else None
        self.folder = folder or Path(self._temporary.name)  # type: ignore[union-attr]
        self.port = self.secure_port = 0
        self._process: subprocess.Popen[str] | None = None

    # ------------------------------------------------------------ addresses

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

    # ------------------------------------------------------------ running

    def start(self) -> Self:
        """Starts it, and returns when it answers."""
        options = json.dumps({**self.config.plain(), "port": self.port, "secure_port": self.secure_port})
        command = [sys.executable, "-m", "tests.services.graph", "--state", str(self.folder), "--json", options]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError(f"the local Graph service ended with {self._process.wait()}")
        told = json.loads(line)
        self.port, self.secure_port = told["port"], told["secure_port"]
        return self

    def kill(self) -> None:
        """Ends it at once, as a crash would; what it confirmed is on disk."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdout:
                self._process.stdout.close()
            self._process = None

    def restart(self) -> Self:
        """Kills it and starts it again, on the same ports, with the same contents."""
        self.kill()
        return self.start()

    def close(self) -> None:
        """Ends it and removes its temporary folder."""
        self.kill()
        if self._temporary is not None:
            self._temporary.cleanup()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ------------------------------------------------------------ control

    def _ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/_control/{path}", data=json.dumps(body or {}).encode(), method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise ValueError(error.read().decode()) from error

    def change(self, **settings: Any) -> None:
        """Changes settings while it runs: `delay_seconds=0.05`, `faults={"dropped": 0.02}`; see `Config`."""
        self._ask("change", settings)

    def empty(self, config: Config | None = None) -> None:
        """Begins anew as another tenant, empty, with other settings; quicker than another process."""
        self.config = config or Config()
        self._ask("empty", self.config.plain())

    def seed(self, **amounts: Any) -> tuple[list[str], list[str]]:
        """Fills the tenant; ids of the users and of the groups. See `seeding.Seed`."""
        told = self._ask("seed", amounts)
        return told["users"], told["groups"]

    def put(self, kind: str, key: str | None = None, **data: Any) -> str:
        """Makes or changes an object as an administrator or Entra Connect would, past all checks; its id."""
        return str(self._ask("put", {"kind": kind, "data": data, "id": key}))

    def link(self, group: str, ids: list[str], relation: str = "members") -> None:
        """Puts objects into a group, past all checks."""
        self._ask("link", {"group": group, "ids": ids, "relation": relation})

    def purge(self, key: str) -> None:
        """Makes an object vanish for good."""
        self._ask("delete", {"id": key})

    def counters(self) -> dict[str, int]:
        """What was counted since the last `reset`: "http_requests", "operations", "throttled", "status_404", ..."""
        return dict(self._ask("counters"))

    def wire(self) -> list[dict[str, Any]]:
        """The log of all HTTP requests since the last `reset`, without secrets."""
        return list(self._ask("wire"))

    def reset(self) -> None:
        """Empties counters and log."""
        self._ask("reset")

    def forward(self, *, days: float = 0, seconds: float = 0) -> None:
        """Moves the clock that recycle bins, delta tokens and visibility go by; a restart sets it right again."""
        self._ask("clock", {"forward_seconds": days * 86400 + seconds})

    def refuse_delta_tokens(self, how: str) -> None:
        """From now on the delta tokens given out so far are "expired" (400) or "reset" (410 with a Location)."""
        self._ask("delta", {"how": how})

    def contents(self) -> dict[str, Any]:
        """All there is, as stored: "users" and "groups" by id, "purged" ids. Hidden properties begin with `_`."""
        return dict(self._ask("contents"))

    def federated_token(self) -> str:
        """What a cluster would write into the file of a workload identity."""
        return str(self._ask("federated"))

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
