"""Chains without a service: each step is given the answers that a test has for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connectors.entra.batching import Response
from connectors.entra.chains import Chain
from connectors.memory import Memory

URL = "https://graph.example/v1.0"
ACCOUNT, GROUP = "00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b"

Answer = tuple[int, Any]
"""Status and body."""


def run(chain: Chain[Any], *steps: Sequence[Answer]) -> Any:
    """The result of a chain that is given these answers, step by step."""
    next(chain)
    try:
        for step in steps:
            chain.send([Response(str(number), *answer) for number, answer in enumerate(step)])
    except StopIteration as end:
        return end.value
    raise AssertionError("the chain asks for more")


def memory(*made: str) -> Memory:
    """One that knows what was made a moment ago."""
    known = Memory(3600)
    for anchor in made:
        known.note(anchor, anchor)
    return known
