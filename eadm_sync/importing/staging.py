"""Records that an import has found new or changed, kept as bytes until they are merged and written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eadm_sync.importing.keys import link_digest
from eadm_sync.importing.records import SourcePerson, decode_person, encode_person
from eadm_sync.state.crypto import Vault

HASH_BYTES = 16
_DIGEST_BYTES = 16
_NO_DIGEST = bytes(_DIGEST_BYTES)
_NO_FORMER = (None, None)


class Staged:
    """The staged records of one source, by key: hash, one digest for each kind of link, and the record, in one piece.

    One bytes object for each record, because a hundred thousand small objects would weigh more than what they hold.
    """

    def __init__(self, source: str, links: Sequence[str], vault: Vault) -> None:
        self.source = source
        self._links = tuple(links)
        self._vault = vault
        self._start = HASH_BYTES + _DIGEST_BYTES * len(self._links)
        self._pieces: dict[str, bytes] = {}
        self._formers: dict[str, tuple[str | None, bytes | None]] = {}

    def __len__(self) -> int:
        return len(self._pieces)

    def __contains__(self, key: object) -> bool:
        return key in self._pieces

    def __iter__(self) -> Iterator[str]:
        return iter(self._pieces)

    def add(self, person: SourcePerson, hash_: bytes) -> None:
        """Stages a record with the hash it is to be stored with."""
        digests = b"".join([self._digest(kind, person) for kind in self._links])
        self._pieces[person.key] = b"".join((hash_, digests, encode_person(person)))
        if person.former_key or person.former_national_id:
            former = person.former_national_id
            self._formers[person.key] = (person.former_key, former.digest if former else None)

    def drop(self, key: str) -> None:
        """Forgets a record: what is stored of it stays."""
        self._pieces.pop(key, None)

    def hash(self, key: str) -> bytes:
        """The hash a record is to be stored with."""
        return self._pieces[key][:HASH_BYTES]

    def data(self, key: str) -> bytes:
        """The encoded record."""
        return self._pieces[key][self._start :]

    def person(self, key: str) -> SourcePerson:
        """The record."""
        return decode_person(memoryview(self._pieces[key])[self._start :])

    def former(self, key: str) -> tuple[str | None, bytes | None]:
        """The key, and the digest of the national id, that the source itself says the person had before."""
        return self._formers.get(key, _NO_FORMER)

    def links(self, key: str) -> list[tuple[str, bytes]]:
        """(kind, digest) of each link the record has, in the configured order."""
        piece = self._pieces[key]
        starts = range(HASH_BYTES, self._start, _DIGEST_BYTES)
        digests = (piece[start : start + _DIGEST_BYTES] for start in starts)
        return [(kind, digest) for kind, digest in zip(self._links, digests, strict=True) if digest != _NO_DIGEST]

    def _digest(self, kind: str, person: SourcePerson) -> bytes:
        if kind == "national_id":
            return person.national_id.digest if person.national_id else _NO_DIGEST
        value: str | None = getattr(person, kind)
        return link_digest(self._vault, kind, value) if value else _NO_DIGEST
