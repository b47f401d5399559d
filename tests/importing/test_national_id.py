from __future__ import annotations

from datetime import date

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from stdnum.no import fodselsnummer

from eadm_sync.importing.national_id import NEW_SERIES_START, Fault, NationalId, looks_like, mask, parse

TODAY = date(2026, 11, 22)


def complete(start: str) -> str | None:
    """Nine digits with their check digits, by an independent implementation; None where they have none."""
    first = fodselsnummer.calc_check_digit1(start)
    second = fodselsnummer.calc_check_digit2(start + first)
    return start + first + second if len(first + second) == 2 else None


@pytest.mark.parametrize(
    ("text", "d_number", "synthetic", "born"),
    [
        ("15108695088", False, False, date(1986, 10, 15)),  # python-stdnum's own example
        ("151086 95088", False, False, date(1986, 10, 15)),  # as people write it
        ("151086-95088", False, False, date(1986, 10, 15)),
        ("29422059278", False, True, date(2020, 2, 29)),  # NAV, month + 40, a leap day
        ("69422056629", True, True, date(2020, 2, 29)),  # the same as a D-number
        ("10915596784", False, True, date(1955, 11, 10)),  # Tenor, month + 80
    ],
)
def test_valid_numbers(text: str, d_number: bool, synthetic: bool, born: date):
    """Ordinary, D- and synthetic numbers are valid and tell the date of birth."""
    found = parse(text, today=TODAY)

    assert isinstance(found, NationalId)
    assert (found.d_number, found.synthetic, found.birth_date) == (d_number, synthetic, born)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", Fault.NOT_ELEVEN_DIGITS),
        ("1510869508", Fault.NOT_ELEVEN_DIGITS),
        ("1510869508x", Fault.NOT_ELEVEN_DIGITS),
        ("١٥١٠٨٦٩٥٠٨٨", Fault.NOT_ELEVEN_DIGITS),  # digits, but not those
        ("1010150902", Fault.LEADING_ZERO_LOST),  # 01010150902 through a spreadsheet
        ("15108695077", Fault.CHECK_DIGITS),
        ("32108695088", Fault.NO_SUCH_DATE),
        ("15138695088", Fault.NO_SUCH_DATE),  # month 13
        ("15608695088", Fault.NO_SUCH_DATE),  # month 60 is in no synthetic range
        ("00000000000", Fault.NO_SUCH_DATE),
    ],
)
def test_faults(text: str, fault: Fault):
    """Every other text is refused with the reason."""
    assert parse(text, today=TODAY) is fault


def test_29_february_needs_a_leap_year():
    """Whether 29 February exists is decided by the year of birth, not by the two digits alone."""
    number = next(found for serial in range(500, 600) if (found := complete(f"290201{serial}")))  # 2001

    assert parse(number, today=TODAY) is Fault.NO_SUCH_DATE


def test_series_of_2032_opens_in_2032():
    """A first check digit that leaves a remainder of 1 to 3 is an error until 2032, and valid from then on."""
    start = "151086952"
    weights = (3, 7, 6, 1, 8, 9, 4, 5, 2)
    remainder = sum(weight * int(digit) for weight, digit in zip(weights, start, strict=True))
    first = str((2 - remainder) % 11)
    number = start + first + fodselsnummer.calc_check_digit2(start + first)
    assert len(number) == 11

    found = parse(number, today=NEW_SERIES_START)

    assert parse(number, today=TODAY) is Fault.CHECK_DIGITS
    assert isinstance(found, NationalId)
    assert found.birth_date is None


@given(
    st.dates(date(1900, 1, 1), date(2039, 12, 31)),
    st.integers(0, 999),
    st.sampled_from([0, 40]),
    st.sampled_from([0, 40]),
)
def test_agrees_with_another_implementation(day: date, individual: int, d_number: int, offset: int):
    """Ordinary numbers, D-numbers and month + 40 are read as python-stdnum reads them."""
    number = complete(f"{day.day + d_number:02}{day.month + offset:02}{day.year % 100:02}{individual:03}")
    assume(number is not None)
    try:
        born = fodselsnummer.get_birth_date(str(number))
    except fodselsnummer.InvalidComponent:
        born = None

    found = parse(str(number), today=TODAY)

    assert (found.birth_date if isinstance(found, NationalId) else None) == born


@given(st.dates(date(1900, 1, 1), date(2039, 12, 31)), st.integers(0, 99999))
def test_anything_that_could_be_one_looks_like_one(day: date, rest: int):
    """Eleven digits that begin with a date are treated as a national id, whatever their check digits."""
    assert looks_like(f"{day:%d%m%y}{rest:05}")


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("15108695088", "~15108695088~"),
        ("15108695088-1", "~15108695088~-1"),  # a key made of it
        ("A151086 95088", "A~15108695088~"),
        ("1010150902", "~1010150902~"),  # its leading zero lost
        ("12345", "12345"),
        ("99999999999", "99999999999"),  # no such date
        ("115108695088", "115108695088"),  # twelve digits are something else
        ("3f2504e0-4f89-11d3-9a0c-0305e82c3301", "3f2504e0-4f89-11d3-9a0c-0305e82c3301"),
    ],
)
def test_mask(text: str, masked: str):
    """Numbers that could be national ids are replaced wherever they stand in a text, and nothing else is."""
    assert mask(text, lambda number: f"~{number}~") == masked


def test_repr_hides_the_number():
    """A national id never shows in a traceback or log."""
    assert "15108695088" not in repr(parse("15108695088", today=TODAY))
