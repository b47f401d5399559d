"""The records of one human being become one person. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

import msgspec

from eadm_sync.importing.records import SourcePerson
from eadm_sync.importing.sameness import name_words
from eadm_sync.model import Affiliation, Person

_FIELDS = (
    "given_name",
    "family_name",
    "birth_date",
    "national_id",
    "employee_number",
    "email",
    "mobile",
    "username",
    "deceased",
)


class PersonRecord(NamedTuple):
    """A record, and the day since which it has been missing from its source; None while it is there."""

    record: SourcePerson
    absent_since: date | None = None


def in_precedence(records: Iterable[PersonRecord], sources: Sequence[str]) -> list[PersonRecord]:
    """Records sorted: present before absent, of these the last missed first, then by the sources' precedence and key.

    Sources that are no longer configured come last. Whoever was given another key and then leaves is still called as
    the newer record had it: the name of before a marriage would come back else.
    """
    rank = {name: number for number, name in enumerate(sources)}

    def place(each: PersonRecord) -> tuple[int, int, str]:
        missed = (each.absent_since or date.max).toordinal()
        return -missed, rank.get(each.record.source, len(rank)), each.record.key

    return sorted(records, key=place)


def merge(person_id: str, records: Sequence[PersonRecord]) -> Person:
    """One person from at least one record, which are `in_precedence`.

    Each field comes from the first record that has it; affiliations from all of them. Those of an absent record end on
    the day before it was missed; those that would have begun later are left out.
    """
    first = records[0].record
    if len(records) == 1 and records[0].absent_since is None:
        return _only(person_id, first)
    fields: dict[str, Any] = {name: getattr(first, name) for name in _FIELDS}
    extra = first.extra
    for record, _ in records[1:]:
        for name, value in fields.items():
            if not value:
                fields[name] = getattr(record, name)
        extra = record.extra | extra
    found = [each for record in records for each in _affiliations(record)]
    affiliations = tuple(sorted(found, key=lambda each: each.id))
    return Person(id=person_id, affiliations=affiliations, extra=extra, **fields)


def _only(person_id: str, record: SourcePerson) -> Person:
    """A person with one record, as nearly all are."""
    return Person(
        person_id,
        record.given_name,
        record.family_name,
        record.birth_date,
        record.national_id,
        record.employee_number,
        record.email,
        record.mobile,
        record.username,
        record.affiliations,
        record.extra,
        record.deceased,
    )


def contradictions(records: Sequence[PersonRecord]) -> tuple[str, ...]:
    """Fields in which records that are present cannot all be true: one human being has one date of birth.

    Names may differ (maiden names, spelling), and so may addresses; but where two have not one word of their names in
    common, one of them most likely bears somebody else's national id.
    """
    present = [each.record for each in records if each.absent_since is None]
    if len(present) < 2:  # noqa: PLR2004 - one cannot differ
        return ()
    found = []
    if len({each.birth_date for each in present if each.birth_date}) > 1:
        found.append("birth_date")
    names = list(filter(None, map(name_words, present)))
    if any(names[0].isdisjoint(words) for words in names[1:]):
        found.append("family_name")
    return tuple(found)


def _affiliations(record: PersonRecord) -> Iterable[Affiliation]:
    """A record's affiliations, ended where the record is absent."""
    if record.absent_since is None:
        yield from record.record.affiliations
        return
    last = record.absent_since - timedelta(days=1)
    for each in record.record.affiliations:
        if each.start is not None and each.start > last:
            continue
        yield each if each.end is not None and each.end <= last else msgspec.structs.replace(each, end=last)
