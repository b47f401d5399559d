"""A tenant that runs out of seats and of quota, lets nobody in, answers now and then, or dies: nothing is lost."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from connectors.contract import Kind
from exportqueue import State
from tests.acceptance.entra.conftest import DOMAINS, SEATS, Tenant, products
from tests.services.graph.config import Config, Faults
from tests.services.graph.control import GraphService

FAULTS = Faults(unavailable=0.05, dropped=0.05, item_unavailable=0.05)
PUPILS = "STANDARDWOFFPACK_STUDENT"
CHANGES = int(os.environ.get("GRAPH_CRASH_CHANGES", "300"))
"""Memberships, about; `make crash-graph` has 5 000 of them delivered."""
PEOPLE = 30 if CHANGES < 2000 else 120
KILLS = 2 if CHANGES < 2000 else 10
JOINERS = 5


def test_a_plan_knows_that_seats_will_not_do(tenant: Tenant):
    """Before anything is sent; who comes too late is told of and has an account, and a licence once there is a seat."""
    town, graph = tenant.town, tenant.graph
    graph.empty(Config(domains=DOMAINS, skus={**SEATS, PUPILS: 2}))

    holds = town.plan().holds
    asked = {entry["method"] for entry in graph.wire()}
    town.sync()
    pupils = [one for one in tenant.users().values() if one.get("jobTitle") == "Elev"]
    graph.change(skus=SEATS)
    town.later(hours=1).sync()

    assert [(hold.target, hold.sku, hold.limit) for hold in holds if hold.sku] == [("entra", PUPILS, 2)]
    assert asked == {"GET"}
    assert sum(products(one) for one in pupils) == 2 < len(pupils)
    assert all(products(one) for one in tenant.users().values() if one.get("jobTitle") == "Elev")
    tenant.assert_known_is_true()


def test_a_quota_that_is_spent_for_minutes_is_waited_out(tenant: Tenant):
    """On the queue's clock, not within a call; nobody's change spends an attempt, and nothing is sent in vain."""
    town, graph = tenant.town, tenant.graph
    graph.empty(Config(domains=DOMAINS, skus=SEATS, quota="100000/60/150"))
    tenant.set(in_flight=1)
    began = town.clock.moment

    report = town.sync()
    first = graph.counters()
    left = {(item.target, item.attempts) for item in town.items()}
    graph.change(quota="off")
    town.deliver_to_the_end()

    assert not report.is_complete
    assert 40 <= first["status_201"] <= 60
    assert first.get("throttled", 0) <= 20
    assert left == {("entra", 0)}
    assert (town.clock.moment - began).total_seconds() > 60
    assert not town.items(State.DEAD)
    tenant.assert_known_is_true()


def test_a_token_that_ends_is_renewed(tenant: Tenant):
    """Tokens of a second or two last for the whole run, though some end on their way: there is always a new one."""
    town, graph = tenant.town, tenant.graph
    graph.empty(Config(domains=DOMAINS, skus=SEATS, token_seconds=4, delay_seconds=0.35))
    tenant.set(batch_size=20, in_flight=1)

    report = town.sync()

    counters = graph.counters()
    assert report.is_complete
    assert counters["token_requests"] >= 3
    tenant.assert_known_is_true()


def test_a_tenant_that_fails_now_and_then_loses_and_doubles_nothing(tenant: Tenant):
    """Refused, cut off before or after the work was done: in the end it is as if nothing had happened."""
    town, graph = tenant.town, tenant.graph
    tenant.set(batch_size=10)
    graph.empty(Config(domains=DOMAINS, skus=SEATS, faults=FAULTS))

    town.sync()
    town.deliver_to_the_end()

    counters = graph.counters()
    graph.change(faults={"unavailable": 0.0, "dropped": 0.0, "item_unavailable": 0.0})
    assert counters["dropped"] > 0
    assert counters.get("http_status_503", 0) + counters.get("http_status_504", 0) > 0
    assert counters.get("status_503", 0) + counters.get("status_504", 0) > 0
    assert not town.items(State.DEAD)
    tenant.assert_known_is_true()
    assert town.sync().enqueued == 0


def test_a_graph_that_dies_loses_and_doubles_nothing(tmp_path: Path):
    """Killed at moments that chance chooses, and started again: each change arrives, and is told of once."""
    with GraphService(Config(domains=DOMAINS, skus=SEATS)) as graph:
        tenant = Tenant(graph, tmp_path / "town", PEOPLE, batch_size=50)
        town = tenant.town
        assert town.sync().is_complete
        working = len([one for one in tenant.users().values() if one.get("employeeId")])
        town.later(hours=1)
        for number in range(JOINERS):
            town.hire(f"9000{number}", "Ny", f"Ansatt{number}")
        groups = CHANGES // working + 1
        (town.folder / "rulesets" / "zz-crowds.yaml").write_text(rules(groups), encoding="utf-8")
        told = len(town.told())
        town.sync(deliver=False)
        assert len(town.items()) > CHANGES

        cut_short = town.deliver_through_kills("entra", KILLS, kill=graph.kill, restart=graph.restart)
        town.deliver_to_the_end()

        assert cut_short == KILLS
        assert not town.items(State.DEAD)
        tenant.assert_known_is_true()
        lines = Counter((row.target, row.object, row.action) for row in town.told()[told:] if row.kind != "password")
        assert set(lines.values()) == {1}
        assert sum(line[0] == "entra" for line in lines) > CHANGES
        crowds = [one for one in graph.contents()["groups"].values() if one["displayName"].startswith("CROWD-")]
        sizes = {one["displayName"]: len(one["members"]) for one in crowds}
        assert len(sizes) == groups
        assert len(set(sizes.values())) == 1
        assert town.later(hours=1).sync().is_complete
        assert town.made
        assert not [line for line in town.made.lines if line[2] in {Kind.ACCOUNT, Kind.GROUP, Kind.MEMBERSHIP}]


def rules(groups: int) -> str:
    """So many groups of everybody who works."""
    one = "  - {{rule: crowd-{0}, target: entra, for_each: person, when: working, name: CROWD-{0:03}}}"
    return "\n".join(["ruleset: crowds", "groups:", *(one.format(number) for number in range(groups))])
