"""People who leave: out on the day after the last, deleted a year later and no sooner, and never confused."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from connectors.contract import Action, Kind, Operation
from eadm_sync.state import tables
from exportqueue import State

from .conftest import FIRST_DAY, Town

LEAVER, NUMBER = "hr:001028", "001028"
LAST = FIRST_DAY + timedelta(days=10)
OUT = LAST + timedelta(days=1)
RETENTION = timedelta(days=365)
HEALTH, HOME_NURSING = "13", "1301"
"""Units whose people have nothing to do with the school system, so that leaving one is leaving altogether."""


@pytest.fixture
def left(settled: Town) -> Town:
    """A town that somebody has left: disabled on the day after the last."""
    settled.end_positions([NUMBER], LAST)
    settled.sync()
    assert settled.on(OUT).sync().is_complete
    return settled


def test_access_lasts_through_the_last_day(settled: Town):
    """On the last day nothing has happened yet; on the next, account, groups and licence are gone."""
    settled.end_positions([NUMBER], LAST)
    settled.sync()

    settled.on(LAST).sync()
    on_the_last_day = settled.account(LEAVER)
    settled.on(OUT).sync()

    assert on_the_last_day
    assert on_the_last_day.enabled
    assert settled.made
    assert [line for line in settled.made.lines if line[0] == LEAVER and line[2] == "account"] == [
        (LEAVER, "ad", "account", "disable"),
        (LEAVER, "entra", "account", "disable"),
    ]
    for target in ("ad", "entra"):
        content = settled.content(target)
        assert content["accounts"][LEAVER][2] is False
        assert LEAVER not in {person for _, person in content["memberships"]}
        assert LEAVER not in {person for person, _ in content["licences"]}
    settled.assert_settled()


def test_a_missing_record_is_a_leaver_on_the_day_it_is_missed(settled: Town):
    """A line that is gone from the file, and not the file itself, is somebody who left."""
    for name in ("hr/persons.csv", "hr/positions.csv"):
        settled.edit(name, lambda row: None if row["Ansattnr"] == NUMBER else row)

    settled.sync()

    account = settled.account(LEAVER)
    assert account
    assert not account.enabled
    settled.assert_settled()


def test_an_account_is_deleted_when_retention_is_over_and_not_a_day_before(left: Town):
    """A year later to the day, in every target, and known state forgets it with all that hung on it."""
    day_before = left.on(OUT + RETENTION - timedelta(days=1))
    day_before.sync()
    kept = left.account(LEAVER)

    left.on(OUT + RETENTION).sync(released=_all_holds(left))

    assert kept
    assert left.account(LEAVER) is None
    assert left.account(LEAVER, "entra") is None
    assert LEAVER not in {row.person_id for row in left.rows(tables.known_accounts)}
    left.assert_settled()


def _all_holds(town: Town) -> frozenset[str]:
    """Lets everything through: a year on, half of the example's contracts have ended too."""
    return frozenset(hold.name for hold in town.plan().holds)


def _planned_deletion(town: Town) -> Town:
    """Deletions are queued on the day they are due, but not delivered yet."""
    town.on(OUT + RETENTION).sync(deliver=False, released=_all_holds(town))
    deletions = [item for item in town.items() if item.operation == "delete account" and item.subject == LEAVER]
    assert len(deletions) == 2
    return town


def test_a_queued_deletion_is_refused_where_somebody_enabled_the_account_by_hand(left: Town):
    """Whoever needs the account keeps it, in the other target too until somebody has looked; an operator is told."""
    account = left.account(LEAVER)
    assert account
    _planned_deletion(left)
    left.carry_out("ad", Operation("by hand", Kind.ACCOUNT, Action.ENABLE, anchor=account.anchor))

    reports = left.deliver(only="ad") | left.deliver(only="entra")

    assert left.account(LEAVER)
    assert left.account(LEAVER, "entra")
    assert (reports["ad"].dead, reports["entra"].dead) == (1, 1)
    errors = {item.target: item.last_error for item in left.items(State.DEAD)}
    assert errors["ad"] == "Stale: the account is enabled in the target, though not by us: somebody needs it"


def test_a_queued_deletion_is_refused_before_retention_is_over(left: Town):
    """Whatever was planned: if the clock says that it is too early, it is too early."""
    _planned_deletion(left)

    left.on(OUT + timedelta(days=100)).deliver()

    assert left.account(LEAVER)
    assert left.account(LEAVER, "entra")
    assert {item.last_error for item in left.items(State.DEAD) if item.subject == LEAVER} == {
        f"Stale: the account is kept until {OUT + RETENTION}"
    }


def test_a_queued_deletion_is_refused_when_retention_was_made_longer(left: Town):
    """The rules that hold when it is delivered decide, not those it was planned with."""
    _planned_deletion(left)
    path = left.folder / "rulesets" / "common.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("retention_days: 365", "retention_days: 730"), "utf-8")

    left.deliver()

    assert left.account(LEAVER)


def test_a_queued_deletion_is_refused_while_the_person_waits_to_be_looked_at(left: Town):
    """Something about the person is open: the next plan decides, and it decides the same if nothing is new."""
    _planned_deletion(left)
    left.alter(sa.update(tables.people).where(tables.people.c.id == LEAVER).values(pending=True))

    left.deliver()
    kept = left.account(LEAVER)
    last = left.sync(released=_all_holds(left))

    assert kept
    assert last.is_complete
    assert left.account(LEAVER) is None
    left.assert_settled()


def test_a_queued_deletion_is_replaced_when_the_person_comes_back(left: Town):
    """The rehire is planned before the deletion is delivered: it is never delivered."""
    before = left.account(LEAVER)
    _planned_deletion(left)
    left.end_positions([NUMBER], OUT + RETENTION * 2)

    left.sync(released=_all_holds(left))

    account = left.account(LEAVER)
    assert before
    assert account
    assert account.enabled
    assert account.anchor == before.anchor
    left.assert_settled()


def test_somebody_who_comes_back_gets_the_same_account(left: Town):
    """Within retention, account and username are the old ones, with groups and licence as on the first day."""
    before = left.account(LEAVER)
    left.end_positions([NUMBER], date(2030, 12, 31))

    left.on(OUT + timedelta(days=90)).sync(released=_all_holds(left))

    account = left.account(LEAVER)
    assert before
    assert account
    assert account.enabled
    assert account.anchor == before.anchor
    assert account.attributes["sAMAccountName"] == before.attributes["sAMAccountName"]
    assert ("group:enhet-1401", LEAVER) in left.content("ad")["memberships"]
    left.assert_settled()


def test_a_username_is_never_given_to_somebody_else(left: Town):
    """Not while the account is kept, and not when it has been deleted; its owner gets it back even then."""
    before = left.account(LEAVER)
    assert before
    username = before.attributes["sAMAccountName"]
    left.on(OUT + RETENTION).sync(released=_all_holds(left))
    assert left.account(LEAVER) is None
    namesake = left.hire("009001", "Vigdis-Berit", "Hansen", start=left.clock.moment.date())
    left.sync(released=_all_holds(left))
    left.end_positions([NUMBER], date(2030, 12, 31))

    left.sync(released=_all_holds(left))

    other, again = left.account(namesake), left.account(LEAVER)
    assert other
    assert again
    assert other.attributes["sAMAccountName"] != username
    assert again.attributes["sAMAccountName"] == username
    left.assert_settled()


def test_many_leavers_at_once_are_held_while_joiners_are_served(settled: Town):
    """The brake on disabling holds the leavers with all they have; everybody else goes on."""
    settled.end_positions(settled.working_in(HEALTH), FIRST_DAY - timedelta(days=1))
    joiner = settled.hire("009001", "Åse", "Ødegård")
    before = settled.contents()

    report = settled.sync()

    made = settled.made
    assert made
    assert made.is_held
    assert any(hold.name.startswith("ad.account.disable") for hold in made.holds)
    assert {line[3] for line in made.lines} == {"create"}
    assert report.held == len(made.held_lines) > 40
    assert settled.account(joiner)
    after = settled.contents()
    for target in ("ad", "entra"):
        assert before[target]["accounts"].items() <= after[target]["accounts"].items()
        assert before[target]["memberships"].items() <= after[target]["memberships"].items()
    settled.assert_settled()


def test_held_people_are_planned_again_until_somebody_decides(settled: Town):
    """The same are held by the next run; released by name, they go, and the audit says who let them and why."""
    settled.end_positions(settled.working_in(HEALTH), FIRST_DAY - timedelta(days=1))
    settled.sync()
    first = settled.made

    settled.sync()
    second = settled.made
    assert first
    assert second
    names = frozenset(hold.name for hold in second.holds)
    report = settled.sync(released=names, reason="the summer staff has left")

    assert second.held_lines == first.held_lines
    assert second.lines == []
    assert report.is_complete
    assert report.held == 0
    released = [row for row in settled.rows(tables.audit) if row.action == "release"]
    assert {row.object for row in released} == names
    assert {bytes(row.detail) for row in released} == {b"the summer staff has left"}
    assert {row.actor for row in released} == {settled.context.actor}
    settled.sync()
    assert settled.made
    assert settled.made.evaluated == 0
    settled.assert_settled()


def test_held_people_who_were_a_slip_go_on_as_if_nothing_had_happened(settled: Town):
    """The right file comes the next day: nothing is left of the slip, not even something to release."""
    sound = settled.file("hr/positions.csv").read_bytes()
    before = settled.contents()
    settled.end_positions(settled.working_in(HEALTH), FIRST_DAY - timedelta(days=1))
    settled.sync()
    settled.file("hr/positions.csv").write_bytes(sound)

    report = settled.sync()

    assert report.is_complete
    assert settled.made
    assert not settled.made.is_held
    assert settled.made.lines == settled.made.held_lines == []
    assert settled.contents() == before


def test_many_who_vanish_are_held_before_anything_follows_from_it(settled: Town):
    """The import brake does not believe that so many left overnight; released by name, it does."""
    gone = set(settled.working_in(HOME_NURSING))
    for name in ("hr/persons.csv", "hr/positions.csv"):
        settled.edit(name, lambda row: None if row["Ansattnr"] in gone else row)
    before = settled.contents()

    settled.sync()
    held = settled.made
    unchanged = settled.contents()
    assert held
    (name,) = held.import_holds
    settled.sync(released=frozenset({name, *_all_holds_with(settled, name)}), reason="true")

    assert name.startswith("hr.vanished[unit ")
    assert unchanged == before
    assert not any(settled.content("ad")["accounts"].get(f"hr:{number}", (0, 0, False))[2] for number in gone)
    settled.assert_settled()


def _all_holds_with(town: Town, *released: str) -> set[str]:
    return {hold.name for hold in town.plan(released=frozenset(released)).holds}
