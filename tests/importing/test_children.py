from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eadm_sync.config.mapping import MapSettings
from eadm_sync.importing.children import ChildRows, payload
from eadm_sync.importing.mapping import Entry, compile_mapping

SETTINGS = MapSettings.model_validate(
    {
        "affiliations": [
            {"from": "c", "person": "{{ row.a }}", "key": "{{ row.b }}", "kind": kind} for kind in ("x", "y")
        ]
    }
)
ENTRIES: tuple[Entry, ...] = compile_mapping(SETTINGS, (), ("c",), lambda _table: ("a", "b")).entries
TEXT = st.text(st.characters(exclude_characters="\x1e\x1f", exclude_categories=["Cs"]), max_size=8)
VALUES = st.tuples(TEXT, TEXT)
ROWS = st.lists(st.tuples(st.sampled_from(ENTRIES), VALUES, st.sampled_from(["a.csv", "b:2.csv"]), st.integers(1, 999)))


@given(ROWS)
def test_rows_come_back_as_they_were(rows: list[tuple[Entry, tuple[str, str], str, int]]):
    """Whatever rows a person has, each comes back with its entry, values, file and line."""
    children = ChildRows(list(ENTRIES))
    for row in rows:
        assert children.add("p", *row)

    assert [tuple(children.parse(text)) for text in children.pop("p")] == rows
    assert children.left() == []


@given(VALUES, st.lists(VALUES, max_size=3), VALUES, st.lists(VALUES, max_size=3))
def test_payload_tells_people_apart(
    one: tuple[str, str], own: list[tuple[str, str]], other: tuple[str, str], others: list[tuple[str, str]]
):
    """Two people hash alike only if their own values and all their rows are alike, in whatever order and place."""
    children = ChildRows(list(ENTRIES))
    for line, values in enumerate(own):
        children.add("one", ENTRIES[0], values, "a.csv", line)
    for line, values in enumerate(reversed(others)):
        children.add("other", ENTRIES[0], values, "b.csv", line)

    same = payload(one, children.pop("one")) == payload(other, children.pop("other"))

    assert same is (one == other and sorted(own) == sorted(others))


@pytest.mark.parametrize("value", ["\x1f", "a\x1eb"])
def test_our_own_separators_are_refused(value: str):
    """A value that holds a separator could pass for two, so the row is not kept."""
    children = ChildRows(list(ENTRIES))

    assert not children.add("p", ENTRIES[0], ("1", value), "a.csv", 2)
    assert children.pop("p") == []
