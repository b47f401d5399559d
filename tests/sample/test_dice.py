from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eadm_sync.sample.dice import Dice, Weighted


def test_the_same_words_give_the_same_stream_everywhere():
    """The first numbers of a stream are written down here, so that another Python or system cannot differ unseen."""
    dice = Dice("town", 1, "2026-08-17")

    assert [dice.below(1000) for _ in range(6)] == [555, 298, 576, 123, 267, 881]


def test_other_words_give_another_stream():
    """Streams of different names do not follow one another."""
    one, other = Dice("day", 1), Dice("day", 2)

    assert [one.below(1000) for _ in range(5)] != [other.below(1000) for _ in range(5)]


@given(seed=st.integers(), low=st.integers(-50, 50), width=st.integers(0, 50))
def test_between_stays_within_its_ends(seed: int, low: int, width: int):
    """Both ends belong to the range, and nothing outside."""
    dice = Dice(seed)

    seen = {dice.between(low, low + width) for _ in range(200)}

    assert min(seen) >= low
    assert max(seen) <= low + width


def test_weights_are_kept():
    """What weighs nine times as much comes about nine times as often, and what weighs nothing never."""
    dice = Dice("weights")
    table = Weighted(("often", 9), ("never", 0), ("seldom", 1))

    drawn = [dice.weigh(table) for _ in range(5000)]

    assert drawn.count("never") == 0
    assert 400 < drawn.count("seldom") < 600


def test_counts_are_right_on_average():
    """2.3 is 2 or 3, and 2.3 on average."""
    dice = Dice("count")

    drawn = [dice.count(2.3) for _ in range(5000)]

    assert set(drawn) == {2, 3}
    assert 2.25 < sum(drawn) / len(drawn) < 2.35
