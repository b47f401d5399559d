"""What a target asks of passwords."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.pretty import pretty_repr

from connectors.contract import Password, PasswordRules, name_parts

AD = PasswordRules(min_length=7, max_length=20, min_classes=3, avoids_names=True)


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("Abc123", "fewer than 7"),
        ("Abc123" + "x" * 15, "more than 20"),
        ("abcdefg1", "fewer than 3 of"),  # two classes
        ("Abcdefg1", None),  # three
        ("abcdefg1!", None),  # likewise
        ("Abc-kariN9", "owner's name"),  # the given name, whatever the case
        ("Xnordm4nn", None),  # not quite the family name
        ("Xnord9mann", None),
    ],
)
def test_a_fault_says_what_is_wrong(value: str, fault: str | None):
    """The rules of a domain, as far as they are known beforehand."""
    found = AD.fault(value, ["Kari Anne", "Nordmann-Li", "karnor"])
    assert (found is None) == (fault is None)
    assert (fault or "") in (found or "")


def test_the_accounts_name_counts_as_a_whole():
    """An address as an account's name does not forbid the words of its domain."""
    assert AD.fault("Skole-Hest-77", account="kari@skole.example") is None
    assert AD.fault("Hest-KariN-77", account="karin") == "it holds the account's name"
    assert AD.fault("Hest-ka-77", account="ka") is None


def test_short_parts_of_names_do_not_count():
    """Active Directory looks at parts of three characters and more."""
    assert name_parts(["Bo Li", "Åse-Kari O'Brien"]) == {"åse", "kari", "brien"}


@given(st.text(), st.lists(st.text()))
def test_no_fault_tells_the_password(value: str, names: list[str]):
    """What goes into errors and logs is one of a few sentences."""
    found = AD.fault(value, names)
    assert found is None or found in {
        AD.fault("a"),
        AD.fault("a" * 21),
        AD.fault("a" * 8),
        "it holds a part of its owner's name",
    }


def test_a_password_prints_as_nothing():
    """Neither Python nor Rich shows it, alone or in an operation."""
    assert "hemmelig" not in repr(Password("hemmelig")) + str(Password("hemmelig")) + pretty_repr(Password("hemmelig"))
