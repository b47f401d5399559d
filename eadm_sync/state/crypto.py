"""Encryption of what must not lie readable in the database, and keyed hashes to find it again.

AES-256-GCM per NIST SP 800-38D with a random 96-bit nonce for each value; a key may encrypt 2**32 values before
the chance of a repeated nonce reaches 2**-32 (section 8.3), which a municipality does not reach in its lifetime.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from eadm_sync.config.keys import Key, Use
from eadm_sync.errors import StateError
from eadm_sync.model import Sealed

_NONCE_BYTES = 12
_DIGEST_BYTES = 16  # 2**64 values before two of them are likely to meet
_MAC_BYTES = 32


class _Keys(NamedTuple):
    """What is made of the key file."""

    ciphers: Mapping[bytes, AESGCM]
    current: bytes
    digest: bytes


class Vault:
    """Seals and opens values with the installation's keys.

    The first key seals, or the one that the state says; every key opens, so that keys can be rotated while data sealed
    with older ones lives on. Digests are made with what is derived from the last (oldest) key, or with what stands in
    its place once that key has been retired: they stay the same for as long as the installation lives.

    A long-running process meets what another one has sealed with a newer key: where a key is not known, and whenever a
    run begins (`refresh`), the key file is read again.
    """

    def __init__(self, keys: Sequence[Key], read_again: Callable[[], Sequence[Key]] | None = None) -> None:
        """Args: the keys, newest first; and what reads them again, or None where they never change."""
        self._keys = _made(keys, None)
        self._read_again = read_again
        self._chosen: str | None = None

    def refresh(self) -> None:
        """Reads the keys again.

        Raises:
            StateError: The key file is not there any more, or wrong.
        """
        if self._read_again is not None:
            self._keys = _made(self._read_again(), self._chosen)

    def seal_with(self, key_id: str) -> None:
        """Seals with this one of the keys, whatever their order: somebody has rotated the keys, here or elsewhere."""
        self._chosen = key_id
        self._keys = self._keys._replace(current=key_id.encode())

    @property
    def current(self) -> str:
        """Id of the key that seals."""
        return self._keys.current.decode()

    @property
    def ids(self) -> frozenset[str]:
        """Ids of all keys that open."""
        return frozenset(key_id.decode() for key_id in self._keys.ciphers)

    @property
    def digest_key(self) -> bytes:
        """What digests are made with; for the key file only."""
        return self._keys.digest

    @property
    def fingerprint(self) -> str:
        """Tells the key of all digests from any other, and nothing of what it is: 32 hexadecimal characters."""
        return self.digest("fingerprint", "").hex()

    def encrypt(self, plain: bytes, purpose: bytes) -> bytes:
        """Key id, nonce and ciphertext in one; `purpose` is authenticated, so a value cannot be moved elsewhere."""
        return self._encrypt(plain, purpose, os.urandom(_NONCE_BYTES))

    def decrypt(self, sealed: bytes, purpose: bytes) -> bytes:
        """The plain bytes.

        Raises:
            StateError: Sealed with a key that is not in the key file, for another purpose, or tampered with.
        """
        start = 1 + sealed[0]
        cipher = self._cipher(sealed[1:start])
        try:
            return cipher.decrypt(sealed[start : start + _NONCE_BYTES], sealed[start + _NONCE_BYTES :], purpose)
        except InvalidTag as error:
            raise StateError(
                "a sealed value does not match its key: wrong key file, or the value was altered"
            ) from error

    def is_current(self, sealed: bytes) -> bool:
        """Whether the key that seals now has sealed it."""
        return sealed.startswith(header(self._keys.current))

    def seal(self, value: str, kind: str) -> Sealed:
        """A sensitive value for storage; `kind` ("national_id") keeps equal values of different kinds apart."""
        digest = self.digest(kind, value)
        # The nonce is synthetic (as in RFC 8452): the same value seals to the same bytes, so plans that hold it can be
        # compared by hash. That two values are equal is no secret here, since their digests say so already.
        nonce = hashlib.blake2b(digest, digest_size=_NONCE_BYTES, key=self._keys.digest, person=b"nonce").digest()
        return Sealed(self._encrypt(value.encode(), kind.encode(), nonce), digest)

    def open(self, sealed: Sealed, kind: str) -> str:
        """The plain value.

        Raises:
            StateError: As `decrypt`.
        """
        return self.decrypt(sealed.ciphertext, kind.encode()).decode()

    def _encrypt(self, plain: bytes, purpose: bytes, nonce: bytes) -> bytes:
        keys = self._keys
        return header(keys.current) + nonce + keys.ciphers[keys.current].encrypt(nonce, plain, purpose)

    def _cipher(self, key_id: bytes) -> AESGCM:
        if key_id not in self._keys.ciphers:
            self.refresh()
        cipher = self._keys.ciphers.get(key_id)
        if cipher is None:
            name = key_id.decode("ascii", "replace")
            raise StateError(f"a value is sealed with key '{name}', which is not in the key file")
        return cipher

    def digest(self, kind: str, value: str) -> bytes:
        """Keyed BLAKE2b hash (RFC 7693), 16 bytes: the same for the same kind and value, useless without the key."""
        return hashlib.blake2b(
            value.encode(), digest_size=_DIGEST_BYTES, key=self._keys.digest, person=kind.encode()[:16]
        ).digest()

    def mac(self, data: bytes, purpose: bytes) -> bytes:
        """Keyed BLAKE2b hash (RFC 7693), 32 bytes: whoever lacks the key can neither make one nor check it."""
        return hashlib.blake2b(data, digest_size=_MAC_BYTES, key=self._keys.digest, person=purpose).digest()


def header(key_id: bytes) -> bytes:
    """What everything begins with that a key has sealed."""
    return bytes([len(key_id)]) + key_id


def _made(keys: Sequence[Key], chosen: str | None) -> _Keys:
    sealing = [key for key in keys if key.use is Use.SEAL]
    if not sealing:
        raise StateError("the key file holds no key")
    known = {key.id for key in keys if key.use is not Use.DIGEST}
    kept = next((key.secret for key in keys if key.use is Use.DIGEST), None)
    return _Keys(
        ciphers={key.id.encode(): AESGCM(_derive(key.secret, b"encrypt")) for key in keys if key.use is not Use.DIGEST},
        current=(chosen if chosen in known and chosen else sealing[0].id).encode(),
        digest=kept or _derive(sealing[-1].secret, b"digest"),
    )


def _derive(secret: bytes, purpose: bytes) -> bytes:
    """A 32-byte key for one purpose from the installation's secret (HKDF, RFC 5869)."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"eadm-sync " + purpose).derive(secret)
