"""What every format of files has in common."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from connectors.directory.batch import Effect


class Rendering(Protocol):
    """One format: all that is in a directory, or what a batch changed, as lines of text.

    Attributes:
        suffix: Of file names, with its dot.
        encoding: Of the files.
    """

    suffix: str
    encoding: str

    def names(self) -> Sequence[str]:
        """The files that `snapshot` gives, without suffix."""
        ...

    def snapshot(self, connection: sqlite3.Connection, name: str) -> Iterator[str]:
        """Everything that belongs into one of the files, streaming."""
        ...

    def changes(self, connection: sqlite3.Connection, effects: Iterable[Effect]) -> Iterator[str]:
        """What a batch changed, in a form that another system can carry out."""
        ...
