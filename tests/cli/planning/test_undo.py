"""`undo`: a preview first, then a question, then a run like any other."""

from __future__ import annotations

import json

import pytest

from .conftest import PERSONS, Shell

POSITIONS = "examples/kommune/hr/positions.csv"


@pytest.fixture
def lost(settled: Shell) -> Shell:
    """A town after a run on files in which somebody was missing; the files are whole again."""
    whole = {name: (settled.folder / name).read_text(encoding="utf-8") for name in (PERSONS, POSITIONS)}
    number = settled.lines(PERSONS)[-1][0]
    for name in whole:
        settled.edit(name, lambda text: "".join(row for row in text.splitlines(True) if not row.startswith(number)))
    assert settled("sync", "--yes").code == 0
    for name, text in whole.items():
        settled.edit(name, lambda _, text=text: text)
    return settled


def last_run(shell: Shell) -> str:
    """Id of the latest run."""
    told: str = json.loads(shell("report", "last", "--format", "json").out)["id"]
    return told


def test_a_dry_run_shows_the_reverse_and_writes_nothing(lost: Shell):
    """It ends as `plan` does, and says what the next run will make of it."""
    run, before = last_run(lost), lost.content()

    said = lost("undo", run, "--dry-run")

    assert said.code == 2
    assert f"enable account  undo of {run}" in said.out
    assert "the next run will leave all of this as it is" in said.out
    assert lost.content() == before


def test_programs_read_the_preview_as_a_plan(lost: Shell):
    """With what stays, and how much would be done again, in fields of its own."""
    run = last_run(lost)

    told = json.loads(lost("undo", run, "--dry-run", "--format", "json").out)

    assert (told["undo_of"], told["kept"], told["repeated"], told["withdrawn"]) == (run, [], 0, 0)
    assert {change["reason"] for frame in told["people"] for change in frame["changes"]} == {f"undo of {run}"}


def test_a_run_is_taken_back(lost: Shell):
    """And after it there is nothing left to do."""
    said = lost("undo", last_run(lost), "--yes", "--reason", "half a file")

    assert said.code == 0
    assert "Everything was delivered." in said.out
    assert lost("plan").code == 0


def test_what_would_be_done_again_is_said(settled: Shell):
    """An undo against records and rules holds until the next run only."""
    settled.edit(PERSONS, lambda text: text.replace(settled.lines(PERSONS)[0][3], "Nyttnavn"))
    settled("sync", "--yes")

    said = settled("undo", last_run(settled), "--dry-run")

    assert "the other way round again" in said.out


def test_what_stays_is_said_with_the_reason(lost: Shell):
    """A later run has enabled the account again: it is named."""
    first = last_run(lost)
    lost("sync", "--yes")

    said = lost("undo", first, "--dry-run")

    assert said.code == 0
    assert f"enabled since by the run {last_run(lost)}" in said.out
    assert "Nothing is left to take back." in said.out


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("20200101T000000-00000000", "--yes"), "no run"),
        (("20200101T000000-00000000",), "no terminal"),
        (("20200101T000000-00000000", "--yes", "--release", "ad.account.disable"), "--reason"),
    ],
)
def test_what_cannot_be_is_refused(settled: Shell, options: tuple[str, ...], why: str):
    """With the reason on standard error, and exit code 1."""
    said = settled("undo", *options)

    assert said.code == 1
    assert why in said.err
