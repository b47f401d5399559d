from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eadm_sync.importing.values import (
    Unconvertible,
    date_reader,
    read_flag,
    read_fraction,
    read_word,
    text_reader,
)


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("", None),
        ("80", 0.8),
        ("80%", 0.8),
        ("80 %", 0.8),
        ("80,0", 0.8),
        ("0,8", 0.8),
        ("0.8", 0.8),
        ("100", 1.0),
        ("1", 1.0),  # a whole position
        ("1%", 0.01),
        ("1,2", 1.2),  # up to 1.5 it is a share
        ("1.5", 1.5),
        ("1.6", 0.016),  # above, a percentage
        ("33,33", 0.3333),
        ("0", 0.0),
    ],
)
def test_fractions(text: str, share: float | None):
    """Shares and percentages, with point or comma, become a share."""
    assert read_fraction(text) == share


@pytest.mark.parametrize("text", ["x", "-50", "nan", "inf", "1e3", "80 prosent", "1.000,5", "501", "1_0", "٨٠"])
def test_no_fraction(text: str):
    """What is not plainly a number is refused, not guessed."""
    with pytest.raises(Unconvertible):
        read_fraction(text)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("", None),
        ("2026-08-17", date(2026, 8, 17)),
        (" 17.08.2026 ", date(2026, 8, 17)),
        ("17.8.2026", date(2026, 8, 17)),
        ("0001-01-01", None),  # how databases write "none"
        ("31.12.9999", None),  # … and "never"
    ],
)
def test_dates(text: str, day: date | None):
    """The first format that fits is taken; a database's sentinels are no dates."""
    assert date_reader(("%Y-%m-%d", "%d.%m.%Y"))(text) == day


@pytest.mark.parametrize("text", ["17/08/2026", "31.02.2026", "tomorrow", "2026-08-17T00:00:00"])
def test_no_date(text: str):
    """A text that fits no format is refused, and the reason names the formats but not the text."""
    with pytest.raises(Unconvertible) as caught:
        date_reader(("%Y-%m-%d", "%d.%m.%Y"))(text)

    assert caught.value.reason == "is not a date (%Y-%m-%d, %d.%m.%Y)"


@given(st.dates(date(1800, 1, 1), date(8999, 12, 31)))
def test_dates_round_trip(day: date):
    """Every date that is written in a format is read back from it."""
    assert date_reader(("%d.%m.%Y",))(f"{day.day:02}.{day.month:02}.{day.year:04}") == day


@pytest.mark.parametrize(
    ("text", "truth"),
    [("Ja", True), ("TRUE", True), ("1", True), ("x", True), ("", False), ("nei", False), ("0", False)],
)
def test_flags(text: str, truth: bool):
    """Yes and no, in Norwegian and English."""
    assert read_flag(text) is truth


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (read_flag, "kanskje"),
        (read_word, ""),
        (read_word, "Employee"),
        (read_word, "two words"),
        (text_reader(5), "123456"),
        (text_reader(50), "a\x00b"),
        (text_reader(50), "line\nbreak"),
        (text_reader(50), "evil\u202egnp.exe"),  # reads backwards on a screen
    ],
)
def test_refused(read: Callable[[str], object], text: str):
    """What a field cannot hold is refused, and the reason never holds the value."""
    with pytest.raises(Unconvertible) as caught:
        read(text)

    assert not text or text not in caught.value.reason


def test_text_is_composed():
    """Letters written as base and accent are stored as one, so that equal names compare equal."""
    assert text_reader(50)(" A\u030ase ") == "Åse"


@given(st.text(max_size=40))
def test_text_reader_only_raises_unconvertible(text: str):
    """Whatever a file holds, the reader converts or refuses, and what it gives back it gives back again."""
    read = text_reader(30)
    try:
        once = read(text)
    except Unconvertible:
        return

    assert read(once) == once
