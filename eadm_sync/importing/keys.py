"""A source's own keys, made safe to store and to show: a national id never stands in them."""

from __future__ import annotations

from eadm_sync.importing import national_id
from eadm_sync.importing.mapping import MAX_KEY_LENGTH
from eadm_sync.importing.values import Unconvertible, text_reader
from eadm_sync.state.crypto import Vault

_SHORTEST_NATIONAL_ID = 10  # with its leading zero lost
_read = text_reader(MAX_KEY_LENGTH)


def link_digest(vault: Vault, kind: str, value: str) -> bytes:
    """Keyed hash by which a value of one kind is found again; addresses and usernames are compared without case."""
    if kind in {"email", "username"}:
        value = value.casefold()
    return vault.digest(kind, value)


class KeyMask:
    """Masks keys. A number that could be a national id becomes `~` and the first 16 hex digits of its keyed hash."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def __call__(self, raw: str) -> str:
        """The key as it is stored.

        Raises:
            Unconvertible: Empty, too long, or holding control characters.
        """
        if len(raw) < _SHORTEST_NATIONAL_ID and raw.isalnum() and raw.isascii():
            return raw  # as most keys are
        key = _read(raw)
        if not key:
            raise Unconvertible("is empty")
        return national_id.mask(key, self._stand_in) if len(key) >= _SHORTEST_NATIONAL_ID else key

    def _stand_in(self, number: str) -> str:
        return "~" + self._vault.digest("national_id", number).hex()[:16]
