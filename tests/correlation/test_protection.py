"""What the configuration protects, by name, by container, by membership."""

from __future__ import annotations

import pytest

from eadm_sync.config.settings import ProtectedSettings
from eadm_sync.correlation import Protection, is_same_container, is_within

PROTECTION = Protection.of(
    ProtectedSettings(accounts=("adm-*", "svc?"), containers=("OU=Admin,DC=a",), groups=("Domain Admins", "role-*"))
)


@pytest.mark.parametrize(
    ("name", "container", "groups", "why"),
    [
        ("kari", "OU=Ansatte,DC=a", ("staff",), None),
        # by name, without case
        ("ADM-kari", "OU=Ansatte,DC=a", (), "the name adm-* is protected"),
        ("svc1", None, (), "the name svc? is protected"),
        ("svc12", None, (), None),
        # by container, and what is below it
        ("kari", "ou=admin, dc=A", (), "the container OU=Admin,DC=a is protected"),
        ("kari", "OU=Tier0,OU=Admin,DC=a", (), "the container OU=Admin,DC=a is protected"),
        ("kari", "OU=NotAdmin,DC=a", (), None),
        # by what they are in
        ("kari", None, ("staff", "domain admins"), "it is in the group Domain Admins is protected"),
        # an account without a name is protected by no pattern
        (None, None, (), None),
    ],
)
def test_an_account_is_protected_by_name_container_or_group(
    name: str | None, container: str | None, groups: tuple[str, ...], why: str | None
) -> None:
    """Each by itself is enough, and the reason names the setting."""
    assert PROTECTION.account(name, container, groups) == why


@pytest.mark.parametrize(
    ("names", "container", "is_protected"),
    [
        (("Domain Admins",), None, True),
        (("skole-1", "role-it"), None, True),
        (("skole-1",), "OU=x,OU=Admin,DC=a", True),
        (("skole-1", None), "OU=Grupper,DC=a", False),
        # the patterns of accounts are not those of groups
        (("adm-1",), None, False),
    ],
)
def test_a_group_is_protected_by_any_of_its_names_or_its_container(
    names: tuple[str | None, ...], container: str | None, is_protected: bool
) -> None:
    """By its key or by what it is called in the target."""
    assert (PROTECTION.group(names, container) is not None) is is_protected


def test_nothing_is_protected_by_nothing() -> None:
    """The default of the settings leaves all to the target's own protection."""
    none = Protection.of(ProtectedSettings())
    assert not none.is_set
    assert PROTECTION.is_set
    assert none.account("adm-1", "OU=Admin,DC=a", ("Domain Admins",)) is None


@pytest.mark.parametrize(
    ("inner", "outer", "is_it"),
    [
        ("OU=a,DC=x", "OU=a,DC=x", True),
        ("OU=b,OU=a,DC=x", "OU=a,DC=x", True),
        ("OU=ba,DC=x", "OU=a,DC=x", False),
        ("OU=a,DC=x", "OU=b,OU=a,DC=x", False),
        # paths, as Google has them
        ("/Ansatte/Skole", "/Ansatte", True),
        ("/Ansatte2", "/Ansatte/", False),
        ("/Ansatte", "/", True),
        (None, "/", False),
    ],
)
def test_a_container_is_within_itself_and_what_is_above(inner: str | None, outer: str, is_it: bool) -> None:
    """Whole steps only: a name that ends alike is another container."""
    assert is_within(inner, outer) is is_it


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("OU=Ansatte,DC=a", "OU=Ansatte,DC=a", True),
        # as a server tells what was asked of it
        ("OU=Ansatte,DC=a", "ou=ansatte, dc=A", True),
        ("/Ansatte", "/ansatte/", True),
        ("OU=Ansatte,DC=a", "OU=Skole,OU=Ansatte,DC=a", False),
        # nowhere is a place of its own
        (None, None, True),
        (None, "", False),
        ("OU=Ansatte", None, False),
    ],
)
def test_a_container_is_the_same_in_any_spelling(one: str | None, other: str | None, is_same: bool) -> None:
    """Whichever of the two is told by the target."""
    assert is_same_container(one, other) is is_same
    assert is_same_container(other, one) is is_same
