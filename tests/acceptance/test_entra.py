"""The example town with Entra ID as a target, over the wire: somebody comes, moves, leaves and comes back."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import Kind, RemoteObject
from eadm_sync.state import tables
from tests.services.graph.config import Config, Faults
from tests.services.graph.control import GraphService

from .conftest import FIRST_DAY, SMALL_TOWN, Town, make_town

DOMAIN = "eksempel.kommune.example"
DOMAINS = [DOMAIN, f"elev.{DOMAIN}", f"ekstern.{DOMAIN}"]
SEATS = {"STANDARDWOFFPACK_FACULTY": 100, "STANDARDWOFFPACK_STUDENT": 100, "SPE_E3": 100, "SPE_F1": 100}
SETTLED_SECONDS = 0
FAULTS = Faults(unavailable=0.05, dropped=0.05, item_unavailable=0.05)


@pytest.fixture(scope="module")
def process() -> Iterator[GraphService]:
    """The process, for all tests here."""
    with GraphService() as service:
        yield service


@pytest.fixture
def graph(process: GraphService) -> Iterator[GraphService]:
    """An empty tenant with the example's domains and products; a mistake of the service fails the test."""
    process.empty(Config(domains=DOMAINS, skus=SEATS))
    yield process
    assert "mistakes" not in process.counters()


@pytest.fixture
def tenant_town(tmp_path: Path, graph: GraphService) -> Town:
    """A municipality of 30 people that has a tenant, before its first run."""
    town = make_town(tmp_path / "town", SMALL_TOWN)
    secret = town.folder / "var" / "entra-secret"
    secret.write_text(graph.config.secret, encoding="utf-8")
    secret.chmod(0o600)
    settings = {
        "type": "entra",
        "tenant": graph.config.tenant_id,
        "authentication": "secret",
        "client_id": graph.config.client_id,
        "client_secret": f"${{file:{secret}}}",
        "authority": graph.authority,
        "graph_url": graph.url,
        "ca_file": graph.ca_file,
        "settling_seconds": SETTLED_SECONDS,
        "unique": ["mailNickname"],
        "variables": {"domain": DOMAIN},
    }
    town.configure(lambda config: config["targets"].update(entra=settings))
    return town


def user(graph: GraphService, person: str) -> dict[str, Any]:
    """Somebody's one account in the tenant, in the recycle bin or not."""
    every = graph.contents()["users"].values()
    (found,) = [one for one in every if one["onPremisesExtensionAttributes"]["extensionAttribute15"] == person]
    return dict(found)


def teams(graph: GraphService, key: str) -> set[str]:
    """Names of the groups that somebody is in."""
    return {one["displayName"] for one in graph.contents()["groups"].values() if key in one.get("members", ())}


def products(found: dict[str, Any]) -> int:
    """How many licences somebody has."""
    return len(found.get("licenseAssignmentStates", ()))


def test_a_second_run_has_nothing_to_do(tenant_town: Town, graph: GraphService):
    """Everybody has one account, in few requests; what was written is what a reading finds."""
    first = tenant_town.sync()
    counters = graph.counters()
    graph.reset()
    second = tenant_town.sync()

    assert first.is_complete
    assert counters["operations"] > 80
    assert counters["http_requests"] <= 15
    assert second.enqueued == 0
    assert graph.counters().get("http_requests", 0) == 0
    assert tenant_town.items() == []
    with tenant_town.target("entra") as target:
        told = {one.owner for one in target.read(Kind.ACCOUNT) if isinstance(one, RemoteObject)}
    assert told == {row.person_id for row in tenant_town.rows(tables.known_accounts) if row.target == "entra"}


def test_somebody_comes_moves_leaves_and_comes_back(tenant_town: Town, graph: GraphService):
    """With the same account all the time: in other groups, disabled and signed out, and as it was before."""
    tenant_town.sync()
    person = tenant_town.hire("990001", "Ola", "Nordmann-Test", unit=(unit := tenant_town.a_unit()))
    tenant_town.sync()
    came = user(graph, person)
    in_groups = teams(graph, came["id"])

    other = next(one for one in units(tenant_town) if one != unit)
    move(tenant_town, "990001", other)
    tenant_town.later(days=1).sync()
    moved = user(graph, person)
    in_other_groups = teams(graph, came["id"])

    last = FIRST_DAY + timedelta(days=2)
    tenant_town.end_positions(["990001"], last)
    tenant_town.on(last + timedelta(days=1)).sync()
    left = user(graph, person)
    in_no_group = teams(graph, came["id"])

    tenant_town.end_positions(["990001"], last + timedelta(days=400))
    tenant_town.on(last + timedelta(days=10)).sync()
    back = user(graph, person)

    assert (came["accountEnabled"], products(came), len(in_groups)) == (True, 1, 1)
    assert moved["department"] != came["department"]
    assert in_other_groups.isdisjoint(in_groups)
    assert (left["accountEnabled"], products(left), in_no_group) == (False, 0, set())
    assert left["_sessions"] >= 1
    assert (back["accountEnabled"], products(back), back["id"]) == (True, 1, came["id"])
    assert tenant_town.items() == []


def test_nobody_is_forgotten_where_seats_run_out(tenant_town: Town, graph: GraphService):
    """Whoever comes too late is told of; all the others have their licences, and everybody an account."""
    graph.empty(Config(domains=DOMAINS, skus={**SEATS, "STANDARDWOFFPACK_STUDENT": 2}))

    tenant_town.sync()

    held = [one for one in graph.contents()["users"].values() if products(one)]
    pupils = [one for one in graph.contents()["users"].values() if one.get("jobTitle") == "Elev"]
    assert len(pupils) > 2
    assert sum(one in held for one in pupils) == 2


def test_a_tenant_that_fails_now_and_then_loses_and_doubles_nothing(tenant_town: Town, graph: GraphService):
    """Refused, cut off before or after the work was done: in the end it is as if nothing had happened."""
    graph.empty(Config(domains=DOMAINS, skus=SEATS, faults=FAULTS))

    tenant_town.sync()
    rounds = tenant_town.deliver_to_the_end()

    graph.change(faults={"unavailable": 0.0, "dropped": 0.0, "item_unavailable": 0.0})
    people = [
        one["onPremisesExtensionAttributes"]["extensionAttribute15"] for one in graph.contents()["users"].values()
    ]
    names = [one["displayName"] for one in graph.contents()["groups"].values()]
    assert rounds > 0
    assert len(set(people)) == len(people)
    assert set(people) == {row.person_id for row in tenant_town.rows(tables.known_accounts) if row.target == "entra"}
    assert len(set(names)) == len(names)
    assert tenant_town.items() == []
    assert tenant_town.sync().enqueued == 0


def units(town: Town) -> list[str]:
    """Codes of units that somebody works in."""
    with town.file("hr/positions.csv").open(encoding="utf-8", newline="") as file:
        return [row["Enhet"] for row in csv.DictReader(file, delimiter=";")]


def move(town: Town, number: str, unit: str) -> None:
    """Gives somebody's positions another unit."""
    town.edit("hr/positions.csv", lambda row: {**row, "Enhet": unit} if row["Ansattnr"] == number else row)
