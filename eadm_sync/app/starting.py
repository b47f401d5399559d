"""A new installation: starter files and a fresh key file. Overwrites nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from eadm_sync.config.keys import write_key_file
from eadm_sync.config.settings import StateSettings
from eadm_sync.config.starter import starter_files
from eadm_sync.errors import EadmError


class AlreadyThere(EadmError):
    """Files that a new installation would have to overwrite; `files` names all of them."""

    def __init__(self, files: tuple[Path, ...]) -> None:
        super().__init__(f"already there: {', '.join(map(str, files))}")
        self.files = files


@dataclass(frozen=True)
class Started:
    """What was written: `files` in order, and the `key_file` (mode 0600)."""

    files: tuple[Path, ...]
    key_file: Path


def start(directory: Path) -> Started:
    """Writes a configuration that runs as it stands, and its key file.

    Raises:
        AlreadyThere: One of the files exists; nothing was written.
        OSError: The folder cannot be written.
    """
    texts = {directory / place: text for place, text in starter_files().items()}
    key_file = directory / StateSettings().key_file
    existing = tuple(path for path in (*texts, key_file) if path.exists())
    if existing:
        raise AlreadyThere(existing)
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    write_key_file(key_file)
    return Started(tuple(texts), key_file)
