"""Holds what a plan does outside of memory while it is made, counted, judged and shown."""

from __future__ import annotations

import hashlib
import os
import struct
import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import IO, Generic, Self, TypeVar

import msgspec

from eadm_sync.plan.change import Frame

_IN_MEMORY_BYTES = 1024 * 1024  # some six hundred people; beyond it an unnamed temporary file takes over
_BUFFER_BYTES = 256 * 1024  # a temporary file's own write costs as much as encoding a frame
_LENGTH = struct.Struct("<I")


_Frame = TypeVar("_Frame", bound=Frame)


class Spool(Generic[_Frame]):
    """Frames in order, written once and read any number of times; `digest` is over all of them.

    What spills to disk does so to a file without a name, which the operating system frees with the process.
    """

    def __init__(self, kind: type[_Frame]) -> None:
        """Args: which frames."""
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115 - closed by close()
        self._hash = hashlib.blake2b(digest_size=16)
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(kind).decode
        self._buffer = bytearray()
        self.count = 0

    def append(self, frame: _Frame) -> None:
        """Adds a frame at the end."""
        data = self._encode(frame)
        self._buffer += _LENGTH.pack(len(data))
        self._buffer += data
        self.count += 1
        if len(self._buffer) >= _BUFFER_BYTES:
            self._flush()

    def __iter__(self) -> Iterator[_Frame]:
        """All frames from the beginning; not while another iteration is under way."""
        self._flush()
        self._file.seek(0)
        while header := self._file.read(_LENGTH.size):
            yield self._decode(self._file.read(_LENGTH.unpack(header)[0]))
        self._file.seek(0, os.SEEK_END)

    def _flush(self) -> None:
        self._hash.update(self._buffer)
        self._file.write(self._buffer)
        self._buffer.clear()

    @property
    def digest(self) -> str:
        """Hash over all frames so far, in hexadecimal."""
        self._flush()
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
