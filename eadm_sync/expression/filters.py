"""The filters and tests there are: signature, meaning, example and function of each. The reference is made from this.

Every text filter takes and gives text; a missing value stays missing and never reaches the function.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from functools import lru_cache

import msgspec

from eadm_sync.expression.scope import DATE, LIST, NUMBER, TEXT, Type

MAX_TEXT = 4096
"""Longest text a filter gives; what is beyond is cut, so that chained `replace` cannot fill the memory."""

_MEMO_SIZE = 16_384
"""Values remembered per pure filter: more first names, last names and units than a large town has; 3 MiB at worst."""

FOLD: Mapping[str, str] = {"æ": "ae", "ø": "o", "å": "a", "Æ": "Ae", "Ø": "O", "Å": "A"}
"""What `ascii` makes of Norwegian letters (a is the Norwegian custom in usernames, not aa)."""

_DATE_DIRECTIVES = frozenset("YmdyjGVu%")
"""Directives whose result does not depend on the machine's locale."""

MAX_CUT = 256
"""Largest n of `first(n)` and `last(n)`: no directory takes a longer name."""


class Parameter(msgspec.Struct, frozen=True):
    """One argument of a filter: always a constant, so that it is checked when the file is loaded.

    Attributes:
        name: For messages and the reference.
        type: Type of the constant.
        default: Taken where the argument is left out; required where it is None.
        check: Constant -> what is wrong with it, or None.
    """

    name: str
    type: Type
    default: str | int | None = None
    check: Callable[[object], str | None] = lambda _value: None


class Filter(msgspec.Struct, frozen=True):
    """One filter.

    Attributes:
        takes: Type of the value it is put behind.
        gives: Type of its result.
        function: (value, *arguments) -> result; for a `folding` filter, fold table -> that function.
        doc: One sentence.
        example: An expression and what it gives.
        parameters: Its arguments.
        method: Name of the `str` method that does the same, so that no call of ours stands between.
        folding: Whether the ruleset's fold table shapes it.
        nullable: Whether it can give a missing value for one that is there.
    """

    takes: Type
    gives: Type
    function: Callable[..., object]
    doc: str
    example: tuple[str, str]
    parameters: tuple[Parameter, ...] = ()
    method: str | None = None
    folding: bool = False
    nullable: bool = False


class Test(msgspec.Struct, frozen=True):
    """One test, as in `value is name(arguments)`.

    Attributes:
        takes: Type of the value tested, or None for any.
        arguments: Fewest and most text constants it takes.
        doc: One sentence.
        example: An expression and when it is true.
    """

    takes: Type | None
    arguments: tuple[int, int]
    doc: str
    example: tuple[str, str]


def _cut_length(value: object) -> str | None:
    good = isinstance(value, int) and 1 <= value <= MAX_CUT
    return None if good else f"must be a whole number from 1 to {MAX_CUT}"


def _not_empty(value: object) -> str | None:
    return None if value else "must not be empty"


def _date_format(value: object) -> str | None:
    directives = re.findall(r"%(.?)", str(value))
    unknown = [directive for directive in directives if directive not in _DATE_DIRECTIVES or not directive]
    if unknown:
        return f"'%{unknown[0]}' is not one of %Y %m %d %y %j %G %V %u %%"
    return None


@lru_cache(maxsize=16)
def _folder(table: frozenset[tuple[str, str]]) -> Callable[[str], str]:
    from anyascii import anyascii  # noqa: PLC0415 - its tables are needed by rulesets that fold, not by every command

    codes = str.maketrans({**FOLD, **dict(table)})

    @lru_cache(maxsize=_MEMO_SIZE)
    def fold(text: str) -> str:
        return text if text.isascii() and not table else anyascii(text.translate(codes))[:MAX_TEXT]

    return fold


def make_ascii(table: Mapping[str, str]) -> Callable[[str], str]:
    """The `ascii` filter under a fold table; the same function for equal tables, so that its memory is shared."""
    return _folder(frozenset(table.items()))


@lru_cache(maxsize=16)
def _slugger(table: frozenset[tuple[str, str]]) -> Callable[[str], str]:
    fold = _folder(table)

    @lru_cache(maxsize=2 * _MEMO_SIZE)  # names of people by themselves and put together, and of units
    def slug(text: str) -> str:
        return re.sub(r"[^a-z0-9]+", "-", fold(text).lower()).strip("-")

    return slug


def make_slug(table: Mapping[str, str]) -> Callable[[str], str]:
    """The `slug` filter under a fold table; one function for equal tables, as of `make_ascii`."""
    return _slugger(frozenset(table.items()))


def _first(text: str, length: int) -> str:
    return text[:length]


def _last(text: str, length: int) -> str:
    return text[-length:]


def _dn(text: str) -> str:
    """RFC 4514, section 2.4: what must be escaped in a value of a distinguished name."""
    text = text[:MAX_TEXT]  # before it grows: cut behind, half an escape could stand at the end
    escaped = re.sub(r'([,+"\\<>;=])', r"\\\1", text)
    if escaped[:1] in {" ", "#"}:
        escaped = "\\" + escaped
    if escaped.endswith(" ") and len(text) > 1:
        escaped = escaped[:-1] + "\\ "
    return escaped.replace("\0", "\\00")


def _replace(text: str, old: str, new: str) -> str:
    return text.replace(old, new)[:MAX_TEXT]


def _split(text: str, separator: str) -> list[str]:
    return [part for part in map(str.strip, text.split(separator)) if part]


def _join(parts: list[str], separator: str) -> str:
    return separator.join(parts)[:MAX_TEXT]


def _date(day: date, pattern: str) -> str:
    return day.strftime(pattern)


def _number(text: str) -> float | None:
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        return None
    return value if abs(value) < 1e15 else None  # noqa: PLR2004 - beyond it a float is no longer exact; also inf, nan


FILTERS: Mapping[str, Filter] = {
    "ascii": Filter(
        TEXT,
        TEXT,
        make_ascii,
        "Writes it in plain letters: æ→ae, ø→o, å→a, any other script by its usual transliteration. "
        "The ruleset's `fold` table goes before.",
        ("'Bjørnæs' | ascii", "Bjornaes"),
        folding=True,
    ),
    "date": Filter(
        DATE,
        TEXT,
        _date,
        "Writes a date by a pattern of %Y %m %d %y %j %G %V %u.",
        ("person.birth_date | date('%d.%m.%Y')", "24.12.1990"),
        (Parameter("pattern", TEXT, check=_date_format),),
    ),
    "dn": Filter(
        TEXT,
        TEXT,
        lru_cache(maxsize=_MEMO_SIZE)(_dn),
        "Escapes what has a meaning of its own in a distinguished name (RFC 4514), such as a comma.",
        ("'Nordli skole, SFO' | dn", "Nordli skole\\, SFO"),
    ),
    "first": Filter(
        TEXT,
        TEXT,
        _first,
        "The first n characters.",
        ("'Hansen' | first(3)", "Han"),
        (Parameter("n", NUMBER, check=_cut_length),),
    ),
    "join": Filter(
        LIST,
        TEXT,
        _join,
        "Puts a list's texts after one another, with a text in between.",
        ("affiliation.unit.path | join('/')", "Eksempel kommune/Oppvekst/Fjellvik skole"),
        (Parameter("separator", TEXT, default=","),),
    ),
    "last": Filter(
        TEXT,
        TEXT,
        _last,
        "The last n characters.",
        ("'Hansen' | last(2)", "en"),
        (Parameter("n", NUMBER, check=_cut_length),),
    ),
    "lower": Filter(TEXT, TEXT, str.lower, "In small letters.", ("'Kari' | lower", "kari"), method="lower"),
    "number": Filter(
        TEXT,
        NUMBER,
        _number,
        "Reads text as a number, missing where it is none; a decimal comma is taken.",
        ("class_group.grade | number >= 8", "true for grade '10'"),
        nullable=True,
    ),
    "replace": Filter(
        TEXT,
        TEXT,
        _replace,
        "Replaces every occurrence of one text by another.",
        ("'Anne Marie' | replace(' ', '.')", "Anne.Marie"),
        (Parameter("old", TEXT, check=_not_empty), Parameter("new", TEXT)),
    ),
    "slug": Filter(
        TEXT,
        TEXT,
        make_slug,
        "As `ascii`, in small letters, with a hyphen for every run of other characters.",
        ("'Fjellvik barne- og ungdomsskole' | slug", "fjellvik-barne-og-ungdomsskole"),
        folding=True,
    ),
    "split": Filter(
        TEXT,
        LIST,
        _split,
        "Cuts text into a list at a text; blanks around each part and empty parts go.",
        ("'a, b' | split(',')", "a list of a and b"),
        (Parameter("separator", TEXT, default=",", check=_not_empty),),
    ),
    "title": Filter(
        TEXT,
        TEXT,
        str.title,
        "With a Capital at each Word.",
        ("'ola nordmann' | title", "Ola Nordmann"),
        method="title",
    ),
    "trim": Filter(TEXT, TEXT, str.strip, "Without blanks at both ends.", ("' Kari ' | trim", "Kari"), method="strip"),
    "upper": Filter(TEXT, TEXT, str.upper, "In capital letters.", ("'Kari' | upper", "KARI"), method="upper"),
}
"""By name. `default(value)` is part of the language (`applying`), since it sees what is missing."""

DEFAULT_DOC = (
    "Takes another value where this one is missing or empty text.",
    ("affiliation.title | default('Ansatt')", "Ansatt"),
)
"""Meaning and example of the `default` filter."""

TESTS: Mapping[str, Test] = {
    "defined": Test(
        None,
        (0, 0),
        "There is a value: not missing, and not empty text.",
        ("affiliation.title is defined", "a title is known"),
    ),
    "endswith": Test(
        TEXT, (1, 20), "Ends with one of the texts.", ("affiliation.title is endswith('lærer')", "title 'Faglærer'")
    ),
    "startswith": Test(
        TEXT,
        (1, 20),
        "Begins with one of the texts.",
        ("affiliation.title is startswith('Vikar')", "title 'Vikarlærer'"),
    ),
    "under": Test(
        None,
        (1, 200),
        "The unit is the one with this code (or one of these), or stands anywhere below it.",
        ("affiliation.unit is under('1200')", "the unit is 1200 or below it"),
    ),
}
"""By name; `is not` turns each round."""
