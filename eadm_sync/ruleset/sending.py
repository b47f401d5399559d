"""Attributes that are not sent in clear: as a keyed hash, or encrypted with the installation's key."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

HASH = "hash"
ENCRYPTED = "encrypted"

HASH_LENGTH = 26
"""Characters of a keyed hash: 128 bits in base 32, which directories compare without case."""

LEAST_HASH_LENGTH = 16
"""What AD's `employeeID` takes: 80 bits, so that among a million people two are alike once in a million millions."""

LEAST_ENCRYPTED_LENGTH = 128
"""An attribute that takes fewer characters has no room for a national id with key id, nonce and tag."""


class Sending(msgspec.Struct, frozen=True):
    """How one attribute is sent.

    Attributes:
        mode: `hash` or `encrypted`.
        longest: Most characters that it takes, or None.
    """

    mode: str
    longest: int | None = None


Send = Callable[[Sending, str], str]
"""Makes of a value in clear what is sent."""


def in_clear(_sending: Sending, value: str) -> str:
    """Stands in where nothing is sent: tests of rulesets expect what the templates give."""
    return value
