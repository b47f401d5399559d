from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from connectors.contract import BadRecord
from connectors.errors import Unavailable, Unreadable
from eadm_sync.importing import Imported, SourceReport

PEOPLE = [(str(number), f"Given{number}", "Berg", "02.01.1980") for number in range(1, 9)]
UNITS = [("10", "Skole", "1", "2"), ("1", "Kommune", "", "")]
BORN = date(1980, 1, 2)


def report(imported: Imported) -> SourceReport:
    """The report of the only source."""
    (only,) = imported.reports
    return only


def reasons(imported: Imported) -> list[tuple[str, int, str | None, str | None]]:
    """Where and what was quarantined."""
    return [(row.file, row.line, row.key, row.field) for row in imported.quarantined]


def test_first_import(installation: Any, hr: Any):
    """Everybody is new, units know their managers, and the second import of the same has nothing to do."""
    first = installation.sync(hr=hr(PEOPLE, units=UNITS))
    second = installation.plan(hr=hr(PEOPLE, units=UNITS))

    assert (report(first).read, report(first).new, list(first.changed)) == (8, 8, [f"hr:{n}" for n in range(1, 9)])
    assert first.units["10"].manager == "hr:2"
    assert first.organisation_changed == {"1", "10"}
    assert (report(second).unchanged, list(second.changed), second.organisation_changed) == (8, [], frozenset())
    assert report(second).snapshot == report(first).snapshot


def test_order_and_unmapped_columns_do_not_matter(installation: Any, hr: Any):
    """Rows that only change their order, or a column that no template reads, change nobody."""
    contracts = [(row[0], seq, "10") for row in PEOPLE for seq in ("1", "2")]
    first = installation.sync(hr=hr(PEOPLE, contracts))
    second = installation.sync(hr=hr(PEOPLE[::-1], contracts[::-1]))

    assert report(second).unchanged == 8
    assert report(second).snapshot == report(first).snapshot


def test_change_touches_only_its_person(installation: Any, hr: Any):
    """A changed contract makes its person a changed one, and nobody else."""
    installation.sync(hr=hr(PEOPLE))
    contracts = [(row[0], "1", "11" if row[0] == "3" else "10") for row in PEOPLE]

    imported = installation.sync(hr=hr(PEOPLE, contracts))

    assert (list(imported.changed), report(imported).changed) == (["hr:3"], 1)
    assert installation.people()["hr:3"].affiliations[0].unit == "11"


def test_plan_shows_what_write_stores(installation: Any, hr: Any):
    """The people that a plan works on are those that are stored afterwards, bytes and all."""
    imported = installation.plan(hr=hr(PEOPLE))
    planned = list(imported.people(imported.changed))
    with installation.engine.begin() as connection:
        imported.write(connection, {"hr:1": date(2026, 9, 1)})
        stored = connection.exec_driver_sql("SELECT id, name, due FROM people ORDER BY id").all()

    assert planned == list(installation.people().values())
    assert stored[0] == ("hr:1", "Given1 Berg", "2026-09-01")


def test_due_of_others_is_written_too(installation: Any, hr: Any):
    """A person who was only due gets the next date without being imported anew."""
    installation.sync(hr=hr(PEOPLE))
    with installation.engine.begin() as connection:
        installation.plan(hr=hr(PEOPLE)).write(connection, {"hr:4": date(2027, 1, 1)})
        due = connection.exec_driver_sql("SELECT id FROM people WHERE due = '2027-01-01'").scalars().all()

    assert due == ["hr:4"]


# ---------------------------------------------------------------- leaving and coming back


def test_leaver_and_return(installation: Any, hr: Any):
    """Who vanishes has affiliations ended the day before; who comes back is as before, without a trace of it."""
    installation.sync(hr=hr(PEOPLE))
    installation.today += timedelta(days=1)
    left = installation.sync(hr=hr(PEOPLE[1:]))
    gone = installation.people()["hr:1"]
    installation.today += timedelta(days=5)
    still = installation.sync(hr=hr(PEOPLE[1:]))
    back = installation.sync(hr=hr(PEOPLE))

    assert (report(left).vanished, list(left.changed)) == (1, ["hr:1"])
    assert gone.affiliations[0].end == date(2026, 8, 17)
    assert (list(still.changed), report(still).vanished) == ([], 0)
    assert (report(back).returned, list(back.changed)) == (1, ["hr:1"])
    assert installation.people()["hr:1"].affiliations[0].end is None


@pytest.mark.parametrize(
    ("persons", "contracts", "brake"),
    [
        ([], None, "hr.vanished"),  # header only
        (PEOPLE[:4], None, "hr.vanished"),  # half of them
        (PEOPLE, [], "hr.vanished"),  # contracts emptied
        (PEOPLE[:7], [(row[0], "1", "10") for row in PEOPLE[:4]], "hr.vanished"),  # one gone, three bare
        ([(f"x{row[0]}", *row[1:]) for row in PEOPLE], None, "hr.vanished"),  # other keys: the wrong file
        ([(row[1], row[0], *row[2:]) for row in PEOPLE], None, "hr.vanished"),  # swapped columns
        ([*PEOPLE[:7], BadRecord("persons", "p.csv", 9, None, "too short", truncated=True)], None, "hr.incomplete"),
        ([*PEOPLE[:7], BadRecord("persons", "p.csv", 9, None, "too short")], None, "hr.incomplete"),  # who was it?
        ([*PEOPLE[:7], ("", "Nobody")], None, "hr.incomplete"),  # a row without a key
        (
            PEOPLE,
            [("1", "1", "10"), BadRecord("contracts", "c.csv", 3, None, "cut off", truncated=True)],
            "hr.incomplete",
        ),
    ],
)
def test_broken_file_takes_nothing_from_anybody(installation: Any, hr: Any, persons: Any, contracts: Any, brake: str):
    """An emptied, truncated or mixed-up file is held with a reason, and everybody stays exactly as they were."""
    installation.sync(hr=hr(PEOPLE))
    before = installation.people()
    installation.today += timedelta(days=1)

    imported = installation.sync(hr=hr(persons, contracts))

    assert report(imported).hold is not None
    assert report(imported).hold.brake == brake
    assert list(imported.changed) == []
    assert installation.people() == before


def test_released_brake_lets_absences_through(installation: Any, hr: Any):
    """What an operator releases happens, and only that."""
    installation.sync(hr=hr(PEOPLE))

    held = installation.plan("school.vanished", hr=hr(PEOPLE[:2]))
    released = installation.sync("hr.vanished", hr=hr(PEOPLE[:2]))

    assert (list(held.changed), report(released).hold) == ([], None)
    assert list(released.changed) == [f"hr:{n}" for n in range(3, 9)]


def test_held_absences_do_not_stop_joiners(installation: Any, hr: Any):
    """A brake that holds leavers lets the others through: who is new and who changed."""
    installation.sync(hr=hr(PEOPLE))

    imported = installation.sync(hr=hr([("1", "Renamed", "Berg", ""), PEOPLE[1], ("9", "New", "One", "")]))

    assert report(imported).hold is not None
    assert list(imported.changed) == ["hr:1", "hr:9"]


@pytest.mark.parametrize(
    "source",
    [
        {"persons": ("", []), "contracts": ("Nr", []), "units": ("Code", [])},  # an empty file
        {"persons": ("Nr First Last Born Id", [Unreadable("is not UTF-8", file="p.csv", line=7)])},  # wrong encoding
        {"persons": ("Nr;First;Last;Born;Id", PEOPLE)},  # wrong delimiter: one column
        {"persons": ("Nr First Last Born Id", [*PEOPLE[:1], Unavailable("gone")])},
        {"persons": ("Nr First Last Born Id", PEOPLE), "contracts": ("Nr Seq", [])},  # columns are missing
    ],
)
def test_unreadable_source_stops_only_itself(
    installation: Any, memory_source: Any, hr: Any, settings: Any, hr_map: Any, source: Any
):
    """A source that cannot be read has an error in its report; its people and units stay, others are imported."""
    installation.settings = settings({"hr": hr_map, "other": hr_map})
    installation.sync(hr=hr(PEOPLE, units=UNITS), other=hr([]))
    full = {"contracts": ("Nr Seq Unit Title Share From To", []), "units": ("Code Name Parent Boss", [])}
    before = installation.people()

    imported = installation.sync(hr=memory_source(**(full | source)), other=hr([("77", "New", "One")]))

    failed, read = imported.reports
    assert (failed.source, failed.error is not None, read.new) == ("hr", True, 1)
    assert list(imported.changed) == ["other:77"]
    assert {key: installation.people()[key] for key in before} == before
    assert set(imported.units) == {"1", "10"}


def test_unknown_columns_are_told_all_at_once(installation: Any, memory_source: Any):
    """Every template that reads a column the file does not have is named, with the nearest one there is."""
    columns = {
        "persons": ("Nr Firstt Last Born Id", PEOPLE),
        "contracts": ("Nr Seq Unit Titel Share From To", []),
        "units": ("Code Name Parent Boss", []),
    }

    imported = installation.plan(hr=memory_source(**columns))

    assert "Firstt" in str(report(imported).error)
    assert "Titel" in str(report(imported).error)


# ---------------------------------------------------------------- bad rows


@pytest.mark.parametrize(
    ("row", "field"),
    [
        (("2", "Given2", "Berg", "32.01.1980"), "birth_date"),
        (("2", "Given2", "Berg", "01.01.2090"), "birth_date"),  # not born yet
        (("2", "", "", ""), "family_name"),
        (("2", "x" * 201, "Berg", ""), "given_name"),
        (("2", "Gi\x07ven", "Berg", ""), "given_name"),
        (("2", "Given2", "Berg", "", "15108695077"), "national_id"),
    ],
)
def test_bad_row_keeps_the_former_record(installation: Any, hr: Any, row: Any, field: str):
    """A known person whose row turns bad stays as before, is not taken for absent, and is listed with file and line."""
    installation.sync(hr=hr(PEOPLE[:3]))
    before = installation.people()

    imported = installation.sync(hr=hr([PEOPLE[0], row, PEOPLE[2]]))
    again = installation.sync(hr=hr([PEOPLE[0], row, PEOPLE[2]]))

    assert reasons(imported) == [("persons.csv", 3, "2", field)]
    assert reasons(again) == reasons(imported)
    assert (list(imported.changed), report(imported).vanished, report(imported).hold) == ([], 0, None)
    assert installation.people() == before


def test_bad_new_person_is_left_out(installation: Any, hr: Any):
    """A new person whose row is bad is quarantined; the rest goes on."""
    imported = installation.sync(hr=hr([PEOPLE[0], ("2", "", "")]))

    assert (list(imported.changed), reasons(imported)) == (["hr:1"], [("persons.csv", 3, "2", "family_name")])


def test_national_id_never_shows(installation: Any, hr: Any, national_id: Any, settings: Any, hr_map: Any):
    """Neither a valid nor a mistyped national id is found anywhere in the database, not even as a key."""
    number = national_id(BORN)
    wrong = f"{number[:10]}{(int(number[10]) + 1) % 10}"
    del hr_map["people"]["employee_number"]
    installation.settings = settings({"hr": hr_map})
    persons = [(number, "Given1", "Berg", "", number), ("2", "Given2", "Berg", "", wrong)]

    imported = installation.sync(hr=hr(persons))

    dump = "\n".join(installation.engine.connect().connection.driver_connection.iterdump())
    assert number not in dump
    assert wrong not in dump
    assert number.encode().hex() not in dump.lower()
    assert imported.changed[0].startswith("hr:~")
    assert [row.field for row in imported.quarantined] == ["national_id"]


def test_national_id_in_another_field_is_refused(installation: Any, hr: Any, national_id: Any):
    """A national id mapped to a field that is stored openly is quarantined instead."""
    imported = installation.sync(hr=hr([(national_id(BORN), "Given1", "Berg")]))

    assert [row.field for row in imported.quarantined] == ["employee_number"]
    assert list(imported.changed) == []


@pytest.mark.parametrize(
    ("contract", "field"),
    [
        (("1", "2", "10", "", "lots"), "fraction"),
        (("1", "2", "10", "", "", "2026-13-01"), "start"),
        (("99", "1", "10"), "person"),  # whose is it?
        (("1", "1", "11"), "key"),  # twice, and the two differ
    ],
)
def test_bad_contract_keeps_the_former_one(installation: Any, hr: Any, contract: Any, field: str):
    """A bad contract is listed and takes nothing away: its former version stays, and so do the person's others."""
    good = [("1", "1", "10"), ("1", "2", "12"), ("2", "1", "10")]
    installation.sync(hr=hr(PEOPLE[:2], good))
    before = installation.people()
    rows = [row for row in good if row[:2] != contract[:2]]

    imported = installation.sync(hr=hr(PEOPLE[:2], [*rows, contract] if field != "key" else [*good, contract]))

    assert [row.field for row in imported.quarantined] == [field]
    assert installation.people() == before


def test_unreadable_contract_of_a_known_person(installation: Any, hr: Any):
    """A contract that the connector cannot read, but whose person it can, takes nothing away and holds nobody else."""
    good = [("1", "1", "10"), ("1", "2", "12"), ("2", "1", "10")]
    installation.sync(hr=hr(PEOPLE[:2], good))
    before = installation.people()
    bad = BadRecord("contracts", "c.csv", 3, None, "has too few columns", {"Nr": "1"})

    imported = installation.sync(hr=hr(PEOPLE[:2], [good[0], bad, ("2", "1", "11")]))

    after = installation.people()
    assert (list(imported.changed), report(imported).hold) == (["hr:2"], None)
    assert reasons(imported) == [("c.csv", 3, "1", None)]
    assert (after["hr:1"], after["hr:2"].affiliations[0].unit) == (before["hr:1"], "11")


def test_truncated_contracts_take_none_of_several(installation: Any, hr: Any):
    """Where a file of contracts is cut off, nobody loses one contract of several either; who gains one gains it."""
    good = [("1", "1", "10"), ("2", "1", "10"), ("1", "2", "12")]
    installation.sync(hr=hr(PEOPLE[:2], good))
    before = installation.people()
    cut = BadRecord("contracts", "c.csv", 5, None, "is cut off", truncated=True)

    imported = installation.sync(hr=hr(PEOPLE[:2], [*good[:2], ("2", "2", "13"), cut]))

    after = installation.people()
    assert (list(imported.changed), report(imported).vanished) == (["hr:2"], 0)
    assert (after["hr:1"], len(after["hr:2"].affiliations)) == (before["hr:1"], 2)


def test_bad_contract_does_not_stop_the_good_ones(installation: Any, hr: Any):
    """Beside a bad contract a person's other contracts, and own fields, are still kept up to date."""
    installation.sync(hr=hr(PEOPLE[:1], [("1", "1", "10"), ("1", "2", "12")]))

    installation.sync(hr=hr([("1", "Renamed", "Berg")], [("1", "1", "13"), ("1", "2", "12", "", "lots")]))

    person = installation.people()["hr:1"]
    assert person.given_name == "Renamed"
    assert [each.unit for each in person.affiliations] == ["13", "12"]


def test_repaired_row_leaves_quarantine(installation: Any, hr: Any):
    """A new person with a bad contract comes without it, and gets it once the file is put right."""
    installation.sync(hr=hr(PEOPLE[:1], [("1", "1", "10"), ("1", "2", "12", "", "lots")]))
    imported = installation.sync(hr=hr(PEOPLE[:1], [("1", "1", "10"), ("1", "2", "12", "", "50")]))

    assert imported.quarantined == ()
    assert [each.fraction for each in installation.people()["hr:1"].affiliations] == [None, 0.5]


@pytest.mark.parametrize("second", [PEOPLE[0], ("1", "Somebody", "Else", "")])
def test_duplicate_key_of_a_known_person(installation: Any, hr: Any, second: Any):
    """A key that is there twice is listed; a known person keeps the former record where the rows differ."""
    installation.sync(hr=hr(PEOPLE[:2]))
    before = installation.people()

    for rows in ([PEOPLE[0], second, PEOPLE[1]], [second, PEOPLE[0], PEOPLE[1]]):
        imported = installation.sync(hr=hr(rows, [("1", "1", "10"), ("2", "1", "10")]))
        assert reasons(imported) == [("persons.csv", 3, "1", "key")]

    assert installation.people() == before


def test_quarantine_keeps_the_day_it_was_first_seen(installation: Any, hr: Any):
    """What stays wrong stays listed since the day it was first seen, even if it moves to another line."""
    installation.sync(hr=hr([("1", "", ""), PEOPLE[1]]))
    with installation.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE quarantine SET since = '2020-01-01'")

    installation.sync(hr=hr([PEOPLE[1], ("1", "", "")]))

    with installation.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT line, since FROM quarantine").all() == [(3, "2020-01-01")]


# ---------------------------------------------------------------- one table, filters, units


def test_people_and_affiliations_in_one_table(installation: Any, memory_source: Any, settings: Any):
    """A file with one row for each contract, the person repeated, gives each person once with all contracts."""
    installation.settings = settings(
        {
            "hr": {
                "people": {"from": "rows", "key": "{{ row.Nr }}", "family_name": "{{ row.Name }}"},
                "affiliations": {
                    "from": "rows",
                    "person": "{{ row.Nr }}",
                    "key": "{{ row.Nr }}-{{ row.Seq }}",
                    "kind": "employee",
                },
            }
        }
    )
    source = memory_source(rows=("Nr Name Seq", [("1", "Berg", "1"), ("1", "Berg", "2"), ("2", "Dal", "1")]))

    imported = installation.sync(hr=source)

    assert imported.quarantined == ()
    assert [len(person.affiliations) for person in installation.people().values()] == [2, 1]


def test_where_passes_rows_over_without_quarantine(installation: Any, hr: Any, settings: Any, hr_map: Any):
    """A person whom `where` leaves out takes the contracts along; two entries may share a table by `where`."""
    hr_map["people"]["where"] = "row.Last != 'Blocked'"
    installation.settings = settings({"hr": hr_map})

    imported = installation.sync(hr=hr([PEOPLE[0], ("2", "Given2", "Blocked")]))

    assert (list(imported.changed), imported.quarantined) == (["hr:1"], ())


@pytest.mark.parametrize(
    ("contracts", "units", "left"),
    [
        ([("1", "1", "20")], UNITS, {"1", "10"}),  # unit 20 is gone, but somebody still works there
        ([("1", "1", "10")], UNITS, {"1", "10"}),
        ([("1", "1", "10")], [], {"1", "10", "20"}),  # an emptied file of units
        ([("1", "1", "10")], [("10", "\x07", "1", ""), *UNITS[1:]], {"1", "10"}),  # a bad row is no absence
    ],
)
def test_vanished_units(installation: Any, hr: Any, contracts: Any, units: Any, left: set[str]):
    """A unit goes when it is gone from the source and nothing refers to it; too many at once are held."""
    installation.sync(hr=hr(PEOPLE[:1], contracts, [*UNITS, ("20", "Gammel", "1", "")]))
    kept = {"20"} if contracts[0][2] == "20" else set()

    imported = installation.sync(hr=hr(PEOPLE[:1], contracts, units))

    assert set(imported.units) == left | kept
    assert (report(imported).units_hold is not None) is (units == [])
    assert imported.units["10"].name == "Skole"


def test_manager_nobody_knows(installation: Any, hr: Any):
    """A unit whose manager is nobody keeps no manager, and that is listed."""
    imported = installation.plan(hr=hr(PEOPLE, units=[("10", "Skole", "", "999")]))

    assert imported.units["10"].manager is None
    assert reasons(imported) == [("units.csv", 2, "10", "manager")]
