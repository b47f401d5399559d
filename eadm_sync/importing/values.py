"""Text from a source becomes typed values. Every function either converts or raises `Unconvertible`, never guesses."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import date, datetime
from functools import lru_cache

EARLIEST_YEAR = 1800
"""A date before this is a database's way of writing "none" (0001-01-01, 1753-01-01)."""

LATEST_YEAR = 9000
"""A date from here on is a database's way of writing "never" (9999-12-31)."""

_DISTINCT_DATES = 65_536  # 180 years of days; remembered because strptime costs 5 µs
_DISTINCT_WORDS = 1_024  # kinds, fractions and flags: a handful of them, a hundred thousand times
_PERCENT_FROM = 1.5  # nobody writes 1.5 percent of a position; 1.2 is a position and a fifth
_MAX_FRACTION = 5.0
_NUMBER = re.compile(r"([0-9]{1,3}(?:[.,][0-9]{1,10})?)\s*(%?)")
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
_WORD = re.compile(r"[a-z][a-z0-9_-]*")
_TRUE = frozenset({"1", "true", "t", "yes", "y", "ja", "j", "x", "sann", "sant"})
_FALSE = frozenset({"", "0", "false", "f", "no", "n", "nei", "usann", "usant"})


class Unconvertible(ValueError):
    """A text cannot be what its field asks for; `reason` never holds the text."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def text_reader(max_length: int) -> Callable[[str], str]:
    """A reader of text of at most `max_length` characters: trimmed, and in Unicode's composed form (NFC).

    The reader raises `Unconvertible` for longer text, control characters, and marks that reverse the direction of
    writing (a name must not read otherwise than it is stored).
    """

    def read(text: str) -> str:
        text = text.strip()
        if len(text) > max_length:
            raise Unconvertible(f"is longer than {max_length} characters")
        if text.isascii() and text.isprintable():
            return text
        if _FORBIDDEN.search(text):
            raise Unconvertible("holds a control character")
        return unicodedata.normalize("NFC", text)

    return read


def date_reader(formats: tuple[str, ...]) -> Callable[[str], date | None]:
    """A reader of dates in the first of `formats` (as strptime's) that fits; empty, or no real date: None.

    The reader raises `Unconvertible` where none fits. Dates before 1800 or after 9000 are None: they are how databases
    write "none" and "never", and arithmetic on them would overflow.
    """

    @lru_cache(maxsize=_DISTINCT_DATES)
    def read(text: str) -> date | None:
        text = text.strip()
        if not text:
            return None
        for format_ in formats:
            try:
                day = datetime.strptime(text, format_).date()  # noqa: DTZ007 - a calendar day has no time zone
            except ValueError:
                continue
            return day if EARLIEST_YEAR <= day.year < LATEST_YEAR else None
        raise Unconvertible(f"is not a date ({', '.join(formats)})")

    return read


@lru_cache(maxsize=_DISTINCT_WORDS)
def read_fraction(text: str) -> float | None:
    """A share of a full position: '80', '80%', '80,0', '0,8' and '0.8' are all 0.8. Empty: None.

    Without a percent sign a number above 1.5 is a percentage, up to it a share.

    Raises:
        Unconvertible: No number, negative, or above 500 percent.
    """
    text = text.strip()
    if not text:
        return None
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise Unconvertible("is not a fraction or a percentage")
    number = float(match[1].replace(",", "."))
    if match[2] or number > _PERCENT_FROM:
        number /= 100
    if number > _MAX_FRACTION:
        raise Unconvertible("is more than five full positions")
    return round(number, 6)


@lru_cache(maxsize=_DISTINCT_WORDS)
def read_flag(text: str) -> bool:
    """Yes or no: true/false, yes/no, ja/nei, their initials, 1/0, x; empty is no. Case does not matter.

    Raises:
        Unconvertible: Anything else.
    """
    word = text.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise Unconvertible("is neither yes nor no")


@lru_cache(maxsize=_DISTINCT_WORDS)
def read_word(text: str) -> str:
    """A lower-case word such as an affiliation's kind.

    Raises:
        Unconvertible: Empty, or anything but lower-case letters, digits, hyphens and underscores.
    """
    word = text.strip()
    if not word:
        raise Unconvertible("is empty: the mapping gives this row none")
    if not _WORD.fullmatch(word):
        raise Unconvertible("is not a lower-case word")
    return word
