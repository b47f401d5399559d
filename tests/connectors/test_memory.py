"""What was made not long ago is remembered, and no longer than it takes to be seen."""

from __future__ import annotations

from connectors.memory import Memory


def test_what_was_made_is_remembered_for_a_while():
    """By its id and by its mark, and until it is deleted."""
    now = 0.0
    memory = Memory(60, lambda: now)
    memory.note("1", "hr:1")
    memory.note("2", "hr:2")

    assert (memory.is_settling("1"), memory.made_for("hr:1")) == (True, "1")
    memory.forget("1")
    assert (memory.is_settling("1"), memory.made_for("hr:1")) == (False, None)
    now = 61.0
    assert (memory.is_settling("2"), memory.made_for("hr:2")) == (False, None)


def test_what_is_made_again_is_remembered_from_then_on():
    """And not forgotten with its first time, nor does it keep others from being forgotten."""
    now = 0.0
    memory = Memory(60, lambda: now)
    memory.note("1", "hr:1")
    now = 30.0
    memory.note("2", "hr:2")
    now = 50.0
    memory.note("1", "hr:1")

    now = 95.0
    assert (memory.is_settling("1"), memory.is_settling("2")) == (True, False)
