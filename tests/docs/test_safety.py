"""The runbook names messages that the program really says, and holds and limits that it really has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from eadm_sync.config.brakes import DEFAULT_LIMITS, ImportBrake

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "safety.md").read_text(encoding="utf-8")
SOURCE = "\n".join(
    path.read_text(encoding="utf-8")
    for package in ("eadm_sync", "connectors", "exportqueue")
    for path in sorted((ROOT / package).rglob("*.py"))
)
_SHORTEST = 6  # what is left of a message between two variable parts may be a blank


def messages() -> list[str]:
    """The messages of the runbook, cut where something differs from case to case."""
    table = PAGE.partition("| message | meaning | what to do |\n|---|---|---|\n")[2].partition("\n\n")[0]
    cells = [line.split(" | ")[0] for line in table.splitlines()]
    quoted = [text for cell in cells for text in re.findall(r"`([^`]+)`", re.sub(r"\(?hold `[^`]+`\)?", "", cell))]
    parts = [part.strip(" '") for text in quoted for part in text.split("…")]
    return [part for part in parts if len(part) >= _SHORTEST]


@pytest.mark.parametrize("message", messages())
def test_messages_of_the_runbook_exist(message: str):
    """Whoever searches the page for a message finds it as the program says it."""
    assert message in SOURCE or message in {"config.yaml", "encoding"}


def test_there_are_messages_in_the_runbook():
    """The table is found and read."""
    assert len(messages()) >= 12


def test_default_limits_are_those_of_the_page():
    """Each limit of the page is the one that holds where nothing is configured."""
    rows = re.findall(r"^\| [a-z ]+ \| (\d+) %[^|]*?, at least (\d+) \|$", PAGE, re.MULTILINE)
    told = [(int(percent) / 100, int(floor)) for percent, floor in rows]

    assert told == [(limit.max_fraction, limit.floor) for limit in DEFAULT_LIMITS.values()]
    brake = ImportBrake()
    assert f"{brake.max_vanished_fraction:.0%}".replace("%", " %") + f", at least {brake.floor}" in PAGE
