"""A great many pieces of bytes, kept out of memory."""

from __future__ import annotations

import os
import sys
import tempfile
import weakref
from array import array
from collections.abc import Iterator
from typing import IO

_IN_MEMORY_BYTES = 1024 * 1024  # some two thousand people
_LENGTH_BITS = 32
_LENGTH = (1 << _LENGTH_BITS) - 1
_AT_ONCE = 1_000  # pieces read together where all are: some hundred KiB


class Pieces:
    """Bytes that are written once and read often, by the place that writing them tells; never 0.

    What memory is not to hold goes into a file without a name, which the operating system frees with the process.
    """

    def __init__(self, in_memory_bytes: int = _IN_MEMORY_BYTES) -> None:
        self._in_memory_bytes = in_memory_bytes
        self._file: IO[bytes] | None = None
        self._written = 0
        self._rest = bytearray()
        self._lengths = array("I")

    def add(self, piece: bytes) -> int:
        """Keeps a piece, which is not empty, and tells its place."""
        place = (self._written + len(self._rest)) << _LENGTH_BITS | len(piece)
        self._rest += piece
        self._lengths.append(len(piece))
        if len(self._rest) >= self._in_memory_bytes:
            self._spill()
        return place

    def __getitem__(self, place: int) -> bytes:
        return self._read(place >> _LENGTH_BITS, place & _LENGTH)

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """(place, piece) of all, as they were written; what is added meanwhile is left out."""
        start, number = 0, len(self._lengths)
        for first in range(0, number, _AT_ONCE):
            lengths = self._lengths[first : min(first + _AT_ONCE, number)]
            block, offset = self._read(start, sum(lengths)), 0
            for length in lengths:
                yield (start + offset) << _LENGTH_BITS | length, block[offset : offset + length]
                offset += length
            start += offset

    def _read(self, start: int, length: int) -> bytes:
        """Some bytes, of which a part may be written out and the others not."""
        held = start - self._written
        if self._file is None or held >= 0:
            return bytes(self._rest[held : held + length])
        if length + held <= 0:
            return _read_at(self._file, length, start)
        return _read_at(self._file, -held, start) + self._rest[: length + held]

    def _spill(self) -> None:
        if self._file is None:  # without a buffer, which each look at another place would fill anew
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed with its owner
            weakref.finalize(self, self._file.close)
        self._file.seek(self._written)
        while self._rest:
            written = self._file.write(self._rest)
            self._written += written
            del self._rest[:written]


if sys.platform == "win32":

    def _read_at(file: IO[bytes], length: int, start: int) -> bytes:
        """Some bytes of a file."""
        file.seek(start)
        return file.read(length)

else:

    def _read_at(file: IO[bytes], length: int, start: int) -> bytes:
        """Some bytes of a file, which the system is asked for once instead of twice."""
        return os.pread(file.fileno(), length, start)
