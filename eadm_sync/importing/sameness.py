"""Whether two records can be about the same human being. Pure; names alone never decide."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from eadm_sync.expression.filters import make_slug
from eadm_sync.importing.records import SourcePerson

Born = Callable[[SourcePerson], date | None]
"""A record's date of birth: its own, or that in its national id; None where it has neither."""


def name_words(record: SourcePerson) -> set[str]:
    """The words of a name in plain letters; å and ø as their old spellings aa and oe are written, too."""
    plain = make_slug({})(f"{record.given_name} {record.family_name}")
    return set(plain.replace("aa", "a").replace("oe", "o").split("-")) - {""}


def are_strangers(one: SourcePerson, other: SourcePerson, born: Born) -> bool:
    """Whether two records have not one word of their names in common, and different dates of birth.

    Either alone happens to one human being: a new name, a date that was mistyped. Both at once do not.
    """
    first, second = born(one), born(other)
    return first is not None and second is not None and first != second and not _share_a_name(one, other)


def is_reused(former: SourcePerson, now: SourcePerson, born: Born) -> bool:
    """Whether a source gave the key of one human being to another.

    Another national id is another human being, but for a number that was put right or took a D-number's place: then
    the date of birth is the same, and some of the name. Without two national ids, name and date of birth must both
    differ.
    """
    if former.national_id is None or now.national_id is None:
        return are_strangers(former, now, born)
    if former.national_id == now.national_id:
        return False
    return born(former) != born(now) or not _share_a_name(former, now)


def may_be_one(one: SourcePerson, other: SourcePerson) -> bool:
    """Whether a link other than a national id is to be believed: such numbers are reused, and addresses shared.

    Dates of birth must not differ; and where national ids do (a D-number that became a national id), the dates of birth
    must be known and equal.
    """
    if one.birth_date and other.birth_date:
        return one.birth_date == other.birth_date
    return not (one.national_id and other.national_id) or one.national_id == other.national_id


def _share_a_name(one: SourcePerson, other: SourcePerson) -> bool:
    first, second = name_words(one), name_words(other)
    return not (first and second) or not first.isdisjoint(second)
