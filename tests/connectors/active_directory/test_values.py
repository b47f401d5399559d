"""Values as Active Directory writes them."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.active_directory.schema import ACCOUNT, FORBIDDEN, GROUP, Attribute, Syntax, attribute_of, refusal
from connectors.active_directory.values import (
    check_account_name,
    decode,
    encode,
    encode_password,
    group_type,
    group_words,
)
from connectors.contract import Password, Value
from connectors.errors import Rejected

NEVER = b"9223372036854775807"
TEXT, LIST = Attribute("displayName", max_length=8), Attribute("proxyAddresses", Syntax.LIST, 8)
BOOLEAN, INTEGER = Attribute("hidden", Syntax.BOOLEAN), Attribute("gidNumber", Syntax.INTEGER)
DATE = ACCOUNT["accountExpires"]


@pytest.mark.parametrize(
    ("attribute", "value", "raw"),
    [
        (TEXT, "Åse", ["Åse".encode()]),
        (TEXT, None, []),
        (TEXT, "", []),  # Active Directory has no empty values
        (TEXT, "🦌🦌🦌🦌", ["🦌🦌🦌🦌".encode()]),  # eight characters in UTF-16, as Windows counts
        (LIST, ["b", "a", "b", ""], [b"a", b"b"]),
        (LIST, [], []),
        (BOOLEAN, True, [b"TRUE"]),
        (BOOLEAN, False, [b"FALSE"]),
        (INTEGER, -5, [b"-5"]),
        (DATE, None, [NEVER]),  # it cannot be cleared: never is a value of its own
        (DATE, "", [NEVER]),
        (DATE, "1601-01-01", [b"864000000000"]),  # the last day is over at midnight, in tenths of microseconds
        (DATE, "2026-12-31", [b"134432352000000000"]),
        (DATE, "1601-01-01T02:00:00+01:00", [b"36000000000"]),
    ],
)
def test_a_value_is_written_as_its_syntax_asks(attribute: Attribute, value: Value, raw: list[bytes]) -> None:
    """And what has no value is not written."""
    assert encode(attribute, value) == raw


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        (TEXT, "x" * 9),
        (TEXT, "🦌🦌🦌🦌🦌"),
        (TEXT, "a\0b"),
        (TEXT, "\ud800"),  # half of a surrogate pair
        (TEXT, 5),
        (TEXT, ["x"]),
        (LIST, "x"),
        (LIST, ["x" * 9]),
        (LIST, ["a\0"]),
        (LIST, [5]),
        (BOOLEAN, "TRUE"),
        (BOOLEAN, 1),
        (INTEGER, True),
        (INTEGER, 2**31),
        (INTEGER, "5"),
        (DATE, "31.12.2026"),
        (DATE, "2026-02-30"),
        (DATE, "2026-12-31T15:00:00"),  # whose three o'clock?
        (DATE, "9999-12-31"),
        (DATE, "1500-01-01"),
        (DATE, 5),
    ],
)
def test_what_does_not_fit_is_refused_by_name(attribute: Attribute, value: Value) -> None:
    """The refusal tells nothing of the value."""
    with pytest.raises(Rejected) as caught:
        encode(attribute, value)
    assert caught.value.attribute == attribute.name
    if value:
        assert str(value) not in caught.value.reason


@pytest.mark.parametrize("raw", [b"0", NEVER])
def test_an_account_that_never_expires_has_no_last_day(raw: bytes) -> None:
    """Both numbers mean never."""
    assert decode(DATE, [raw]) is None


@given(day=st.dates(date(1601, 1, 1), date(9999, 12, 30)))
def test_a_last_day_comes_back_as_it_went(day: date) -> None:
    """To the day."""
    assert decode(DATE, encode(DATE, day.isoformat())) == day.isoformat()


@given(value=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_text_comes_back_as_it_went(value: str) -> None:
    """Whatever it holds."""
    attribute = Attribute("info")
    assert decode(attribute, encode(attribute, value)) == value


def test_a_password_is_in_quotes_and_two_bytes_a_character() -> None:
    """[MS-ADTS] 3.1.1.3.1.5.1."""
    assert encode_password(Password("Å1")) == b'"\x00\xc5\x00' + b'1\x00"\x00'


@pytest.mark.parametrize(
    "name", ["", "a b/c", "a@b", "a*", "a,b", "x.", "dc1$", " x", "x ", "a\nb", "a\\b", 'a"b', "a:b"]
)
def test_a_name_that_windows_refuses_is_refused(name: str) -> None:
    """Samba takes all of them ([MS-SAMR] 3.1.1.6); so is one that a machine could have, or is about to get."""
    with pytest.raises(Rejected):
        check_account_name("sAMAccountName", name)


@pytest.mark.parametrize("name", ["ola.nordmann", "5A Ås-skole (elever)", "o'brien", "$a", "#x", "x_y"])
def test_a_name_that_windows_takes_is_taken(name: str) -> None:
    """Blanks and letters of all languages may be in it."""
    check_account_name("sAMAccountName", name)


@pytest.mark.parametrize("scope", ["global", "domain_local", "universal"])
@pytest.mark.parametrize("category", ["security", "distribution"])
def test_what_a_group_is_comes_back_as_it_went(scope: str, category: str) -> None:
    """Two words are kept in one number."""
    words: dict[str, Value] = {"groupScope": scope, "groupCategory": category}
    assert group_words(group_type(words)) == words


def test_what_is_not_said_of_a_group_stays() -> None:
    """A group is global and of security unless something else is asked; a change of one keeps the other."""
    assert group_type({}) == -0x7FFFFFFE
    assert group_words(group_type({"groupScope": "universal"}, 2)) == {
        "groupScope": "universal",
        "groupCategory": "distribution",
    }
    assert group_words(group_type({"groupCategory": "distribution"}, -0x7FFFFFFC)) == {
        "groupScope": "domain_local",
        "groupCategory": "distribution",
    }


@pytest.mark.parametrize("words", [{"groupScope": "local"}, {"groupCategory": "x"}, {"groupScope": 5}])
def test_a_group_is_nothing_else(words: dict[str, Value]) -> None:
    """The refusal names the attribute."""
    with pytest.raises(Rejected) as caught:
        group_type(words)
    assert caught.value.attribute in words


# ---------------------------------------------------------------- attributes


DANGEROUS = [
    *("userAccountControl", "unicodePwd", "memberOf", "member", "nTSecurityDescriptor", "servicePrincipalName"),
    *("msDS-AllowedToDelegateTo", "msDS-AllowedToActOnBehalfOfOtherIdentity", "sIDHistory", "adminCount"),
    *("primaryGroupID", "msDS-KeyCredentialLink", "altSecurityIdentities", "pwdLastSet", "lockoutTime", "objectSid"),
    *("objectClass", "dNSHostName", "gPLink", "groupType", "name", "isDeleted", "msDS-SupportedEncryptionTypes"),
]


@pytest.mark.parametrize("name", DANGEROUS)
@pytest.mark.parametrize("change", [str, str.upper, str.lower])
def test_what_gives_away_the_domain_is_never_written(name: str, change: type[str]) -> None:
    """By no spelling, neither with nor without a setting that adds it."""
    spelt = change(name)
    for known in (ACCOUNT, GROUP):
        error = refusal(spelt, known)
        assert error is not None
        assert "never" in error.reason
        assert error.attribute == spelt
    with pytest.raises(ValueError, match="never"):
        attribute_of(spelt, "str")


# Rows: an OID, options, a subtype, nothing, white space, what would end an attribute's name in a filter.
@pytest.mark.parametrize(
    "name", ["1.2.840.113556.1.4.8", "unicodePwd;binary", "cn;lang-no", "", " sn", "sn ", "a)(b", "æ"]
)
def test_an_attribute_has_one_name(name: str) -> None:
    """No other way leads to it, on which a forbidden one could be reached."""
    assert refusal(name, ACCOUNT) is not None
    with pytest.raises(ValueError, match="name of an attribute"):
        attribute_of(name, "str")


def test_no_attribute_is_both_known_and_forbidden() -> None:
    """The tables agree."""
    assert not {name.casefold() for name in (*ACCOUNT, *GROUP)} & FORBIDDEN


@pytest.mark.parametrize(
    ("name", "meant"), [("displayname", "displayName"), ("Mail", "mail"), ("samAccoutName", "sAMA")]
)
def test_a_misspelt_attribute_is_refused_with_what_was_meant(name: str, meant: str) -> None:
    """Spelling counts, since what is read is told in the schema's."""
    error = refusal(name, ACCOUNT)
    assert error is not None
    assert f"did you mean {meant}" in error.reason


@pytest.mark.parametrize(
    ("type_", "syntax"), [("str", Syntax.TEXT), ("list", Syntax.LIST), ("date", Syntax.DATE), ("dn", Syntax.ACCOUNT)]
)
def test_the_settings_can_add_attributes(type_: str, syntax: Syntax) -> None:
    """Of the types that they know."""
    assert attribute_of("municipalityCode", type_) == Attribute("municipalityCode", syntax)
