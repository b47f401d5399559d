"""Norwegian national ids (no: fødselsnummer), D-numbers and the synthetic ones used for testing.

Eleven digits: day, month, year (two each), three individual digits that tell the century, two check digits modulo 11.
A D-number adds 40 to the day. Synthetic numbers add 40 (NAV), 65 (NAV over Tenor) or 80 (Skatteetaten's Tenor) to the
month, so that they belong to nobody.

From 1 January 2032 numbers are issued whose first check digit leaves a remainder of 0, 1, 2 or 3 instead of 0, and from
which century and sex can no longer be read; those issued before stay valid
(https://www.skatteetaten.no/deling/opplysninger/folkeregisteropplysninger/pid/).

python-stdnum knows neither the synthetic ranges nor the series of 2032 and reads the system's clock; the tests use it
as a second opinion on ordinary numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from enum import StrEnum
from operator import mul

import msgspec

NEW_SERIES_START = date(2032, 1, 1)
"""Before this day a remainder of 1–3 is a typing error; from then on it cannot be told from a new number."""

_FIRST_WEIGHTS = (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)
_SECOND_WEIGHTS = (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)
_OLD_SERIES_REMAINDERS = frozenset({0})
_NEW_SERIES_REMAINDERS = frozenset({0, 1, 2, 3})
_MODULUS = 11
_DIGITS = 11
_D_NUMBER_OFFSET = 40
_MONTH_OFFSETS = (0, 40, 65, 80)
_MONTHS = {f"{month + offset:02}": (offset, month) for offset in _MONTH_OFFSETS for month in range(1, 13)}
_LONGEST_MONTHS = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)  # whether 29 February exists, the century tells
_SEPARATORS = str.maketrans("", "", " -:\u00a0")
_CANDIDATE = re.compile(r"(?<![0-9])[0-9]{6}[ \u00a0:-]?[0-9]{4,5}(?![0-9])")


class Fault(StrEnum):
    """Why a text is no national id; reads on after the field's name and never holds the value."""

    NOT_ELEVEN_DIGITS = "is not eleven digits"
    LEADING_ZERO_LOST = "has ten digits: its leading zero is lost"
    NO_SUCH_DATE = "does not begin with a date"
    UNUSED_SERIES = "has individual digits that were never given out for that year"
    CHECK_DIGITS = "has wrong check digits"


class NationalId(msgspec.Struct, frozen=True):
    """A valid national id or D-number. Its repr does not show it.

    Attributes:
        number: Eleven digits.
        d_number: Whether it is a D-number, which is later replaced by a national id.
        synthetic: Whether it is from a range used for testing.
        birth_date: Date of birth, or None where the number no longer tells the century (series of 2032).
    """

    number: str
    d_number: bool
    synthetic: bool
    birth_date: date | None

    def __repr__(self) -> str:
        return "NationalId(***)"


def parse(text: str, *, today: date) -> NationalId | Fault:
    """The national id that a text is, or why it is none.

    Spaces, hyphens and colons between the digits are ignored. `today` decides whether the series of 2032 is open.
    """
    number = _digits(text)
    digits_only = number.isascii() and number.isdigit()
    if len(number) != _DIGITS or not digits_only:
        ten = digits_only and len(number) == _DIGITS - 1
        lost = ten and isinstance(_parse_digits("0" + number, today), NationalId)
        return Fault.LEADING_ZERO_LOST if lost else Fault.NOT_ELEVEN_DIGITS
    return _parse_digits(number, today)


def looks_like(text: str) -> bool:
    """Whether a text is, or hides, something that could be a person's national id, even a mistyped one.

    Eleven digits that begin with a possible date do; ten do where a lost leading zero makes them a valid number.
    """
    return any(_suspicious(match.group()) for match in _CANDIDATE.finditer(text))


def holds_one(text: str) -> bool:
    """Whether a valid national id of eleven digits stands in a text (valid, so that other long numbers may)."""
    numbers = (_digits(match.group()) for match in _CANDIDATE.finditer(text))
    return any(len(number) == _DIGITS and isinstance(_parse_digits(number, date.min), NationalId) for number in numbers)


def mask(text: str, stand_in: Callable[[str], str]) -> str:
    """`text` with each number that makes `looks_like` true replaced by `stand_in(<its digits>)`."""
    return _CANDIDATE.sub(
        lambda match: stand_in(_digits(match.group())) if _suspicious(match.group()) else match.group(), text
    )


def _digits(candidate: str) -> str:
    return candidate if candidate.isdigit() else candidate.translate(_SEPARATORS)


def _suspicious(candidate: str) -> bool:
    number = _digits(candidate)
    if len(number) == _DIGITS - 1:
        return isinstance(_parse_digits("0" + number, NEW_SERIES_START), NationalId)
    return _calendar(number) is not None


def _parse_digits(number: str, today: date) -> NationalId | Fault:
    """As `parse`, of digits."""
    calendar = _calendar(number)
    if calendar is None:
        return Fault.NO_SUCH_DATE
    d_number, day, month_offset, month = calendar
    remainder = _remainder(number, _FIRST_WEIGHTS)
    allowed = _NEW_SERIES_REMAINDERS if today >= NEW_SERIES_START else _OLD_SERIES_REMAINDERS
    if remainder not in allowed or _remainder(number, _SECOND_WEIGHTS):
        return Fault.CHECK_DIGITS
    if remainder:
        return NationalId(number, d_number, month_offset > 0, None)
    year = _year(int(number[4:6]), int(number[6:9]))
    if year is None:
        return Fault.UNUSED_SERIES
    try:
        return NationalId(number, d_number, month_offset > 0, date(year, month, day))
    except ValueError:  # 29 February of a year that has none
        return Fault.NO_SUCH_DATE


def _remainder(number: str, weights: tuple[int, ...]) -> int:
    """The weighted sum of the digits modulo 11. Their ASCII codes are summed: int() of each would cost thrice that."""
    total: int = sum(map(mul, weights, number.encode("ascii"))) - ord("0") * sum(weights)
    return total % _MODULUS


def _calendar(number: str) -> tuple[bool, int, int, int] | None:
    """Whether it is a D-number, its day, the offset of its month, its month; None where there is no such date."""
    day = int(number[:2])
    d_number = day > _D_NUMBER_OFFSET
    if d_number:
        day -= _D_NUMBER_OFFSET
    found = _MONTHS.get(number[2:4])
    if found is None or not 0 < day <= _LONGEST_MONTHS[found[1]]:
        return None
    return d_number, day, *found


def _year(two_digits: int, individual: int) -> int | None:
    """The year of birth, by the series of individual digits (https://lovas.info/2013/12/01/identitetsnummer-i-norge/)."""
    if individual < 500:  # noqa: PLR2004 - the borders of the series are their own explanation
        return 1900 + two_digits
    if two_digits < 40:  # noqa: PLR2004 - as above
        return 2000 + two_digits
    if individual >= 900:  # noqa: PLR2004 - as above
        return 1900 + two_digits
    if individual < 750 and two_digits >= 54:  # noqa: PLR2004 - as above
        return 1800 + two_digits
    return None
