"""Sources without configuration, in the shell."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Shell


@pytest.fixture
def renamed(settled: Path) -> Path:
    """A configuration in which the only source has another name than before."""
    config = settled / "config.yaml"
    lines = config.read_text(encoding="utf-8").splitlines(keepends=True)
    at = lines.index("sources:\n") + 1
    while not lines[at].startswith("  ") or lines[at].lstrip().startswith("#"):
        at += 1
    lines[at] = "  renamed:\n"
    config.write_text("".join(lines), encoding="utf-8")
    return settled


@pytest.mark.usefixtures("settled")
def test_where_every_source_is_configured_none_is_listed(shell: Shell):
    """Nor can one be forgotten by a slip."""
    listed, forgotten = shell("sources", "list"), shell("sources", "forget", "hr", "--reason", "a slip", "--yes")

    assert (listed.code, forgotten.code) == (0, 1)
    assert "none" in listed.out
    assert "no source without configuration 'hr'" in forgotten.err


@pytest.mark.usefixtures("renamed")
def test_a_source_without_configuration_is_listed_and_forgotten_once(shell: Shell):
    """With a reason and a yes; `check` complains until then."""
    (before,) = shell("sources", "list", "--format", "json").json
    complaint = shell("check", "--offline")

    unexplained = shell("sources", "forget", before["name"], "--yes")
    unconfirmed = shell("sources", "forget", before["name"], "--reason", "renamed")
    forgotten = shell("sources", "forget", before["name"], "--reason", "renamed", "--yes")

    assert complaint.code == 1
    assert f"sources forget {before['name']}" in complaint.out
    assert (unexplained.code, unconfirmed.code, forgotten.code) == (1, 1, 0)
    assert "--reason" in unexplained.err
    assert "--yes" in unconfirmed.err
    assert f"{before['people']} people of {before['name']} are missing from it since today" in forgotten.out
    assert f"{before['alone']} of them are in no other source, and end with the next run" in forgotten.out
    assert shell("sources", "list", "--format", "json").json == []
