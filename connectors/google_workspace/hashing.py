"""Hashes of passwords in the form that Google takes instead of them: SHA-512 crypt. No I/O.

Python's own `crypt` ends with 3.12. https://www.akkadia.org/drepper/SHA-crypt.txt
"""

from __future__ import annotations

import hashlib

ROUNDS = 5000
"""What the form means where it names no number; Google takes up to 10 000."""
_LETTERS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def sha512_crypt(password: str, salt: str) -> str:
    """The hash of a password, as `$6$<salt>$<hash>`; of the salt sixteen characters count."""
    word, grain = password.encode(), salt[:16].encode()
    mixed = _mixed(word, grain)
    spread = _repeated(hashlib.sha512(word * len(word)).digest(), len(word))
    strewn = _repeated(hashlib.sha512(grain * (16 + mixed[0])).digest(), len(grain))
    for at in range(ROUNDS):
        odd = at % 2
        parts = [spread if odd else mixed, strewn if at % 3 else b"", spread if at % 7 else b""]
        mixed = hashlib.sha512(b"".join([*parts, mixed if odd else spread])).digest()
    return f"$6${grain.decode()}${_encoded(mixed)}"


def _mixed(word: bytes, grain: bytes) -> bytes:
    other = hashlib.sha512(word + grain + word).digest()
    first = word + grain + _repeated(other, len(word))
    left = len(word)
    while left:
        first += other if left % 2 else word
        left //= 2
    return hashlib.sha512(first).digest()


def _repeated(text: bytes, length: int) -> bytes:
    return (text * (length // len(text) + 1))[:length]


def _encoded(digest: bytes) -> str:
    text = ""
    first, second, third = 0, 21, 42
    for _ in range(21):
        text += _four(digest[first] << 16 | digest[second] << 8 | digest[third])
        first, second, third = second + 1, third + 1, first + 1
    return text + _four(digest[63])[:2]


def _four(number: int) -> str:
    return "".join(_LETTERS[number >> shift & 63] for shift in (0, 6, 12, 18))
