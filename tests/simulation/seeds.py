"""Tells the story of a seed; one that fails is cut short and printed as a test."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from .shrinking import as_test, shrunk
from .story import Size, Story, write_story
from .telling import Broken, DatabaseMaker, Told, tell

CALM_DAYS = 160
"""Days behind the last event: more than retention and purge, so that everybody's way is seen to its end."""


@dataclass(frozen=True)
class Result:
    """What came of one seed: `failure` is None where all was well, else what to read and to paste."""

    seed: int
    told: Told
    seconds: float
    failure: str | None = None


@contextmanager
def _silence() -> Iterator[None]:
    """Nothing is logged but what is critical: a story is full of faults."""
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


@_silence()
def tell_seed(seed: int, size: Size, shrink_seconds: float = 600, database: DatabaseMaker = nullcontext) -> Result:
    """Tells the story of one seed; a failing one is cut short for so long at most."""
    story, last, began = write_story(seed, size), int(size.years * 365) + CALM_DAYS, time.monotonic()

    def told_of(one: Story) -> Told:
        return tell(one, last, every=size.every, database=database)

    try:
        told = told_of(story)
    except Broken as broken:
        print(f"seed {seed}: {broken}; now cut short", file=sys.stderr, flush=True)  # noqa: T201 - that takes minutes
        last, kind = broken.day, broken.kind
        story = tuple(event for event in story if event.day <= last)
        until = time.monotonic() + shrink_seconds

        def fails(one: Story) -> bool:
            broke = _what_breaks(told_of, one) if time.monotonic() < until else None
            return broke is not None and broke.kind == kind

        about = tuple(event for event in story if event.who in f"{broken}".split())
        short = shrunk(about if fails(about) else story, fails)
        said = f"seed {seed} of {size}: {broken}\ncut short: {_what_breaks(told_of, short)}"
        words = f"{said}\n\n{as_test(short, last, size.every)}"
        return Result(seed, Told(), time.monotonic() - began, words)
    return Result(seed, told, time.monotonic() - began)


def _what_breaks(told_of: Callable[[Story], Told], story: Story) -> Broken | None:
    try:
        told_of(story)
    except Broken as broken:
        return broken
    return None
