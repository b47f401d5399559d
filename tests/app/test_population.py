from __future__ import annotations

from typing import Any

from sqlalchemy import insert, select

from eadm_sync.app.population import organisation_around, stored_organisation, stored_people
from eadm_sync.ruleset import Organisation
from eadm_sync.state import tables


def seen(organisation: Organisation, units: set[str], classes: set[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """All that rules can read of some units and class groups."""
    nodes = {code: organisation.unit(code) for code in units}
    groups = {code: organisation.class_groups[code] for code in classes if code in organisation.class_groups}
    return (
        {
            code: [(one.code, one.name, one.kind, one.manager.id, one.path) for one in node.line]
            for code, node in nodes.items()
        },
        {code: (one.name, one.kind, one.grade, one.subject, one.unit.codes) for code, one in groups.items()},
    )


def test_around_a_person_the_organisation_is_as_it_is_as_a_whole(place: Any):
    """Everybody's units, all above them with who manages these, and class groups with their schools."""
    context = place.context
    with context.reading() as database, database.read() as connection:
        whole = stored_organisation(context, connection)
        for person in (one for portion in stored_people(connection) for one in portion):
            units = {one.unit for one in person.affiliations if one.unit}
            classes = {group.code for one in person.affiliations for group in one.classes}
            around = organisation_around(context, connection, person)
            assert seen(around, units, classes) == seen(whole, units, classes)
            assert len(around.units) < len(whole.units)


def test_around_a_person_the_first_source_that_tells_of_a_unit_is_believed(place: Any):
    """As in the whole organisation; what no source of the configuration tells is not read."""
    context, units = place.context, tables.units
    with context.writing() as database, database.write() as connection:
        other = connection.scalar(select(units.c.data).where(units.c.source == "hr", units.c.code == "1401"))
        connection.execute(
            insert(units),
            [{"source": source, "code": "1000", "data": other} for source in ("school", "a-source-that-is-gone")],
        )
    with context.reading() as database, database.read() as connection:
        (person,) = [one for portion in stored_people(connection) for one in portion if one.id == "hr:001001"]
        around, whole = organisation_around(context, connection, person), stored_organisation(context, connection)

    assert around.unit("1000").name == whole.unit("1000").name == "Eksempel kommune"
