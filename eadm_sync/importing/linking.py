"""One human being across sources and keys: records that share an exact link belong to one person.

A source's own word on what its key or national id was before comes first. Links are compared by keyed hash, in the
configured order, and names never make two records one. What two records cannot agree on is listed as a contradiction;
nothing is merged by guess, and a record that is known keeps its person whatever happens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from eadm_sync.importing.merging import PersonRecord, contradictions
from eadm_sync.importing.records import Quarantined, decode_person
from eadm_sync.importing.sameness import Born, are_strangers, may_be_one
from eadm_sync.importing.staging import Staged
from eadm_sync.importing.store import Claim, StoredRecord, chunks

Place = tuple[str, str]
"""A record's source and key."""


class LinkStore(Protocol):
    """What linking asks of the stored records."""

    def has_links(self) -> bool:
        """Whether any record is stored that has links."""
        ...

    def claims(self, digests: Iterable[bytes]) -> Iterable[Claim]:
        """The stored records that have any of these links."""
        ...

    def records_of(self, person_ids: Sequence[str]) -> Mapping[str, Sequence[StoredRecord]]:
        """All stored records of these people."""
        ...

    def person_of(self, source: str, key: str) -> str | None:
        """Id of the person of a stored record, None where there is no such record."""
        ...

    def links_of(self, source: str, key: str) -> Sequence[tuple[str, bytes]]:
        """(kind, digest) of each link of a stored record."""
        ...


Refuse = Callable[[str, str, str, str], None]
"""(source, key, field, reason): leaves out a new record that can neither join a person nor bring one."""

_BELIEVED = frozenset({"national_id", "former_key", "former_national_id"})
"""What makes two records one unless name and date of birth both speak against it."""


def own_id(source: str, key: str) -> str:
    """Id of the person that a record brings itself."""
    return f"{source}:{key}"


class Linker:
    """Finds the person of each staged record.

    Attributes:
        joined: Person id → the new records that joined it, in the order of joining.
        contradictions: What could not be agreed on.
    """

    def __init__(
        self,
        staged: Mapping[str, Staged],
        elsewhere: Mapping[str, Mapping[str, str]],
        store: LinkStore,
        born: Born,
        refuse: Refuse,
    ) -> None:
        """Prepares linking; all mappings are by source, and `staged` is in the sources' precedence.

        Args:
            staged: The staged records.
            elsewhere: Key → person id, of stored records whose person is not named after them.
            store: The stored records.
            born: Tells a record's date of birth.
            refuse: Leaves out a new record.
        """
        self.joined: dict[str, list[Place]] = {}
        self.contradictions: list[Quarantined] = []
        self._staged = staged
        self._elsewhere = elsewhere
        self._store = store
        self._born = born
        self._refuse = refuse
        self._persons: dict[Place, str] = {}
        self._claims: dict[bytes, str] = {}

    def person_of(self, source: str, key: str) -> str:
        """Id of the person that a record belongs to."""
        person = self._persons.get((source, key)) or self._elsewhere.get(source, {}).get(key)
        return person or own_id(source, key)

    def holder(self, digest: bytes) -> str | None:
        """Id of the person that has a link, or None."""
        return self._claims.get(digest) or next((claim.person_id for claim in self._live([digest])), None)

    def link(self) -> None:
        """Finds the person of every new staged record; known ones keep theirs."""
        if self._store.has_links():
            all_links = (links for staged in self._staged.values() for _, links in staged.all_links())
            for claim in self._live(digest for links in all_links for _, digest in links):
                self._claims.setdefault(claim.digest, claim.person_id)
        for source, staged in self._staged.items():
            for key in staged.stored():
                self._check_known(source, key, staged.links(key))
        for source, staged in self._staged.items():
            for key in sorted(staged.new()):
                self._place_new(source, key, staged.links(key))

    def recheck(self, places: Iterable[Place]) -> None:
        """Lists the contradictions that still stand, of stored records that have not changed."""
        for source, key in places:
            links = self._store.links_of(source, key)
            person = self.person_of(source, key)
            for claim in self._live(digest for _, digest in links):
                if claim.person_id != person:
                    self._claims.setdefault(claim.digest, claim.person_id)
            self._check_known(source, key, links)

    def forget_claims(self) -> None:
        """Frees what only linking needs: `person_of` and `joined` go on, `holder` does not."""
        self._claims.clear()

    def check_people(self, person_ids: Iterable[str]) -> None:
        """Lists the people whose present records cannot all be true."""
        for chunk in chunks(person_ids):
            stored = self._store.records_of(chunk)
            for person_id in chunk:
                self._check_person(self._records(person_id, stored.get(person_id, ())))

    def _check_person(self, records: Sequence[PersonRecord]) -> None:
        for name in contradictions(records):
            first, *others = (own_id(each.record.source, each.record.key) for each in records)
            source, _, key = first.partition(":")
            self._contradict(source, key, name, f"differs from that in {', '.join(others)}, the same human being")

    def _records(self, person_id: str, stored: Iterable[StoredRecord]) -> list[PersonRecord]:
        """All records of one person: the staged ones as they are now, the others as stored; by source, then key."""
        records = {}
        for each in stored:
            records[each.source, each.key] = PersonRecord(decode_person(each.data), each.absent_since)
        source, _, key = person_id.partition(":")
        for place in (*records, (source, key), *self.joined.get(person_id, ())):
            staged = self._staged.get(place[0])
            record = None if staged is None else staged.find(place[1])
            if record is not None and self.person_of(*place) == person_id:
                records[place] = PersonRecord(record)
        return [records[place] for place in sorted(records)] if len(records) > 1 else list(records.values())

    def _live(self, digests: Iterable[bytes]) -> Iterator[Claim]:
        """Stored claims, but for those of staged records: their links are as they are now."""
        for claim in self._store.claims(digests):
            staged = self._staged.get(claim.source)
            if staged is None or claim.key not in staged:
                yield claim

    def _check_known(self, source: str, key: str, links: Sequence[tuple[str, bytes]]) -> None:
        """A known record stays with its person; what else it links to is listed."""
        person = self.person_of(source, key)
        for kind, digest in links:
            other = self._claims.setdefault(digest, person)
            if other != person:
                self._contradict(source, key, kind, f"is also that of {other}; the two were not made one")

    def _place_new(self, source: str, key: str, links: list[tuple[str, bytes]]) -> None:
        """A new record joins the one person its links lead to, or brings a person of its own."""
        matched = [*self._formers(source, key)]
        matched += [(kind, self._claims[digest]) for kind, digest in links if digest in self._claims]
        people = list(dict.fromkeys(person for _, person in matched))
        person = own_id(source, key)
        if len(people) > 1:
            self._contradict(source, key, matched[0][0], f"and its other links lead to {' and '.join(people)}")
        elif people and self._is_a_stranger(source, key, people[0], {kind for kind, _ in matched}):
            reason = f"is also that of {people[0]}, who has another name and another date of birth; left out"
            self._refuse(source, key, matched[0][0], reason)
            return
        elif people and self._plausible(source, key, people[0], {kind for kind, _ in matched}):
            person = people[0]
            self._persons[source, key] = person
            self.joined.setdefault(person, []).append((source, key))
        elif people:
            reason = f"is also that of {people[0]}, who seems to be somebody else (date of birth, national id)"
            self._contradict(source, key, matched[0][0], reason)
        for _, digest in links:
            self._claims.setdefault(digest, person)

    def _plausible(self, source: str, key: str, person_id: str, kinds: set[str]) -> bool:
        """Whether a link is to be believed. A national id is; other values are sometimes given to somebody else."""
        if kinds & _BELIEVED:
            return True
        record = self._staged[source].person(key)
        stored = self._store.records_of([person_id]).get(person_id, ())
        return all(may_be_one(record, other.record) for other in self._records(person_id, stored))

    def _is_a_stranger(self, source: str, key: str, person_id: str, kinds: set[str]) -> bool:
        """Whether a record bears what is believed, and yet cannot be about the same human being as the others."""
        if not kinds & _BELIEVED:
            return False
        record = self._staged[source].person(key)
        stored = self._store.records_of([person_id]).get(person_id, ())
        others = self._records(person_id, stored)
        return bool(others) and all(are_strangers(record, other.record, self._born) for other in others)

    def _formers(self, source: str, key: str) -> Iterator[tuple[str, str]]:
        """(field, person) of what the source itself says the record was known by before."""
        former_key, former_digest = self._staged[source].former(key)
        if former_key is not None and former_key != key:
            known = self._persons.get((source, former_key)) or self._store.person_of(source, former_key)
            if known is not None:
                yield "former_key", known
        if former_digest is not None:
            holder = self.holder(former_digest)
            if holder is not None:
                yield "former_national_id", holder

    def _contradict(self, source: str, key: str, name: str, reason: str) -> None:
        self.contradictions.append(Quarantined(source, "contradiction", "", 0, key, name, reason))
