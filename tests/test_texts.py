"""Texts in little memory behave as a sorted list of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eadm_sync.texts import SortedTexts

TEXT = st.text(max_size=6) | st.just("\ud800")


@given(texts=st.sets(TEXT), asked=st.lists(TEXT), start=st.integers(-5, 5), stop=st.integers(-5, 5))
def test_they_are_a_sorted_sequence(texts: set[str], asked: list[str], start: int, stop: int) -> None:
    """By index, by slice, one after the other; half of a surrogate pair, which a damaged file may hold, is kept."""
    packed, model = SortedTexts(texts), sorted(texts)

    assert list(packed) == model
    assert len(packed) == len(texts)
    assert [packed[index] for index in range(-len(texts), len(texts))] == model * 2
    assert packed[start:stop] == model[start:stop]
    for text in (*model, *asked, *reversed(model)):
        assert (text in packed) == (text in texts)
        assert packed.find(text) == (model.index(text) if text in texts else None)
    assert 1 not in packed


def test_what_is_not_there_is_an_index_error() -> None:
    """As of a list."""
    with pytest.raises(IndexError):
        SortedTexts(["one"])[1]
