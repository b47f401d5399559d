"""What stands in a target in the place of a value that is not sent in clear, and how it is read again."""

from __future__ import annotations

import base64
import binascii

from eadm_sync.errors import StateError
from eadm_sync.state.crypto import Vault

_KIND = "sent"
_PREFIX = "eadm1."
"""What an encrypted value begins with, so that it is known for what it is."""


def keyed_hash(vault: Vault, value: str, longest: int | None = None) -> str:
    """The same for the same value, in every target and for as long as the installation lives; useless without its key.

    Args:
        vault: The installation's keys.
        value: In clear.
        longest: Most characters there is room for, or None.
    """
    text = base64.b32encode(vault.digest(_KIND, value)).decode().rstrip("=").lower()
    return text if longest is None else text[:longest]


def encrypted(vault: Vault, value: str) -> str:
    """The value under the key that seals now; the same for the same value until the keys are rotated."""
    sealed = vault.seal(value, _KIND).ciphertext  # its nonce is synthetic, so that plans can compare it
    return _PREFIX + base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def decrypted(vault: Vault, text: str) -> str:
    """The value of what `encrypted` made.

    Raises:
        StateError: It is none of ours, was altered, or its key has been retired.
    """
    encoded = text.removeprefix(_PREFIX)
    try:
        sealed = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise StateError("this is no value that was sent encrypted") from error
    if not text.startswith(_PREFIX) or not sealed or len(sealed) <= sealed[0]:
        raise StateError("this is no value that was sent encrypted")
    return vault.decrypt(sealed, _KIND.encode()).decode()
