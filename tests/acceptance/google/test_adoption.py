"""A customer that two thousand people have been in for years meets its rules: what is nobody's stays as it is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from eadm_sync.app.reviewing import decide, review
from eadm_sync.correlation import Decision
from tests.acceptance.google.conftest import DOMAIN, Customer
from tests.services.google.control import GoogleService

STRANGERS = 2000
CORRELATION = {
    "rules": [{"match": "externalIds.organization", "to": "{{ person.employee_number }}"}],
    "groups": True,
}


@dataclass
class Filled:
    """A customer that was filled by hand.

    Attributes:
        customer: It.
        matched: Id of the one account of each of some people, by person.
        twice: Ids of the two accounts of somebody.
        administrator: Somebody whose account is a super administrator's, and its id.
        old_group: Id of a group that is called as a rule calls it, with a stranger in it.
    """

    customer: Customer
    matched: dict[str, str]
    twice: tuple[str, list[str]]
    administrator: tuple[str, str]
    old_group: str


@pytest.fixture
def filled(google: GoogleService, tmp_path: Path) -> Filled:
    """Of those at schools whom HR knows, three have one account, one has two, one is a super administrator."""
    customer = Customer(google, tmp_path / "town", 90)
    joiners = sorted({line[0] for line in customer.town.plan().lines if line[1:3] == ("google", "account")})
    people = iter([one for one in joiners if one.startswith("hr:")])
    customer.set(correlation=CORRELATION)
    users, _ = google.seed(users=STRANGERS, groups=20, groups_each=3)
    numbers = {one.removeprefix("hr:") for one in joiners}
    for key, user in customer.users().items():  # numbers that somebody else has are no matter here
        if {one["value"] for one in user.get("externalIds", ())} & numbers:
            google.put("user", key, externalIds=[])
    strangers = iter(users)

    def account(person: str, **data: Any) -> str:
        number = person.removeprefix("hr:")
        return google.put("user", next(strangers), externalIds=[{"type": "organization", "value": number}], **data)

    matched = {
        person: account(person, primaryEmail=f"gammel{number}@{DOMAIN}")
        for number, person in enumerate(next(people) for _ in range(3))
    }
    twice = next(people)
    pair = [account(twice), account(twice)]
    administrator = next(people)
    key = account(administrator, isAdmin=True)
    group = google.put("group", email=f"ansatte.1201@{DOMAIN}", name="Ansatte", description="gammel")
    google.link(group, [users[-1]])
    return Filled(customer, matched, (twice, pair), (administrator, key), group)


def test_what_is_somebodys_is_adopted_and_what_is_nobodys_stays_as_it_is(filled: Filled):
    """To the last property, as the service has them. Who is in doubt waits, and a word settles it."""
    customer, town, google = filled.customer, filled.customer.town, filled.customer.google
    before = google.contents()

    shown = Counter(line.state for line in review(town.context).lines)
    assert shown == {"adopt": 3, "ambiguous": 2, "protected": 2, "unmatched": STRANGERS - 6}
    assert google.contents() == before

    assert town.sync().is_complete
    after = google.contents()
    ours = set(filled.matched.values())
    assert {key for key, one in before["users"].items() if after["users"].get(key) != one} <= ours
    assert {key for key, one in before["groups"].items() if after["groups"].get(key) != one} == {filled.old_group}
    known = customer.known()
    assert {person: known[person] for person in filled.matched} == filled.matched
    assert not known.keys() & {filled.twice[0], filled.administrator[0]}
    assert all(after["users"][key]["organizations"] for key in ours)
    # Nobody is called otherwise from one day to the next.
    assert all(after["users"][key]["primaryEmail"] == before["users"][key]["primaryEmail"] for key in ours)
    old, new = (set(every["groups"][filled.old_group]["members"]) for every in (before, after))
    assert old < new
    customer.assert_known_is_true()

    assert town.later(hours=1).sync().is_complete
    assert town.made
    assert town.made.lines == []
    assert google.contents() == after

    doubtful, (right, other) = filled.twice
    decide(town.context, doubtful, right, "google", Decision.ACCEPT, "the same person, asked her")
    assert town.later(hours=1).sync().is_complete
    assert customer.known()[doubtful] == right
    assert google.contents()["users"][other] == before["users"][other]
