"""First passwords in the shell."""

from __future__ import annotations

import csv
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.contract import Kind, RemoteObject
from eadm_sync.app.context import open_context
from eadm_sync.app.passwords import Holder, Shown
from eadm_sync.app.starting import start
from eadm_sync.app.syncing import sync
from eadm_sync.cli.showing.passwords import as_csv, as_html
from eadm_sync.clock import SystemClock
from eadm_sync.state.passwords import Kept, Secret

from .conftest import Shell

WHY = ("--reason", "passport seen")


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The starter installation, whose accounts get passwords, after its first run."""
    start(tmp_path)
    config, rules = tmp_path / "config.yaml", tmp_path / "rulesets" / "employees.yaml"
    _edit(config, "    unique: [mail]\n", "    unique: [mail]\n    passwords: true\n")
    _edit(rules, "accounts:\n", "passwords: {staff: {}}\n\naccounts:\n")
    _edit(rules, "rule: employee\n", "rule: employee\n    password: staff\n")
    sync(open_context(config, SystemClock()), lambda _: True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.usefixtures("office")
def test_a_password_is_shown_and_audited(shell: Shell):
    """With the account it is for; without a reason there is none."""
    told = shell("password", "show", "hr:1001", *WHY)
    found = shell("password", "show", "1001", *WHY, "--format", "json").json
    assert told.code == 0
    assert f"password: {found['password']}" in told.out
    assert found["accounts"] == {"directory": "karnor"}
    lines = shell("audit", "list", "--kind", "password", "--action", "show", "--format", "json")
    assert len(lines.json) == 2
    assert "passport seen" in lines.out
    assert found["password"] not in lines.out
    assert shell("password", "show", "hr:1001").code == 2
    assert shell("password", "show", "hr:1001", "--reason", " ").code == 1


@pytest.mark.usefixtures("office")
def test_a_plan_says_who_gets_a_password(shell: Shell, office: Path):
    """And not which."""
    with (office / "data" / "people.csv").open("a", encoding="utf-8") as file:
        file.write("1007;Siri;Aas;110;Rådgiver;100;2020-01-01;\n")
    assert "+ directory: create account, with a first password" in shell("plan").out


@pytest.mark.usefixtures("office")
def test_a_list_tells_no_password(shell: Shell):
    """On the screen there is only who has one."""
    secret = shell("password", "show", "hr:1001", *WHY, "--format", "json").json["password"]
    told = shell("password", "list", "--unit", "100")
    assert told.code == 0
    assert len(told.rows) == 6
    assert secret not in told.out
    assert len(shell("password", "list", "--unit", "120", "--format", "json").json) == 3


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), 2),
        (("--unit", "100", "--class-group", "5A"), 2),
        (("--unit", "100", "--csv", "a.csv", "--html", "a.html"), 2),
        (("--unit", "none"), 1),
        (("--class-group", "none"), 1),
        # no reason
        (("--unit", "100", "--csv", "a.csv"), 1),
    ],
)
def test_a_wrong_list_leaves_no_file(office: Path, shell: Shell, words: tuple[str, ...], code: int):
    """Neither a half one nor an empty one."""
    assert shell("password", "list", *words).code == code
    assert not list(office.glob("a.*"))


def test_a_file_of_passwords_is_its_owners_alone(office: Path, shell: Shell):
    """It is new, holds one row for each, and each of them is audited as listed."""
    ended = shell("password", "list", "--unit", "120", "--csv", "a.csv", *WHY)
    assert ended.code == 0
    assert "3 passwords" in ended.out
    assert stat.S_IMODE((office / "a.csv").stat().st_mode) == 0o600
    rows = list(csv.DictReader((office / "a.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["name"] for row in rows] == ["Anne-Lise O'Connor", "Bjørn Sæther", "Mehmet Yılmaz"]
    assert len({row["password"] for row in rows}) == 3
    assert len(shell("audit", "list", "--kind", "password", "--action", "list", "--format", "json").json) == 3
    again = shell("password", "list", "--unit", "120", "--csv", "a.csv", *WHY)
    assert again.code == 1
    assert "exists" in again.err


def test_a_page_of_slips_can_be_printed(office: Path, shell: Shell):
    """One for each person."""
    assert shell("password", "list", "--unit", "120", "--html", "a.html", *WHY).code == 0
    page = (office / "a.html").read_text(encoding="utf-8")
    assert page.count("<section>") == 3
    assert "Anne-Lise O&#x27;Connor" in page


def test_nothing_in_data_becomes_markup_or_a_formula():
    """Names come from HR's files."""
    kept = Kept("hr:1", "staff", "", None, "", None, None, None, None)
    holder = Holder("hr:1", "=cmd()|<script>", "<b>", {"ad": "@x"}, kept)
    found = [Shown(holder, Secret("Aa23456789"))]
    assert "<script>" not in as_html(found)
    (row,) = list(csv.reader(as_csv(found).splitlines()))[1:]
    assert row == ["<b>", "'=cmd()|<script>", "'@x", "Aa23456789"]


@pytest.mark.usefixtures("office")
def test_a_reset_is_asked_about(shell: Shell, monkeypatch: pytest.MonkeyPatch):
    """It shows what it would do; no is no."""
    monkeypatch.setattr("eadm_sync.cli.commands.password.require_terminal", lambda _: None)
    monkeypatch.setattr("eadm_sync.cli.commands.password.ask", _answer("no"))
    before = shell("password", "show", "hr:1001", *WHY, "--format", "json").json["password"]
    declined = shell("password", "reset", "hr:1001", "--reason", "forgotten")
    assert declined.code == 4
    assert "directory: update account, with another password" in declined.out
    assert shell("password", "show", "hr:1001", *WHY, "--format", "json").json["password"] == before
    done = shell("password", "reset", "hr:1001", "--reason", "forgotten", "--yes")
    assert done.code == 0
    assert shell("password", "show", "hr:1001", *WHY, "--format", "json").json["password"] != before


@pytest.mark.usefixtures("office")
def test_without_a_terminal_a_reset_needs_a_yes(shell: Shell):
    """Nobody can be asked in a pipe."""
    ended = shell("password", "reset", "hr:1001", "--reason", "forgotten")
    assert ended.code == 1
    assert "--yes" in ended.err


def test_a_reset_that_waits_is_told(office: Path, shell: Shell):
    """It is in the queue, with its person, and the password cannot be shown before it is made."""
    done = shell("password", "reset", "hr:1001", "--reason", "forgotten", "--yes", "--no-deliver")
    assert done.code == 0
    (waiting,) = shell("queue", "list", "--format", "json").json
    assert waiting["object_key"] == "account:hr:1001"
    assert f"{waiting['id']}  directory: update account: ready" in shell("explain", "hr:1001").out
    refused = shell("password", "show", "hr:1001", *WHY)
    assert refused.code == 1
    assert "replaced" in refused.err
    assert shell("deliver").code == 0
    assert shell("password", "show", "hr:1001", *WHY).code == 0
    with open_context(office / "config.yaml", SystemClock()).make_target("directory") as target:
        assert all(one.enabled for one in target.read(Kind.ACCOUNT) if isinstance(one, RemoteObject))


@pytest.mark.usefixtures("office")
def test_a_password_is_destroyed(shell: Shell):
    """Once; after that it says so."""
    assert shell("password", "destroy", "hr:1001", "--reason", "handed over").out == "destroyed\n"
    assert shell("password", "destroy", "hr:1001", "--reason", "handed over").out == "there was none\n"
    assert "password reset hr:1001" in shell("password", "show", "hr:1001", *WHY).err


def _answer(word: str) -> Callable[[str], bool]:
    return lambda _: word == "yes"
