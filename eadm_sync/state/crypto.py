"""Encryption of what must not lie readable in the database, and keyed hashes to find it again.

AES-256-GCM per NIST SP 800-38D with a random 96-bit nonce for each value; a key may encrypt 2**32 values before
the chance of a repeated nonce reaches 2**-32 (section 8.3), which a municipality does not reach in its lifetime.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from eadm_sync.config.keys import Key
from eadm_sync.errors import StateError
from eadm_sync.model import Sealed

_NONCE_BYTES = 12
_DIGEST_BYTES = 16  # 2**64 values before two of them are likely to meet


class Vault:
    """Seals and opens values with the installation's keys.

    The first key encrypts; every key decrypts, so that keys can be rotated while data sealed with older ones lives on.
    Digests are keyed by the last (oldest) key, which therefore has to stay in the file.
    """

    def __init__(self, keys: Sequence[Key]) -> None:
        if not keys:
            raise StateError("the key file holds no key")
        self._ciphers = {key.id.encode(): AESGCM(_derive(key.secret, b"encrypt")) for key in keys}
        self._current = keys[0].id.encode()
        self._digest_key = _derive(keys[-1].secret, b"digest")

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
        key_id = sealed[1:start]
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            name = key_id.decode("ascii", "replace")
            raise StateError(f"a value is sealed with key '{name}', which is not in the key file")
        try:
            return cipher.decrypt(sealed[start : start + _NONCE_BYTES], sealed[start + _NONCE_BYTES :], purpose)
        except InvalidTag as error:
            raise StateError(
                "a sealed value does not match its key: wrong key file, or the value was altered"
            ) from error

    def seal(self, value: str, kind: str) -> Sealed:
        """A sensitive value for storage; `kind` ("national_id") keeps equal values of different kinds apart."""
        digest = self.digest(kind, value)
        # The nonce is synthetic (as in RFC 8452): the same value seals to the same bytes, so plans that hold it can be
        # compared by hash. That two values are equal is no secret here, since their digests say so already.
        nonce = hashlib.blake2b(digest, digest_size=_NONCE_BYTES, key=self._digest_key, person=b"nonce").digest()
        return Sealed(self._encrypt(value.encode(), kind.encode(), nonce), digest)

    def open(self, sealed: Sealed, kind: str) -> str:
        """The plain value.

        Raises:
            StateError: As `decrypt`.
        """
        return self.decrypt(sealed.ciphertext, kind.encode()).decode()

    def _encrypt(self, plain: bytes, purpose: bytes, nonce: bytes) -> bytes:
        cipher = self._ciphers[self._current]
        return bytes([len(self._current)]) + self._current + nonce + cipher.encrypt(nonce, plain, purpose)

    def digest(self, kind: str, value: str) -> bytes:
        """Keyed BLAKE2b hash (RFC 7693), 16 bytes: the same for the same kind and value, useless without the key."""
        return hashlib.blake2b(
            value.encode(), digest_size=_DIGEST_BYTES, key=self._digest_key, person=kind.encode()[:16]
        ).digest()


def _derive(secret: bytes, purpose: bytes) -> bytes:
    """A 32-byte key for one purpose from the installation's secret (HKDF, RFC 5869)."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"eadm-sync " + purpose).derive(secret)
