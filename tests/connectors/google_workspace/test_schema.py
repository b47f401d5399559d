"""Attributes in and out of the lists in which Google keeps them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import Value
from connectors.errors import Rejected
from connectors.google_workspace.schema import NAME_LENGTH, Table, cut, with_item

TABLE = Table("eadm-sync", {"Skole.trinn": "int", "Skole.klasser": "list"}, ["fint"])
ITEMS = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["work", "home", "custom"]), "value": st.sampled_from(["1", "2"])},
        optional={"customType": st.sampled_from(["fint", "other"]), "primary": st.booleans()},
    ),
    max_size=4,
)
SHARED = sorted(name for name in TABLE.attributes if TABLE.attributes[name].item is not None)


@given(st.sampled_from(SHARED), ITEMS, st.none() | st.sampled_from(["a", "å"]))
def test_writing_an_item_changes_that_item_only(name: str, items: list[dict[str, Any]], value: str | None):
    """What is read is what was written; every other item, and the order of them, is as it was."""
    attribute = TABLE.attributes[name]
    before = [dict(one) for one in items]

    after = with_item(items, attribute, value)

    rest = [one for one in items if not attribute.is_of(one)]
    assert items == before
    assert [one for one in after if not attribute.is_of(one)] == rest
    if value is not None:
        assert TABLE.attributes_of({"id": "1", attribute.path[0]: after})[name] == value
    assert with_item(after, attribute, value) == after or value is None


@given(st.dictionaries(st.sampled_from(SHARED), st.sampled_from(["a", "å"]), max_size=6))
def test_what_is_written_is_read(given_: dict[str, Value]):
    """Several attributes of one list at a time, and the mark beside them."""
    body = TABLE.body(given_, {}, "hr:1")

    assert TABLE.attributes_of(body) == given_
    assert TABLE.mark_of(body) == "hr:1"


def test_only_lists_that_others_write_are_read_before():
    """All else costs no call."""
    assert TABLE.needs_present(["phones.work", "phones.home", "givenName", "Skole.trinn"]) == ["phones"]


def test_masks_ask_for_what_is_wanted():
    """And for what tells an object's state; custom fields come along only where they are asked for by schema."""
    assert TABLE.fields(()) == "id,primaryEmail,suspended,archived,orgUnitPath,isAdmin,isDelegatedAdmin,externalIds"
    assert TABLE.fields(["phones.work"]).endswith(",phones")
    assert TABLE.projection() == {"projection": "custom", "customFieldMask": "Skole"}
    assert TABLE.projection(["phones.work"]) == {}


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ({"phones.work": True}, "'phones.work' holds a str, not a bool"),
        ({"Skole.trinn": True}, "'Skole.trinn' holds a int, not a bool"),
        ({"Skole.klasser": "3A"}, "'Skole.klasser' holds a list, not a str"),
        ({"displayName": "x" * 257}, "'displayName' holds at most 256 characters, not 257"),
        ({"shoeSize": "1"}, "'shoeSize' is no attribute"),
        ({"givenName": None}, "there is no account without 'givenName'"),
    ],
)
def test_what_google_would_not_take_is_refused(given_: dict[str, Value], words: str):
    """Before anything is sent."""
    with pytest.raises(Rejected, match=words):
        TABLE.check(given_, whole=False)


@given(st.text(max_size=80))
def test_cut_names_are_beginnings(name: str):
    """Of at most as many characters as Google takes; names that fit are left as they are."""
    fitting, short = cut({"givenName": name, "displayName": name})

    assert fitting["displayName"] == name
    assert name.startswith(str(fitting["givenName"]))
    assert len(str(fitting["givenName"])) <= NAME_LENGTH
    assert (short == ["givenName"]) is (len(name) > NAME_LENGTH)
