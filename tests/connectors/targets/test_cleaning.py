"""What a directory takes, and in which form it keeps it."""

from __future__ import annotations

from typing import Any
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import Value
from connectors.directory.cleaning import clean, equal, fold, folded_values
from connectors.directory.settings import KindRules
from connectors.errors import Rejected

RULES = KindRules(
    unique=("name",),
    indexed=("name",),
    required=("name",),
    types={"name": "str", "size": "int", "active": "bool", "mails": "list"},
    max_lengths={"name": 5},
)
ANYTHING = KindRules(unique=(), indexed=(), required=(), types={})
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("attributes", "at_fault"),
    [
        ({"nmae": "x"}, "nmae"),  # misspelt
        ({"name": 1}, "name"),  # another type
        ({"size": True}, "size"),  # a bool is no int
        ({"size": 2**63}, "size"),  # would not come back exactly
        ({"mails": ["a", 1]}, "mails"),  # a list holds texts
        ({"name": "æøåæøå"}, "name"),  # six characters where five are allowed
        ({"name": ""}, "name"),  # required
        ({"name": None}, "name"),  # required
        ({"name": "\ud800"}, "name"),  # half a surrogate pair
    ],
)
def test_what_cannot_be_kept_is_refused_by_name(attributes: dict[str, Value], at_fault: str) -> None:
    """The first attribute at fault is named, its value is not."""
    with pytest.raises(Rejected) as caught:
        clean(attributes, RULES)
    assert caught.value.attribute == at_fault


@pytest.mark.parametrize("value", [1.5, {"a": "b"}, b"x", ("a",)])
def test_only_four_types_are_values(value: Any) -> None:
    """A directory that takes any attribute takes no other type of value for that."""
    with pytest.raises(Rejected):
        clean({"x": value}, ANYTHING)


def test_a_value_outside_the_encoding_is_refused() -> None:
    """A file in Latin-1 cannot hold a Sámi name, and must not hold another one instead."""
    rules = KindRules(unique=(), indexed=(), required=(), types={}, encoding="iso8859-1")
    assert clean({"name": "Åse"}, rules) == {"name": "Åse"}
    with pytest.raises(Rejected) as caught:
        clean({"name": "Čearru"}, rules)
    assert caught.value.attribute == "name"


@given(st.dictionaries(st.text("abc", min_size=1), st.none() | st.booleans() | TEXTS | st.lists(TEXTS)))
def test_cleaning_is_idempotent(attributes: dict[str, Value]) -> None:
    """What has been cleaned is kept as it is."""
    once = clean(attributes, ANYTHING)
    assert clean(once, ANYTHING) == once
    assert once.keys() == attributes.keys()


@given(TEXTS, TEXTS)
def test_equality_and_index_agree(one: str, other: str) -> None:
    """What `find` would compare as equal, it also finds by index."""
    assert equal(one, other) == (fold(one) == fold(other))
    if one:
        assert set(folded_values(one)) == {fold(one)}
        assert equal(one, normalize("NFD", one))


# Rows: case; case outside ASCII; composed and decomposed; lists as sets; nothing; different types.
@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Ola", "OLA", True),
        ("ÅSE", "åse", True),
        ("A\u030ase", "Åse", True),
        (["b", "A"], ["a", "B"], True),
        (None, [], True),
        (None, "", False),
        (1, True, False),
        ("1", 1, False),
    ],
)
def test_equality(one: Value, other: Value, same: bool) -> None:
    """Case and the order of a list make no difference; types do."""
    assert equal(one, other) is same
    assert equal(other, one) is same
