"""A local service in a process of its own, held by whoever started it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

ROOT = Path(__file__).resolve().parents[3]
"""Where the process is started, so that it finds the package."""


class Process:
    """A running service. A context manager; kept on disk, it can be killed and started again.

    The program named by `package` is started with `--state FOLDER --json OPTIONS`, where the options are `plain` and a
    number per port (0 for any). Its first line says which ports it took: `{"port": 8080}`.

    Attributes:
        folder: Its state, the journal among it.
        ports: By name, on 127.0.0.1; kept over restarts. "port" is the one that `_control/` is asked at.
    """

    package: ClassVar[str]
    port_names: ClassVar[tuple[str, ...]] = ("port",)

    def __init__(self, plain: dict[str, Any], folder: Path | None = None) -> None:
        prefix = self.package.rpartition(".")[2] + "-"
        self._temporary = tempfile.TemporaryDirectory(prefix=prefix) if folder is None else None
        self.folder = folder or Path(self._temporary.name)  # type: ignore[union-attr]
        self.plain = plain
        self.ports = dict.fromkeys(self.port_names, 0)
        self._process: subprocess.Popen[str] | None = None

    @property
    def port(self) -> int:
        """Of http."""
        return self.ports["port"]

    def start(self) -> Self:
        """Starts it, and returns when it answers."""
        options = json.dumps({**self.plain, **self.ports})
        command = [sys.executable, "-m", self.package, "--state", str(self.folder), "--json", options]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError(f"{self.package} ended with {self._process.wait()}")
        self.ports = json.loads(line)
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

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """What the service says to a question under `/_control/`.

        Raises:
            ValueError: It refused.
        """
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/_control/{path}", data=json.dumps(body or {}).encode(), method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - our own http address
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise ValueError(error.read().decode()) from error

    def change(self, **settings: Any) -> None:
        """Changes settings while it runs: `delay_seconds=0.05`, `faults={"dropped": 0.02}`; see its `Config`."""
        self.ask("change", settings)

    def counters(self) -> dict[str, int]:
        """What was counted since the last `reset`: "http_requests", "operations", "throttled", "status_404", ..."""
        return dict(self.ask("counters"))

    def wire(self) -> list[dict[str, Any]]:
        """The log of all HTTP requests since the last `reset`, without secrets."""
        return list(self.ask("wire"))

    def reset(self) -> None:
        """Empties counters and log."""
        self.ask("reset")

    def forward(self, *, days: float = 0, seconds: float = 0) -> None:
        """Moves the clock that deleted objects and delays go by; a restart sets it right again."""
        self.ask("clock", {"forward_seconds": days * 86400 + seconds})
