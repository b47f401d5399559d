"""The recorded pages are what is sent now, and tell no secret."""

from __future__ import annotations

import re

import pytest

from tests.wire_logs.pages import FOLDER, SYSTEMS, System, recorded


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.__module__.rpartition(".")[2])
def test_a_page_is_what_is_sent_now(system: System):
    """Recorded anew, it is the same; `make wire-logs` writes it. Passwords, tokens and times are not in it."""
    name, content = recorded(system)

    assert (FOLDER / name).read_text(encoding="utf-8") == content
    assert '"password": "***"' in content
    assert not re.search(r"[Bb]earer|access_token|client_secret|127\.0\.0\.1|localhost|\d\dT\d\d:", content)
