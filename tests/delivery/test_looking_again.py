"""Who is looked at again after a change that was overtaken."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine, select

from eadm_sync.delivery.looking_again import look_again
from eadm_sync.state import tables


@pytest.fixture
def connection() -> Iterator[Connection]:
    """Four people; `leaf` has two, is in `middle`, and that in `top`, which is in `leaf` by mistake."""
    engine = create_engine("sqlite://")
    tables.metadata.create_all(engine)
    with engine.connect() as opened:
        for number in range(1, 5):
            person = {"id": f"hr:{number}", "name": "", "data": b"", "due": None, "pending": False}
            opened.execute(tables.people.insert(), person)
        for number in (1, 2):
            place = {"person_id": f"hr:{number}", "target": "ad", "group_key": "leaf", "role": "member", "rule": "r/g"}
            opened.execute(tables.known_memberships.insert(), place)
        for outer, inner in (("middle", "leaf"), ("top", "middle"), ("leaf", "top")):
            nesting = {"target": "ad", "group_key": outer, "member_key": inner, "rule": "r/g", "ruleset_version": ""}
            opened.execute(tables.known_nestings.insert(), nesting)
        yield opened
    engine.dispose()


@pytest.mark.parametrize(
    ("subjects", "expected"),
    [
        (["hr:3", "hr:4"], ["hr:3", "hr:4"]),
        (["group:leaf"], ["hr:1", "hr:2"]),
        (["group:top"], ["hr:1"]),  # one of those below will do
        (["group:nobody"], []),
        ([], []),
    ],
)
def test_a_group_is_looked_at_with_somebody_who_belongs_there(
    connection: Connection, subjects: list[str], expected: list[str]
):
    """All who are known to be in it; where only groups are, somebody of one of those."""
    look_again(connection, subjects)

    people = tables.people.c
    assert sorted(connection.scalars(select(people.id).where(people.pending.is_(True)))) == expected
