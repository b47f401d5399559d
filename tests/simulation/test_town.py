"""A small town, told to the whole program: what must never be, never is, and calm days end as the model says."""

from __future__ import annotations

import pytest

from .seeds import tell_seed
from .shrinking import as_test, shrunk
from .story import Event, Size, write_story
from .telling import Broken, tell


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1, 5])
def test_most_of_a_year_of_a_town_in_which_everything_fails_now_and_then(seed: int):
    """Joins, moves, leaves, other names and numbers; targets, exports and processes that fail; edits by hand."""
    result = tell_seed(seed, Size(years=0.7, people=12), shrink_seconds=100)

    assert result.failure is None, result.failure
    assert result.told.crashes
    assert result.told.deleted


def test_a_story_is_the_same_for_the_same_seed():
    """What failed once can be told again."""
    assert write_story(7, Size()) == write_story(7, Size())
    assert write_story(7, Size()) != write_story(8, Size())


def test_a_failing_story_is_cut_down_to_what_it_needs():
    """Two events of forty are to blame: they are left, and can be pasted."""
    story = tuple(Event(day, "join", f"h{day}") for day in range(40))
    guilty = {story[7], story[31]}

    short = shrunk(story, lambda one: guilty <= set(one))

    assert set(short) == guilty
    assert "Event(31, 'join', who='h31')," in as_test(short, 40)


def test_a_model_that_is_wrong_is_noticed(monkeypatch: pytest.MonkeyPatch):
    """Where model and program do not agree, the story ends on that very day."""
    monkeypatch.setattr("tests.simulation.model.GRACE_DAYS", 3)
    story = (Event(0, "join", "h1", "11", word="Lærer"), Event(40, "end", "h1"))

    with pytest.raises(Broken, match=r"day 44 .*: ad: h1 has left and is enabled"):
        tell(story, 60)
