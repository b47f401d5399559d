"""The dry run writes nothing, and a saved plan is applied only while it is still true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest

from connectors.contract import Action, Kind
from eadm_sync.app.syncing import apply_saved, sync
from eadm_sync.errors import PlanOutdated, StateBusy
from eadm_sync.plan.saved import NotAPlan
from eadm_sync.state import tables

from .conftest import FIRST_DAY, Town


def test_a_plan_before_the_first_run_makes_no_file(town: Town):
    """Somebody who only looks leaves nothing behind, not even an empty database."""
    before = town.fingerprint()

    made = town.plan()

    assert len(made.lines) > 1000
    assert town.fingerprint() == before


def test_a_plan_leaves_every_byte_as_it_was(settled: Town):
    """Whatever there is to do, looking at it changes no file."""
    settled.next_day()
    before = settled.fingerprint()

    made = settled.plan()

    assert made.lines
    assert settled.fingerprint() == before


def test_two_plans_of_the_same_are_the_same_plan(settled: Town):
    """The hash depends on what would be done, not on when or how often one looks."""
    settled.next_day()

    first, second = settled.plan(), settled.later(hours=3).plan()

    assert first == second


def test_the_order_of_rows_makes_no_other_plan(town: Town):
    """Rows in another order are the same people."""
    first = town.plan()
    path = town.file("hr/persons.csv")
    header, *rows = path.read_text(encoding="utf-8").splitlines(keepends=True)

    path.write_text("".join([header, *sorted(rows, reverse=True)]), encoding="utf-8")

    assert town.plan().hash == first.hash


def test_a_saved_plan_does_what_it_says(settled: Town):
    """Applied, it makes the changes that were shown, and there is nothing left to do."""
    settled.next_day()
    shown = settled.plan()
    file = settled.save()

    report = settled.apply(file)

    assert report.is_complete
    assert settled.made
    assert settled.made.lines == shown.lines
    assert settled.plan().lines == []
    settled.assert_settled()


def test_a_saved_plan_is_applied_once(settled: Town):
    """Applied a second time, it is refused: the targets are not any more what it was made for."""
    settled.next_day()
    file = settled.save()
    settled.apply(file)

    with pytest.raises(PlanOutdated):
        settled.apply(file)


def _change_source(town: Town) -> None:
    town.edit("hr/persons.csv", lambda row: {**row, "Mobil": "+4700000000"} if row["Ansattnr"] == "001099" else row)


def _change_ruleset(town: Town) -> None:
    path = town.folder / "rulesets" / "licences.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("sku: SPE_F1", "sku: SPE_E3", 1), encoding="utf-8")


def _change_target(town: Town) -> None:
    town.configure(lambda settings: settings["targets"]["ad"].update(path="var/other.db"))


def _change_known(town: Town) -> None:
    town.alter(tables.meta.update().where(tables.meta.c.name == "known_version:entra").values(value="100000"))


def _change_date(town: Town) -> None:
    town.on(FIRST_DAY + timedelta(days=1))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_change_source, "source hr has changed"),
        (_change_ruleset, "the ruleset: "),
        (_change_target, "target ad has changed"),
        (_change_known, "known state of entra has changed"),
        (_change_date, "the date: 2026-08-17 is now 2026-08-18"),
    ],
)
def test_a_saved_plan_is_refused_when_something_moved(settled: Town, change: Callable[[Town], None], reason: str):
    """The refusal says what moved, and nothing is done."""
    settled.next_day()
    file = settled.save()
    before = settled.contents()
    change(settled)

    with pytest.raises(PlanOutdated) as refusal:
        settled.apply(file)

    assert any(words.startswith(reason) for words in refusal.value.reasons)
    assert settled.items() == []
    if change is not _change_target:
        assert settled.contents() == before
    assert [row.status for row in settled.rows(tables.runs)] == ["done", "failed"]


def test_a_plan_with_a_forged_hash_is_refused(settled: Town):
    """A header that says something else than would be done now is no decision about it."""
    settled.next_day()
    file = settled.save()
    file.write_text(file.read_text(encoding="utf-8").replace(settled.plan().hash, "0" * 32), encoding="utf-8")
    before = settled.contents()

    with pytest.raises(PlanOutdated):
        settled.apply(file)

    assert settled.contents() == before


def test_what_is_written_into_a_plan_by_hand_is_not_carried_out(settled: Town):
    """The file is compared, never executed: a line put into it deletes nobody."""
    settled.next_day()
    file = settled.save()
    change = {"target": "ad", "kind": Kind.ACCOUNT, "action": Action.DELETE, "rule": "x", "reason": "x", "held": False}
    forged = msgspec.json.encode({"person": "hr:001001", "name": "", "stage": "ended", "changes": [change]})
    file.write_bytes(file.read_bytes() + forged + b"\n")

    settled.apply(file)

    assert settled.account("hr:001001")
    assert "delete" not in {row.action for row in settled.told()}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"{}",
        b"not a plan\n",
        b"\x00\xff" * 100,
        b'{"eadm_sync_plan": 2}\n',  # a later program's
        b'{"eadm_sync_plan": 1, "hash": "' + b"0" * 2_000_000,  # no end of a line
    ],
)
def test_what_is_no_plan_is_not_applied(settled: Town, content: bytes):
    """Any other file is refused before anything is opened."""
    file = settled.folder / "plan.jsonl"
    file.write_bytes(content)
    before = settled.fingerprint()

    with pytest.raises(NotAPlan):
        settled.apply(file)

    assert settled.fingerprint() == before


def test_a_saved_plan_is_for_its_owners_eyes(settled: Town):
    """It tells of people, so nobody else may read it."""
    settled.next_day()

    assert settled.save().stat().st_mode & 0o777 == 0o600


def test_a_saved_plan_is_refused_when_a_worker_delivered_while_it_was_read(settled: Town):
    """All that was agreed to is done, or nothing: nothing is written, and the next run is sound."""
    settled.next_day()
    settled.sync(deliver=False)
    settled.end_positions(["001028"], FIRST_DAY - timedelta(days=1))
    file = settled.save()

    def read_while_delivering(_: object) -> bool:
        settled.deliver()
        return True

    with pytest.raises(PlanOutdated, match="changes were delivered to ad, entra since the plan was made"):
        apply_saved(settled.context, file, read_while_delivering)

    assert settled.items() == []
    account = settled.account("hr:001028")
    assert account
    assert account.enabled
    assert settled.sync().is_complete
    settled.assert_settled()


def test_what_a_worker_delivered_meanwhile_is_left_to_the_next_run(settled: Town):
    """The plan knows nothing of it; whoever was not touched is served at once, the others are looked at again."""
    settled.next_day()
    settled.sync(deliver=False)
    moved = {item.subject for item in settled.items()}
    people = [row.id.removeprefix("hr:") for row in settled.rows(tables.people) if row.id.startswith("hr:001")]
    untouched = next(number for number in people if f"hr:{number}" not in moved and settled.account(f"hr:{number}"))
    ended = [untouched, "001028"]
    settled.end_positions(ended, FIRST_DAY - timedelta(days=1))

    def read_while_delivering(_: object) -> bool:
        settled.deliver()
        return True

    report = sync(settled.context, read_while_delivering)
    accounts = {number: settled.account(f"hr:{number}") for number in ended}
    waiting = {row.id for row in settled.rows(tables.people) if row.pending}
    last = settled.sync()

    assert "hr:001028" in moved
    assert report.left_out
    assert [account and account.enabled for account in accounts.values()] == [False, True]
    assert "hr:001028" in waiting
    assert last.is_complete
    assert last.left_out == 0
    settled.assert_settled()
    told = Counter((row.target, row.object, row.action, row.run_id) for row in settled.told())
    assert set(told.values()) == {1}
    assert settled.plan().lines == []


def test_a_second_run_beside_the_first_is_refused(settled: Town):
    """Two plans at once could give two people one username; the book of runs has both."""

    def while_another_starts(_: object) -> bool:
        with pytest.raises(StateBusy, match="process"):
            settled.sync()
        return True

    assert sync(settled.context, while_another_starts).is_complete

    assert sorted(row.status for row in settled.rows(tables.runs)) == ["done", "done", "failed"]


def test_a_plan_that_is_declined_does_nothing(settled: Town):
    """No is an answer: only the book of runs has a new line."""
    settled.next_day()
    before = settled.contents()

    report = sync(settled.context, lambda _: False)

    assert not report.accepted
    assert settled.contents() == before
    assert settled.items() == []
    assert settled.plan().lines
    assert [row.status for row in settled.rows(tables.runs)] == ["done", "declined"]
