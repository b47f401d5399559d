"""A change on its way through the queue: encoded, encrypted, and readable only with the installation's key."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from eadm_sync.errors import StateError
from eadm_sync.plan.change import Change
from eadm_sync.state.crypto import Vault

FORMAT = "change/1"
"""Name and version of the payload. A change to `Change` that older payloads do not fit needs a new number."""

_PURPOSE = b"queue payload"
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Change).decode


def pack(change: Change, vault: Vault) -> bytes:
    """The encrypted payload of a change."""
    return vault.encrypt(_encode(change), _PURPOSE)


def resealed(payload: bytes, vault: Vault, again: Callable[[bytes], bytes]) -> bytes:
    """A payload under the vault's current key, with what `again` makes of its content; itself where nothing differs.

    Raises:
        StateError: The key is not here.
    """
    content = vault.decrypt(payload, _PURPOSE)
    fresh = again(content)
    return payload if fresh == content and vault.is_current(payload) else vault.encrypt(fresh, _PURPOSE)


def unpack(payload: bytes, format_: str, vault: Vault) -> Change:
    """The change in a payload.

    Raises:
        StateError: Another version of the program wrote it, or the key is not here.
    """
    if format_ != FORMAT:
        raise StateError(f"a queued change has the format '{format_}', this program reads '{FORMAT}'")
    return _decode(vault.decrypt(payload, _PURPOSE))
