"""Records that an import has found new or changed, kept out of memory until they are merged and written."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from eadm_sync.fingerprints import Fingerprints
from eadm_sync.importing.keys import link_digest
from eadm_sync.importing.records import SourcePerson, decode_person, encode_person
from eadm_sync.pieces import Pieces
from eadm_sync.state.crypto import Vault

HASH_BYTES = 16
_DIGEST_BYTES = 16
_NO_DIGEST = bytes(_DIGEST_BYTES)
_NO_FORMER = (None, None)
_KEY_LENGTH = struct.Struct("<H")


class Staged:
    """The staged records of one source, each in one piece: key, hash, a digest for each kind of link, and the record.

    Of a new one, memory holds some forty bytes, however long its key is.

    Attributes:
        known: Keys of those that are stored, and were present.
        returned: Keys of those that are stored, and had been absent.
    """

    def __init__(self, source: str, links: Sequence[str], vault: Vault) -> None:
        self.source = source
        self.known: set[str] = set()
        self.returned: set[str] = set()
        self._links = tuple(links)
        self._vault = vault
        self._record = HASH_BYTES + _DIGEST_BYTES * len(self._links)
        self._pieces = Pieces()
        self._places = Fingerprints()
        self._twins: dict[str, int] = {}
        """Places of keys that have another one's fingerprint."""
        self._count = 0
        self._dropped: set[int] = set()
        self._formers: dict[str, tuple[str | None, bytes | None]] = {}

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._find(key) is not None

    def __iter__(self) -> Iterator[str]:
        """All keys, as they were staged."""
        start, dropped = _KEY_LENGTH.size, self._dropped
        for place, piece in self._pieces:
            if place not in dropped:
                (length,) = _KEY_LENGTH.unpack_from(piece)
                yield piece[start : start + length].decode()

    def new(self) -> Iterator[str]:
        """Keys of the records that are not stored, as they were staged."""
        return filter(self.is_new, self) if self.known or self.returned else iter(self)

    @property
    def new_count(self) -> int:
        """How many are not stored."""
        return self._count - len(self.known) - len(self.returned)

    def is_new(self, key: str) -> bool:
        """Whether a staged record is not stored."""
        return key not in self.known and key not in self.returned

    def stored(self) -> list[str]:
        """Keys of the records that are stored, sorted."""
        return sorted(self.known | self.returned)

    def add(self, person: SourcePerson, hash_: bytes) -> None:
        """Stages a record, once for each key, with the hash it is to be stored with."""
        key = person.key.encode()
        digests = [self._digest(kind, person) for kind in self._links]
        place = self._pieces.add(b"".join((_KEY_LENGTH.pack(len(key)), key, hash_, *digests, encode_person(person))))
        self._count += 1
        if self._places.setdefault(person.key, place) != place:
            self._twins[person.key] = place
        if person.former_key or person.former_national_id:
            former = person.former_national_id
            self._formers[person.key] = (person.former_key, former.digest if former else None)

    def drop(self, key: str) -> None:
        """Forgets a record: what is stored of it stays."""
        if self._find(key) is not None:
            self._dropped.add(self._place(key))
            self._count -= 1
            self.known.discard(key)
            self.returned.discard(key)

    def person(self, key: str) -> SourcePerson:
        """The record.

        Raises:
            KeyError: It is not staged.
        """
        return decode_person(memoryview(self._piece(key))[self._record :])

    def find(self, key: str) -> SourcePerson | None:
        """The record, or None where none is staged."""
        piece = self._find(key)
        return None if piece is None else decode_person(memoryview(piece)[self._record :])

    def former(self, key: str) -> tuple[str | None, bytes | None]:
        """The key, and the digest of the national id, that the source itself says the person had before."""
        return self._formers.get(key, _NO_FORMER)

    def links(self, key: str) -> list[tuple[str, bytes]]:
        """(kind, digest) of each link the record has, in the configured order; KeyError as `person`."""
        return self._links_in(self._piece(key))

    def all_links(self) -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
        """Key and `links` of each record, as they were staged."""
        return ((key, self._links_in(piece)) for key, piece in self._all())

    def rows(self) -> Iterator[tuple[str, bytes, bytes]]:
        """(key, hash that the record is to be stored with, encoded record) of each, as they were staged."""
        return ((key, piece[:HASH_BYTES], piece[self._record :]) for key, piece in self._all())

    def _links_in(self, piece: bytes) -> list[tuple[str, bytes]]:
        starts = range(HASH_BYTES, self._record, _DIGEST_BYTES)
        digests = (piece[start : start + _DIGEST_BYTES] for start in starts)
        return [(kind, digest) for kind, digest in zip(self._links, digests, strict=True) if digest != _NO_DIGEST]

    # ------------------------------------------------------------ pieces

    def _all(self) -> Iterator[tuple[str, bytes]]:
        """Key and piece of each staged record, as they were staged."""
        for place, piece in self._pieces:
            if place not in self._dropped:
                yield _opened(piece)

    def _piece(self, key: str) -> bytes:
        piece = self._find(key)
        if piece is None:
            raise KeyError(key)
        return piece

    def _find(self, key: str) -> bytes | None:
        """The piece of a key, or None where the key is not staged."""
        place = self._place(key)
        if not place or place in self._dropped:
            return None
        piece, raw = self._pieces[place], key.encode()
        head = _KEY_LENGTH.pack(len(raw)) + raw
        return piece[len(head) :] if piece.startswith(head) else None

    def _place(self, key: str) -> int:
        """Where a key is if it is staged."""
        return (self._twins and self._twins.get(key)) or self._places.get(key)

    def _digest(self, kind: str, person: SourcePerson) -> bytes:
        if kind == "national_id":
            return person.national_id.digest if person.national_id else _NO_DIGEST
        value: str | None = getattr(person, kind)
        return link_digest(self._vault, kind, value) if value else _NO_DIGEST


def _opened(piece: bytes) -> tuple[str, bytes]:
    """The key of a piece, and what is behind it."""
    (length,) = _KEY_LENGTH.unpack_from(piece)
    start = _KEY_LENGTH.size + length
    return piece[_KEY_LENGTH.size : start].decode(), piece[start:]
