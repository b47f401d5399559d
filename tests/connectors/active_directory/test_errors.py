"""What a domain controller says when it refuses, in the contract's words."""

import pytest

from connectors.active_directory.errors import Attempt, PasswordPolicy, blamed, error_of, windows_code
from connectors.contract import Kind
from connectors.errors import (
    AlreadyExists,
    AuthenticationFailed,
    ConnectorError,
    NotFound,
    Rejected,
    Throttled,
    Transient,
    Unavailable,
)

ATTEMPT = Attempt("create an account", Kind.ACCOUNT, "an-anchor", "OU=Ansatte,DC=no", ("title", "mail"))
SAMBA_WEAK = "0000052D: Constraint violation - check_password_restrictions: the password is too short (1234)."
WINDOWS_WEAK = "0000052D: SvcErr: DSID-031A12D2, problem 5003 (WILL_NOT_PERFORM), data 0\n\0"
WINDOWS_TITLE = (
    "00002082: AtrErr: DSID-03151A8B, #1:\n\t0: 00002082: DSID-0, problem 1005, data 0, Att c (title):len 130"
)
SIGN_IN = "80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data {}, v2580"


@pytest.mark.parametrize(
    ("code", "text", "kind", "says"),
    [
        # Names in use: Samba's three ways and Windows' four.
        (68, "Entry CN=x already exists", AlreadyExists, "another object has this name"),
        (68, "00002071: samldb: Account name is in use", AlreadyExists, "another object has this name"),
        (68, "00000524: UpdErr: DSID-031A1262, problem 6005 (ENTRY_EXISTS), data 0", AlreadyExists, "name"),
        (68, "00000526: UpdErr: a group", AlreadyExists, "name"),
        (19, "000021C8: AtrErr: DSID-03200EF5, #1:", AlreadyExists, "name"),
        # A password that is too weak, with and without the domain's own words.
        (19, SAMBA_WEAK, Rejected, "too weak"),
        (53, WINDOWS_WEAK, Rejected, "too weak"),
        # Later.
        (51, "", Unavailable, "busy"),
        (52, "00000000: LdapErr: the server is shutting down", Unavailable, "going down"),
        (1, "0000200E: SvcErr: busy", Unavailable, "busy"),
        (80, "0000203A: the server is down", Unavailable, "going down"),
        (3, "", Throttled, "time limit"),
        (1, "00002019: no global catalogue", Transient, "global catalogue"),
        # Nothing works until somebody acts.
        (50, "00002098: SecErr: DSID-03150F93, problem 4003", AuthenticationFailed, "OU=Ansatte,DC=no"),
        (8, "00002028: LdapErr: DSID-0C0901FC, strong authentication", AuthenticationFailed, "encryption or signing"),
        (49, SIGN_IN.format("52e"), AuthenticationFailed, "the name or the password is wrong"),
        (49, SIGN_IN.format("533"), AuthenticationFailed, "disabled"),
        (49, SIGN_IN.format("701"), AuthenticationFailed, "expired"),
        (49, SIGN_IN.format("773"), AuthenticationFailed, "change its password"),
        (49, SIGN_IN.format("775"), AuthenticationFailed, "locked"),
        (49, "80090346: LdapErr: channel binding", AuthenticationFailed, "channel binding"),
        (49, "Invalid credentials", AuthenticationFailed, "refused"),
        # Somewhere else, or nowhere.
        (10, "0000202B: RefErr: DSID-0310084A, data 0, 1 access points", Rejected, "another domain"),
        (71, "", Rejected, "another domain"),
        (32, "00002030: NameErr: DSID-03100241, problem 2001 (NO_OBJECT)", NotFound, "an-anchor"),
        (80, "00002030: a move below what is not there", NotFound, "an-anchor"),
        # Rules of the directory.
        (19, WINDOWS_TITLE, Rejected, "rule of the directory"),
        (
            21,
            "objectclass_attrs: attribute 'title' on entry 'CN=x' contains at least one invalid value!",
            Rejected,
            "fit",
        ),
        (16, "attribute 'mail' not found", Rejected, "does not know it"),
        (17, "", Rejected, "does not know"),
        (66, "", Rejected, "objects below it"),
        (64, "", Rejected, "this container"),
        (53, "", Rejected, "refuses to"),
        (99, "", Rejected, "result 99"),
    ],
)
def test_an_answer_is_told_in_the_contracts_words(code: int, text: str, kind: type[ConnectorError], says: str) -> None:
    """Its type decides whether it is tried again; its words are for whoever reads them."""
    error = error_of(code, text, ATTEMPT)
    assert type(error) is kind
    assert says in str(error)


@pytest.mark.parametrize(
    ("code", "text", "attribute"),
    [
        (19, WINDOWS_TITLE, "title"),
        (21, "objectclass_attrs: attribute 'title' on entry 'CN=x' contains at least one invalid value!", "title"),
        (19, "000021C8: AtrErr", "userPrincipalName"),
        (68, "00000524: UpdErr", "sAMAccountName"),
        (19, SAMBA_WEAK, "password"),
        (19, "attribute 'badPwdCount'", None),  # we did not send it
        (19, "", None),
    ],
)
def test_the_attribute_at_fault_is_named(code: int, text: str, attribute: str | None) -> None:
    """From the text where it says, if we sent it at all."""
    error = error_of(code, text, ATTEMPT)
    assert isinstance(error, Rejected)
    assert error.attribute == attribute


def test_the_only_attribute_that_was_sent_is_the_one_at_fault() -> None:
    """However little the domain controller says."""
    assert blamed("", ("title",)) == "title"


def test_a_weak_password_is_told_with_what_the_domain_asks_for() -> None:
    """So that the ruleset's policy can be put right."""
    policy = PasswordPolicy(min_length=12, complexity=True, history=24)
    error = error_of(53, WINDOWS_WEAK, Attempt("set a password", policy=policy))
    for wish in ("at least 12 characters", "three kinds of characters", "none of the last 24"):
        assert wish in str(error)


def test_what_a_domain_controller_says_is_never_shown() -> None:
    """Its words may hold values."""
    text = "00002082: attribute 'title' has the value Hemmelig"
    assert "Hemmelig" not in str(error_of(19, text, ATTEMPT))


@pytest.mark.parametrize(
    ("text", "code"), [("0000052D: x", 0x52D), (" 00002071: x", 0x2071), ("x 0000052D", 0), ("52D", 0), ("", 0)]
)
def test_the_windows_code_stands_at_the_beginning(text: str, code: int) -> None:
    """Or there is none."""
    assert windows_code(text) == code
