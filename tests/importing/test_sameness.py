"""Whether two records can be about the same human being."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eadm_sync.importing.records import SourcePerson
from eadm_sync.importing.sameness import are_strangers, is_reused, may_be_one
from eadm_sync.model import Sealed

EARLY, LATE = date(1980, 1, 2), date(1999, 12, 31)
ONE, OTHER = Sealed(b"a", b"1"), Sealed(b"b", b"2")


def record(name: str, born: date | None = None, number: Sealed | None = None) -> SourcePerson:
    """A record of a given and a family name."""
    given_name, _, family_name = name.partition(" ")
    return SourcePerson("hr", "1", given_name, family_name, born, number)


def born(record: SourcePerson) -> date | None:
    """Its date of birth; of the two numbers, the first is of the early, the second of the late day."""
    return record.birth_date or ({b"1": EARLY, b"2": LATE}[record.national_id.digest] if record.national_id else None)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (record("Kari Li", EARLY), record("Omar Haddad", LATE), True),
        (record("Kari Li", EARLY), record("Kari Haddad", LATE), False),  # a name in common
        (record("Åse Ås", EARLY), record("Aase Aas", LATE), False),  # the same, spelt otherwise
        (record("Kari Li", EARLY), record("Omar Haddad", EARLY), False),  # one day
        (record("Kari Li", None, ONE), record("Omar Haddad", None, OTHER), True),  # days that the numbers tell
        (record("Kari Li"), record("Omar Haddad", LATE), False),  # a day that nobody knows
        (record("", EARLY), record("Omar Haddad", LATE), False),  # no name to compare
    ],
)
def test_strangers_differ_in_name_and_day(one: SourcePerson, other: SourcePerson, expected: bool):
    """Either difference alone happens to one human being."""
    assert are_strangers(one, other, born) is expected
    assert are_strangers(other, one, born) is expected


@pytest.mark.parametrize(
    ("former", "now", "expected"),
    [
        (record("Kari Li", EARLY, ONE), record("Omar Haddad", LATE, ONE), False),  # the same number
        (record("Kari Li", EARLY, ONE), record("Kari Li", EARLY, OTHER), False),  # put right, or a D-number before
        (record("Kari Li", None, ONE), record("Kari Li", None, OTHER), True),  # a namesake
        (record("Kari Li", EARLY, ONE), record("Omar Haddad", EARLY, OTHER), True),  # born on the same day
        (record("Kari Li", EARLY, ONE), record("Omar Haddad", LATE), True),
        (record("Kari Li", EARLY), record("Kari Li", LATE), False),
    ],
)
def test_a_key_is_reused_where_all_speaks_for_another(former: SourcePerson, now: SourcePerson, expected: bool):
    """Another number is another human being unless day and name say otherwise."""
    assert is_reused(former, now, born) is expected


records = st.builds(
    record,
    st.sampled_from(["Kari Li", "Omar Haddad", "Kari Haddad"]),
    st.sampled_from([None, EARLY, LATE]),
    st.sampled_from([None, ONE, OTHER]),
)


@given(records, records)
def test_strangers_are_never_taken_for_one_by_a_weak_link(one: SourcePerson, other: SourcePerson):
    """What a national id does not join, an employee number does not either, where both dates are known."""
    if one.birth_date and other.birth_date and are_strangers(one, other, born):
        assert not may_be_one(one, other)


@given(records)
def test_everybody_is_who_they_are(one: SourcePerson):
    """A record that did not change is of the same human being."""
    assert not is_reused(one, one, born)
    assert not are_strangers(one, one, born)
