"""The export queue: list, show, stats, retry, drop, pause, resume."""

from __future__ import annotations

import typer


def register(program: typer.Typer) -> None:
    """Adds the commands of this theme."""
