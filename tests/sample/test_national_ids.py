from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eadm_sync.importing.national_id import NationalId, parse
from eadm_sync.sample.national_ids import NationalIds, with_check_digits

FEMALE_NUMBERS_OF_THE_DAY = 209  # of 250, those whose check digits are not 10
BIRTHS = st.dates(date(1900, 1, 1), date(2026, 12, 31))


@pytest.mark.parametrize(
    "number",
    [
        # from https://github.com/navikt/fnrvalidator/issues/116, made by Skatteetaten
        "17912099997",
        "29822099635",
        "05840399895",
        "57912075186",  # D-number
        "69822075096",  # D-number
    ],
)
def test_check_digits_are_those_of_skatteetaten(number: str):
    """Numbers published by Skatteetaten come out of their first nine digits."""
    assert with_check_digits(number[:9]) == number


@given(birth=BIRTHS, sex=st.sampled_from("KM"), d_number=st.booleans())
def test_what_is_issued_is_valid(birth: date, sex: str, *, d_number: bool):
    """The importer takes every issued number for a synthetic one of the right birth date."""
    number = NationalIds().issue(birth, sex, d_number=d_number)

    parsed = parse(number, today=date(2026, 12, 31))

    assert isinstance(parsed, NationalId)
    assert parsed.synthetic
    assert parsed.birth_date == birth
    assert int(number[8]) % 2 == (sex == "M")
    assert (number[0] > "3") == d_number


def test_no_number_is_issued_twice():
    """A day's numbers all differ, and running out is an error rather than a repetition."""
    ids = NationalIds()
    day = date(2019, 5, 17)
    issued = [ids.issue(day, "K") for _ in range(FEMALE_NUMBERS_OF_THE_DAY)]

    with pytest.raises(ValueError, match="2019-05-17"):
        ids.issue(day, "K")
    assert len(issued) == len(set(issued))


def test_a_later_register_goes_on_where_the_former_stopped():
    """Numbers issued from the remembered counts differ from those before."""
    first = NationalIds()
    former = {first.issue(date(1980, 1, 1), "M") for _ in range(20)}

    later = NationalIds(first.issued)

    assert later.issue(date(1980, 1, 1), "M") not in former
