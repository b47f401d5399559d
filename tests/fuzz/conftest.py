"""How long fuzzing lasts: some seconds among the other tests, and for `make fuzz` as many inputs as it is told."""

from __future__ import annotations

import os

import pytest

_SHORT = 40
"""Inputs a test where nobody says how many: some two seconds each on a quiet machine."""


@pytest.fixture(scope="session")
def examples() -> int:
    """Inputs that each test invents; the environment variable FUZZ_EXAMPLES says how many."""
    return int(os.environ.get("FUZZ_EXAMPLES", _SHORT))
