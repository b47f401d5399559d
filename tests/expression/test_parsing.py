"""What can be told of a text without running it."""

import pytest

from eadm_sync.expression import constants_of


@pytest.mark.parametrize(
    ("text", "constants"),
    [
        ("employee", {"employee"}),
        (" {{ 'employee' }} ", {"employee"}),
        ("{{ 'pupil' if row.role == 'student' else 'teacher' }}", {"pupil", "teacher"}),
        ("{{ 'a' if row.x else ('b' if row.y else 'c') }}", {"a", "b", "c"}),
        ("{{ 'a' if row.x }}", {"a"}),  # or nothing
        ("{{ row.kind }}", None),
        ("{{ 'a' if row.x else row.kind }}", None),
        ("{{ 'a' | upper }}", None),
        ("x-{{ 'a' }}", None),
        ("{{ 5 }}", None),
        ("{{ 'a' if }}", None),  # no template at all
    ],
)
def test_constants_that_a_template_chooses_between(text: str, constants: set[str] | None):
    """All of them, or None where something that is not written there goes into it."""
    assert constants_of(text) == constants
