"""LDAP messages as bytes, checked against ldap3's own encoder and decoder."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ldap3.operation.add import add_operation
from ldap3.operation.delete import delete_operation
from ldap3.operation.modify import modify_operation
from ldap3.operation.modifyDn import modify_dn_operation
from ldap3.operation.search import search_operation
from ldap3.protocol.rfc4511 import LDAPMessage, MessageID, ProtocolOp
from ldap3.utils.asn1 import encode as encode_by_ldap3

from connectors.active_directory.ber import (
    Add,
    Answer,
    Change,
    Delete,
    Entry,
    How,
    Modify,
    Move,
    Request,
    Scope,
    Search,
    all_of,
    any_of,
    decode,
    encode,
    equals,
    message_end,
    present,
)

DN = "CN=Ærlig Ås,DC=eadm,DC=test"
LONG = b"x" * 70_000


def by_ldap3(kind: str, operation: object, number: int) -> bytes:
    """What ldap3 would send."""
    message = LDAPMessage()
    message["messageID"] = MessageID(number)
    message["protocolOp"] = ProtocolOp().setComponentByName(kind, operation)
    return bytes(encode_by_ldap3(message))


@pytest.mark.parametrize("number", [1, 127, 128, 255, 256, 2**31 - 1])
@pytest.mark.parametrize(
    ("request_", "kind", "expected"),
    [
        (Add(DN, {"sn": [b"A"]}), "addRequest", add_operation(DN, {"sn": [b"A"]}, auto_encode=False)),
        (
            # Values of every width that a length can take: one byte, two, three and more.
            Modify(DN, [Change(How.REPLACE, "sn", [LONG]), Change(How.ADD, "uid", [b"a" * 127, b"b" * 128])]),
            "modifyRequest",
            modify_operation(
                DN, {"sn": [("MODIFY_REPLACE", [LONG])], "uid": [("MODIFY_ADD", [b"a" * 127, b"b" * 128])]}, False
            ),
        ),
        (
            Modify(DN, [Change(How.DELETE, "sn")]),
            "modifyRequest",
            modify_operation(DN, {"sn": [("MODIFY_DELETE", [])]}, False),
        ),
        (Move(DN, "CN=B"), "modDNRequest", modify_dn_operation(DN, "CN=B")),
        (Move(DN, "CN=B", "OU=å"), "modDNRequest", modify_dn_operation(DN, "CN=B", new_superior="OU=å")),
        (Delete(DN), "delRequest", delete_operation(DN)),
        (
            Search(DN, any_of([equals("cn", "æ"), all_of([present("sn"), equals("uid", b"\x00")])]), ["cn", "1.1"]),
            "searchRequest",
            search_operation(
                DN, r"(|(cn=æ)(&(sn=*)(uid=\00)))", 2, 0, ["cn", "1.1"], 0, 0, False, auto_escape=True, auto_encode=True
            ),
        ),
        (
            Search("", present("objectClass"), [], Scope.BASE),
            "searchRequest",
            search_operation("", "(objectClass=*)", 0, 0, [], 0, 0, False, auto_escape=True, auto_encode=True),
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Request) else "",
)
def test_a_request_is_what_ldap3_would_send(request_: Request, kind: str, expected: object, number: int) -> None:
    """Byte for byte."""
    assert encode(request_, number) == by_ldap3(kind, expected, number)


@given(value=st.text(st.characters(exclude_categories=["Cs"])))
def test_a_value_in_a_filter_is_a_value(value: str) -> None:
    """Neither brackets nor stars nor backslashes can end it: its length is told beforehand."""
    filter_ = equals("sAMAccountName", value)
    assert filter_.endswith(value.encode())
    assert message_end(filter_, 0) == len(filter_)
    assert message_end(filter_ + b"x", 0) == len(filter_)


RESULT = bytes.fromhex("300c02010765070a010004000400")  # searchResDone, success, message 7
ENTRY = bytes.fromhex(
    "302002010764 1b 0402 4453 3015 3013 0402 636e 310d 0401 61 0408 6262626262626262".replace(" ", "")
)


@pytest.mark.parametrize("cut", range(len(RESULT)))
def test_a_message_is_read_when_all_of_it_is_there(cut: int) -> None:
    """Answers come in pieces of any size."""
    assert message_end(RESULT[:cut], 0) is None
    assert message_end(b"??" + RESULT + b"rest", 2) == len(RESULT) + 2


def test_answers_and_entries_are_told_apart() -> None:
    """An entry has its values as they came."""
    assert decode(RESULT) == (7, Answer(0))
    assert decode(ENTRY) == (7, Entry("DS", {"cn": [b"a", b"b" * 8]}))


def test_a_reference_to_another_server_is_passed_over() -> None:
    """A search of a domain tells where the rest of the forest is; nobody goes there."""
    reference = bytes.fromhex("300d020103730804066c6461703a2f")
    assert decode(reference) == (3, None)
