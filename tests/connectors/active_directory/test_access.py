"""Who may do what, worked out of security descriptors as Windows writes them."""

from __future__ import annotations

import struct
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.active_directory.access import (
    CONTROL_ACCESS,
    DELETE,
    DELETE_CHILD,
    GROUP,
    RESET_PASSWORD,
    USER,
    grants,
    may,
    passed_on,
)

EVERYBODY = bytes.fromhex("010100000000000100000000")
SOMEBODY = bytes.fromhex("010100000000000512000000")
ALLOWED, DENIED, ALLOWED_OBJECT, DENIED_OBJECT, ALLOWED_IF, AUDITED = 0, 1, 5, 6, 9, 2
CONTAINERS, ONLY_HEIRS = 0x2, 0xA
FULL_CONTROL = 0xF01FF


def ace(
    kind: int, mask: int, sid: bytes = EVERYBODY, *, flags: int = 0, type_: UUID | None = None, heir: UUID | None = None
) -> bytes:
    """One entry."""
    types = b""
    if kind in (ALLOWED_OBJECT, DENIED_OBJECT):
        types = struct.pack("<I", (1 if type_ else 0) | (2 if heir else 0))
        types += b"".join(one.bytes_le for one in (type_, heir) if one)
    return struct.pack("<BBHI", kind, flags, 8 + len(types) + len(sid), mask) + types + sid


def descriptor(*aces: bytes) -> bytes:
    """A security descriptor with this list."""
    body = b"".join(aces)
    return struct.pack("<BBHIIIIBBHHH", 1, 0, 0x8404, 0, 0, 0, 20, 4, 0, 8 + len(body), len(aces), 0) + body


@pytest.mark.parametrize(
    ("aces", "expected"),
    [
        ([], False),  # nobody is permitted anything
        ([ace(ALLOWED, DELETE)], True),
        ([ace(ALLOWED, FULL_CONTROL)], True),
        ([ace(ALLOWED, 0x1000_0000)], True),  # GENERIC_ALL, as some tools write it
        ([ace(ALLOWED, CONTROL_ACCESS)], False),  # another right
        ([ace(ALLOWED, DELETE, SOMEBODY)], False),  # somebody else's
        ([ace(ALLOWED, DELETE, flags=ONLY_HEIRS)], False),  # for what is below it
        ([ace(DENIED, DELETE), ace(ALLOWED, DELETE)], False),  # the first that is about it decides
        ([ace(ALLOWED, DELETE), ace(DENIED, DELETE)], True),
        ([ace(DENIED, DELETE, SOMEBODY), ace(ALLOWED, DELETE)], True),
        ([ace(AUDITED, DELETE)], False),  # is written down, not permitted
        ([ace(ALLOWED_IF, DELETE)], False),  # who knows
    ],
)
def test_the_first_entry_that_is_about_it_decides(aces: list[bytes], expected: bool) -> None:
    """As a domain controller does it."""
    assert may(grants(descriptor(*aces)), {EVERYBODY}, DELETE) is expected


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (ace(ALLOWED_OBJECT, CONTROL_ACCESS, type_=RESET_PASSWORD), True),
        (ace(ALLOWED_OBJECT, CONTROL_ACCESS), True),  # every extended right
        (ace(ALLOWED, CONTROL_ACCESS), True),
        (ace(ALLOWED_OBJECT, CONTROL_ACCESS, type_=UUID(int=1)), False),  # to change one whose former one is known
    ],
)
def test_a_right_that_has_a_name_is_that_right(entry: bytes, expected: bool) -> None:
    """Or one of all."""
    assert may(grants(descriptor(entry)), {EVERYBODY}, CONTROL_ACCESS, RESET_PASSWORD) is expected


def test_what_is_below_inherits_what_is_meant_for_it() -> None:
    """By class, and only what is passed on at all."""
    entries = grants(
        descriptor(
            ace(ALLOWED, DELETE_CHILD),
            ace(ALLOWED_OBJECT, DELETE, flags=ONLY_HEIRS, heir=USER),
            ace(ALLOWED_OBJECT, CONTROL_ACCESS, flags=CONTAINERS, type_=RESET_PASSWORD, heir=GROUP),
        )
    )
    assert [one.mask for one in passed_on(entries, USER)] == [DELETE]
    assert may(passed_on(entries, USER), {EVERYBODY}, DELETE)
    assert not may(passed_on(entries, GROUP), {EVERYBODY}, DELETE)


def test_without_a_list_everybody_may_everything() -> None:
    """A descriptor can have none."""
    assert may(grants(struct.pack("<BBHIIII", 1, 0, 0x8004, 0, 0, 0, 0)), set(), DELETE)


@given(st.binary(max_size=200), st.integers(0, 120))
def test_what_is_no_descriptor_is_told_apart(noise: bytes, cut: int) -> None:
    """It is an error, never a right and never another exception."""
    whole = descriptor(*[ace(ALLOWED_OBJECT, DELETE, SOMEBODY, type_=RESET_PASSWORD, heir=USER)] * 3)
    for one in (noise, whole[:cut], whole[:20] + noise):
        try:
            found = grants(one)
        except ValueError:
            continue
        assert not may([each for each in found if each.sid == EVERYBODY], {EVERYBODY}, DELETE) or EVERYBODY in one
