"""Options that many commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """How lists are shown."""

    TABLE = "table"
    JSON = "json"


Config = Annotated[
    Path,
    typer.Option(
        "--config", "-c", envvar="EADM_SYNC_CONFIG", help="The configuration file.", show_default=True, metavar="FILE"
    ),
]
CONFIG = Path("config.yaml")

As = Annotated[Format, typer.Option("--format", "-f", help="A table for people, or JSON for programs.")]

Release = Annotated[
    list[str],
    typer.Option(
        "--release", metavar="HOLD", help="Let go what a brake holds, by the hold's name. May be given several times."
    ),
]
Reason = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why it is let go; kept in the audit.")]
