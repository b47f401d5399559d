"""Records that an import has found new or changed, kept out of memory until they are merged and written."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterator, Sequence
from typing import IO

from eadm_sync.importing.keys import link_digest
from eadm_sync.importing.records import SourcePerson, decode_person, encode_person
from eadm_sync.state.crypto import Vault

HASH_BYTES = 16
_DIGEST_BYTES = 16
_NO_DIGEST = bytes(_DIGEST_BYTES)
_NO_FORMER = (None, None)
_IN_MEMORY_BYTES = 1024 * 1024  # some two thousand people
_LENGTH_BITS = 32
_LENGTH = (1 << _LENGTH_BITS) - 1


class Pieces:
    """Bytes that are written once and read often, by the place that writing them tells.

    What memory is not to hold goes into a file without a name, which the operating system frees with the process.
    """

    def __init__(self, in_memory_bytes: int = _IN_MEMORY_BYTES) -> None:
        self._in_memory_bytes = in_memory_bytes
        self._file: IO[bytes] | None = None
        self._written = 0
        self._rest = bytearray()

    def add(self, piece: bytes) -> int:
        """Keeps a piece, and tells its place."""
        place = (self._written + len(self._rest)) << _LENGTH_BITS | len(piece)
        self._rest += piece
        if len(self._rest) >= self._in_memory_bytes:
            self._spill()
        return place

    def __getitem__(self, place: int) -> bytes:
        start, length = place >> _LENGTH_BITS, place & _LENGTH
        if self._file is not None and start < self._written:
            self._file.seek(start)
            return self._file.read(length)
        start -= self._written
        return bytes(self._rest[start : start + length])

    def _spill(self) -> None:
        if self._file is None:  # without a buffer, which each look at another place would fill anew
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed with its owner
            weakref.finalize(self, self._file.close)
        self._file.seek(self._written)
        while self._rest:
            written = self._file.write(self._rest)
            self._written += written
            del self._rest[:written]


class Staged:
    """The staged records of one source, by key: hash, one digest for each kind of link, and the record, in one piece.

    Of each, memory holds the key and a number.
    """

    def __init__(self, source: str, links: Sequence[str], vault: Vault) -> None:
        self.source = source
        self._links = tuple(links)
        self._vault = vault
        self._start = HASH_BYTES + _DIGEST_BYTES * len(self._links)
        self._pieces = Pieces()
        self._places: dict[str, int] = {}
        self._formers: dict[str, tuple[str | None, bytes | None]] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: object) -> bool:
        return key in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def add(self, person: SourcePerson, hash_: bytes) -> None:
        """Stages a record with the hash it is to be stored with."""
        digests = b"".join([self._digest(kind, person) for kind in self._links])
        self._places[person.key] = self._pieces.add(b"".join((hash_, digests, encode_person(person))))
        if person.former_key or person.former_national_id:
            former = person.former_national_id
            self._formers[person.key] = (person.former_key, former.digest if former else None)

    def drop(self, key: str) -> None:
        """Forgets a record: what is stored of it stays."""
        self._places.pop(key, None)

    def hash(self, key: str) -> bytes:
        """The hash a record is to be stored with."""
        return self._piece(key)[:HASH_BYTES]

    def data(self, key: str) -> bytes:
        """The encoded record."""
        return self._piece(key)[self._start :]

    def person(self, key: str) -> SourcePerson:
        """The record."""
        return decode_person(memoryview(self._piece(key))[self._start :])

    def former(self, key: str) -> tuple[str | None, bytes | None]:
        """The key, and the digest of the national id, that the source itself says the person had before."""
        return self._formers.get(key, _NO_FORMER)

    def links(self, key: str) -> list[tuple[str, bytes]]:
        """(kind, digest) of each link the record has, in the configured order."""
        piece = self._piece(key)
        starts = range(HASH_BYTES, self._start, _DIGEST_BYTES)
        digests = (piece[start : start + _DIGEST_BYTES] for start in starts)
        return [(kind, digest) for kind, digest in zip(self._links, digests, strict=True) if digest != _NO_DIGEST]

    def _piece(self, key: str) -> bytes:
        return self._pieces[self._places[key]]

    def _digest(self, kind: str, person: SourcePerson) -> bytes:
        if kind == "national_id":
            return person.national_id.digest if person.national_id else _NO_DIGEST
        value: str | None = getattr(person, kind)
        return link_digest(self._vault, kind, value) if value else _NO_DIGEST
