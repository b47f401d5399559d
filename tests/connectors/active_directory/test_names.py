"""Distinguished names, put together, taken apart and compared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.active_directory import names
from connectors.errors import Rejected

CONTAINER = "OU=Bygg\\, plan \\+ miljø,DC=eksempel,DC=no"
VALUES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1).map(str.strip).filter(bool)


@pytest.mark.parametrize(
    ("value", "escaped"),
    [
        ("Åse Ødegård", "Åse Ødegård"),
        ("Ødegård, Åse", "Ødegård\\, Åse"),
        ("a+b=c;d", "a\\+b\\=c\\;d"),
        ('"<\\>"', '\\"\\<\\\\\\>\\"'),
        ("#1", "\\#1"),  # would begin a value in hexadecimal digits
        (" a ", "\\ a\\ "),  # blanks at the ends would be lost
        (" ", "\\ "),
        ("a # b", "a # b"),
        ("a\0b", "a\\00b"),
    ],
)
def test_a_value_is_escaped_as_the_standard_says(value: str, escaped: str) -> None:
    """RFC 4514 section 2.4: what would mean something else gets a backslash, and nothing else does."""
    assert names.escape(value) == escaped


@given(value=VALUES)
def test_what_was_put_together_comes_apart_again(value: str) -> None:
    """Whatever a name holds, it is read as it was written, and its container is found."""
    dn = names.join("CN", value, CONTAINER)
    assert names.own_name(dn) == value
    assert names.parent(dn) == CONTAINER
    assert len(names.parts(dn)) == 4


@given(value=VALUES, other=VALUES)
def test_two_objects_are_the_same_if_and_only_if_their_names_are(value: str, other: str) -> None:
    """Without case, and however they are written."""
    one, two = (names.canonical(names.join("CN", each, CONTAINER)) for each in (value, other))
    assert (one == two) == (value.casefold() == other.casefold())


@pytest.mark.parametrize(
    ("dn", "same"),
    [
        ("CN=Åse,OU=A,DC=no", "cn=åse,ou=a,dc=NO"),
        ("CN=Åse, OU=A ,DC=no", "CN=Åse,OU=A,DC=no"),  # blanks beside commas mean nothing
        ("CN=a\\2Cb,DC=no", "CN=a\\,b,DC=no"),  # a comma in either of its two forms
        ("CN=\\C3\\85se,DC=no", "CN=åse,DC=no"),  # Å as its bytes
    ],
)
def test_one_object_has_one_canonical_name(dn: str, same: str) -> None:
    """However an administrator or a server writes it."""
    assert names.canonical(dn) == names.canonical(same)


@pytest.mark.parametrize(
    ("dn", "container", "within"),
    [
        ("CN=a,OU=B,DC=no", "OU=B,DC=no", True),
        ("CN=a,OU=C,OU=B,DC=no", "ou=b,dc=NO", True),
        ("OU=B,DC=no", "OU=B,DC=no", True),
        ("CN=a,OU=AB,DC=no", "OU=B,DC=no", False),  # ends alike, but is another
        ("CN=a\\,OU=B,DC=no", "OU=B,DC=no", False),  # the comma is part of the name
        ("DC=no", "OU=B,DC=no", False),
    ],
)
def test_a_container_holds_what_is_below_it(dn: str, container: str, within: bool) -> None:
    """And itself; what merely ends alike is elsewhere."""
    assert names.is_within(dn, container) is within


@pytest.mark.parametrize("text", ["Ansatte", "OU", "=A,DC=no", "OU=A,,DC=no"])
def test_what_is_no_name_is_refused(text: str) -> None:
    """An administrator wrote a name where a distinguished name is asked for."""
    with pytest.raises(Rejected):
        names.canonical(text)


def test_the_topmost_object_is_in_nothing() -> None:
    """There is nothing above it."""
    assert names.parent("DC=no") == ""


@pytest.mark.parametrize(
    ("principal", "name"),
    [
        ("Administrator@eadm.test", "administrator"),
        ("kari@EADM", "kari"),  # the domain's short name
        ("kari", "kari"),
        ("kari@x.no", None),
        ("kari@eadm.test.x.no", None),
        ("", ""),
    ],
)
def test_a_principal_name_can_be_somebodys_who_has_none(principal: str, name: str | None) -> None:
    """At the domain's own name it is everybody's sAMAccountName."""
    assert names.signs_in_as(principal, "DC=Eadm,DC=test") == name
