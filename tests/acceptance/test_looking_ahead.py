"""A look at days to come, from what is known today: nothing is written, and the day itself brings what was shown."""

from __future__ import annotations

from datetime import timedelta

from .conftest import FIRST_DAY, Town

LEAVER, NUMBER = "hr:001028", "001028"
LAST = FIRST_DAY + timedelta(days=10)
OUT = LAST + timedelta(days=1)


def test_a_day_to_come_is_planned_with_what_is_known_today(settled: Town):
    """Who leaves in ten days is disabled in a preview of the eleventh, not in that of the tenth; no file changes."""
    settled.end_positions([NUMBER], LAST)
    settled.sync()
    before = settled.fingerprint()

    on_the_last_day = settled.plan(as_of=LAST)
    on_the_day_after = settled.plan(as_of=OUT)

    assert not [line for line in on_the_last_day.lines if line[:1] == (LEAVER,)]
    assert (LEAVER, "ad", "account", "disable") in on_the_day_after.lines
    assert settled.fingerprint() == before


def test_a_preview_of_a_day_shows_what_that_day_brings(settled: Town):
    """Where nothing else happens in between, the plan of the day is the one that was shown."""
    settled.end_positions([NUMBER], OUT)
    settled.sync()
    day = OUT + timedelta(days=1)

    shown = settled.plan(as_of=day)
    settled.on(day)

    assert settled.plan().lines == shown.lines
    assert shown.lines


def test_a_record_that_has_just_changed_counts_too(settled: Town):
    """The sources are read: what no run has taken over yet is part of the preview."""
    settled.end_positions([NUMBER], LAST)

    assert (LEAVER, "ad", "account", "disable") in settled.plan(as_of=OUT).lines
