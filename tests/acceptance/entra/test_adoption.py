"""A tenant that two thousand people have been in for years meets its rules: what is nobody's stays as it is."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from eadm_sync.app.reviewing import decide, review
from eadm_sync.correlation import Decision
from tests.acceptance.entra.conftest import Tenant
from tests.services.graph.control import GraphService

STRANGERS = 2000
CORRELATION = {"rules": [{"match": "employeeId", "to": "{{ person.employee_number }}"}], "groups": True}
PROTECTED = {"accounts": ["svc-*"]}


@dataclass
class Filled:
    """A tenant that was filled by hand.

    Attributes:
        tenant: It.
        matched: Id of the one account of each of some people, by person.
        twice: Ids of the two accounts of each of some others.
        protected: Ids of accounts of people that are called svc-.
        namesake: Somebody new whose address a stranger has already, with that name.
        old_group: Id of a group that is called as a rule calls it, with a stranger in it.
    """

    tenant: Tenant
    matched: dict[str, str]
    twice: dict[str, list[str]]
    protected: dict[str, str]
    namesake: tuple[str, str]
    old_group: str


@pytest.fixture
def filled(graph: GraphService, tmp_path: Path) -> Filled:
    """Of those who are to get accounts, twenty have one, two have two, two have one that is protected."""
    tenant = Tenant(graph, tmp_path / "town", 90)
    joiners = sorted(
        one for one, target, kind, *_ in tenant.town.plan().lines if (target, kind) == ("entra", "account")
    )
    tenant.set(correlation=CORRELATION, protected=PROTECTED)
    users, _ = graph.seed(users=STRANGERS, groups=20, groups_each=3)
    strangers, people = iter(users), iter(one for one in joiners if one.startswith("hr:"))

    def account(person: str, **data: Any) -> str:
        key = next(strangers)
        return graph.put("user", key, employeeId=person.removeprefix("hr:"), **data)

    matched = {person: account(person) for _, person in zip(range(20), people, strict=False)}
    twice = {person: [account(person), account(person)] for _, person in zip(range(2), people, strict=False)}
    protected = {
        person: account(person, userPrincipalName=f"svc-{number}@eksempel.kommune.example")
        for number, person in zip(range(2), people, strict=False)
    }
    namesake = _namesake(tenant, people)
    graph.put("user", next(strangers), mailNickname=namesake[1])
    for key, user in tenant.users().items():  # numbers that somebody else has are no matter here
        if user["employeeId"] in {one.removeprefix("hr:") for one in joiners} and user["id"] not in _all(
            matched, twice, protected
        ):
            graph.put("user", key, employeeId=f"x{user['employeeId']}")
    group = graph.put(
        "group", displayName=_a_unit(tenant), mailNickname="gammel", mailEnabled=False, securityEnabled=True
    )
    graph.link(group, [users[-1]])
    return Filled(tenant, matched, twice, protected, namesake, group)


def _all(matched: dict[str, str], twice: dict[str, list[str]], protected: dict[str, str]) -> set[str]:
    return {*matched.values(), *protected.values(), *(key for keys in twice.values() for key in keys)}


def _rows(tenant: Tenant, name: str) -> list[dict[str, str]]:
    with tenant.town.file(name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def _namesake(tenant: Tenant, people: Iterator[str]) -> tuple[str, str]:
    """Somebody of these whose address is easily told beforehand."""
    rows = _rows(tenant, "hr/persons.csv")
    names = {f"hr:{row['Ansattnr']}": f"{row['Fornavn']}.{row['Etternavn']}".lower() for row in rows}
    return next((one, names[one]) for one in people if names[one].isascii() and names[one].replace(".", "").isalpha())


def _a_unit(tenant: Tenant) -> str:
    """The name of a unit that somebody works in."""
    worked_in = {row["Enhet"] for row in _rows(tenant, "hr/positions.csv")}
    return next(row["Navn"] for row in _rows(tenant, "hr/units.csv") if row["Enhetsnr"] in worked_in)


def test_what_is_somebodys_is_adopted_and_what_is_nobodys_stays_as_it_is(filled: Filled):
    """To the last property, as the service has them. Who is in doubt waits, and a word settles it."""
    tenant, town, graph = filled.tenant, filled.tenant.town, filled.tenant.graph
    before = graph.contents()

    shown = Counter(line.state for line in review(town.context).lines)
    assert shown == {"adopt": 20, "ambiguous": 4, "protected": 2, "unmatched": STRANGERS - 26}
    assert graph.contents() == before

    assert town.sync().is_complete
    after = graph.contents()
    ours = set(filled.matched.values())
    assert {key for key, one in before["users"].items() if after["users"].get(key) != one} <= ours
    assert {key for key, one in before["groups"].items() if after["groups"].get(key) != one} == {filled.old_group}
    known = tenant.known()
    assert {person: known[person] for person in filled.matched} == filled.matched
    assert not known.keys() & {*filled.twice, *filled.protected}
    for person, anchor in filled.matched.items():
        for name in ("userPrincipalName", "mailNickname"):  # nobody is called otherwise from one day to the next
            assert after["users"][anchor][name] == before["users"][anchor][name], person
        assert after["users"][anchor]["jobTitle"]
    person, name = filled.namesake
    assert after["users"][known[person]]["mailNickname"] == f"{name}2"
    old, new = (set(every["groups"][filled.old_group]["members"]) for every in (before, after))
    assert old < new
    tenant.assert_known_is_true()

    assert town.later(hours=1).sync().is_complete
    assert town.made
    assert town.made.lines == []
    assert graph.contents() == after

    doubtful, (right, other) = next(iter(filled.twice.items()))
    decide(town.context, doubtful, right, "entra", Decision.ACCEPT, "the same person, asked her")
    assert town.later(hours=1).sync().is_complete
    assert tenant.known()[doubtful] == right
    assert graph.contents()["users"][other] == before["users"][other]
