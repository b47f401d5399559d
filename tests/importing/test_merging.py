from __future__ import annotations

from datetime import date

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eadm_sync.importing.merging import PersonRecord, contradictions, in_precedence, merge
from eadm_sync.importing.records import SourcePerson
from eadm_sync.model import Affiliation

SOURCES = ("hr", "school")
HR = SourcePerson("hr", "1", "Åse", "Ås", email="aa@hr.no", affiliations=(Affiliation("hr:1-1", "hr", "employee"),))
SCHOOL = SourcePerson(
    "school",
    "9",
    "Åse Marie",
    "Ås",
    date(1980, 1, 2),
    email="aa@school.no",
    extra={"room": "5"},
    affiliations=(Affiliation("school:9", "school", "teacher", end=date(2030, 1, 1)),),
)


def merged(*records: PersonRecord):
    """The person made of records in any order."""
    return merge("hr:1", in_precedence(records, SOURCES))


def test_fields_by_precedence():
    """Each field comes from the first source that has it; affiliations come from all."""
    person = merged(PersonRecord(SCHOOL), PersonRecord(HR))

    assert (person.given_name, person.email, person.birth_date) == ("Åse", "aa@hr.no", date(1980, 1, 2))
    assert person.extra == {"room": "5"}
    assert [each.id for each in person.affiliations] == ["hr:1-1", "school:9"]


def test_same_source_lowest_key_first():
    """Of two records in one source the one with the lower key is believed."""
    twin = SourcePerson("hr", "0", "Anna")

    assert merged(PersonRecord(HR), PersonRecord(twin)).given_name == "Anna"


def test_absent_record_ends_the_day_before():
    """A record that was missed from a day on ends its affiliations the day before, unless they ended earlier."""
    gone = date(2026, 8, 17)
    past = Affiliation("hr:1-0", "hr", "employee", end=date(2020, 1, 1))
    future = Affiliation("hr:1-2", "hr", "employee", start=date(2026, 9, 1))
    record = SourcePerson("hr", "1", "Åse", affiliations=(past, *HR.affiliations, future))

    person = merged(PersonRecord(record, gone))

    assert [(each.id, each.end) for each in person.affiliations] == [
        ("hr:1-0", date(2020, 1, 1)),
        ("hr:1-1", date(2026, 8, 16)),
    ]


def test_present_record_is_believed_before_absent_one():
    """A record that has left its source only fills gaps, whatever its source's precedence."""
    person = merged(PersonRecord(HR, date(2026, 8, 17)), PersonRecord(SCHOOL))

    assert (person.given_name, person.email) == ("Åse Marie", "aa@school.no")


def test_of_absent_records_the_last_is_believed():
    """Somebody who was given another number, and another name, leaves: the name of before does not come back."""
    before = PersonRecord(SourcePerson("hr", "1", "Åse", "Hansen"), date(2026, 1, 1))
    after = PersonRecord(SourcePerson("hr", "2", "Åse", "Berg"), date(2026, 8, 17))
    at_school = PersonRecord(SourcePerson("school", "9", "Åse", "Li"), date(2026, 8, 17))

    assert merged(before, at_school, after).family_name == "Berg"


def test_contradictions():
    """Two dates of birth cannot both be true; a record that is gone contradicts nobody."""
    other = PersonRecord(SourcePerson("hr", "1", birth_date=date(1999, 9, 9)))

    assert contradictions([other, PersonRecord(SCHOOL)]) == ("birth_date",)
    assert contradictions([other._replace(absent_since=date(2026, 1, 1)), PersonRecord(SCHOOL)]) == ()
    assert contradictions([PersonRecord(HR), PersonRecord(SCHOOL)]) == ()


@pytest.mark.parametrize(
    ("given", "family", "found"),
    [
        ("Eva", "Ond", ("family_name",)),  # somebody else
        ("Aase", "Dal", ()),  # married, and å as aa
        ("ÅSE-MARIE", "", ()),
        ("", "As", ()),  # without its ring
        ("", "", ()),  # says nothing
    ],
)
def test_names_without_a_word_in_common(given: str, family: str, found: tuple[str, ...]):
    """Names may differ, but not wholly: whoever bears another's national id would take that person's account."""
    other = PersonRecord(SourcePerson("school", "9", given, family))

    assert contradictions([PersonRecord(HR), other]) == found


@given(
    st.permutations([PersonRecord(HR), PersonRecord(SCHOOL), PersonRecord(SourcePerson("old", "3"), date(2026, 1, 1))])
)
def test_order_of_records_does_not_matter(records: list[PersonRecord]):
    """The same records make the same person, in whatever order they come."""
    assert merged(*records) == merged(
        PersonRecord(HR), PersonRecord(SCHOOL), PersonRecord(SourcePerson("old", "3"), date(2026, 1, 1))
    )


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        # nobody says so
        (False, False, False),
        # one source is enough, whichever it is
        (True, False, True),
        (False, True, True),
    ],
)
def test_one_source_is_enough_to_know_of_a_death(first: bool, second: bool, expected: bool):
    """The other may hear of it weeks later."""
    hr, school = (msgspec.structs.replace(one, deceased=dead) for one, dead in ((HR, first), (SCHOOL, second)))

    assert merged(PersonRecord(hr), PersonRecord(school)).deceased is expected
    assert merged(PersonRecord(hr)).deceased is first
