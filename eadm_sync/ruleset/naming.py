"""The names an identifier's patterns offer for a person, best first. Whether one is free is somebody else's to say."""

from __future__ import annotations

from collections.abc import Iterator

from eadm_sync.model import Affiliation, Person, Sealed
from eadm_sync.ruleset.organisation import Organisation, UnitNode
from eadm_sync.ruleset.rules import Candidate, IdentifierRule

LAST_NUMBER = 9_999
"""Highest n of a pattern; beyond it a pattern is too narrow, and who asks must say so."""

_N = "\0"
"""Stands for n while the text around it is rendered once; no field can hold it."""


def candidates(
    identifier: IdentifierRule, person: Person, affiliation: Affiliation, organisation: Organisation
) -> Iterator[str]:
    """Every name the identifier's patterns give, each once, in order; n is 2, 3, 4 … up to LAST_NUMBER.

    A name that is too long is cut before its number. Forbidden names and empty ones are left out.
    """
    unit = organisation.unit(affiliation.unit)
    given: set[str] = set()
    for candidate in identifier.candidates:
        for name in _names(candidate, identifier.max_length, person, affiliation, unit):
            folded = name.casefold()
            if name and folded not in given and folded not in identifier.forbidden:
                given.add(folded)
                yield name


def _names(
    candidate: Candidate, max_length: int | None, person: Person, affiliation: Affiliation, unit: UnitNode
) -> Iterator[str]:
    text = candidate.render(person, affiliation, unit, _no_name, _no_sealed, _N)
    head, found, tail = text.partition(_N)
    if not found:
        yield head[:max_length].strip()
        return
    tail = tail.replace(_N, "")
    if not (head or tail).strip():
        return  # a bare number names nobody
    for number in range(2, LAST_NUMBER + 1):
        room = None if max_length is None else max(max_length - len(tail) - len(str(number)), 0)
        yield f"{head[:room]}{number}{tail}"[:max_length].strip()


def _no_name(_name: str, _person: Person, _affiliation: Affiliation) -> None:
    """Candidates are not made of identifiers."""
    return


def _no_sealed(_value: Sealed) -> str:
    """Candidates are not made of sealed fields: the compiler refuses them."""
    return ""
