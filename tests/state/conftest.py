"""Here states are migrated, not copied."""

import pytest

from eadm_sync.state import database
from tests.prepared import Migrate


@pytest.fixture(autouse=True)
def _migrated_each_time(prepared_once: Migrate, monkeypatch: pytest.MonkeyPatch) -> None:
    """See tests/conftest.py."""
    monkeypatch.setattr(database, "migrate", prepared_once)
