"""Days in little memory behave as a dictionary of them."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eadm_sync.plan.due import DueDays
from eadm_sync.texts import SortedTexts

IDS = [f"hr:{number}" for number in range(10, 22)]
PEOPLE = st.sampled_from(IDS)
MOVES = st.lists(st.tuples(PEOPLE, st.none() | st.dates() | st.just("forget")))


@given(named=st.sets(PEOPLE), moves=MOVES, asked=st.lists(PEOPLE))
def test_days_are_those_that_were_noted_last(
    named: set[str], moves: list[tuple[str, date | str | None]], asked: list[str]
) -> None:
    """Of people who were named beforehand or not, in order or not, once or again."""
    days, model = DueDays(SortedTexts(named)), {}
    for person, day in moves:
        if day == "forget":
            assert days.pop(person, date.min) == model.pop(person, date.min)
        else:
            days[person] = model[person] = day
        assert dict(days) == model
        assert len(days) == len(model)
        for one in asked:
            assert (one in days) == (one in model)
            assert days.get(one, date.max) == model.get(one, date.max)
    assert days.keys() & set(asked) == model.keys() & set(asked)
    assert set(asked) - days.keys() == set(asked) - model.keys()
    assert days.keys() - set(asked) == model.keys() - set(asked)


def test_nobody_is_noted_at_the_beginning() -> None:
    """Whoever was named is to be looked at, and may not be there."""
    days = DueDays(SortedTexts(["hr:1"]))

    assert (list(days), len(days), "hr:1" in days) == ([], 0, False)
    with pytest.raises(KeyError):
        del days["hr:1"]
