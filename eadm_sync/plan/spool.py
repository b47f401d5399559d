"""Holds what a plan does to people outside of memory while it is made, counted, judged and shown."""

from __future__ import annotations

import hashlib
import struct
import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import IO, Self

import msgspec

from eadm_sync.plan.change import PersonFrame

_IN_MEMORY_BYTES = 16 * 1024 * 1024  # about ten thousand people; beyond it an unnamed temporary file takes over
_LENGTH = struct.Struct("<I")


class Spool:
    """Frames in order, written once and read any number of times; `digest` is over all of them.

    What spills to disk does so to a file without a name, which the operating system frees with the process.
    """

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115 - closed by close()
        self._hash = hashlib.blake2b(digest_size=16)
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(PersonFrame).decode
        self.count = 0

    def append(self, frame: PersonFrame) -> None:
        """Adds a frame at the end."""
        data = self._encode(frame)
        self._hash.update(data)
        self._file.write(_LENGTH.pack(len(data)))
        self._file.write(data)
        self.count += 1

    def __iter__(self) -> Iterator[PersonFrame]:
        """All frames from the beginning; not while another iteration is under way."""
        self._file.seek(0)
        while header := self._file.read(_LENGTH.size):
            yield self._decode(self._file.read(_LENGTH.unpack(header)[0]))

    @property
    def digest(self) -> str:
        """Hash over all frames so far, in hexadecimal."""
        return self._hash.hexdigest()

    def close(self) -> None:
        """Frees the space."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
