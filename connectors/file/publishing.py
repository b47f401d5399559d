"""Putting files where another system picks them up: whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def replace(path: Path, lines: Iterable[str], encoding: str) -> None:
    """Puts a file in place of the one of that name; whoever opens it sees all of the one or all of the other.

    Survives a loss of power once it returns. Only one process may replace a file at a time.

    Raises:
        OSError: The former file stands as it was.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("w", encoding=encoding, newline="") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)  # noqa: PTH105 - the call that the promise rests on, by its own name
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Makes a rename durable. Windows has no such call, and keeps renames in its journal."""
    if os.name != "nt":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
