"""Usernames and the like: given once, kept for good, never shared and never given again to somebody else.

An identifier is free when nobody has it and nothing reserves it, compared without case. What a run allocates is
taken for the rest of that run, and stored in the transaction that accepts its plan; the run lock keeps two runs from
allocating at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from sqlalchemy import Connection, select

from eadm_sync.errors import EadmError
from eadm_sync.state import tables


class NoFreeCandidate(EadmError):
    """Every candidate of an identifier is taken: `name` of the identifier, `tried` how many."""

    def __init__(self, name: str, tried: int) -> None:
        super().__init__(f"no free {name}: all {tried} candidates are taken or empty")
        self.name = name
        self.tried = tried


class Identifiers:
    """Looks up and allocates identifiers during one run. Reads only; `allocated` says what is to be stored.

    Attributes:
        allocated: (person id, name, value) in the order of allocation.
    """

    def __init__(self, connection: Connection, digest: Callable[[str, str], bytes]) -> None:
        """Args: the state; and the vault's keyed hash, by which reservations are found."""
        self._connection = connection
        self._digest = digest
        self._held: dict[str, dict[str, str]] = {}
        self._taken: dict[str, set[str]] = {}
        self._reserved: dict[str, set[bytes]] = {}
        self.allocated: list[tuple[str, str, str]] = []

    def load(self, person_ids: Sequence[str]) -> None:
        """Fetches what these people hold, so that `of` need not ask for each; forgets those loaded before."""
        columns = tables.identifiers.c
        self._held = {}
        rows = self._connection.execute(
            select(columns.person_id, columns.name, columns.value).where(columns.person_id.in_(person_ids))
        )
        for person_id, name, value in rows:
            self._held.setdefault(person_id, {})[name] = value

    def held(self, person_id: str, name: str) -> str | None:
        """The identifier that a loaded person has, or None."""
        held = self._held.get(person_id)
        return None if held is None else held.get(name)

    def of(self, person_id: str, name: str, candidates: Callable[[], Iterable[str]]) -> str:
        """The person's identifier: the one it has, or else the first free candidate, allocated.

        Raises:
            NoFreeCandidate: None was free.
        """
        held = self._held.setdefault(person_id, {})
        if name in held:
            return held[name]
        tried = 0
        for candidate in candidates():
            tried += 1
            if candidate and self.is_free(name, candidate):
                self._taken[name].add(candidate.casefold())
                held[name] = candidate
                self.allocated.append((person_id, name, candidate))
                return candidate
        raise NoFreeCandidate(name, tried)

    def is_free(self, name: str, value: str) -> bool:
        """Whether nobody has it and nothing reserves it."""
        folded = value.casefold()
        if name not in self._taken:
            self._taken[name] = set(self._all_taken(name))
            self._reserved[name] = set(self._all_reserved(name))
        if folded in self._taken[name]:
            return False
        reserved = self._reserved[name]
        return not reserved or self._digest(name, folded) not in reserved

    def _all_taken(self, name: str) -> Iterator[str]:
        columns = tables.identifiers.c
        yield from self._connection.scalars(select(columns.folded).where(columns.name == name))

    def _all_reserved(self, name: str) -> Iterator[bytes]:
        columns = tables.reservations.c
        yield from self._connection.scalars(select(columns.digest).where(columns.name == name))


def store(connection: Connection, allocated: Iterable[tuple[str, str, str]], now: str) -> None:
    """Writes down what a run allocated; the primary key refuses a second owner whatever happened in between."""
    rows = [
        {"name": name, "folded": value.casefold(), "value": value, "person_id": person_id, "allocated_at": now}
        for person_id, name, value in allocated
    ]
    if rows:
        connection.execute(tables.identifiers.insert(), rows)
