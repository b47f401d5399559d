"""`plan --as-of`: a preview of a day to come, in every form, and of such a day only."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from .conftest import Shell

LATER = f"{datetime.now(UTC) + timedelta(days=400):%Y-%m-%d}"
BEFORE = f"{datetime.now(UTC) - timedelta(days=3):%Y-%m-%d}"


@pytest.mark.parametrize("form", ["table", "markdown", "html"])
def test_every_form_says_that_it_is_a_preview(settled: Shell, form: str):
    """Nobody takes it for what `sync` would do today."""
    said = settled("plan", "--as-of", LATER, "--format", form, "--limit", "1")

    shown = said.out.replace("\\", "")
    assert f"A preview of {LATER}" in shown
    assert "neither saved nor applied" in shown


def test_programs_are_told_the_day(settled: Shell):
    """As a field of its own, and as the day that the plan stands on."""
    told = json.loads(settled("plan", "--as-of", LATER, "--format", "json", "--limit", "1").out)

    assert told["preview_of"] == LATER
    assert told["basis"]["today"] == LATER


def test_a_preview_writes_nothing(settled: Shell):
    """No file of the installation differs."""
    before = settled.content()

    settled("plan", "--as-of", LATER)

    assert settled.content() == before


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--as-of", BEFORE), "is over"),  # the audit tells of such days
        (("--as-of", LATER, "--out", "plan.jsonl"), "cannot be saved"),  # nobody can apply it by mistake
        (("--as-of", LATER, "--rulesets", "rulesets"), "--limit only"),
        (("--as-of", "tomorrow"), "does not match"),
    ],
)
def test_what_cannot_be_looked_at_ahead_is_refused(settled: Shell, options: tuple[str, ...], why: str):
    """With the reason, and nothing done."""
    said = settled("plan", *options)

    assert said.code == 2
    assert why in " ".join(said.err.split())
    assert not (settled.folder / "plan.jsonl").exists()


def test_today_is_no_preview(settled: Shell):
    """`--as-of` with the day of today is the plan itself."""
    day = f"{datetime.now(ZoneInfo('Europe/Oslo')):%Y-%m-%d}"  # the town's, whatever this machine's is

    assert json.loads(settled("plan", "--as-of", day, "--format", "json").out)["preview_of"] is None
