"""Managers, class teams and accounts that Entra Connect brings up: what has to wait for something else."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any

import yaml

from connectors.contract import Kind, RemoteObject
from exportqueue import State
from tests.acceptance.conftest import ROOT, Town
from tests.acceptance.entra.conftest import DOMAIN, Tenant, products

UPN = f"{{{{ username }}}}@{DOMAIN}"
PAGE = ROOT / "docs" / "how-to" / "entra.md"
ATTEMPTS = 12
A_QUARTER, HALF_AN_HOUR = 900.0, 1800.0


def edit(town: Town, name: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Changes a file of the ruleset."""
    path = town.folder / "rulesets" / name
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), encoding="utf-8")


def accounts_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The rules for accounts in the tenant."""
    return [rule for rule in document["accounts"] if rule["target"] == "entra"]


def managed(tenant: Tenant) -> int:
    """How many accounts have a manager."""
    return sum(1 for one in tenant.users().values() if one.get("_manager"))


def test_everybody_gets_the_manager_of_the_unit(tenant: Tenant):
    """Who came before the manager did gets one with the next run, which asks for nobody else's again."""
    town = tenant.town
    tenant.set(batch_size=5)
    boss = town.hire("990001", "Ola", "Sist-Test")
    town.edit("hr/units.csv", lambda row: {**row, "Leder": "990001"})
    for name in ("employees.yaml", "teachers.yaml"):
        edit(town, name, with_managers)

    town.sync()
    at_first = managed(tenant)
    second = town.later(hours=1).sync()
    after = managed(tenant)
    third = town.later(days=2).sync()

    assert at_first < after
    assert second.enqueued == after - at_first
    assert third.enqueued == 0
    tenant.assert_known_is_true()
    assert {one.get("_manager") for one in tenant.users().values()} == {tenant.user(boss)["id"], None}


def with_managers(document: dict[str, Any]) -> None:
    """Of accounts in the tenant."""
    for rule in accounts_of(document):
        manager = "{{ affiliation.unit.manager.id if affiliation.unit.manager.id != person.id }}"
        rule["attributes"].update(manager=manager, usageLocation="NO")


def test_groups_become_teams_when_they_have_an_owner(tenant: Tenant):
    """A group at once, a team with the next run, as soon as Teams knows it; who has no owner is asked for in vain."""
    town, graph = tenant.town, tenant.graph
    graph.change(team_seconds=A_QUARTER)
    edit(town, "groups.yaml", as_teams)

    town.sync()
    at_first = teams(tenant)
    town.later(hours=1).sync()
    graph.forward(seconds=A_QUARTER)
    town.deliver_to_the_end()

    owned = {one["displayName"] for one in graph.contents()["groups"].values() if one["owners"]}
    assert at_first == {}
    assert len(owned) > 5
    assert teams(tenant) == dict.fromkeys(owned, "educationStaff")
    assert town.later(hours=1).sync().enqueued == 0
    tenant.assert_known_is_true()


def as_teams(document: dict[str, Any]) -> None:
    """The groups of units."""
    for rule in document["groups"]:
        if rule["target"] == "entra":
            nickname = "unit-{{ affiliation.unit.code }}"
            rule["attributes"] = {"mailNickname": nickname, "team": True, "teamTemplate": "educationStaff"}


def test_the_rules_that_the_page_shows_make_class_teams(tenant: Tenant):
    """As they stand there; the class of pupils whom nobody teaches in this small town is no team yet."""
    town = tenant.town
    (shown,) = re.findall(r"^```yaml\n(ruleset: .*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    pupils = shown.replace("'teacher'", "'pupil'").replace("role: owner", "role: member")
    (town.folder / "rulesets" / "teams.yaml").write_text(pupils, encoding="utf-8")

    town.sync()

    groups = tenant.graph.contents()["groups"].values()
    classes = [one for one in groups if one["mailNickname"].startswith("class-")]
    assert classes
    assert all(one["members"] and one["visibility"] == "HiddenMembership" for one in classes)
    assert teams(tenant) == {}


def teams(tenant: Tenant) -> dict[str, str]:
    """Names of teams, with what they were made by."""
    groups = tenant.graph.contents()["groups"].values()
    return {one["displayName"]: one["_team"]["template"] for one in groups if "_team" in one}


def test_accounts_that_entra_connect_brings_up_are_waited_for(tenant: Tenant):
    """Nothing is made; when they come, they get their groups and licences, and nobody is there twice."""
    town, graph = tenant.town, tenant.graph
    synchronised(tenant)

    town.sync()
    before = tenant.users()
    waiting = {item.operation for item in town.items() if item.state is State.WAITING}
    connect(tenant, after_seconds=HALF_AN_HOUR)
    graph.forward(seconds=HALF_AN_HOUR)
    town.deliver_to_the_end()
    users = tenant.users()

    assert before == {}
    assert waiting == {"create licence", "create membership"}
    assert users
    assert all(one["onPremisesSyncEnabled"] for one in users.values())
    assert set(tenant.known().values()) == set(users)
    assert sum(map(products, users.values())) > len(users) / 2
    assert town.later(hours=1).sync().enqueued == 0
    tenant.assert_known_is_true()


def test_accounts_that_nobody_brings_up_are_told_of(tenant: Tenant):
    """After a day and a half, by what is missing; nothing was made meanwhile, and what waited for them still does."""
    town = tenant.town
    synchronised(tenant)

    town.sync()
    for _ in range(ATTEMPTS):
        town.later(hours=7).deliver()

    dead = town.items(State.DEAD)
    assert {item.operation for item in dead} == {"create account"}
    assert all("Entra Connect" in str(item.last_error) for item in dead)
    assert {item.operation for item in town.items(State.WAITING)} == {"create licence", "create membership"}
    assert tenant.users() == {}


def synchronised(tenant: Tenant) -> None:
    """Active Directory is written by us, and the tenant's accounts come from there."""
    tenant.set(accounts="synchronised", unique=[])
    for name in ("employees.yaml", "teachers.yaml", "pupils.yaml", "externals.yaml"):
        edit(tenant.town, name, only_what_is_the_clouds)
    edit(tenant.town, "common.yaml", lambda one: one["identifiers"]["mail_name"].update(unique_in=["ad.mail"]))


def only_what_is_the_clouds(document: dict[str, Any]) -> None:
    """Of every rule; names are the same in both targets."""
    ours = {rule["target"]: rule for rule in document["accounts"]}
    if "ad" not in ours:
        document["accounts"] = [rule for rule in document["accounts"] if rule["target"] != "entra"]
    for rule in accounts_of(document):
        rule.pop("password", None)
        rule["attributes"] = {"userPrincipalName": UPN, "usageLocation": "NO"}
    for rule in document["accounts"]:
        if rule["target"] == "ad" and "userPrincipalName" in rule["attributes"]:
            rule["attributes"]["userPrincipalName"] = UPN


def connect(tenant: Tenant, after_seconds: float) -> None:
    """Entra Connect takes note of everybody in Active Directory."""
    with tenant.town.target("ad") as ad:
        found = [one for one in ad.read(Kind.ACCOUNT) if isinstance(one, RemoteObject)]
    for one in found:
        tenant.graph.synchronise(
            after_seconds,
            onPremisesImmutableId=base64.b64encode(one.anchor.encode()).decode(),
            userPrincipalName=one.attributes["userPrincipalName"],
            displayName=one.attributes["displayName"],
            accountEnabled=bool(one.enabled),
            onPremisesExtensionAttributes={"extensionAttribute15": one.owner},
        )
