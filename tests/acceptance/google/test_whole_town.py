"""The example town with Google Workspace as a target, over the wire: somebody comes, moves, leaves and comes back."""

from __future__ import annotations

import csv
from datetime import timedelta

from connectors.contract import Kind, RemoteObject
from exportqueue import State
from tests.acceptance.conftest import FIRST_DAY, Town
from tests.acceptance.google.conftest import DOMAIN, STAFF, Customer


def test_a_second_run_has_nothing_to_do(customer: Customer):
    """Everybody has one account, in few requests; what was written is what a reading finds."""
    town, google = customer.town, customer.google
    first = town.sync()
    counters = google.counters()
    contents = google.contents()
    google.reset()
    second = town.sync()

    assert first.is_complete
    assert counters["operations"] > 80
    assert counters["http_requests"] <= 30
    assert second.enqueued == 0
    assert google.counters().get("http_requests", 0) == 0
    assert any(path.startswith("/Elever/") for path in contents["units"])
    with town.target("google") as target:
        told = {one.owner for one in target.read(Kind.ACCOUNT) if isinstance(one, RemoteObject)} - {None}
    assert told == set(customer.known())
    customer.assert_known_is_true()


def test_somebody_comes_moves_leaves_and_comes_back(customer: Customer):
    """With one account all the time: moved, suspended and signed out, as before; deleted, and undeleted by its id."""
    town = customer.town
    town.sync()
    unit, other = schools(town)
    person = town.hire("990001", "Ola", "Nordmann-Test", unit=unit)
    town.sync()
    came = customer.user(person)
    key = came["id"]
    in_groups, licences = customer.groups_of(key), customer.licences_of(key)

    move(town, "990001", other)
    town.later(days=1).sync()
    moved = customer.user(person)
    in_other_groups = customer.groups_of(key)

    last = FIRST_DAY + timedelta(days=2)
    town.end_positions(["990001"], last)
    town.on(last + timedelta(days=1)).sync()
    left = customer.user(person)
    in_no_group, no_licences = customer.groups_of(key), customer.licences_of(key)

    town.end_positions(["990001"], last + timedelta(days=400))
    town.on(last + timedelta(days=10)).sync()
    back = customer.user(person)
    in_groups_again, licences_again = customer.groups_of(key), customer.licences_of(key)
    customer.assert_known_is_true()

    town.end_positions(["990001"], last + timedelta(days=20))
    town.on(last + timedelta(days=21)).sync()
    town.on(last + timedelta(days=420)).sync()
    deleted = customer.user(person)
    town.end_positions(["990001"], last + timedelta(days=900))
    town.on(last + timedelta(days=430)).sync()
    undeleted = customer.user(person)

    assert (came.get("suspended", False), in_groups) == (False, {f"ansatte.{unit}@{DOMAIN}": "MEMBER"})
    assert licences == [STAFF]
    assert moved["orgUnitPath"] != came["orgUnitPath"]
    assert in_other_groups == {f"ansatte.{other}@{DOMAIN}": "MEMBER"}
    assert (left["suspended"], in_no_group, no_licences) == (True, {}, [])
    assert left["_signOuts"] >= 1
    assert (back["suspended"], back["id"], licences_again) == (False, key, [STAFF])
    assert in_groups_again == in_other_groups
    assert deleted["deleted"]
    assert (undeleted["deleted"], undeleted["suspended"], undeleted["id"]) == (False, False, key)
    assert customer.licences_of(key) == [STAFF]
    customer.assert_known_is_true()


def test_who_comes_back_after_the_recycle_bin_was_emptied_has_a_new_account(customer: Customer):
    """Google keeps twenty days what is deleted: then there is nothing to undelete, and one account is made anew."""
    town, google = customer.town, customer.google
    unit, _ = schools(town)
    person = town.hire("990001", "Ola", "Nordmann-Test", unit=unit)
    town.sync()
    former = customer.user(person)
    last = FIRST_DAY + timedelta(days=2)
    town.end_positions(["990001"], last)
    town.on(last + timedelta(days=1)).sync()
    town.on(last + timedelta(days=370)).sync()
    google.forward(days=21)

    town.end_positions(["990001"], last + timedelta(days=900))
    town.on(last + timedelta(days=391)).sync()
    town.later(hours=1).sync()

    made = customer.user(person)
    assert made["id"] != former["id"]
    assert (made["primaryEmail"], made["deleted"], made["suspended"]) == (former["primaryEmail"], False, False)
    assert customer.groups_of(made["id"]) == {f"ansatte.{unit}@{DOMAIN}": "MEMBER"}
    assert customer.licences_of(made["id"]) == [STAFF]
    customer.assert_known_is_true()


def test_who_is_deleted_hands_files_and_calendar_over_before(customer: Customer):
    """Once, and nothing is deleted while that takes its time; who takes it over is nobody that the rules know."""
    town, google = customer.town, customer.google
    archive = google.put("user", primaryEmail=f"arkiv@{DOMAIN}", name={"givenName": "Arkiv", "familyName": "Arkiv"})
    customer.set(transfer_to=f"arkiv@{DOMAIN}")
    google.change(transfer_seconds=1500)
    person = town.hire("990001", "Ola", "Nordmann-Test", unit=schools(town)[0])
    town.sync()
    key = customer.user(person)["id"]
    town.end_positions(["990001"], FIRST_DAY)
    town.on(FIRST_DAY + timedelta(days=1)).sync()

    town.on(FIRST_DAY + timedelta(days=370)).sync(deliver=False)
    town.deliver()
    waiting = customer.user(person)["deleted"], {item.operation for item in town.items()}
    google.forward(seconds=1501)
    town.deliver_to_the_end()

    (transfer,) = google.contents()["transfers"].values()
    assert waiting == (False, {"delete account"})
    assert (transfer["oldOwnerUserId"], transfer["newOwnerUserId"]) == (key, archive)
    assert customer.user(person)["deleted"]
    assert not customer.users()[archive]["deleted"]
    customer.assert_known_is_true()


def test_who_became_a_super_administrator_is_left_alone(customer: Customer):
    """Not moved, suspended or deleted, whatever HR says: the first refusal is told of, and nothing is tried again."""
    town, google = customer.town, customer.google
    unit, other = schools(town)
    person = town.hire("990001", "Ola", "Nordmann-Test", unit=unit)
    town.sync()
    google.put("user", customer.user(person)["id"], isAdmin=True)
    before = customer.user(person)

    move(town, "990001", other)
    town.later(days=1).sync()
    refused = {(item.operation, str(item.last_error)) for item in town.items(State.DEAD)}
    town.end_positions(["990001"], FIRST_DAY + timedelta(days=2))
    for days in (3, 370):
        assert town.on(FIRST_DAY + timedelta(days=days)).sync().is_complete

    ((operation, why),) = refused
    assert operation == "update account"
    assert "administrator" in why
    assert customer.user(person) == before


def schools(town: Town) -> list[str]:
    """Codes of two schools."""
    with town.file("hr/units.csv").open(encoding="utf-8", newline="") as file:
        return [row["Enhetsnr"] for row in csv.DictReader(file, delimiter=";") if row["Type"] == "Skole"][:2]


def move(town: Town, number: str, unit: str) -> None:
    """Gives somebody's positions another unit."""
    town.edit("hr/positions.csv", lambda row: {**row, "Enhet": unit} if row["Ansattnr"] == number else row)
