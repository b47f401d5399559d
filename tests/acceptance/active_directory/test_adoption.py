"""A domain that two thousand people have been in for years meets its rules: what is nobody's stays as it is."""

from __future__ import annotations

import csv
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from eadm_sync.app.reviewing import decide, review
from eadm_sync.correlation import Decision
from tests.acceptance.active_directory.conftest import Domain, changed
from tests.samba import DomainController

STRANGERS = 2000
OBJECTS = "(|(sAMAccountType=805306368)(objectCategory=group))"
CORRELATION = {"rules": [{"match": "employeeID", "to": "{{ person.employee_number }}"}], "groups": True}
PROTECTED = {"accounts": ["svc-*"]}


@dataclass
class Filled:
    """A domain that was filled by hand.

    Attributes:
        domain: It.
        matched: Anchor of the one account of each of some people, by person.
        twice: Anchors of the two accounts of each of some others.
        protected: Anchors of accounts of people who administer the domain, or that are called svc-.
        namesake: Somebody new whose name a stranger's account has already, with that name.
        old_group: Anchor of a group that is called as a rule calls it, with a stranger in it.
    """

    domain: Domain
    matched: dict[str, str]
    twice: dict[str, list[str]]
    protected: dict[str, str]
    namesake: tuple[str, str]
    old_group: str


@pytest.fixture
def filled(controller: DomainController, tmp_path: Path) -> Filled:
    """Of those who are to get accounts, twenty have one, two have two, three have one that is protected."""
    domain = Domain(controller, tmp_path / "town", people=90)
    old = domain.make_container(f"OU=Gamle,{domain.make_container(domain.base)}")
    controller.seed(STRANGERS, old, "gammel")
    joiners = sorted(one for one, target, kind, *_ in domain.town.plan().lines if (target, kind) == ("ad", "account"))
    domain.set(correlation={**CORRELATION, "containers": [domain.base]}, protected=PROTECTED)
    numbers, people = count(), iter(joiners)
    with domain.administrator() as admin:

        def account(person: str, **attributes: str) -> str:
            dn = f"CN=gammel{next(numbers):05},{old}"
            values = {"employeeID": person.removeprefix("hr:"), **attributes}
            assert admin.modify(dn, {name: [("MODIFY_REPLACE", [value])] for name, value in values.items()})
            return domain.anchor(admin, dn)

        matched = {person: account(person) for person, _ in zip(people, range(20), strict=False)}
        twice = {person: [account(person), account(person)] for person, _ in zip(people, range(2), strict=False)}
        marks = ({"adminCount": "1"}, {"sAMAccountName": "svc-gammel"}, {})
        protected = {person: account(person, **mark) for mark, person in zip(marks, people, strict=False)}
        admins = f"CN=Domain Admins,CN=Users,{controller.base_dn}"
        assert admin.modify(admins, {"member": [("MODIFY_ADD", [f"CN=gammel{next(numbers) - 1:05},{old}"])]})
        namesake = _namesake(domain, people)
        stranger = f"CN=gammel01999,{old}"
        assert admin.modify(stranger, {"sAMAccountName": [("MODIFY_REPLACE", [namesake[1]])]})
        group = f"CN=Alle i 1601,{old}"
        assert admin.add(group, "group", {"sAMAccountName": "ENHET-1601", "member": [stranger]})
        old_group = domain.anchor(admin, group)
    return Filled(domain, matched, twice, protected, namesake, old_group)


def _namesake(domain: Domain, people: Iterator[str]) -> tuple[str, str]:
    """Somebody of these whose username is easily told beforehand."""
    with domain.town.file("hr/persons.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    names = {f"hr:{row['Ansattnr']}": f"{row['Fornavn'][:3]}{row['Etternavn'][:3]}".lower() for row in rows}
    return next((one, names[one]) for one in people if names[one].isascii() and names[one].isalpha())


@pytest.mark.timeout(300)
def test_what_is_somebodys_is_adopted_and_what_is_nobodys_stays_as_it_is(filled: Filled) -> None:
    """To the last write: the domain counts them. Who is in doubt waits, and a word settles it."""
    domain, town = filled.domain, filled.domain.town
    before = domain.change_numbers(OBJECTS)

    shown = Counter(line.state for line in review(town.context).lines)
    assert shown == {"adopt": 20, "ambiguous": 4, "protected": 3, "unmatched": STRANGERS - 27}
    assert domain.change_numbers(OBJECTS) == before

    started = time.process_time()
    assert town.sync().is_complete
    assert time.process_time() - started < 15
    assert not town.items()

    after = domain.change_numbers(OBJECTS)
    ours = {*filled.matched.values(), filled.old_group}
    assert changed(before, after) & before.keys() <= ours
    assert before.keys() <= after.keys()
    anchors = domain.known_anchors()
    assert {person: anchors[person] for person in filled.matched} == filled.matched
    assert not anchors.keys() & {*filled.twice, *filled.protected}
    there = {account.anchor: account for account in domain.accounts()}
    for person, anchor in filled.matched.items():
        assert str(there[anchor].attributes["sAMAccountName"]).startswith("gammel"), person
        assert there[anchor].attributes["givenName"] != "Fornavn"
    person, name = filled.namesake
    assert there[anchors[person]].attributes["sAMAccountName"] == f"{name}2"
    assert len(domain.entry(filled.old_group, "member")[1]["member"]) > 1

    again = domain.change_numbers(OBJECTS)
    assert town.later(hours=1).sync().is_complete
    assert town.made
    assert town.made.lines == []
    assert domain.change_numbers(OBJECTS) == again

    doubtful, (right, other) = next(iter(filled.twice.items()))
    decide(town.context, doubtful, right, "ad", Decision.ACCEPT, "the same person, asked her")
    assert town.later(hours=1).sync().is_complete
    assert domain.known_anchors()[doubtful] == right
    assert domain.change_numbers(OBJECTS)[other] == before[other]
