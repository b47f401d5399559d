"""correlate and what is said about a match, as typed."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import Action, Kind, Operation
from connectors.embedded import open_target
from connectors.embedded.options import EmbeddedOptions

_CORRELATION = """    correlation:
      rules:
        - {match: employee_id, to: "{{ person.employee_number }}"}
"""


@pytest.fixture
def filled(fresh: Path) -> dict[str, str]:
    """A new installation whose directory holds two accounts of one person and a stranger's; anchors by name."""
    config = fresh / "config.yaml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("    unique: [mail]\n", f"    unique: [mail]\n{_CORRELATION}"), encoding="utf-8")
    numbers = (fresh / "data" / "people.csv").read_text(encoding="utf-8").splitlines()
    first, second = numbers[1].split(";")[0], numbers[2].split(";")[0]
    options = EmbeddedOptions(path="var/directory.db", unique=("mail",))
    accounts = [
        {"username": "one", "employee_id": first, "mail": "old@x.example"},
        {"username": "two", "employee_id": second},
        {"username": "three", "employee_id": second},
        {"username": "=stranger"},
    ]
    with open_target(options, fresh) as target:
        made = target.apply(
            [
                Operation(str(number), Kind.ACCOUNT, Action.CREATE, attributes=attributes, enabled=True)
                for number, attributes in enumerate(accounts)
            ]
        )
        anchors = [outcome.anchor or "" for outcome in made]
    names = [str(account["username"]) for account in accounts]
    return {**dict(zip(names, anchors, strict=True)), "first": f"hr:{first}", "second": f"hr:{second}"}


def test_a_table_says_what_would_become_of_each_account(filled: dict[str, str], shell: Any) -> None:
    """By what becomes of it, with what would change; and the exit code says that somebody's word is waited for."""
    shown = shell("correlate")

    assert shown.code == 3
    assert "directory: 1 account to be adopted" in shown.out
    assert "directory: 2 accounts ambiguous, waiting for your word" in shown.out
    assert "directory: 1 account nobody's, left alone" in shown.out
    assert "mail: old@x.example → one@eksempel.example" in shown.out
    assert filled["first"] in shown.out


def test_csv_has_every_account_and_no_formulas(filled: dict[str, str], shell: Any) -> None:
    """One row each, for whoever reviews it in a spreadsheet."""
    shown = shell("correlate", "--target", "directory", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(shown.out)))

    assert [(row["state"], row["person"]) for row in rows] == [
        ("adopt", filled["first"]),
        ("ambiguous", filled["second"]),
        ("ambiguous", filled["second"]),
        ("unmatched", ""),
    ]
    assert (rows[0]["found by"], rows[0]["anchor"]) == ("employee_id", filled["one"])
    assert rows[-1]["account"] == "'=stranger"


def test_from_an_ambiguous_match_to_an_account(filled: dict[str, str], shell: Any) -> None:
    """Accepted, forgotten, accepted again, and adopted by the next run; then there is nothing more to do."""
    words = (filled["second"], filled["three"], "--target", "directory", "--reason", "asked her")
    accepted = shell("correlate", "accept", *words)
    forgotten = shell("correlate", "forget", *words)
    again = shell("correlate", "accept", *words, "--format", "json")
    synced = shell("sync", "--yes")
    rejected = shell("correlate", "reject", filled["second"], filled["two"], "--target", "directory", "--reason", "old")
    after = shell("correlate", "--format", "json")

    assert (accepted.code, "three is taken under management for" in accepted.out) == (0, True)
    assert (forgotten.code, "nothing is said any more" in forgotten.out) == (0, True)
    assert (again.json["decision"], again.json["account"]) == ("accept", "three")
    assert (synced.code, rejected.code) == (0, 0)
    assert after.code == 0
    assert {line["state"] for line in after.json["lines"]} == {"unmatched"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        # no such account, and its name in place of its anchor
        (("accept", "{first}", "nothing", "--target", "directory"), "no account in scope that nobody has 'nothing'"),
        (("accept", "{first}", "two", "--target", "directory"), "is it one of {two}?"),
        # no such target, no such person
        (("leave", "{first}", "{two}", "--target", "nowhere"), "no target 'nowhere'"),
        (("leave", "hr:nobody", "{two}", "--target", "directory"), "no person 'hr:nobody'"),
    ],
)
def test_what_is_not_there_is_told_of(filled: dict[str, str], shell: Any, words: tuple[str, ...], said: str) -> None:
    """With what comes close."""
    told = shell("correlate", *(word.format(**filled) for word in words), "--reason", "a test")

    assert told.code == 1
    assert said.format(**filled) in told.err


@pytest.mark.usefixtures("fresh")
def test_a_target_without_correlation_has_nothing_to_show(shell: Any) -> None:
    """Nothing is taken over there; and asked for by name, that is said."""
    shown, named = shell("correlate"), shell("correlate", "--target", "directory")

    assert (shown.code, "No account in scope" in shown.out) == (0, True)
    assert (named.code, "no target with correlation 'directory'" in named.err) == (1, True)


def test_a_target_that_cannot_be_read_is_told_of(filled: dict[str, str], shell: Any) -> None:
    """And the exit code is that of a failure."""
    assert filled
    Path("var/directory.db").write_text("no database, whatever its name may say" * 50, encoding="utf-8")

    shown = shell("correlate")

    assert (shown.code, "directory: what is there cannot be read" in shown.err) == (1, True)


@pytest.mark.usefixtures("fresh")
def test_who_has_no_correlation_is_told_so(shell: Any) -> None:
    """Not only that there is nothing to do: a setting that was forgotten looks the same else."""
    shown = shell("correlate")

    assert shown.code == 0
    assert "no target has `correlation`" in shown.err
