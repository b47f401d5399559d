"""The local Google service, and ways to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from google.auth.crypt import RSASigner

from connectors.google_workspace.connection import Connection
from connectors.google_workspace.options import GoogleOptions
from tests.services.google.control import GoogleService

Settings = Callable[..., GoogleOptions]


@pytest.fixture(scope="session", autouse=True)
def _keys_are_read_once() -> Iterator[None]:
    """OpenSSL checks a private key for a tenth of a second each time that it is read; there is only one here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RSASigner, "from_string", cache(RSASigner.from_string))
        yield


@pytest.fixture(scope="session")
def google_process() -> Iterator[GoogleService]:
    """The process, shared by all tests of a worker."""
    with GoogleService() as service:
        yield service


@pytest.fixture
def google(google_process: GoogleService) -> Iterator[GoogleService]:
    """An empty customer that answers at once and never fails; a mistake of the service fails the test."""
    google_process.empty()
    yield google_process
    assert "mistakes" not in google_process.counters()


@pytest.fixture
def settings(google: GoogleService) -> Settings:
    """Makes settings that lead to the customer, with those given on top."""

    def made(**given: Any) -> GoogleOptions:
        words = {
            "key_file": str(google.key_file),
            "subject": google.config.admin,
            "endpoint": google.url,
            "rates": {"queries": 0, "creations": 0, "units": 0, "licences": 0},
        }
        return GoogleOptions.model_validate({**words, **given})

    return made


@pytest.fixture
def options(settings: Settings) -> GoogleOptions:
    """Those settings."""
    return settings()


@pytest.fixture
def connection(options: GoogleOptions) -> Iterator[Connection]:
    """A connection to the customer."""
    opened = Connection(options, Path())
    yield opened
    opened.close()
