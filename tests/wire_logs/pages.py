"""Which systems have a page below `docs/wire-logs/`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from tests.wire_logs import entra, google
from tests.wire_logs.recording import Played, page

FOLDER = Path(__file__).parents[2] / "docs" / "wire-logs"
System = Callable[[Path], AbstractContextManager[Played]]
SYSTEMS: tuple[System, ...] = (entra.played, google.played)


def recorded(system: System) -> tuple[str, str]:
    """Name and content of a system's page, from a run that takes place now."""
    with tempfile.TemporaryDirectory(prefix="wire-logs-") as folder, system(Path(folder) / "town") as played:
        return played.page, page(played)
