"""Beginning and checking an installation: init, key, check, schema, sample, migrate."""

from __future__ import annotations

import typer


def register(program: typer.Typer) -> None:
    """Adds the commands of this theme."""
