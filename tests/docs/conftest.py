"""Where the documentation stands, and its generator importable."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))  # `docs.generator` is a tool of the project, not an installed package


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT
