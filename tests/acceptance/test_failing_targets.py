"""Targets that are slow, away, unreliable or unwilling: nothing is lost, nothing is doubled, others go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import MetaData

from eadm_sync.state import tables
from exportqueue import Queue, State, define

from .conftest import FIRST_DAY, Town

DOWN = {"kind": "unavailable", "every": 1}


def _audited(town: Town) -> Counter[tuple[str, str, str]]:
    return Counter((row.target, row.object, row.action) for row in town.told())


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "throttled", "every": 7, "retry_after_seconds": 2},
        {"kind": "throttled", "every": 7},  # it does not say for how long
        {"kind": "unavailable", "every": 11},
        {"kind": "transient", "every": 4},
        {"kind": "transient", "every": 3, "retry_after_seconds": 60},
        {"kind": "lost_answer", "every": 17},  # it was done, and nobody was told
        {"kind": "lost_answer", "every": 3, "action": "create", "object_kind": "account"},
        {"kind": "lost_answer", "every": 5, "object_kind": "group"},
    ],
    ids=lambda fault: " ".join(map(str, fault.values())),
)
def test_what_fails_for_a_while_is_delivered_in_the_end(
    small_town: Town, settled_small: Town, fault: Mapping[str, Any]
):
    """Tried again often enough, every target holds exactly what sound ones hold, and each change was told once."""
    for target in ("ad", "entra", "google"):
        small_town.fail(target, dict(fault))
    small_town.sync(deliver=False)

    rounds = small_town.deliver_to_the_end()

    assert rounds > 1 or fault["kind"] == "throttled"  # asked for less, it is waited for
    assert small_town.contents() == settled_small.contents()
    small_town.assert_settled()
    assert set(_audited(small_town).values()) == {1}


def test_a_target_that_is_down_stops_no_other(small_town: Town, settled_small: Town):
    """It keeps its changes, unspent however long it takes; the others are served, and the run says so."""
    small_town.fail("ad", DOWN)

    report = small_town.sync()
    for _ in range(15):
        small_town.later(hours=1).deliver()

    assert not report.is_complete
    ad, entra, google = report.targets
    assert ad.error == "a rehearsed outage"
    assert ad.left
    assert (entra.left, google.left) == (0, 0)
    assert small_town.content("entra") == settled_small.content("entra")
    assert small_town.content("google") == settled_small.content("google")
    assert {(item.target, item.attempts) for item in small_town.items()} == {("ad", 0)}
    assert [row.status for row in small_town.rows(tables.runs)] == ["incomplete"]

    small_town.fail("ad")
    assert small_town.sync().is_complete
    assert small_town.contents() == settled_small.contents()
    small_town.assert_settled()


def test_a_week_away_loses_nothing(small_town: Town):
    """Somebody comes each day, and is there in the end; nobody's change has spent an attempt."""
    small_town.sync()
    small_town.fail("ad", DOWN)
    people = []
    for day in range(1, 8):
        people.append(small_town.on(FIRST_DAY + timedelta(days=day)).hire(f"00900{day}", "Åse", f"Ny{day}"))
        assert not small_town.sync().is_complete
        for _ in range(4):
            small_town.later(hours=5).deliver()
    attempts = {item.attempts for item in small_town.items()}
    small_town.fail("ad")

    report = small_town.on(FIRST_DAY + timedelta(days=8)).sync()

    assert report.is_complete
    assert attempts == {0}
    assert all(small_town.account(person) for person in people)
    small_town.assert_settled()


def test_a_run_with_nothing_new_delivers_what_was_left(small_town: Town):
    """A target that comes back is served by the next run, whatever that run finds in the sources."""
    small_town.fail("ad", DOWN)
    small_town.sync()
    small_town.fail("ad")

    report = small_town.sync()

    assert report.enqueued == 0
    assert report.targets[0].done
    small_town.assert_settled()


def test_a_refused_account_is_a_dead_letter_and_what_needs_it_waits(small_town: Town):
    """Everybody else is served; the run is not complete, and neither is any later one until somebody acts."""
    small_town.fail("ad", {"kind": "rejected", "operations": [1], "object_kind": "account"})

    first = small_town.sync()
    second = small_town.sync()

    (dead,) = small_town.items(State.DEAD)
    assert dead.operation == "create account"
    assert dead.last_error == "Rejected: a rehearsed refusal"
    assert {item.subject for item in small_town.items()} == {dead.subject}
    assert len(small_town.items()) > 1
    for report in (first, second):
        assert not report.is_complete
        assert report.targets[0].dead == 1
        assert report.targets[0].left == len(small_town.items()) - 1
    small_town.assert_known_is_true()


def test_a_refused_change_is_carried_out_when_somebody_lets_it(small_town: Town, settled_small: Town):
    """A dead letter that is brought back takes along what waited for it."""
    small_town.fail("ad", {"kind": "rejected", "operations": [1, 3, 5]})
    small_town.sync()
    dead = [item.id for item in small_town.items(State.DEAD)]
    assert len(dead) == 3

    with small_town.context.writing() as database, database.write() as connection:
        Queue(define(MetaData())).resurrect(connection, dead)
    small_town.deliver()

    assert small_town.contents() == settled_small.contents()
    small_town.assert_settled()


def test_a_newer_plan_takes_the_place_of_a_dead_letter(small_town: Town):
    """The person changes, so what was refused and what waited for it is planned anew, and delivered."""
    small_town.fail("ad", {"kind": "rejected", "operations": [1], "object_kind": "account"})
    small_town.sync()
    (dead,) = small_town.items(State.DEAD)
    queued = len(small_town.items())
    number = dead.subject.removeprefix("hr:")
    small_town.edit("hr/persons.csv", lambda row: {**row, "Etternavn": "Ny"} if row["Ansattnr"] == number else row)

    report = small_town.sync()

    assert report.superseded == queued
    assert report.is_complete
    account = small_town.account(dead.subject)
    assert account
    assert account.attributes["sn"] == "Ny"
    small_town.assert_settled()


def test_a_newer_plan_takes_the_place_of_waiting_changes(small_town: Town):
    """A target is down while somebody changes twice: it is given the last word only."""
    small_town.sync()
    small_town.fail("ad", DOWN)
    for title in ("Rådgiver", "Spesialrådgiver"):
        small_town.edit("hr/positions.csv", lambda row, title=title: {**row, "Stilling": title})
        small_town.sync()
    assert not [item for item in small_town.items() if item.attempts]
    small_town.fail("ad")

    small_town.sync()

    titles = {account[0]["title"] for account in small_town.content("ad")["accounts"].values()}
    assert titles == {"Spesialrådgiver"}
    told = [row for row in small_town.told() if row.target == "ad" and row.action == "update"]
    assert len(told) == len({row.object for row in told})
    small_town.assert_settled()


def test_a_joiner_to_a_group_that_is_still_being_made_waits_for_it(small_town: Town):
    """Planned while the group's creation is in the queue, the membership comes behind it, and nothing dies."""
    small_town.fail("ad", DOWN)
    small_town.sync()
    unit = small_town.a_unit()
    joiner = small_town.hire("009001", "Åse", "Ødegård", unit=unit)
    small_town.sync()
    creations = [item for item in small_town.items() if item.object_key == f"group:enhet-{unit}"]
    small_town.fail("ad")

    report = small_town.sync()

    assert len(creations) == 1
    assert report.is_complete
    assert (f"group:enhet-{unit}", joiner) in small_town.content("ad")["memberships"]
    small_town.assert_settled()


def test_everybody_planned_anew_while_groups_are_being_made_loses_nothing(small_town: Town):
    """A ruleset is edited while a target is down: all changes are replaced, and each still waits for what it needs."""
    small_town.fail("ad", DOWN)
    small_town.sync()
    path = small_town.folder / "rulesets" / "employees.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("default('Ansatt')", "default('Medarbeider')"), "utf-8")

    replaced = small_town.sync()
    small_town.fail("ad")
    small_town.sync()
    last = small_town.sync()

    assert replaced.superseded
    assert last.is_complete
    assert {row.object for row in small_town.told() if row.target == "ad"} == {
        *(f"account:{person}" for person in small_town.content("ad")["accounts"]),
        *small_town.content("ad")["groups"],
        *(f"membership:{person}:{group[6:]}" for group, person in small_town.content("ad")["memberships"]),
    }
    small_town.assert_settled()


def test_a_group_that_was_refused_is_made_when_it_is_planned_anew(small_town: Town, settled_small: Town):
    """Those who waited for it are planned anew behind the new creation, not let go without it."""
    small_town.fail("ad", {"kind": "rejected", "operations": [1], "object_kind": "group"})
    small_town.sync()
    (dead,) = small_town.items(State.DEAD)
    assert dead.operation == "create group"
    waiting = [item for item in small_town.items() if item.state is State.WAITING]
    someone = waiting[0].subject.removeprefix("hr:")
    small_town.edit("hr/persons.csv", lambda row: {**row, "Mobil": "1"} if row["Ansattnr"] == someone else row)

    small_town.sync()
    after = small_town.items()
    last = small_town.sync()

    assert after == []  # nobody was let into a group that was not there yet
    assert last.is_complete
    assert small_town.content("ad")["memberships"] == settled_small.content("ad")["memberships"]
    small_town.assert_settled()


def test_a_group_of_the_same_key_in_another_target_is_left_alone(small_town: Town):
    """A unit is renamed where its group exists; where its group is still being made, that creation stays queued."""
    unit = small_town.a_unit()
    people = [small_town.hire(f"00900{number}", "Åse", "Ødegård", unit=unit) for number in range(4)]
    small_town.sync()
    path = small_town.folder / "rulesets" / "groups.yaml"
    rule = (
        "\n  - rule: unit-again-entra\n    target: entra\n    when: working\n"
        '    name: "ENHET-{{ affiliation.unit.code }}"\n'
        '    attributes:\n      description: "{{ affiliation.unit.name }}"\n'
    )
    path.write_text(path.read_text(encoding="utf-8") + rule, encoding="utf-8")
    small_town.fail("entra", DOWN)
    small_town.sync()
    small_town.edit("hr/units.csv", lambda row: {**row, "Navn": f"{row['Navn']} nord"})
    small_town.sync()
    queued = [item for item in small_town.items() if item.object_key == f"group:enhet-{unit}"]
    small_town.fail("entra")

    report = small_town.sync()

    assert [item.operation for item in queued] == ["create group"]
    assert report.is_complete
    assert {(f"group:enhet-{unit}", person) for person in people} <= small_town.content("entra")["memberships"].keys()
    small_town.sync()
    small_town.assert_settled()


def test_a_target_that_cannot_be_opened_is_reported_and_stops_no_other(small_town: Town):
    """Its file is something else: an error by name, the others are served."""
    (small_town.folder / "var" / "ad.db").write_bytes(b"this is no directory" * 100)

    report = small_town.sync()

    ad, entra, google = report.targets
    assert ad.error
    assert ad.left
    assert entra.left == google.left == 0
    assert not report.is_complete


def test_patience_waits_for_what_is_to_be_tried_again(small_town: Town):
    """With patience, a hiccup is waited out within the same delivery."""
    small_town.fail("ad", {"kind": "transient", "operations": [3]})
    small_town.sync(deliver=False)

    report = small_town.deliver(patience_seconds=120)["ad"]

    assert (report.retried, report.left) == (1, 0)
    small_town.assert_settled()


def test_what_waits_for_another_day_is_delivered_as_planned(small_town: Town):
    """Changes that were queued yesterday are delivered today without a new plan."""
    small_town.sync(deliver=False)

    small_town.on(FIRST_DAY + timedelta(days=1)).deliver()

    small_town.assert_settled()
