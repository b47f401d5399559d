"""`sync`, `apply` and `deliver`: what they ask, do and report."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import create_engine, text

PERSONS = "examples/kommune/hr/persons.csv"


def test_without_a_terminal_it_refuses_to_guess_the_answer(new: Any) -> None:
    """No terminal and no --yes: nothing is even opened."""
    before = new.content()

    said = new("sync")

    assert said.code == 1
    assert "there is no terminal to ask on" in said.err
    assert new.content() == before


@pytest.mark.parametrize("answer", ["n\n", "\x04"])  # no; end of input
def test_whoever_does_not_say_yes_has_declined(new: Any, answer: str) -> None:
    """Anything but yes writes nothing and ends with 4."""
    code, shown = new.on_terminal("sync", answer=answer)

    assert code == 4
    assert "Do this? [y/N]" in shown
    assert "Nothing was written." in shown
    assert new("plan").code == 2


def test_yes_on_a_terminal_does_it(new: Any) -> None:
    """Yes delivers everything; the next plan is empty."""
    code, shown = new.on_terminal("sync", answer="y\n")

    assert code == 0
    assert "Everything was delivered." in shown
    assert new("plan").code == 0


def test_what_was_not_delivered_is_delivered_later(new: Any) -> None:
    """--no-deliver leaves all of it in the queue; `deliver` empties one target, then the others."""
    synced = new("sync", "--yes", "--no-deliver")
    waiting = new("plan")
    one, rest = new("deliver", "--target", "ad"), new("deliver")

    assert (synced.code, one.code, rest.code) == (0, 0, 0)
    assert "Nothing is delivered yet; do it with: eadm-sync deliver" in synced.out
    assert "Nothing to do but to deliver what is in the export queue." in waiting.out
    assert "entra" not in one.out
    assert "entra" in rest.out
    assert "Everything was delivered." in rest.out


def test_a_target_that_is_down_is_reported_with_its_reason(new: Any) -> None:
    """A failing target ends with 1 and says what is left, and why."""
    new.edit(
        "config.yaml",
        lambda config: config.replace(
            "    path: var/ad.db\n", "    path: var/ad.db\n    faults: {fail: [{kind: unavailable, every: 1}]}\n"
        ),
    )

    said = new("sync", "--yes")

    assert said.code == 1
    assert "What is left is tried again" in said.out
    rows = {row.split("\t")[0]: row.split("\t") for row in said.out.splitlines() if row.count("\t") == 5}
    assert int(rows["ad"][4]) > 0
    assert rows["ad"][5]
    assert rows["entra"][4:] == ["0", ""]


def test_what_a_target_refuses_is_reported_as_dead(new: Any) -> None:
    """A refused change ends with 1, and with the command that lists it."""
    new.edit(
        "config.yaml",
        lambda config: config.replace(
            "    path: var/ad.db\n",
            "    path: var/ad.db\n    faults: {fail: [{kind: rejected, operations: [1], object_kind: account}]}\n",
        ),
    )

    said = new("sync", "--yes")

    assert said.code == 1
    assert "Refused for good: see them with eadm-sync queue list --state dead" in said.out


def test_a_saved_plan_is_applied_once(new: Any) -> None:
    """An unchanged plan is carried out; a second time it no longer holds, and why is said."""
    new("plan", "--out", "plan.jsonl")

    first, second = new("apply", "plan.jsonl", "--yes"), new("apply", "plan.jsonl", "--yes")

    assert first.code == 0
    assert second.code == 1
    assert "the plan no longer holds, nothing was done" in second.err
    assert "known state of ad has changed" in second.err


def test_a_file_that_is_no_plan_is_refused(new: Any) -> None:
    """Any other file, or none, is an error that names it."""
    wrong, missing = new("apply", "config.yaml", "--yes"), new("apply", "nothing.jsonl", "--yes")

    assert (wrong.code, missing.code) == (1, 1)
    assert "config.yaml is not a saved plan" in wrong.err
    assert "nothing.jsonl" in missing.err


def test_nothing_is_let_go_without_a_reason(settled: Any) -> None:
    """--release asks for --reason, in `sync` and for a saved plan; the audit has it afterwards."""
    lines = (settled.folder / PERSONS).read_text(encoding="utf-8").splitlines(keepends=True)
    settled.edit(PERSONS, lambda _: "".join(lines[: len(lines) // 2]))
    settled("plan", "--release", "hr.vanished", "--out", "plan.jsonl")

    bare = settled("sync", "--yes", "--release", "hr.vanished")
    saved = settled("apply", "plan.jsonl", "--yes")
    told = settled("apply", "plan.jsonl", "--yes", "--reason", "the school closed")

    assert (bare.code, saved.code) == (1, 1)
    assert "say why hr.vanished is let go" in bare.err
    assert "say why hr.vanished is let go" in saved.err
    assert told.code in {0, 3}
    engine = create_engine(f"sqlite:///{settled.folder}/var/eadm-sync.db")
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(text("SELECT * FROM audit"))]
    engine.dispose()
    assert any(b"the school closed" in row for row in rows)


def test_a_held_absence_ends_with_three_and_the_rest_goes_on(settled: Any) -> None:
    """A run that a brake holds partly is no success, and no failure either."""
    lines = (settled.folder / PERSONS).read_text(encoding="utf-8").splitlines(keepends=True)
    settled.edit(PERSONS, lambda _: "".join(lines[: len(lines) // 2]))

    said = settled("sync", "--yes")

    assert said.code == 3
    assert "Held: hr.vanished" in said.out
    assert "- ad: disable" not in said.out
