"""Edits of the configuration in the audit."""

from __future__ import annotations

from typing import Any

import pytest

from eadm_sync.app.auditing import AuditRow, Wanted, audit_lines
from eadm_sync.app.configurations import CONFIGURED, shown
from eadm_sync.config.yaml import load_yaml


def lines(place: Any) -> list[AuditRow]:
    """What the audit holds of the configuration."""
    return list(audit_lines(place.context, Wanted(kind=CONFIGURED)))


def edit(place: Any, old: str, new: str) -> None:
    """Edits the configuration file."""
    file = place.folder / "config.yaml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_an_edit_is_noted_by_the_first_run_that_uses_it(place: Any):
    """With its run, its user and the difference; runs with the same file note nothing."""
    (first,) = lines(place)
    edit(place, "# What the program knows of people", "# Edited. What the program knows of people")
    place.sync()
    place.sync()

    _, edited = lines(place)
    assert edited.detail["former"] == first.object != edited.object
    assert "+  # Edited. What the program knows of people" in edited.detail["diff"]
    assert edited.run is not None
    assert edited.actor == place.context.actor


def test_a_secret_that_was_edited_is_noted_and_not_shown(place: Any):
    """The version is another one, the difference is empty."""
    edit(place, "sources:\n", "# password: first-secret\nsources:\n")
    place.sync()
    edit(place, "first-secret", "second-secret")
    place.sync()

    *_, second, third = lines(place)
    assert "not shown" in second.detail["diff"]
    assert (third.detail["diff"], third.detail["former"]) == ("", second.object)
    assert "-secret" not in str(lines(place)[1:])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2", "a: 1\nb: 2\n"),
        ("a:\n  password: x\n  b: 2\n", "a:\n  (not shown: it seems to hold a secret)\n  b: 2\n"),
        # a key in several lines, and blank ones within
        (
            "a:\n  private_key: |\n    first\n\n    second\n  b: 2\n",
            "a:\n  (not shown: it seems to hold a secret)\n  b: 2\n",
        ),
        ("url: postgresql://me:secret@db/state\n", "(not shown: it seems to hold a secret)\n"),
    ],
)
def test_lines_that_seem_to_hold_a_secret_are_left_out(text: str, expected: str):
    """With all that belongs to them."""
    assert shown(load_yaml(text, "config.yaml")) == expected
