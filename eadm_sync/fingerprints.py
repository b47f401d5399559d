"""Numbers by text, of a great many texts in little memory: a text is remembered by 64 bits of its hash."""

from __future__ import annotations

from array import array
from typing import Literal

_FEWEST_SLOTS = 64
_BITS = (1 << 64) - 1
_CODES = {8: "B", 16: "H", 64: "Q"}


def fingerprint(text: str) -> int:
    """64 bits that stand for a text in this process, never 0; of another process they are not the same."""
    return hash(text) & _BITS or 1


class Fingerprints:
    """A number for each text, 0 for those that have none; 15 to 50 bytes for each, however long the texts are.

    Of two texts with one fingerprint, the second seems to have the first one's number. Among a million texts that
    befalls one look-up in 10¹³, and nobody can bring it about, since the hash is keyed anew in each process; use this
    where it does no harm. (An open-addressed table with linear probing, at most five eighths full.)
    """

    def __init__(self, bits: Literal[8, 16, 64] = 64) -> None:
        """Args: how large the numbers get, in bits."""
        self._keys = array("Q", bytes(8 * _FEWEST_SLOTS))
        self._numbers = array(_CODES[bits], bytes(bits // 8 * _FEWEST_SLOTS))
        self._mask = _FEWEST_SLOTS - 1
        self._room = _FEWEST_SLOTS * 5 // 8

    def get(self, text: str) -> int:
        """The text's number, or 0."""
        return self._numbers[self._slot(fingerprint(text))]

    def __setitem__(self, text: str, number: int) -> None:
        """Args: a text; a number, not 0."""
        if self.setdefault(text, number) != number:
            self._numbers[self._slot(fingerprint(text))] = number

    def setdefault(self, text: str, number: int) -> int:
        """The text's number; where it has none, this one, not 0, which is its own from now on."""
        key = fingerprint(text)
        slot = self._slot(key)
        if self._keys[slot]:
            return self._numbers[slot]
        self._keys[slot], self._numbers[slot] = key, number
        self._room -= 1
        if not self._room:
            self._grow()
        return number

    def _slot(self, key: int) -> int:
        """Where a key is, or has to go; the number of a slot that is not in use is 0."""
        keys, mask = self._keys, self._mask
        slot = key & mask
        while (found := keys[slot]) and found != key:
            slot = (slot + 1) & mask
        return slot

    def _grow(self) -> None:
        former = zip(self._keys, self._numbers, strict=True)
        used, size = len(self._keys) * 5 // 8, len(self._keys) * 2
        self._keys = array("Q", bytes(8 * size))
        self._numbers = array(self._numbers.typecode, bytes(self._numbers.itemsize * size))
        self._mask = size - 1
        self._room = size * 5 // 8 - used
        for key, number in former:
            if key:
                slot = self._slot(key)
                self._keys[slot], self._numbers[slot] = key, number
