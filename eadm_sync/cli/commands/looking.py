"""What there is: people, accounts, runs, quarantine, status."""

from __future__ import annotations

import typer


def register(program: typer.Typer) -> None:
    """Adds the commands of this theme."""
