"""A new installation: starter files, schemas for editors, and a fresh key file. Overwrites nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from eadm_sync.app.context import Context
from eadm_sync.config.keys import write_key_file
from eadm_sync.config.schema import config_schema
from eadm_sync.config.settings import StateSettings
from eadm_sync.config.starter import starter_files
from eadm_sync.errors import EadmError
from eadm_sync.ruleset import ruleset_schema
from eadm_sync.ruleset.cases import cases_schema
from eadm_sync.state.database import REVISION


class AlreadyThere(EadmError):
    """Files that a new installation would have to overwrite; `files` names all of them."""

    def __init__(self, files: tuple[Path, ...]) -> None:
        super().__init__(f"already there, nothing was written: {', '.join(map(str, files))}")
        self.files = files


@dataclass(frozen=True)
class Started:
    """What was written: `files` in order, and the `key_file` (mode 0600)."""

    files: tuple[Path, ...]
    key_file: Path


def start(directory: Path) -> Started:
    """Writes a configuration that runs as it stands, the schemas its first lines point at, and its key file.

    Raises:
        AlreadyThere: One of the files exists; nothing was written.
        OSError: The folder cannot be written.
    """
    schemas = {
        f"schema/{name}.schema.json": json.dumps(schema(name), ensure_ascii=False, indent=2) + "\n" for name in SCHEMAS
    }
    texts = {directory / place: text for place, text in (starter_files() | schemas).items()}
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


SCHEMAS = {"config": config_schema, "ruleset": ruleset_schema, "cases": cases_schema}
"""What there is a JSON Schema of, by the name the shell knows it by."""


def schema(name: str) -> dict[str, object]:
    """One of the schemas in `SCHEMAS`."""
    return SCHEMAS[name]()


def migrate(context: Context) -> str:
    """Creates the state, or brings it to this program's version, which is returned. Nothing in it is lost.

    Raises:
        StateError: It cannot be opened, or a newer program made it.
    """
    with context.writing():
        return REVISION
