"""Norwegian national ids and D-numbers that belong to nobody.

Skatteetaten's synthetic population register marks its numbers by adding 80 to the month, which no real number has
(https://skatteetaten.github.io/folkeregisteret-api-dokumentasjon/ny-versjon-av-syntetisk-folkeregister/; examples in
https://github.com/navikt/fnrvalidator/issues/116). A D-number has 40 added to the day. Everything else is as in real
ones: ddmmyy, three individual digits whose range tells the century and whose last is odd for men, two check digits.
"""

from __future__ import annotations

from datetime import date

from eadm_sync.sample.dice import Dice

SYNTHETIC_MONTH = 80
D_NUMBER_DAY = 40

_FIRST_WEIGHTS = (3, 7, 6, 1, 8, 9, 4, 5, 2)
_SECOND_WEIGHTS = (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
_CENTURY = 2000
_OLD_RANGE = 500
_NEW_RANGE = 1000


def with_check_digits(digits: str) -> str | None:
    """The eleven digits that begin with these nine, or None where a check digit would be 10 (never issued)."""
    first = -sum(w * int(d) for w, d in zip(_FIRST_WEIGHTS, digits, strict=True)) % 11
    if first > 9:  # noqa: PLR2004 - one digit
        return None
    digits += str(first)
    second = -sum(w * int(d) for w, d in zip(_SECOND_WEIGHTS, digits, strict=True)) % 11
    return None if second > 9 else digits + str(second)  # noqa: PLR2004 - one digit


class NationalIds:
    """Hands out numbers, none twice.

    Attributes:
        issued: How many were used up, by birth date, sex and sort of number: what the next day's register begins with.
    """

    def __init__(self, issued: dict[str, int] | None = None) -> None:
        self.issued: dict[str, int] = dict(issued or {})

    def issue(self, birth: date, sex: str, *, d_number: bool = False) -> str:
        """The next free number for somebody born on this day.

        Args:
            birth: From 1900 to 2039, the years the individual digits used here stand for.
            sex: "K" (woman, even) or "M" (man, odd).
            d_number: Whether it is a D-number.

        Raises:
            ValueError: All about 200 numbers of this day and sex are used up.
        """
        day = birth.day + (D_NUMBER_DAY if d_number else 0)
        prefix = f"{day:02d}{birth.month + SYNTHETIC_MONTH:02d}{birth.year % 100:02d}"
        key = f"{prefix}{birth.year // 100}{sex}"
        top = _OLD_RANGE if birth.year < _CENTURY else _NEW_RANGE
        odd = sex == "M"
        for taken in range(self.issued.get(key, 0), _OLD_RANGE // 2):
            self.issued[key] = taken + 1
            number = with_check_digits(f"{prefix}{top - 2 + odd - 2 * taken:03d}")
            if number is not None:
                return number
        raise ValueError(f"no national ids are left for {birth.isoformat()}")


def born(dice: Dice, day: date, youngest: int, oldest: int) -> date:
    """A birth date of somebody who, on `day`, is from `youngest` to `oldest` years old."""
    years = dice.between(youngest, oldest)
    return date.fromordinal(day.toordinal() - int(years * 365.25) - dice.below(365) - 1)
