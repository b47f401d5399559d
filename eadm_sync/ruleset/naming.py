"""The names an identifier's patterns offer for a person, best first. Whether one is free is somebody else's to say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from unicodedata import normalize

from msgspec.structs import replace

from eadm_sync.fingerprints import Fingerprints
from eadm_sync.model import Affiliation, Person, Sealed
from eadm_sync.ruleset.organisation import Organisation
from eadm_sync.ruleset.rules import IdentifierRule

LAST_NUMBER = 9_999
"""Highest n of a pattern; beyond it a pattern is too narrow, and who asks must say so."""

_N = "\0"
"""Stands for n while the text around it is rendered once; no field can hold it."""


class Reached(Fingerprints):
    """Identifier, text before the number and text behind it, with `_N` between → the last number offered to anybody."""

    def __init__(self) -> None:
        super().__init__(16)


def alike(name: str) -> str:
    """What two names have in common that a directory takes for the same, or that people do.

    Active Directory compares without case, accents and width: "jose" is "José". Letters of other scripts count as the
    Latin ones that they are written as, so that "аdmin" with a Cyrillic letter passes for nothing else than "admin".
    """
    if name.isascii():
        return name.casefold()
    from anyascii import anyascii  # noqa: PLC0415 - its tables are needed by names that are not plain, which few are

    return anyascii(normalize("NFKC", name)).casefold() or name.casefold()


def candidates(
    identifier: IdentifierRule,
    person: Person,
    affiliation: Affiliation,
    organisation: Organisation,
    reached: Reached | None = None,
) -> Iterator[str]:
    """Every name the identifier's patterns give, each once, in order; n is 2, 3, 4 … up to LAST_NUMBER.

    A name that is too long is cut before its number. Forbidden names and empty ones are left out.

    Args:
        identifier: The rule.
        person: Whose name it is to be.
        affiliation: The affiliation it is made with.
        organisation: For patterns that read the unit.
        reached: Kept by a caller to whom a name that was offered once is never free again: numbers up to the last
            one that was offered are passed over. Otherwise the thousandth Ola Hansen would be asked 998 times.
    """
    unit = organisation.unit(affiliation.unit)
    given: set[str] = set()
    last = Reached() if reached is None else reached
    for candidate in identifier.candidates:
        text = candidate.render(person, affiliation, unit, _no_name, _no_sealed, _N)
        for name in _names(text, identifier, last):
            folded = name.casefold()
            if name and folded not in given and alike(name) not in identifier.forbidden:
                given.add(folded)
                yield name


class Offer(NamedTuple):
    """What one pattern makes of a person, whatever becomes of it.

    Attributes:
        pattern: As it was written.
        name: The name; "" where nothing is left of it.
        whole: The same, before it was cut.
        is_forbidden: Whether it is a word that nobody gets.
    """

    pattern: str
    name: str
    whole: str
    is_forbidden: bool


def offers(
    identifier: IdentifierRule, person: Person, affiliation: Affiliation, organisation: Organisation
) -> Iterator[Offer]:
    """Every name the patterns make, each once, in order: `candidates`, and what those leave out."""
    unit = organisation.unit(affiliation.unit)
    uncut = replace(identifier, max_length=None)
    given: set[str] = set()
    for candidate in identifier.candidates:
        text = candidate.render(person, affiliation, unit, _no_name, _no_sealed, _N)
        for name, whole in zip(_names(text, identifier, Reached()), _names(text, uncut, Reached()), strict=True):
            folded = name.casefold()
            if folded not in given:
                given.add(folded)
                yield Offer(candidate.source, name, whole, alike(name) in identifier.forbidden)


def fits(
    identifier: IdentifierRule, person: Person, affiliation: Affiliation, organisation: Organisation, name: str
) -> bool:
    """Whether a name is one of the person's candidates, whatever its number."""
    folded = name.casefold()
    if alike(name) in identifier.forbidden:
        return False
    unit = organisation.unit(affiliation.unit)
    numbers = _numbers_in(folded)
    for candidate in identifier.candidates:
        text = candidate.render(person, affiliation, unit, _no_name, _no_sealed, _N)
        head, found, tail = text.partition(_N)
        if not found:
            offered = [head[: identifier.max_length].strip()]
        else:
            tail = tail.replace(_N, "")
            offered = [_numbered(head, number, tail, identifier.max_length) for number in numbers if head or tail]
        if any(one.casefold() == folded for one in offered):
            return True
    return False


def _numbers_in(text: str) -> set[int]:
    """Every number of a pattern that stands somewhere in a text: in "a123", 12 and 23 as well as 123."""
    widths = range(1, len(str(LAST_NUMBER)) + 1)
    pieces = (text[at : at + width] for width in widths for at in range(len(text) - width + 1))
    return {int(piece) for piece in pieces if piece.isascii() and piece.isdigit() and int(piece) > 1}


def _numbered(head: str, number: int, tail: str, max_length: int | None) -> str:
    """A name with its number, cut before it where it is too long."""
    room = None if max_length is None else max(max_length - len(tail) - len(str(number)), 0)
    return f"{head[:room]}{number}{tail}"[:max_length].strip()


def _names(text: str, identifier: IdentifierRule, reached: Reached) -> Iterator[str]:
    max_length = identifier.max_length
    head, found, tail = text.partition(_N)
    if not found:
        yield head[:max_length].strip()
        return
    tail = tail.replace(_N, "")
    if not (head or tail).strip():
        return  # a bare number names nobody
    key = _N.join((identifier.name, head, tail))
    for number in range((reached.get(key) or 1) + 1, LAST_NUMBER + 1):
        reached[key] = number
        yield _numbered(head, number, tail, max_length)


def _no_name(_name: str, _person: Person, _affiliation: Affiliation) -> None:
    """Candidates are not made of identifiers."""
    return


def _no_sealed(_value: Sealed) -> str:
    """Candidates are not made of sealed fields: the compiler refuses them."""
    return ""
