"""Here states are migrated, not copied."""

import pytest


@pytest.fixture(autouse=True)
def migrated_once() -> None:
    """Nothing: see tests/conftest.py."""
