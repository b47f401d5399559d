"""What an operator reads of a refusal."""

from __future__ import annotations

import pytest

from connectors.errors import AlreadyExists, Rejected
from exportqueue.item import describe


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Rejected("is longer than 64 characters", "title"), "Rejected: title: is longer than 64 characters"),
        (AlreadyExists("another object has this name", "mail"), "AlreadyExists: mail: another object has this name"),
        # It is named already.
        (Rejected("the password is too weak", "password"), "Rejected: the password is too weak"),
        # No attribute is at fault.
        (Rejected("there is no recycle bin here"), "Rejected: there is no recycle bin here"),
    ],
)
def test_a_refusal_names_the_attribute_at_fault(error: Rejected, told: str) -> None:
    """As it stands with a dead letter; the reason alone stays without."""
    assert describe(error) == told
    assert error.attribute is None or not error.reason.startswith(f"{error.attribute}: ")
