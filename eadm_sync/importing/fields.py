"""How each mapped field is read: which function makes its typed value of its text."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from eadm_sync.importing import national_id
from eadm_sync.importing.values import (
    Unconvertible,
    date_reader,
    read_flag,
    read_fraction,
    read_word,
    text_reader,
)

Reader = Callable[[str], Any]

_NAME_LENGTH = 200  # the longest names in the National Registry are below 150
_TEXT_LENGTH = 1_000
_NATIONAL_ID_LENGTH = 11
_DISTINCT_TEXTS = 16_384  # units, titles and classes of a large town; a few MiB of memory for each such field

_short = text_reader(_NAME_LENGTH)
_long = text_reader(_TEXT_LENGTH)


def _open(text: str) -> str:
    """Text that is stored and passed on as it is, where a national id must therefore not stand.

    Raises:
        Unconvertible: It holds one.
    """
    if len(text) >= _NATIONAL_ID_LENGTH and national_id.holds_one(text):
        raise Unconvertible("holds a national id, which only the field national_id stores encrypted")
    return text


def _optional(text: str) -> str | None:
    return _open(_short(text)) or None


def read_extra(text: str) -> str:
    """Text of a further field.

    Raises:
        Unconvertible: Longer than 1 000 characters, with control characters, or with a national id in it.
    """
    return _open(_long(text))


def _mobile(text: str) -> str | None:
    return _short(text) or None  # a number with its country code can pass for a national id


def _class_role(text: str) -> str:
    word = read_word(text)
    if word not in {"pupil", "teacher"}:
        raise Unconvertible("is neither 'pupil' nor 'teacher'")
    return word


def readers(dates: tuple[str, ...]) -> dict[str, dict[str, Reader]]:
    """How each mapped field is read, by role. `key`, `code` and `person` are read apart: they must be there."""
    day = date_reader(dates)
    alike = dict.fromkeys

    def recurring(read: Reader, *fields: str) -> dict[str, Reader]:
        return {field: lru_cache(_DISTINCT_TEXTS)(read) for field in fields}

    return {
        "people": {
            **alike(("given_name", "family_name"), _short),
            **alike(("employee_number", "email", "username"), _optional),
            "mobile": _mobile,
            "birth_date": day,
            "national_id": str.strip,
            "former_national_id": str.strip,
            "former_key": str.strip,
            "deceased": read_flag,
        },
        "affiliations": {
            "kind": read_word,
            **recurring(_optional, "unit", "title", "leave"),
            "fraction": read_fraction,
            "start": day,
            "end": day,
            "primary": read_flag,
        },
        "units": {"name": _short, **alike(("kind", "parent", "manager"), _optional)},
        "class_groups": {"name": _short, **alike(("unit", "kind", "grade", "subject"), _optional)},
        "class_memberships": {
            **recurring(_short, "class_group"),
            **recurring(_class_role, "role"),
            **recurring(_optional, "unit"),
            **alike(("start", "end"), day),
        },
    }
