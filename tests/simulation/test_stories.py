"""Short stories that once went wrong; each was cut out of a long one."""

from __future__ import annotations

from .story import Event
from .telling import tell


def test_the_last_pupil_of_a_class_leaves():
    """The class's group goes with the run behind the last member's, and then there is nothing left to do."""
    story = (
        Event(0, "enrol", "h4", days=1),
        Event(42, "drop out", "h4", days=10),
    )

    tell(story, 60)


def test_somebody_returns_whose_accounts_are_in_the_recycle_bin():
    """The audit tells of restored accounts what is known of them."""
    story = (
        Event(0, "join", "h1", "22", word="Rådgiver"),
        Event(14, "end", "h1", days=1),
        Event(303, "join", "h1", "12", word="Rådgiver"),
    )

    tell(story, 314)


def test_a_return_is_called_off_before_its_first_day():
    """Whoever was to be back is kept for the whole retention again, however long the account had been disabled."""
    story = (
        Event(0, "join", "h1", "22", word="Rådgiver"),
        Event(30, "end", "h1"),
        Event(85, "join", "h1", "12", word="Rådgiver"),
        Event(100, "vanish", "h1"),
    )

    tell(story, 200)


def test_somebody_is_given_the_account_again_on_the_day_it_would_be_deleted():
    """The account is kept, and nobody is looked at a second time."""
    story = (
        Event(61, "join", "h152", "22", word="Rådgiver"),
        Event(94, "end", "h152", days=1),
        Event(162, "join", "h152", "11", days=40, word="Vaktmester"),
    )

    tell(story, 163)


def test_somebody_returns_and_leaves_again_while_the_target_is_down():
    """The account is kept for the whole retention from the second leaving on, though the target heard of no return."""
    story = (
        Event(0, "join", "h4", "22", word="Rådgiver"),
        Event(0, "join", "h5", "22", word="Rådgiver"),
        Event(20, "end", "h4"),
        Event(58, "fault", "ad", days=22, word="unavailable"),
        Event(58, "rename", "h5", word="Berg"),
        Event(60, "join", "h4", "11", days=5, word="Lærer"),
    )

    tell(story, 150)


def test_an_account_that_was_deleted_by_hand_comes_back_disabled_before_the_first_day():
    """It was enabled when somebody deleted it; out of the recycle bin it lets nobody in before its time."""
    story = (
        Event(0, "join", "h1", "12", days=10, word="Lærer"),
        Event(38, "spoil", "h1", word="delete"),
        Event(40, "join", "h1", "11", word="Vaktmester"),
    )

    tell(story, 70)
