"""What would cost each of the tests' hundreds of installations time, done once.

A migrated state, compiled rules, and what SQLAlchemy makes of statements.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.util import LRUCache

from eadm_sync.ruleset import Ruleset, Vocabulary
from eadm_sync.ruleset.files import ruleset_files

Migrate = Callable[[Engine], None]
Create = Callable[..., Engine]
Load = Callable[[Sequence[Path], Vocabulary], Ruleset]
_MOST_KEPT = 8  # a test has two or three at a time; the example's stay, since they are asked for again and again


def copying(migrated: sqlite3.Connection, migrate: Migrate) -> Migrate:
    """As `migrate`, but an empty SQLite state becomes a copy of one that was migrated: a tenth of a second less."""

    def copied(engine: Engine) -> None:
        with engine.connect() as connection:
            new = connection.connection.driver_connection
            if isinstance(new, sqlite3.Connection) and not new.execute("SELECT * FROM sqlite_master").fetchone():
                migrated.backup(new)
                return
        migrate(engine)

    return copied


def remembering(create: Create) -> Create:
    """As `create_engine`, but engines on SQLite share what SQLAlchemy has compiled: a third of a small run's time."""
    donor = create("sqlite://")
    donor.connect().close()  # from now on its dialect knows the library's version
    compiled: LRUCache[Any, Any] = LRUCache(1000)

    def created(*arguments: Any, **options: Any) -> Engine:
        engine = create(*arguments, **options)
        if engine.dialect.name != donor.dialect.name:
            return engine
        engine.dialect = donor.dialect  # statements are remembered by it
        engine.update_execution_options(compiled_cache=compiled)
        return engine

    return created


@dataclass(frozen=True)
class _Compiled:
    """Rules with all that they were made of: the folder one stood in, files, their content, the vocabulary."""

    folder: Path
    files: tuple[Path, ...]
    content: Mapping[str, bytes]
    vocabulary: Vocabulary
    ruleset: Ruleset

    def is_of(self, folder: Path, files: tuple[Path, ...], vocabulary: Vocabulary) -> bool:
        """Whether reading these files would make the same once more."""
        return (
            (folder, files, vocabulary) == (self.folder, self.files, self.vocabulary)
            and all(Path(file).is_file() for file in self.content)
            and all(Path(file).read_bytes() == content for file, content in self.content.items())
        )


class Rules:
    """Loads rulesets as `load` does; what nobody edited since is not compiled again."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._kept: list[_Compiled] = []

    def __call__(self, paths: Sequence[Path], vocabulary: Vocabulary) -> Ruleset:
        """As `load_ruleset`, with its errors."""
        folder, files = Path.cwd(), tuple(ruleset_files(paths, []))
        for one in self._kept:
            if one.is_of(folder, files, vocabulary):
                return one.ruleset
        ruleset = self._load(paths, vocabulary)
        content = {source.path: Path(source.path).read_bytes() for source in (*ruleset.files, *ruleset.tables)}
        self._kept = [_Compiled(folder, files, content, vocabulary, ruleset), *self._kept[: _MOST_KEPT - 1]]
        return ruleset
