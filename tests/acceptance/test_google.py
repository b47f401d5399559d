"""The example town with Google Workspace as a target, over the wire: somebody comes, moves, leaves and comes back."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import Kind, RemoteObject
from eadm_sync.state import tables
from tests.services.google.config import Config, Faults
from tests.services.google.control import GoogleService

from .conftest import FIRST_DAY, SMALL_TOWN, Town, make_town

DOMAIN = "skole.eksempel.kommune.example"
DOMAINS = ["kommune.example", DOMAIN, f"elev.{DOMAIN}"]
FAULTS = Faults(unavailable=0.05, dropped=0.05, item_unavailable=0.05)
UNLIMITED = {"queries": 0, "creations": 0, "units": 0, "licences": 0}


@pytest.fixture(scope="module")
def process() -> Iterator[GoogleService]:
    """The process, for all tests here."""
    with GoogleService() as service:
        yield service


@pytest.fixture
def google(process: GoogleService) -> Iterator[GoogleService]:
    """An empty customer with the example's domains; a mistake of the service fails the test."""
    process.empty(Config(domains=DOMAINS))
    yield process
    assert "mistakes" not in process.counters()
    assert "output_only_properties" not in process.counters()


@pytest.fixture
def customer_town(tmp_path: Path, google: GoogleService) -> Town:
    """A municipality of 30 people whose schools have a customer, before its first run."""
    town = make_town(tmp_path / "town", SMALL_TOWN)
    settings = {
        "type": "google",
        "key_file": str(google.key_file),
        "subject": google.config.admin,
        "endpoint": google.url,
        "settling_seconds": 0,
        "rates": UNLIMITED,
        "variables": {"domain": DOMAIN},
    }
    town.configure(lambda config: config["targets"].update(google=settings))
    return town


def user(google: GoogleService, person: str) -> dict[str, Any]:
    """Somebody's one account, with its id."""
    ((key, found),) = [(key, one) for key, one in google.contents()["users"].items() if person in marks(one)]
    return {**found, "id": key}


def marks(found: dict[str, Any]) -> list[str]:
    """Whose an account is."""
    return [one["value"] for one in found.get("externalIds", ()) if one.get("customType") == "eadm-sync"]


def groups(google: GoogleService, key: str) -> dict[str, str]:
    """Addresses of the groups that somebody is in, and the role there."""
    every = google.contents()["groups"].values()
    return {one["email"]: one["members"][key] for one in every if key in one["members"]}


def schools(town: Town) -> list[str]:
    """Codes of two schools, as HR has them."""
    with town.file("hr/units.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    return [row["Enhetsnr"] for row in rows if row["Type"] == "Skole"][:2]


def test_a_second_run_has_nothing_to_do(customer_town: Town, google: GoogleService):
    """Everybody has one account, in few requests; what was written is what a reading finds."""
    first = customer_town.sync()
    counters = google.counters()
    contents = google.contents()
    google.reset()
    second = customer_town.sync()

    assert first.is_complete
    assert counters["operations"] > 60
    assert counters["http_requests"] <= 25
    assert second.enqueued == 0
    assert google.counters().get("http_requests", 0) == 0
    assert all(one["members"] for one in contents["groups"].values())
    assert any(path.startswith("/Elever/") for path in contents["units"])
    assert customer_town.items() == []
    with customer_town.target("google") as target:
        told = {one.owner for one in target.read(Kind.ACCOUNT) if isinstance(one, RemoteObject)} - {None}
    assert told == {row.person_id for row in customer_town.rows(tables.known_accounts) if row.target == "google"}


def test_somebody_comes_moves_leaves_and_comes_back(customer_town: Town, google: GoogleService):
    """With the same account all the time: elsewhere and in other groups, suspended and signed out, and as before."""
    customer_town.sync()
    unit, other = schools(customer_town)
    person = customer_town.hire("990001", "Ola", "Nordmann-Test", unit=unit)
    customer_town.sync()
    came = user(google, person)
    in_groups = groups(google, came["id"])

    move(customer_town, "990001", other)
    customer_town.later(days=1).sync()
    moved = user(google, person)
    in_other_groups = groups(google, came["id"])

    last = FIRST_DAY + timedelta(days=2)
    customer_town.end_positions(["990001"], last)
    customer_town.on(last + timedelta(days=1)).sync()
    left = user(google, person)
    in_no_group = groups(google, came["id"])

    customer_town.end_positions(["990001"], last + timedelta(days=400))
    customer_town.on(last + timedelta(days=10)).sync()
    back = user(google, person)

    assert (came.get("suspended", False), list(in_groups)) == (False, [f"ansatte.{unit}@{DOMAIN}"])
    assert moved["orgUnitPath"] != came["orgUnitPath"]
    assert list(in_other_groups) == [f"ansatte.{other}@{DOMAIN}"]
    assert (left["suspended"], in_no_group) == (True, {})
    assert left["_signOuts"] >= 1
    assert (back["suspended"], back["id"]) == (False, came["id"])
    assert groups(google, came["id"]) == in_other_groups
    assert customer_town.items() == []


def test_a_customer_that_fails_now_and_then_loses_and_doubles_nothing(customer_town: Town, google: GoogleService):
    """Refused, cut off before or after the work was done: in the end it is as if nothing had happened."""
    google.empty(Config(domains=DOMAINS, faults=FAULTS))

    customer_town.sync()
    rounds = customer_town.deliver_to_the_end()

    google.change(faults={"unavailable": 0.0, "dropped": 0.0, "item_unavailable": 0.0})
    people = [mark for one in google.contents()["users"].values() for mark in marks(one)]
    assert rounds > 0
    assert len(set(people)) == len(people)
    assert set(people) == {row.person_id for row in customer_town.rows(tables.known_accounts) if row.target == "google"}
    assert customer_town.items() == []
    assert customer_town.sync().enqueued == 0


def test_a_service_that_was_killed_is_gone_on_with(customer_town: Town, google: GoogleService):
    """What it had confirmed it has; what it had not is asked for again."""
    google.change(faults={"dropped": 0.5})
    customer_town.sync()
    google.restart()
    google.change(faults={"dropped": 0.0})
    customer_town.deliver_to_the_end()

    known = {row.person_id for row in customer_town.rows(tables.known_accounts) if row.target == "google"}
    assert sorted(mark for one in google.contents()["users"].values() for mark in marks(one)) == sorted(known)
    assert customer_town.items() == []


def move(town: Town, number: str, unit: str) -> None:
    """Gives somebody's positions another unit."""
    town.edit("hr/positions.csv", lambda row: {**row, "Enhet": unit} if row["Ansattnr"] == number else row)
