"""The names an identifier's patterns offer for a person, best first. Whether one is free is somebody else's to say."""

from __future__ import annotations

from collections.abc import Iterator

from eadm_sync.model import Affiliation, Person, Sealed
from eadm_sync.ruleset.organisation import Organisation
from eadm_sync.ruleset.rules import IdentifierRule

LAST_NUMBER = 9_999
"""Highest n of a pattern; beyond it a pattern is too narrow, and who asks must say so."""

_N = "\0"
"""Stands for n while the text around it is rendered once; no field can hold it."""


Reached = dict[tuple[str, str, str], int]
"""(identifier, text before the number, text behind it) → the last number that was offered to anybody."""


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
    last = {} if reached is None else reached
    for candidate in identifier.candidates:
        text = candidate.render(person, affiliation, unit, _no_name, _no_sealed, _N)
        for name in _names(text, identifier, last):
            folded = name.casefold()
            if name and folded not in given and folded not in identifier.forbidden:
                given.add(folded)
                yield name


def _names(text: str, identifier: IdentifierRule, reached: Reached) -> Iterator[str]:
    max_length = identifier.max_length
    head, found, tail = text.partition(_N)
    if not found:
        yield head[:max_length].strip()
        return
    tail = tail.replace(_N, "")
    if not (head or tail).strip():
        return  # a bare number names nobody
    key = (identifier.name, head, tail)
    for number in range(reached.get(key, 1) + 1, LAST_NUMBER + 1):
        reached[key] = number
        room = None if max_length is None else max(max_length - len(tail) - len(str(number)), 0)
        yield f"{head[:room]}{number}{tail}"[:max_length].strip()


def _no_name(_name: str, _person: Person, _affiliation: Affiliation) -> None:
    """Candidates are not made of identifiers."""
    return


def _no_sealed(_value: Sealed) -> str:
    """Candidates are not made of sealed fields: the compiler refuses them."""
    return ""
