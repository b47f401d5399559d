"""A small invented town after its first run, with nothing delivered to any target, and copies of it to change."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from eadm_sync.app.context import Context, open_context
from eadm_sync.app.syncing import sync
from eadm_sync.clock import FixedClock
from eadm_sync.config.keys import write_key_file
from eadm_sync.sample.write import write

ROOT = Path(__file__).parents[2]
MORNING = datetime(2026, 8, 17, 4, tzinfo=UTC)


@dataclass
class Place:
    """An installation whose rules can be edited.

    Attributes:
        folder: Where it stands.
        clock: Stands still until it is set.
    """

    folder: Path
    clock: FixedClock

    @property
    def context(self) -> Context:
        """Opened anew, as each start of the program does."""
        return open_context(self.folder / "config.yaml", self.clock)

    @property
    def rules(self) -> Path:
        """The installation's own rules."""
        return self.folder / "rulesets"

    def edit(self, file: str, old: str, new: str, *, rules: Path | None = None) -> Path:
        """Replaces a text in a ruleset file, which must hold it."""
        path = (rules or self.rules) / file
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")
        return rules or self.rules

    def edited(self, file: str, old: str, new: str) -> Path:
        """A copy of the rules with a text replaced."""
        other = Path(shutil.copytree(self.rules, self.folder / "other", dirs_exist_ok=True))
        return self.edit(file, old, new, rules=other)

    def sync(self, author: str | None = None, *, deliver: bool = False) -> None:
        """The main job an hour later."""
        self.clock.moment += timedelta(hours=1)
        context = self.context
        context.author = author
        sync(context, lambda _planned: True, deliver=deliver)


@pytest.fixture(scope="session")
def _first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("place")
    shutil.copy(ROOT / "config.example.yaml", folder / "config.yaml")
    shutil.copytree(ROOT / "rulesets", folder / "rulesets")
    write(folder / "examples" / "kommune", people=60, seed=1)
    write_key_file(folder / "var" / "eadm-sync.key")
    Place(folder, FixedClock(MORNING)).sync("first author", deliver=True)
    return folder


@pytest.fixture
def place(_first: Path, tmp_path: Path) -> Place:
    """A town of sixty after its first run."""
    return Place(Path(shutil.copytree(_first, tmp_path / "place")), FixedClock(MORNING + timedelta(hours=1)))


@pytest.fixture
def cases(place: Place) -> Callable[[str], Path]:
    """Writes a file of ruleset tests."""

    def written(text: str) -> Path:
        path = place.folder / "cases.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return written
