"""The audit in the shell."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from eadm_sync.app.context import open_context
from eadm_sync.clock import SystemClock

if TYPE_CHECKING:
    from .conftest import Shell


def tamper(*statements: str) -> None:
    """Does what somebody can do who owns the database."""
    context = open_context(Path("config.yaml"), SystemClock())
    with context.writing() as database, database.write() as connection:
        for name in ("audit_no_delete", "audit_no_update", "audit_details"):
            connection.execute(text(f"DROP TRIGGER {name}"))
        for statement in statements:
            connection.execute(text(statement))


@pytest.mark.usefixtures("settled")
def test_the_list_is_the_same_in_every_form(shell: Shell) -> None:
    """The earliest first: a table, JSON, and CSV for a spreadsheet."""
    table, found = shell("audit", "list"), shell("audit", "list", "-f", "json").json
    rows = list(csv.DictReader(io.StringIO(shell("audit", "list", "-f", "csv").out)))

    assert table.code == 0
    assert len(table.rows) == len(found) == len(rows) > 3
    assert [row["id"] for row in rows] == [str(one["id"]) for one in found]
    assert [row["object"] for row in rows] == [one["object"] for one in found]
    assert next(one["detail"]["diff"] for one in found if one["kind"] == "ruleset").startswith("--- ")


@pytest.mark.usefixtures("settled")
def test_the_list_can_be_narrowed(shell: Shell) -> None:
    """By whom, what, where and when; what is given must all hold."""
    everything = shell("audit", "list", "-f", "json").json
    accounts = shell("audit", "list", "--kind", "account", "--action", "create", "-f", "json").json
    (person,) = {one["person"] for one in accounts[:1]}
    theirs = shell("audit", "list", "--person", person, "--since", "2020-01-01", "-f", "json").json

    assert accounts == [one for one in everything if (one["kind"], one["action"]) == ("account", "create")]
    assert theirs == [one for one in everything if one["person"] == person]
    assert shell("audit", "list", "--until", "2020-01-01", "-f", "json").json == []
    assert shell("audit", "list", "--actor", "eadm-sync", "--target", "nowhere", "-f", "json").json == []


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(
    "words", [("list", "--since", "yesterday"), ("as-of", "31.12.2026"), ("verify", "--expect", "x")]
)
def test_what_is_no_date_or_digest_is_refused(shell: Shell, words: tuple[str, ...]) -> None:
    """With an example of what would be right."""
    ended = shell("audit", *words)
    assert ended.code == 2
    assert "is no d" in ended.err


@pytest.mark.usefixtures("settled")
def test_verify_names_the_first_line_at_fault(shell: Shell) -> None:
    """And ends with 1; with 0 where all is as it was written."""
    assert shell("audit", "verify").code == 0
    tamper("UPDATE audit SET actor = 'nobody' WHERE id = 3")

    ended = shell("audit", "verify")
    assert ended.code == 1
    assert ended.err.startswith("error: line 3 (")
    assert shell("audit", "verify", "-f", "json").json["faults"][0]["line"] == 3


@pytest.mark.usefixtures("settled")
def test_what_a_checkpoint_printed_is_there_later(shell: Shell) -> None:
    """And where it is not, that is told: somebody cut off the end."""
    digest = shell("audit", "checkpoint").out.strip()

    assert shell("audit", "verify", "--expect", digest).code == 0
    ended = shell("audit", "verify", "--expect", digest, "--expect", "00" * 32)
    assert (ended.code, ended.err) == (1, f"error: no line has the digest {'00' * 32}\n")


@pytest.mark.usefixtures("settled")
def test_as_of_tells_who_had_what(shell: Shell) -> None:
    """Nothing on a day before the first run; today what every target holds."""
    assert shell("audit", "as-of", "2020-01-01", "-f", "json").json == []
    found = shell("audit", "as-of", "2999-12-31", "-f", "json").json
    accounts = [one for one in found if one["kind"] == "account"]
    assert accounts
    assert {one["state"] for one in accounts} <= {"enabled", "disabled"}

    (first, *_) = accounts
    theirs = shell("audit", "as-of", "2999-12-31T12:00:00", "--person", first["person"], "-f", "csv")
    rows = list(csv.DictReader(io.StringIO(theirs.out)))
    assert {row["person"] for row in rows} == {first["person"]}
    assert [row["name"] for row in rows if row["kind"] == "account"] == [first["name"]]


@pytest.mark.usefixtures("settled")
def test_a_name_is_no_formula_in_csv(shell: Shell) -> None:
    """Spreadsheets would run it."""
    tamper("UPDATE audit SET actor = '=1+1' WHERE id = 1")
    (row, *_) = csv.DictReader(io.StringIO(shell("audit", "list", "-f", "csv").out))
    assert row["actor"] == "'=1+1"
