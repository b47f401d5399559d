"""Who is looked at again after a change that was overtaken."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, event, select

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


@pytest.mark.parametrize(
    ("due", "day", "expected"),
    [
        (None, date(2026, 8, 1), "2026-08-01"),
        ("2026-09-01", date(2026, 8, 1), "2026-08-01"),
        ("2026-07-01", date(2026, 8, 1), "2026-07-01"),  # never put off
        ("2026-07-01", None, "2026-07-01"),
        (None, None, None),
    ],
)
def test_somebody_is_looked_at_on_the_earliest_day(
    connection: Connection, due: str | None, day: date | None, expected: str | None
):
    """Whoever is marked for the next run keeps their day, and whoever gets a day keeps their mark."""
    people = tables.people
    connection.execute(people.update().values(due=due, pending=True).where(people.c.id == "hr:1"))

    look_again(connection, ["hr:1"] if day is None else [], on={} if day is None else {"hr:1": day})

    row = connection.execute(select(people).where(people.c.id == "hr:1")).one()
    assert (row.due, row.pending) == (expected, True)


def test_people_are_always_taken_in_the_same_order(connection: Connection):
    """Whatever they are looked at again for: two targets that took them in two orders would wait for each other."""
    taken: list[str] = []

    @event.listens_for(connection, "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("UPDATE people"):
            taken.extend(row[-1] for row in parameters)

    look_again(connection, ["hr:4", "hr:2"], on={"hr:3": date(2026, 8, 1), "hr:1": date(2026, 8, 1)})

    assert taken == ["hr:1", "hr:2", "hr:3", "hr:4"]
