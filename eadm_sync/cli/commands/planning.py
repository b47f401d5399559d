"""The main job: plan, sync, apply, deliver; and why: explain, why-not."""

from __future__ import annotations

import typer


def register(program: typer.Typer) -> None:
    """Adds the commands of this theme."""
