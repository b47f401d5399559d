"""What was changed in targets by hand, as typed: shown, decided about, sent again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.contract import Action, Kind, Operation, RemoteObject
from eadm_sync.app.context import open_context
from eadm_sync.clock import SystemClock

Shell = Any

HAND = {"title": "By Hand"}


def accounts(folder: Path) -> list[RemoteObject]:
    """The directory's accounts."""
    with open_context(folder / "config.yaml", SystemClock()).make_target("directory") as target:
        return [one for one in target.read(Kind.ACCOUNT) if isinstance(one, RemoteObject)]


def by_hand(folder: Path, *operations: Operation) -> None:
    """What somebody does in the directory."""
    with open_context(folder / "config.yaml", SystemClock()).make_target("directory") as target:
        assert [outcome.error for outcome in target.apply(operations)] == [None] * len(operations)


@pytest.fixture
def edited(settled: Path) -> RemoteObject:
    """An account whose title somebody changed, where the rules say that this is reported."""
    (settled / "rulesets" / "zz.yaml").write_text(
        "ruleset: zz\ndrift: {directory: {attributes: report}}\n", encoding="utf-8"
    )
    account = accounts(settled)[0]
    by_hand(settled, Operation("1", Kind.ACCOUNT, Action.UPDATE, anchor=account.anchor, attributes=HAND))
    return account


def test_reconcile_says_that_all_is_as_it_was_left(settled: Path, shell: Shell):
    """With the number of objects, since zero differences of zero objects mean nothing."""
    compared = shell("reconcile")

    assert settled.exists()
    assert compared.code == 0
    assert compared.out == "directory: 15 objects compared, everything is as it was left\n"


def test_reconcile_shows_what_differs(settled: Path, edited: RemoteObject, shell: Shell):
    """As a table and as JSON, with an exit code of its own: what was known, what is there, what the rules say."""
    data, shown = shell("reconcile", "--dry-run", "--format", "json"), shell("reconcile", "directory")

    assert settled.exists()
    assert (shown.code, data.code) == (2, 2)
    title = edited.attributes["title"]
    assert f"account:{edited.owner}\tattributes\ttitle\t{title}\tBy Hand\t{title}\treport" in shown.out
    assert "1 difference left alone until somebody decides" in shown.out
    assert data.json[0]["counts"] == {"account.attributes": 1}
    assert data.json[0]["left"] == 0


def test_reconcile_of_an_unknown_target_says_so(settled: Path, shell: Shell):
    """With the ones there are."""
    compared = shell("reconcile", "diretory")

    assert settled.exists()
    assert compared.code == 1
    assert "is it one of directory?" in compared.err


def test_a_reading_that_is_not_believed_has_its_exit_code(settled: Path, shell: Shell):
    """And says what to type where it is so; for that a reason is asked for."""
    every = [Operation(one.anchor, Kind.ACCOUNT, Action.DELETE, anchor=one.anchor) for one in accounts(settled)]
    by_hand(settled, *every)

    held, unreasoned = shell("reconcile"), shell("reconcile", "--believe")
    believed = shell("reconcile", "--believe", "--reason", "all new")

    assert held.code == 3
    assert "nothing of directory was written down" in held.err
    assert unreasoned.code == 1
    assert believed.code == 2


def test_what_waits_is_listed_and_overwritten(edited: RemoteObject, settled: Path, shell: Shell):
    """By its number; the next run puts it back."""
    shell("reconcile", "--incremental")

    listed, data = shell("drift", "list"), shell("drift", "list", "--format", "json")
    status, metrics = shell("status"), shell("report")

    assert (listed.code, data.code) == (2, 2)
    assert listed.rows[0][:5] == ["1", "directory", f"account:{edited.owner}", "attributes", "title"]
    assert data.json[0]["present"] == "By Hand"
    assert "1 difference in directory, made by hand, to be decided about" in status.out
    assert "eadm-sync drift list --target directory" in metrics.out
    assert "directory: account: attributes.title" in shell("explain", edited.owner).out
    assert shell("drift", "overwrite", "1", "--reason", "a slip").code == 0
    assert shell("sync", "--yes").code == 0
    assert edited.attributes["title"] in {one.attributes.get("title") for one in accounts(settled)}
    assert "By Hand" not in {one.attributes.get("title") for one in accounts(settled)}
    assert shell("drift", "list").err == "nothing waits for a decision\n"


def test_what_is_accepted_is_listed_as_such(edited: RemoteObject, shell: Shell):
    """With who did it and why; it does not wait any more, and stays."""
    shell("reconcile")

    accepted = shell("drift", "accept", "1", "--reason", "stage name")

    assert edited.owner
    assert accepted.code == 0
    assert shell("drift", "list").code == 0
    assert shell("drift", "list", "--accepted").rows[0][-1] == "stage name"


def test_a_number_that_is_not_there_is_named(settled: Path, shell: Shell):
    """Nothing is decided then."""
    decided = shell("drift", "accept", "7", "--reason", "x")

    assert settled.exists()
    assert decided.code == 1
    assert "no drift '7'" in decided.err


def test_an_attribute_is_sent_again(settled: Path, shell: Shell):
    """Though it is known to be there; shown first, and carried out as any plan."""
    account = accounts(settled)[0]
    by_hand(settled, Operation("1", Kind.ACCOUNT, Action.UPDATE, anchor=account.anchor, attributes=HAND))
    of_whom = ("--attribute", "title", "--person", account.owner)

    shown, data = shell("reexport", *of_whom, "--dry-run"), shell("reexport", *of_whom, "--dry-run", "-f", "json")
    done = shell("reexport", *of_whom, "--yes")

    assert (shown.code, data.code, done.code) == (2, 2, 0)
    assert account.owner in shown.out
    assert accounts(settled)[0].attributes == account.attributes


def test_whose_attribute_is_sent_again_has_to_be_said(settled: Path, shell: Shell):
    """In one way, and by names that there are."""
    everybody = shell("reexport", "--attribute", "title", "--yes")
    unknown = shell("reexport", "--attribute", "titel", "--rule", "x", "--yes")

    assert settled.exists()
    assert everybody.code == 2
    assert (unknown.code, "no attribute 'titel'" in unknown.err) == (1, True)
