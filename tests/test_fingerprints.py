"""Numbers by text in little memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eadm_sync import fingerprints
from eadm_sync.fingerprints import Fingerprints

WRITES = st.lists(st.tuples(st.text(max_size=3), st.integers(1, 255), st.booleans()), max_size=300)


@given(writes=WRITES, bits=st.sampled_from([8, 16, 64]))
def test_it_remembers_what_a_dictionary_would(writes: list[tuple[str, int, bool]], bits: int):
    """Written over or not, and however far it grows meanwhile."""
    made, expected = Fingerprints(bits), dict[str, int]()
    for text, number, is_default in writes:
        if is_default:
            assert made.setdefault(text, number) == expected.setdefault(text, number)
        else:
            made[text] = expected[text] = number

    assert {text: made.get(text) for text in expected} == expected
    assert made.get("nobody wrote this") == 0


def test_it_grows_without_losing_anything():
    """A thousand times what it begins with."""
    made = Fingerprints()
    for number in range(1, 100_000):
        made[f"kari{number}"] = number

    assert [made.get(f"kari{number}") for number in range(1, 100_000)] == list(range(1, 100_000))
    assert not any(made.get(f"ola{number}") for number in range(10_000))


def test_texts_that_fall_on_one_slot_are_told_apart(monkeypatch: pytest.MonkeyPatch):
    """Only all 64 bits make two texts one."""
    monkeypatch.setattr(fingerprints, "hash", lambda text: int(text) << 32, raising=False)
    made = Fingerprints()
    for number in range(30):
        made[str(number)] = number + 1

    assert [made.get(str(number)) for number in range(40)] == [*range(1, 31), *[0] * 10]


def test_largest_numbers_fit():
    """A fingerprint is itself a number of 64 bits."""
    made = Fingerprints()
    made["kari"] = (1 << 64) - 1

    assert made.get("kari") == (1 << 64) - 1
