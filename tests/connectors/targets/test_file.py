"""What the file target leaves in its folder, and when."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.contract import Action, Kind, Operation, Value
from connectors.errors import Rejected, Unavailable
from connectors.file import FileOptions, connector
from connectors.file.target import JOURNAL, FileTarget

Opener = Callable[..., FileTarget]


@pytest.fixture
def opened(tmp_path: Path) -> Opener:
    """Opens the folder of this test with the settings given."""

    def open_it(**settings: Any) -> FileTarget:
        assert connector.open_target
        target = connector.open_target(FileOptions(path=".", **settings), tmp_path)
        assert isinstance(target, FileTarget)
        return target

    return open_it


def create(name: str, kind: Kind = Kind.ACCOUNT, key: str = "username", **attributes: Value) -> Operation:
    """The creation of an account or a group."""
    return Operation(f"create-{kind}-{name}", kind, Action.CREATE, attributes={key: name, **attributes})


def table(path: Path, **reading: Any) -> list[dict[str, str]]:
    """The rows of a CSV file by column, without the anchors, which are random."""
    with path.open(newline="", encoding=reading.pop("encoding", "utf-8")) as file:
        rows = list(csv.DictReader(file, **reading))
    return [{name: cell for name, cell in row.items() if name not in ("anchor", "account", "group")} for row in rows]


def populate(target: FileTarget) -> tuple[str, str]:
    """One account with one licence in one group, which is in itself in another; the anchors of account and group."""
    people = [create("åse", mails=["b", "a|c"])]
    groups = [create("5A", Kind.GROUP, "name", year=5), create("elever", Kind.GROUP, "name")]
    account, group, above = (str(outcome.anchor) for outcome in target.apply([*people, *groups]))
    links = [
        Operation("m", Kind.MEMBERSHIP, Action.CREATE, anchor=group, account=account),
        Operation("l", Kind.LICENCE, Action.CREATE, account=account, sku="A3"),
        Operation("n", Kind.NESTING, Action.CREATE, anchor=above, member=group),
    ]
    assert [outcome.error for outcome in target.apply(links)] == [None, None, None]
    return account, group


# ---------------------------------------------------------------- full


def test_full_csv_files_hold_everything(opened: Opener, tmp_path: Path) -> None:
    """One file a kind, each with its header; links name both ends."""
    with opened(default_container="Skole") as target:
        populate(target)
    assert table(tmp_path / "accounts.csv") == [
        {"container": "Skole", "enabled": "true", "username": "åse", "mails": "a\\|c|b"}
    ]
    assert table(tmp_path / "groups.csv") == [
        {"container": "Skole", "name": "5A", "year": "5"},
        {"container": "Skole", "name": "elever", "year": ""},
    ]
    assert table(tmp_path / "memberships.csv") == [{"group_name": "5A", "account_name": "åse", "role": "member"}]
    assert table(tmp_path / "licences.csv") == [{"account_name": "åse", "sku": "A3"}]
    (nesting,) = table(tmp_path / "nestings.csv")
    assert (nesting["group_name"], nesting["member_name"]) == ("elever", "5A")


def test_full_json_lines_keep_types(opened: Opener, tmp_path: Path) -> None:
    """Lists stay lists and numbers numbers."""
    with opened(format="jsonl") as target:
        account, group = populate(target)
    lines = {path.name: json.loads(path.read_text("utf-8").splitlines()[0]) for path in tmp_path.glob("*.jsonl")}
    assert lines["accounts.jsonl"]["attributes"] == {"username": "åse", "mails": ["a|c", "b"]}
    assert lines["groups.jsonl"]["attributes"] == {"name": "5A", "year": 5}
    assert (lines["memberships.jsonl"]["account"], lines["memberships.jsonl"]["group"]) == (account, group)
    assert lines["licences.jsonl"]["sku"] == "A3"
    assert lines["nestings.jsonl"]["member"] == group


def test_columns_delimiter_and_encoding_are_chosen(opened: Opener, tmp_path: Path) -> None:
    """A receiver gets the columns it knows, in its order; a missing value is an empty cell."""
    settings = {"columns": ["mail", "username"], "delimiter": ";", "encoding": "latin-1"}
    with opened(**settings) as target:
        list(target.apply([create("åse", title="lærer")]))
        (refused,) = target.apply([create("čearru")])
        assert isinstance(refused.error, Rejected)
        assert refused.error.attribute == "username"
    text = (tmp_path / "accounts.csv").read_text("latin-1")
    assert text.splitlines()[0] == "anchor;container;enabled;mail;username"
    assert text.splitlines()[1].endswith(";;true;;åse")


# Rows: what a spreadsheet takes for a formula; what it does not.
@pytest.mark.parametrize(
    ("value", "safe"),
    [
        ("=1+1", "'=1+1"),
        ("+4799999999", "'+4799999999"),
        ("-x", "'-x"),
        ("@SUM", "'@SUM"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        (["=1", "b"], "'=1|b"),
        (-5, "-5"),
        ("a=1", "a=1"),
    ],
)
def test_formulas_are_defused(opened: Opener, tmp_path: Path, value: Value, safe: str) -> None:
    """A display name cannot make a spreadsheet run something, unless the receiver wants values as they are."""
    with opened() as target:
        list(target.apply([create("x", note=value)]))
    assert table(tmp_path / "accounts.csv")[0]["note"] == safe
    with opened(escape_formulas=False) as target:
        assert list(target.apply([])) == []
    assert table(tmp_path / "accounts.csv")[0]["note"] == safe.removeprefix("'")


def test_a_reader_never_sees_half_a_file(opened: Opener, tmp_path: Path) -> None:
    """While files are replaced again and again, whoever opens one finds all of a former or a later state."""
    with opened() as target:
        list(target.apply([create(f"user{number}") for number in range(1000)]))
    script = (
        "import sys; from pathlib import Path\n"
        "from connectors.contract import *; from connectors.file import connector\n"
        "for n in range(15):\n"
        "  with connector.open_target(connector.options(path='.'), Path(sys.argv[1])) as target:\n"
        "    new = Operation(f'n{n}', Kind.ACCOUNT, Action.CREATE, attributes={'username': f'new{n}'})\n"
        "    list(target.apply([new]))\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)])
    seen = [table(tmp_path / "accounts.csv")]
    while writer.poll() is None:
        seen.append(table(tmp_path / "accounts.csv"))
    assert writer.returncode == 0
    for rows in seen:
        assert [row["username"] for row in rows[:1000]] == [f"user{number}" for number in range(1000)]
    assert len(table(tmp_path / "accounts.csv")) == 1015


def test_files_follow_while_the_target_stays_open(opened: Opener, tmp_path: Path) -> None:
    """A daemon does not have to close a target for its files to appear."""
    target = opened(render_delay_seconds=0.01)
    list(target.apply([create("åse")]))
    deadline = time.monotonic() + 10
    while not (tmp_path / "licences.csv").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [row["username"] for row in table(tmp_path / "accounts.csv")] == ["åse"]
    target.close()


def test_files_that_a_killed_process_owed_are_made_later(opened: Opener, tmp_path: Path) -> None:
    """The journal outlives the kill, and even an empty batch brings the files up to it."""
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "from connectors.contract import *; from connectors.file import connector\n"
        "target = connector.open_target(connector.options(path='.', render_delay_seconds=60), Path(sys.argv[1]))\n"
        "list(target.apply([Operation('1', Kind.ACCOUNT, Action.CREATE, attributes={'username': 'x'})]))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    process = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "accounts.csv").exists()
    with opened() as target:
        list(target.apply([]))
    assert [row["username"] for row in table(tmp_path / "accounts.csv")] == ["x"]


def test_nothing_is_written_where_nothing_changed(opened: Opener, tmp_path: Path) -> None:
    """A repeated batch leaves the files alone, and so does reading."""
    with opened() as target:
        list(target.apply([create("x")]))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.csv")}
    with opened() as target:
        target.check()
        list(target.read(Kind.ACCOUNT))
        list(target.apply([create("x")]))
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.csv")} == before


def test_files_without_their_journal_are_not_replaced(opened: Opener, tmp_path: Path) -> None:
    """A lost journal would otherwise leave the receiver a file with nobody in it but the newest."""
    with opened() as target:
        list(target.apply([create("x")]))
    before = (tmp_path / "accounts.csv").read_bytes()
    for file in tmp_path.glob(f"{JOURNAL}*"):
        file.unlink()
    with opened() as target:
        for use in (target.check, lambda: list(target.apply([create("y")]))):
            with pytest.raises(Unavailable):
                use()
    assert (tmp_path / "accounts.csv").read_bytes() == before


def test_a_file_that_cannot_be_written_is_owed(opened: Opener, tmp_path: Path) -> None:
    """The error is told when the target is closed, and the next opening makes up for it."""
    with opened() as target:
        list(target.apply([create("x")]))
    (tmp_path / "accounts.csv").unlink()
    (tmp_path / "accounts.csv").mkdir()  # a folder stands where the file shall be
    target = opened()
    list(target.apply([create("y")]))
    with pytest.raises(Unavailable):
        target.close()
    (tmp_path / "accounts.csv").rmdir()
    with opened() as again:
        list(again.apply([]))
    assert [row["username"] for row in table(tmp_path / "accounts.csv")] == ["x", "y"]
    assert not list(tmp_path.glob(".*.tmp"))


# ---------------------------------------------------------------- changes


def test_each_batch_has_a_file_of_its_own(opened: Opener, tmp_path: Path) -> None:
    """Numbered in their order, never used twice; a batch that changed nothing has none."""
    with opened(mode="changes") as target:
        list(target.apply([create("x")]))
        list(target.apply([create("x")]))
        list(target.apply([create("y")]))
    (tmp_path / "changes-000002.csv").unlink()  # the receiver has taken it
    with opened(mode="changes") as target:
        list(target.apply([create("z")]))
    assert sorted(path.name for path in tmp_path.glob("*.csv")) == ["changes-000001.csv", "changes-000003.csv"]
    assert [row["username"] for row in table(tmp_path / "changes-000003.csv")] == ["z"]


def test_a_change_says_what_was_done_and_how_it_is_now(opened: Opener, tmp_path: Path) -> None:
    """Create, change, disable, delete, with the names of what changed."""
    with opened(mode="changes") as target:
        (made,) = target.apply([create("x", title="a")])
        title: dict[str, Value] = {"title": None, "phone": "1"}
        for number, (action, attributes) in enumerate(
            [(Action.UPDATE, title), (Action.DISABLE, {}), (Action.DELETE, {})]
        ):
            operation = Operation(str(number), Kind.ACCOUNT, action, anchor=made.anchor, attributes=attributes)
            assert [outcome.error for outcome in target.apply([operation])] == [None]
    rows = [table(tmp_path / f"changes-00000{number}.csv")[0] for number in range(1, 5)]
    assert [(row["action"], row["changed"]) for row in rows] == [
        ("create", ""),
        ("update", "phone|title"),
        ("update", "enabled"),
        ("delete", ""),
    ]
    assert [row.get("phone") for row in rows] == [None, "1", "1", None]
    assert [row.get("title") for row in rows] == ["a", None, None, None]


def test_changes_that_a_killed_process_owed_are_published(opened: Opener, tmp_path: Path) -> None:
    """The file is in the journal from the moment on that the change is."""
    with opened(mode="changes") as target, target._transaction() as connection:
        target._carry_out(connection, [create("x")])
    assert list(tmp_path.glob("*.csv")) == []
    with opened(mode="changes") as target:
        list(target.apply([]))
    assert [row["username"] for row in table(tmp_path / "changes-000001.csv")] == ["x"]


def test_json_lines_tell_of_links(opened: Opener, tmp_path: Path) -> None:
    """Memberships, licences and nestings are rows among the others."""
    with opened(mode="changes", format="jsonl") as target:
        account, group = populate(target)
    lines = [json.loads(line) for line in (tmp_path / "changes-000002.jsonl").read_text("utf-8").splitlines()]
    nesting = lines.pop()
    assert (nesting["kind"], nesting["member"]) == ("nesting", group)
    assert lines == [
        {
            "action": "create",
            "kind": "membership",
            "anchor": f"{group}/{account}",
            "group": group,
            "account": account,
            "role": "member",
            "changed": [],
        },
        {
            "action": "create",
            "kind": "licence",
            "anchor": f"{account}/A3",
            "account": account,
            "sku": "A3",
            "changed": [],
        },
    ]


# ---------------------------------------------------------------- settings


@pytest.mark.parametrize("settings", [{"format": "ldif"}, {"encoding": "klingon"}, {"delimiter": ";;"}])
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any]) -> None:
    """LDIF needs a base, CSV a known encoding and one delimiter."""
    with pytest.raises(ValidationError):
        FileOptions(path=".", **settings)


def test_attribute_names_that_a_format_cannot_hold_are_refused(opened: Opener) -> None:
    """LDAP knows no spaces in names; a header no line break."""
    for settings, name in [({"format": "ldif", "base_dn": "dc=x"}, "home phone"), ({}, "home\nphone")]:
        with opened(**settings) as target:
            (outcome,) = target.apply([create("x", **{name: "1"})])
            assert isinstance(outcome.error, Rejected)
            assert outcome.error.attribute == name
