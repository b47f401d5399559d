"""What the configuration lets rulesets speak of."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from eadm_sync.app.context import open_context
from eadm_sync.clock import FixedClock
from eadm_sync.errors import ConfigError

ROOT = Path(__file__).parents[2]
CLOCK = FixedClock(datetime(2026, 8, 17, tzinfo=UTC))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The example configuration, without rules."""
    (tmp_path / "rulesets").mkdir()
    text = (ROOT / "config.example.yaml").read_text(encoding="utf-8")
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_kinds_are_those_that_the_mappings_choose_between(config: Path):
    """Of all sources together, those of a ready-made mapping too."""
    kinds = open_context(config, CLOCK).vocabulary.kinds

    assert kinds == {"employee", "external", "pupil", "substitute", "teacher"}


def test_kinds_are_unknown_where_a_mapping_takes_them_from_the_source(config: Path):
    """Then no rule can be blamed for a word."""
    text = config.read_text(encoding="utf-8")
    head, tail = text.split("        kind: >-\n", 1)
    config.write_text(f'{head}        kind: "{{{{ row.Kategori }}}}"\n' + tail.split("\n", 4)[4], encoding="utf-8")

    assert open_context(config, CLOCK).vocabulary.kinds == frozenset()


def test_a_misspelt_kind_is_found_when_the_rules_are_loaded(config: Path):
    """A rule that can never hold would otherwise be noticed when somebody has no account."""
    (config.parent / "rulesets" / "a.yaml").write_text(
        "ruleset: a\nconditions: {boss: affiliation.kind == 'employe'}\n", encoding="utf-8"
    )

    with pytest.raises(ConfigError, match="is never 'employe'"):
        _ = open_context(config, CLOCK).ruleset
