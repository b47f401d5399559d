"""Names in containers: no two objects of one container have the same CN. Chains of requests."""

from __future__ import annotations

from collections.abc import Collection

from connectors.active_directory import names
from connectors.active_directory.ber import Scope, Search, any_of, equals
from connectors.active_directory.pipeline import Chain, entries_of
from connectors.active_directory.schema import CN, CN_LENGTH
from connectors.errors import Rejected

_NAMESAKES = 200  # as many numbers are tried behind a name that is taken in its container


def check_cn(value: str) -> None:
    """Refuses what Windows would as a CN, and Samba would not.

    Raises:
        Rejected: It holds control characters.
    """
    if not value.isprintable() or value != value.strip():
        raise Rejected("holds a control character, or begins or ends with a space", CN)


def numbered(cn: str, number: int) -> str:
    """A namesake's CN: with a number, and no longer than a CN may be."""
    suffix = "" if number == 1 else f" {number}"
    return cn[: CN_LENGTH - len(suffix)].rstrip() + suffix


class Claims:
    """Names in containers that operations of one batch are about to take: they are under way at the same time."""

    def __init__(self) -> None:
        self._claimed: set[tuple[str, str]] = set()

    def claim(self, container: str, cn: str, taken: Collection[str] = ()) -> str:
        """The first of the name and its numbered forms that is neither claimed nor `taken` (case-folded).

        Raises:
            Rejected: There are too many of that name.
        """
        place = names.canonical(container)
        for number in range(1, _NAMESAKES + 1):
            one = numbered(cn, number)
            if one.casefold() not in taken and (place, one.casefold()) not in self._claimed:
                self._claimed.add((place, one.casefold()))
                return one
        raise Rejected("too many in this container have this name", CN)


def free_cn(claims: Claims, container: str, cn: str) -> Chain[str]:
    """A name that nothing in the container has, nor is about to get.

    Raises:
        Rejected: There are too many of that name.
    """
    candidates = (numbered(cn, number) for number in range(1, _NAMESAKES + 1))
    answer = yield Search(container, any_of(equals(CN, one) for one in candidates), [CN], Scope.LEVEL)
    found = entries_of(answer, "look which names are free")
    return claims.claim(container, cn, {entry.attributes[CN][0].decode().casefold() for entry in found})


def is_namesake(asked: str, now: str) -> bool:
    """Whether an object has the name asked for, numbered because another had it first: it keeps it."""
    number = now.rpartition(" ")[2]
    return number.isdecimal() and number.isascii() and now == numbered(asked, int(number)) and int(number) > 1
