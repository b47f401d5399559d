"""The example town with Entra ID as a target, over the wire: somebody comes, moves, leaves, is deleted, comes back."""

from __future__ import annotations

import csv
from datetime import timedelta

from connectors.contract import Action, Kind, Operation, RemoteObject
from eadm_sync.app.reconciling import reconcile
from tests.acceptance.conftest import FIRST_DAY, Town
from tests.acceptance.entra.conftest import Tenant, products


def test_a_second_run_has_nothing_to_do(tenant: Tenant):
    """Everybody has one account, in few requests; what was written is what a reading finds."""
    town, graph = tenant.town, tenant.graph
    first = town.sync()
    counters = graph.counters()
    graph.reset()
    second = town.sync()

    assert first.is_complete
    assert counters["operations"] > 80
    assert counters["http_requests"] <= 15
    assert second.enqueued == 0
    assert graph.counters().get("http_requests", 0) == 0
    with town.target("entra") as target:
        told = {one.owner for one in target.read(Kind.ACCOUNT) if isinstance(one, RemoteObject)}
    assert told == set(tenant.known())
    tenant.assert_known_is_true()


def test_somebody_comes_moves_leaves_and_comes_back(tenant: Tenant):
    """With the same account all the time: in other groups, disabled and signed out, and as it was before."""
    town = tenant.town
    town.sync()
    person = town.hire("990001", "Ola", "Nordmann-Test", unit=(unit := town.a_unit()))
    town.sync()
    came = tenant.user(person)
    in_groups = tenant.groups_of(came["id"])

    other = next(one for one in units(town) if one != unit)
    move(town, "990001", other)
    town.later(days=1).sync()
    moved = tenant.user(person)
    in_other_groups = tenant.groups_of(came["id"])

    last = FIRST_DAY + timedelta(days=2)
    town.end_positions(["990001"], last)
    town.on(last + timedelta(days=1)).sync()
    left = tenant.user(person)
    in_no_group = tenant.groups_of(came["id"])

    town.end_positions(["990001"], last + timedelta(days=400))
    town.on(last + timedelta(days=10)).sync()
    back = tenant.user(person)

    assert (came["accountEnabled"], products(came), len(in_groups)) == (True, 1, 1)
    assert moved["department"] != came["department"]
    assert in_other_groups.isdisjoint(in_groups)
    assert (left["accountEnabled"], products(left), in_no_group) == (False, 0, set())
    assert left["_sessions"] >= 1
    assert (back["accountEnabled"], products(back), back["id"]) == (True, 1, came["id"])
    assert town.items() == []


def test_who_comes_back_from_the_recycle_bin_has_the_same_account(tenant: Tenant):
    """Left, deleted after a year, hired again three weeks later: restored, enabled, with groups and a licence."""
    town = tenant.town
    person = town.hire("990001", "Ola", "Nordmann-Test", unit=town.a_unit())
    town.sync()
    came = tenant.user(person)
    in_groups = tenant.groups_of(came["id"])
    last = FIRST_DAY + timedelta(days=2)
    town.end_positions(["990001"], last)
    town.on(last + timedelta(days=1)).sync()
    town.on(last + timedelta(days=370)).sync()
    binned = tenant.user(person)

    again = last + timedelta(days=390)
    town.edit("hr/positions.csv", lambda row: {**row, "Til": ""} if row["Ansattnr"] == "990001" else row)
    town.on(again).sync()
    back = tenant.user(person)

    assert binned["deleted"]
    assert not binned["accountEnabled"]
    assert (back["id"], back["deleted"], back["accountEnabled"], products(back)) == (came["id"], False, True, 1)
    assert tenant.groups_of(came["id"]) == in_groups
    assert tenant.known()[person] == came["id"]
    tenant.assert_known_is_true()


def test_what_a_recycle_bin_gives_back_is_looked_at(tenant: Tenant):
    """Deleted by hand, and moved meanwhile: the account is back with its old groups, until the next run."""
    town = tenant.town
    person = town.hire("990001", "Ola", "Nordmann-Test", unit=(unit := town.a_unit()))
    town.sync()
    came = tenant.user(person)
    in_groups = tenant.groups_of(came["id"])
    town.carry_out("entra", Operation("by hand", Kind.ACCOUNT, Action.DELETE, anchor=came["id"]))
    move(town, "990001", next(one for one in units(town) if one != unit))

    reconcile(town.later(hours=1).context, only="entra")
    town.sync()
    back = tenant.user(person)
    both = tenant.groups_of(came["id"])
    town.later(hours=1).sync()

    assert (back["id"], back["deleted"], back["accountEnabled"]) == (came["id"], False, True)
    assert in_groups < both
    assert tenant.groups_of(came["id"]) == both - in_groups
    assert products(tenant.user(person)) == 1
    tenant.assert_known_is_true()


def units(town: Town) -> list[str]:
    """Codes of units that somebody works in."""
    with town.file("hr/positions.csv").open(encoding="utf-8", newline="") as file:
        return [row["Enhet"] for row in csv.DictReader(file, delimiter=";")]


def move(town: Town, number: str, unit: str) -> None:
    """Gives somebody's positions another unit."""
    town.edit("hr/positions.csv", lambda row: {**row, "Enhet": unit} if row["Ansattnr"] == number else row)
