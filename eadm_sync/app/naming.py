"""Finds what an administrator named in the shell: exactly one thing, or an error that helps."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from sqlalchemy import Connection, select

from eadm_sync.errors import AmbiguousName, NotFound
from eadm_sync.state import tables

_NEAR = 5  # more suggestions than this are no help in one line


def find_person(connection: Connection, name: str) -> str:
    """The id of the person that is called so: by id, key in a source, username or another identifier, or full name.

    Raises:
        NotFound: Nobody is; `near` names ids that come close.
        AmbiguousName: Several people are; `candidates` are their ids with names.
    """
    people = tables.people.c
    if connection.scalar(select(people.id).where(people.id == name)) is not None:
        return name
    found = _people_called(connection, name)
    if not found:
        raise NotFound("person", name, _near(connection, name))
    if len(found) > 1:
        raise AmbiguousName("person", name, _described(connection, sorted(found)))
    return found.pop()


def known_name(what: str, name: str, known: Iterable[str]) -> str:
    """The name itself, if it is one of those known.

    Raises:
        NotFound: It is not; `near` are those that come close, or all of them where they are few.
    """
    words = sorted(known)
    if name in words:
        return name
    near = difflib.get_close_matches(name, words, n=_NEAR, cutoff=0.5)
    raise NotFound(what, name, tuple(near) or (tuple(words) if len(words) <= _NEAR else ()))


def _people_called(connection: Connection, name: str) -> set[str]:
    records, identifiers, people = tables.source_records.c, tables.identifiers.c, tables.people.c
    folded = name.casefold()
    return {
        *connection.scalars(select(records.person_id).where(records.key == name)),
        *connection.scalars(select(identifiers.person_id).where(identifiers.folded == folded)),
        *connection.scalars(select(people.id).where(people.name == name)),
    }


def _near(connection: Connection, name: str) -> tuple[str, ...]:
    """Ids of people whose id, name or identifier holds the text, or whose identifier is spelt nearly so."""
    people, identifiers = tables.people.c, tables.identifiers.c
    holding = select(people.id).where(
        people.id.contains(name, autoescape=True) | people.name.contains(name, autoescape=True)
    )
    found = list(connection.scalars(holding.order_by(people.id).limit(_NEAR)))
    if found:
        return tuple(found)
    folded = name.casefold()
    alike = select(identifiers.folded, identifiers.person_id).where(
        identifiers.folded.startswith(folded[:2], autoescape=True)
    )
    owners = {value: person_id for value, person_id in connection.execute(alike)}  # noqa: C416 - rows are no pairs to mypy
    return tuple(dict.fromkeys(owners[value] for value in difflib.get_close_matches(folded, owners, n=_NEAR)))


def _described(connection: Connection, ids: list[str]) -> tuple[str, ...]:
    people = tables.people.c
    rows = connection.execute(select(people.id, people.name).where(people.id.in_(ids[:_NEAR])).order_by(people.id))
    more = (f"and {len(ids) - _NEAR} more",) if len(ids) > _NEAR else ()
    return (*(f"{person_id} ({name})" for person_id, name in rows), *more)
