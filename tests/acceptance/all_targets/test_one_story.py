"""Somebody comes, moves, leaves, comes back, is deleted and comes back once more: seen in all three at once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Self

from connectors.contract import RemoteObject
from eadm_sync.app.passwords import show
from tests.acceptance.all_targets.conftest import TARGETS, Everywhere
from tests.acceptance.google.test_whole_town import move, schools

CLOUDS = ("entra", "google")
AT_SCHOOL: dict[str, set[str]] = {"ad": set(), "entra": {"STANDARDWOFFPACK_FACULTY"}, "google": {"staff"}}
NUMBER = "990001"


@dataclass(frozen=True)
class Seen:
    """What somebody has, by target, as the targets themselves tell; without a target: no account there.

    Attributes:
        anchors: Of the accounts.
        enabled: Whether they can be used.
        groups: Anchors of their groups.
        licences: Names of their products.
        account: The one in the domain.
    """

    anchors: dict[str, str]
    enabled: dict[str, bool | None]
    groups: dict[str, set[str]]
    licences: dict[str, set[str]]
    account: RemoteObject = field(compare=False)

    @classmethod
    def of(cls, everywhere: Everywhere, person: str) -> Self:
        """Asks all of them."""
        held = everywhere.held(person)
        return cls(
            {target: one.account.anchor for target, one in held.items()},
            {target: one.account.enabled for target, one in held.items()},
            {target: one.groups for target, one in held.items()},
            {target: one.licences for target, one in held.items()},
            held["ad"].account,
        )

    def as_of_a_leaver(self) -> Self:
        """The same accounts, of no use to anybody."""
        nothing: dict[str, set[str]] = {target: set() for target in TARGETS}
        return replace(self, enabled=dict.fromkeys(TARGETS, False), groups=nothing, licences=nothing)


def run(everywhere: Everywhere, days: float = 0) -> None:
    """The main job, so many days later, to its end."""
    everywhere.pass_days(days)
    report = everywhere.town.sync()
    assert report.is_complete, report
    assert everywhere.town.items() == []


def works_until(everywhere: Everywhere, days: float) -> None:
    """HR's word on the last day, counted from today."""
    everywhere.town.end_positions([NUMBER], everywhere.town.clock.now().date() + timedelta(days=days))


def test_one_person_is_followed_in_all_three(everywhere: Everywhere):
    """The same accounts all the time, but for the domain's after a deletion: Samba has no recycle bin."""
    town = everywhere.town
    run(everywhere)
    unit, other = schools(town)

    person = town.hire(NUMBER, "Ola", "Nordmann-Test", unit=unit)
    run(everywhere)
    came = Seen.of(everywhere, person)
    password = show(town.context, person, "at the desk").secret.value
    assert came.enabled == dict.fromkeys(TARGETS, True)
    assert came.licences == AT_SCHOOL
    assert everywhere.lets_in(person, password) == set(TARGETS)
    assert everywhere.lets_in(person, password + "x") == set()

    move(town, NUMBER, other)
    run(everywhere, days=1)
    moved = Seen.of(everywhere, person)
    assert replace(moved, groups=came.groups) == came
    assert all(came.groups[target] - moved.groups[target] for target in TARGETS)
    assert all(moved.groups[target] - came.groups[target] for target in TARGETS)
    assert moved.account.container != came.account.container

    works_until(everywhere, 0)
    run(everywhere, days=1)
    assert Seen.of(everywhere, person) == moved.as_of_a_leaver()

    works_until(everywhere, 400)
    run(everywhere, days=9)
    assert Seen.of(everywhere, person) == moved

    works_until(everywhere, 0)
    run(everywhere, days=1)
    run(everywhere, days=366)
    assert everywhere.held(person) == {}
    assert everywhere.tenant.user(person)["deleted"]
    assert everywhere.customer.user(person)["deleted"]

    works_until(everywhere, 400)
    run(everywhere, days=15)
    again = Seen.of(everywhere, person)
    assert again.account.anchor != came.account.anchor
    assert again.account.attributes["sAMAccountName"] == came.account.attributes["sAMAccountName"]
    assert replace(again, anchors={**again.anchors, "ad": came.account.anchor}) == moved
    assert everywhere.lets_in(person, password) == set(CLOUDS)  # what is restored has the password that it had
    assert everywhere.lets_in(person, show(town.context, person, "at the desk").secret.value) == {"ad"}
    everywhere.assert_known_is_true()
    run(everywhere, days=0.1)
    assert town.made
    assert town.made.lines == []
