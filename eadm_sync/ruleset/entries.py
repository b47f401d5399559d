"""Entries of a ruleset file: where each stands, and the texts within it."""

from __future__ import annotations

from typing import Any

import msgspec

from eadm_sync.config.yaml import Document, Path, dotted
from eadm_sync.expression import Origin


class Entry(msgspec.Struct, frozen=True):
    """One rule as it stands in its file.

    Attributes:
        document: The file.
        path: Where the rule stands in it.
        id: "<ruleset>/<rule>".
    """

    document: Document
    path: Path
    id: str

    def origin(self, *steps: str | int) -> Origin:
        """Where an expression of the rule stands."""
        return origin_of(self.document, (*self.path, *steps))

    def at(self, *steps: str | int) -> Path:
        """A place within the rule."""
        return (*self.path, *steps)


def origin_of(document: Document, path: Path) -> Origin:
    """The origin of a text value."""

    def locate(offset: int) -> tuple[int, int]:
        position = document.position_in(path, offset)
        return position.line, position.column

    return Origin(document.file, locate, document.line_text, dotted(path))


def value_at(data: Any, path: Path) -> Any:
    """The value at a path of plain data, None where the path leads nowhere."""
    for step in path:
        data = data.get(step) if isinstance(data, dict) else data[step]
        if data is None:
            return None
    return data


def texts_in(value: object) -> list[str]:
    """Every text within plain data."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for part in value.values() for text in texts_in(part)]
    if isinstance(value, list | tuple):
        return [text for part in value for text in texts_in(part)]
    return []
