"""What is doubtful in policies for first passwords."""

from __future__ import annotations

from typing import Any

import pytest

from eadm_sync.app.linting import Finding, lint


def found(place: Any, kind: str) -> list[Finding]:
    """Findings of one kind."""
    return [one for one in lint(place.context) if one.kind == kind]


def test_the_example_is_in_order(place: Any):
    """Its policies are strong and used."""
    kinds = {one.kind for one in lint(place.context)}
    assert not kinds & {"weak-password", "unused-password", "short-lived-passwords"}


@pytest.mark.parametrize(
    ("old", "new", "bits"),
    [
        ("staff: {}", "staff: {length: 8, classes: [lower, upper, digits]}", None),  # 45 bits
        ("    digits: 4\n", "    digits: 0\n", 26),  # three of 487 words
        ("    word_count: 3\n    digits: 4\n", "    word_count: 1\n    digits: 4\n", 20),
    ],
)
def test_a_weak_policy_is_told_with_its_bits(place: Any, old: str, new: str, bits: int | None):
    """Whoever knows the list of words has so many tries to make."""
    place.edit("common.yaml", old, new)
    weak = found(place, "weak-password")
    assert [one.count for one in weak] == ([] if bits is None else [bits])


def test_a_policy_that_no_rule_names_is_told(place: Any):
    """A slip of the pen in a rule would have been an error; a rule that was forgotten is not."""
    place.edit("common.yaml", "  staff: {}\n", "  staff: {}\n  guest: {}\n")
    assert [one.about for one in found(place, "unused-password")] == ["guest"]


def test_passwords_that_end_before_the_first_day_are_told(place: Any):
    """The account is made a fortnight before, and its password with it."""
    config = place.folder / "config.yaml"
    config.write_text(config.read_text(encoding="utf-8").replace("keep_days: 30", "keep_days: 14"), encoding="utf-8")
    (one,) = found(place, "short-lived-passwords")
    assert (one.count, one.of) == (14, 14)
