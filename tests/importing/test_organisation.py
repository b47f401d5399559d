"""Units of several sources become one tree."""

from __future__ import annotations

import pytest

from eadm_sync.importing.organisation import combined
from eadm_sync.model import Unit


@pytest.mark.parametrize(
    ("upper", "lower", "parent"),
    [
        ([Unit("1"), Unit("2", parent="1")], [Unit("1", parent="9"), Unit("9")], None),  # a root stays a root
        ([Unit("1"), Unit("2")], [Unit("1", parent="9"), Unit("9")], "9"),  # the upper source tells of no parents
        ([Unit("1", parent="2"), Unit("2")], [Unit("1", parent="9"), Unit("9")], "2"),  # the upper one is believed
        ([Unit("2", parent="3")], [Unit("1", parent="9"), Unit("9")], "9"),  # only the lower source has it
    ],
)
def test_parents(upper: list[Unit], lower: list[Unit], parent: str | None):
    """A lower source cannot put the root of an upper one, and with it everybody, below a unit of its own."""
    units = combined([{unit.code: unit for unit in upper}, {unit.code: unit for unit in lower}])

    assert units["1"].parent == parent


def test_other_fields_are_filled():
    """What the first source does not say, the second may."""
    units = combined([{"1": Unit("1", "A", parent="2")}, {"1": Unit("1", "B", kind="school", extra={"a": "b"})}])

    assert units == {"1": Unit("1", "A", kind="school", parent="2", extra={"a": "b"})}
