"""Tells the story of a seed; one that fails is cut short and printed as a test."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

import structlog

from .shrinking import as_test, shrunk
from .story import Size, Story, write_story
from .telling import Broken, Told, tell

CALM_DAYS = 160
"""Days behind the last event: more than retention and purge, so that everybody's way is seen to its end."""


@dataclass(frozen=True)
class Result:
    """What came of one seed: `failure` is None where all was well, else what to read and to paste."""

    seed: int
    told: Told
    seconds: float
    failure: str | None = None


def tell_seed(seed: int, size: Size, shrink_seconds: float = 600) -> Result:
    """Tells the story of one seed; a failing one is cut short for so long at most."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    story, last, began = write_story(seed, size), int(size.years * 365) + CALM_DAYS, time.monotonic()
    try:
        told = tell(story, last)
    except Broken as broken:
        last = broken.day
        story = tuple(event for event in story if event.day <= last)
        until = time.monotonic() + shrink_seconds

        def fails(one: Story) -> bool:
            return time.monotonic() < until and _what_breaks(one, last) is not None

        about = tuple(event for event in story if event.who in f"{broken}".split())
        short = shrunk(about if fails(about) else story, fails)
        words = f"seed {seed} of {size}: {broken}\ncut short: {_what_breaks(short, last)}\n\n{as_test(short, last)}"
        return Result(seed, Told(), time.monotonic() - began, words)
    return Result(seed, told, time.monotonic() - began)


def _what_breaks(story: Story, last: int) -> Broken | None:
    try:
        tell(story, last)
    except Broken as broken:
        return broken
    return None
