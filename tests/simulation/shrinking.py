"""Cuts a failing story down to the events that it needs."""

from __future__ import annotations

from collections.abc import Callable

from .story import Story


def shrunk(story: Story, fails: Callable[[Story], bool], most_tries: int = 400) -> Story:
    """The shortest story found that still fails: portions are left out, smaller and smaller ones.

    Args:
        story: One that fails.
        fails: Whether a story does.
        most_tries: Stories told before it is left at what was found.
    """
    tries = 0
    size = max(1, len(story) // 2)
    while True:
        start, is_shorter = 0, False
        while start < len(story) and tries < most_tries:
            shorter = story[:start] + story[start + size :]
            tries += 1
            if fails(shorter):
                story, is_shorter = shorter, True
            else:
                start += size
        if tries >= most_tries or (size == 1 and not is_shorter):
            return story
        size = max(1, size // 2)


_LONGEST_TEST = 60


def as_test(story: Story, last: int, every: int = 1) -> str:
    """A story as a test that can be put into test_stories.py; one that is too long for that is only counted."""
    if len(story) > _LONGEST_TEST:
        return f"{len(story)} events"
    lines = "".join(f"        {event!r},\n" for event in story)
    pace = f", every={every}" if every > 1 else ""
    return f"def test_():\n    story = (\n{lines}    )\n\n    tell(story, {last}{pace})\n"
