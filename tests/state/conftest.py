"""Here states are migrated, not copied."""

import pytest


@pytest.fixture(autouse=True)
def prepared_once() -> None:
    """Nothing: see tests/conftest.py."""
