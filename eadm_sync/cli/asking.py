"""Asks whoever sits at the terminal before something is done."""

from __future__ import annotations

import sys

import typer

from eadm_sync.cli.exits import FAILED
from eadm_sync.cli.output import note


def ask(question: str) -> bool:
    """Asks on standard error, so that a redirected report does not swallow the question; anything but yes is no."""
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip().casefold() in {"y", "yes", "j", "ja"}


def require_terminal(otherwise: str) -> None:
    """Ends the program where nobody can be asked, and says what to do instead.

    Raises:
        typer.Exit: There is no terminal.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        note(f"error: there is no terminal to ask on; {otherwise}. Nothing was done.")
        raise typer.Exit(FAILED)
