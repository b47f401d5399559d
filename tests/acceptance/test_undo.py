"""A run that should not have been: taken back as far as that can be, and nobody is surprised by the next one."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from eadm_sync.app.syncing import SyncReport
from eadm_sync.app.undoing import Undoing, undo
from eadm_sync.errors import NotFound
from eadm_sync.state import tables

from .conftest import FIRST_DAY, Town

LEAVER, NUMBER = "hr:001028", "001028"
FILES = ("hr/persons.csv", "hr/positions.csv")
Undone = tuple[SyncReport, dict[str, Any]]


def take_back(town: Town, run: str, **options: Any) -> Undone:
    """Undoes a run an hour later; returns the report, and what was said beforehand."""
    said: dict[str, Any] = {}

    def agree(made: Any) -> bool:
        assert isinstance(made, Undoing)
        said.update({one.name: getattr(made, one.name) for one in dataclasses.fields(Undoing)[-4:]})
        said["changes"] = made.plan.changes
        return True

    return undo(town.later(hours=1).context, run, agree, **options), said


def lose(town: Town) -> dict[str, str]:
    """Takes somebody out of HR; returns the files as they were."""
    before = {name: town.file(name).read_text(encoding="utf-8") for name in FILES}
    for name in FILES:
        town.edit(name, lambda row: None if row["Ansattnr"] == NUMBER else row)
    return before


def test_a_leaver_who_was_none_has_everything_again(settled: Town):
    """Enabled, in all groups, with the licence: the targets hold what they held before the run."""
    before = settled.contents()
    lose(settled)
    run = settled.later(hours=1).sync().run_id
    assert settled.contents() != before

    report, said = take_back(settled, run)

    assert report.is_complete
    assert said["kept"] == ()
    assert settled.contents() == before
    settled.assert_settled()


def test_it_is_said_how_much_the_next_run_would_do_again(settled: Town):
    """All of it while the record is still missing; and so it does."""
    lose(settled)
    run = settled.later(hours=1).sync().run_id

    _, said = take_back(settled, run)
    settled.later(hours=1).sync()

    account = settled.account(LEAVER)
    assert said["repeated"] == said["changes"] > 0
    assert account
    assert not account.enabled


def test_nothing_is_done_again_where_the_cause_is_put_right(settled: Town):
    """With the record back in its file, the next run does what the undo has done already: nothing."""
    files = lose(settled)
    run = settled.later(hours=1).sync().run_id
    for name, text in files.items():
        settled.file(name).write_text(text, encoding="utf-8")

    _, said = take_back(settled, run)
    settled.later(hours=1).sync()

    assert said["repeated"] == 0
    assert settled.made
    assert settled.made.lines == []


def test_a_whole_day_is_taken_back(settled: Town):
    """Movers, renames and leavers are as before; accounts that were created are kept, disabled, and empty."""
    before = settled.contents()
    settled.next_day()
    run = settled.on(FIRST_DAY + timedelta(days=1)).sync().run_id

    report, said = take_back(settled, run)

    assert report.is_complete
    assert not [one for one in said["kept"] if "since" in one.reason]
    for target, content in settled.contents().items():
        kept = {person: one for person, one in content["accounts"].items() if person in before[target]["accounts"]}
        created = [one for person, one in content["accounts"].items() if person not in kept]
        assert kept == before[target]["accounts"]
        assert not [enabled for *_, enabled in created if enabled]
        assert content["groups"] == before[target]["groups"]
        assert content["memberships"] == before[target]["memberships"]
        assert content["licences"] == before[target]["licences"]
    settled.assert_settled()


def test_a_group_that_was_made_goes_again_behind_its_members(settled: Town):
    """A new rule gave a group to somebody: the group goes when nobody is in it any more."""
    before = settled.contents()
    (settled.folder / "rulesets" / "more.yaml").write_text(
        "ruleset: more\ngroups:\n  - rule: more\n    target: ad\n    name: more\n"
        f"    when: person.id == '{LEAVER}'\n    attributes: {{displayName: More}}\n",
        encoding="utf-8",
    )
    run = settled.later(hours=1).sync().run_id
    assert settled.contents()["ad"]["groups"].keys() > before["ad"]["groups"].keys()

    report, said = take_back(settled, run)

    assert report.is_complete
    assert said["kept"] == ()
    assert settled.contents() == before
    settled.assert_settled()


def test_what_was_changed_since_stays_and_the_later_run_is_named(settled: Town):
    """Somebody left and came back: undoing the first of the two runs has nothing to do, and says why."""
    files = lose(settled)
    first = settled.later(hours=1).sync().run_id
    for name, text in files.items():
        settled.file(name).write_text(text, encoding="utf-8")
    second = settled.later(hours=1).sync().run_id

    _, said = take_back(settled, first)

    assert said["changes"] == 0
    assert f"enabled since by the run {second}" in {one.reason for one in said["kept"]}


def test_what_was_not_delivered_is_dropped(settled: Town):
    """Of a run that is still in the export queue nothing reaches a target."""
    before = settled.contents()
    lose(settled)
    run = settled.later(hours=1).sync(deliver=False).run_id

    _, said = take_back(settled, run)

    assert said["withdrawn"] > 0
    assert said["changes"] == 0
    assert settled.items() == []
    assert settled.contents() == before


def test_an_undo_is_undone_like_any_run(settled: Town):
    """It is a run of its own, with its own lines in the audit."""
    lose(settled)
    run = settled.later(hours=1).sync().run_id
    after = settled.contents()
    report, _ = take_back(settled, run)

    take_back(settled, report.run_id)

    assert settled.contents() == after
    settled.assert_settled()


def test_the_audit_says_why(settled: Town):
    """Each change names the run that it takes back, and who undid it gave a reason."""
    lose(settled)
    run = settled.later(hours=1).sync().run_id

    report, _ = take_back(settled, run, reason="HR sent an empty file")

    lines = [line for line in settled.rows(tables.audit) if line.run_id == report.run_id]
    assert [line.object for line in lines if line.kind == "run"] == [run]
    assert all(f"undo of {run}".encode() in line.detail for line in lines if line.target is not None)
    assert any(b"HR sent an empty file" in line.detail for line in lines)


def test_a_preview_changes_nothing(settled: Town):
    """Whoever says no leaves known state, queue and targets as they were."""
    lose(settled)
    run = settled.later(hours=1).sync().run_id
    before, known = settled.contents(), settled.rows(tables.people)

    report = undo(settled.later(hours=1).context, run, lambda _: False)

    assert not report.accepted
    assert settled.contents() == before
    assert settled.rows(tables.people) == known
    assert settled.items() == []


def test_a_run_that_never_was_cannot_be_undone(settled: Town):
    """The latest runs are named instead."""
    first = settled.rows(tables.runs)[0].id

    with pytest.raises(NotFound) as caught:
        undo(settled.context, "20200101T000000-00000000", lambda _: True)

    assert first in caught.value.near


def test_a_brake_holds_an_undo_like_any_plan(settled: Town):
    """The first run of a town taken back is its end: the limit on disabled accounts holds it."""
    run = settled.rows(tables.runs)[0].id

    report, _ = take_back(settled, run)

    assert report.held > 0
    assert settled.account(LEAVER)
