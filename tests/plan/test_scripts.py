"""Programs that follow changes to accounts: what is planned, run, owed, and run again."""

from __future__ import annotations

import json
import os
import stat
from datetime import date, timedelta
from typing import Any, Protocol

import pytest
import yaml
from sqlalchemy import select

from connectors.contract import Kind
from eadm_sync.app.context import open_context
from eadm_sync.app.delivering import deliver_all
from eadm_sync.app.explaining import Explained, explained
from eadm_sync.app.history import history_of_account
from eadm_sync.app.queueing import item, listed
from eadm_sync.cli.showing.explanation import lines
from eadm_sync.cli.showing.queue import show_item
from eadm_sync.errors import ConfigError
from eadm_sync.state import tables
from eadm_sync.state.scripts import load_scripts

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the programs of these tests are shell scripts")

LATER = date(2026, 8, 18)
KARI = "1;Kari;Li;employee;11"

_RULES = """
accounts:
  - rule: staff
    target: ad
    attributes: {name: "{{ person.given_name | slug }}", unit: "{{ affiliation.unit.code }}"}
    after:
"""
HOME = """
      - script: home
        on: [create, restore, rename]
        arguments: ["{{ account.name }}", "{{ affiliation.unit.code }}"]
"""
AWAY = """
      - {script: home, name: away, on: [disable, delete], arguments: ["{{ event }}", "{{ account.name }}"]}
"""
LOG = 'for word in "$EADM_EVENT" "$@"; do printf "%s|" "$word"; done >> log; echo >> log\n'


class Office(Protocol):
    """What these tests need of the fixture of that name."""

    folder: Any
    clock: Any
    lines: list[tuple[str, ...]]
    held: list[tuple[str, ...]]
    problems: dict[str, str]

    def people(self, *rows: str) -> Office: ...
    def rules(self, text: str) -> Office: ...
    def on(self, day: date) -> Office: ...
    def sync(self, **options: Any) -> Any: ...
    def objects(self, kind: Kind, target: str = "ad") -> list[Any]: ...


def program(office: Office, body: str, **settings: Any) -> None:
    """Writes the program that the configuration calls `home`."""
    path = office.folder / "bin" / "home"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(stat.S_IRWXU)
    config = office.folder / "config.yaml"
    data = yaml.safe_load(config.read_text(encoding="utf-8"))
    data["scripts"] = {"home": {"program": str(path), **settings}}
    config.write_text(yaml.safe_dump(data), encoding="utf-8")


def log(office: Office) -> list[str]:
    """What the program was run with, run by run."""
    path = office.folder / "log"
    return path.read_text(encoding="utf-8").split() if path.exists() else []


def dead(office: Office) -> list[str]:
    """What is said of dead letters."""
    context = open_context(office.folder / "config.yaml", office.clock)
    return [str(one.last_error) for one in listed(context, phase="dead").items]


def known(office: Office) -> dict[tuple[str, str], Any]:
    """What the state has of the scripts of the first person."""
    context = open_context(office.folder / "config.yaml", office.clock)
    with context.reading() as database, database.read() as connection:
        return load_scripts(connection, context.vault, ["hr:1"]).get("hr:1", {})


def audited(office: Office) -> list[str]:
    """The audit's words for programs that were run."""
    context = open_context(office.folder / "config.yaml", office.clock)
    with context.reading() as database, database.read() as connection:
        audit = tables.audit.c
        return list(connection.scalars(select(audit.action).where(audit.kind == "script").order_by(audit.id)))


def test_program_follows_the_account_once(office: Office):
    """It is planned with the account, run behind it, kept account of, and not run by a second run."""
    program(office, LOG + "echo made")
    office.people(KARI).rules(_RULES + HOME).sync()

    assert ("hr:1", "ad", "script", "create") in office.lines
    assert log(office) == ["create|kari|11|"]
    one = known(office)["ad", "home"]
    assert (one.owed, one.outcome.code, one.outcome.output) == (None, 0, "made\n")
    assert audited(office) == ["run"]

    office.on(LATER).sync()
    assert (office.lines, log(office)) == ([], ["create|kari|11|"])


def told(office: Office) -> list[str]:
    """What `explain` says of programs."""
    found = explained(open_context(office.folder / "config.yaml", office.clock), "hr:1")
    assert isinstance(found, Explained)
    words = list(lines(found, every_rule=False))
    return words[at + 1 : at + 3] if (at := next((i for i, one in enumerate(words) if "Programs" in one), 0)) else []


def test_explanation_names_programs_with_what_came_of_them(office: Office):
    """By which rule, behind what, how the last time ended; and what is still to be run."""
    program(office, "exit 3")
    office.people(KARI).rules(_RULES + HOME + AWAY).sync()

    assert told(office) == [
        "  ad away: after delete, disable, by r/staff; never run",
        "  ad home: after create, rename, restore, by r/staff; run 2026-08-17 04:00 UTC, exit code 3, still to be run",
    ]
    office.rules(_RULES.replace("    after:\n", "")).sync()
    assert told(office)[0].startswith("  ad home: once asked for by r/staff; run 2026-08-17 04:00 UTC, exit code 3")


def test_rename_runs_it_again(office: Office):
    """With what the account is called from then on."""
    program(office, LOG)
    office.people(KARI).rules(_RULES + HOME).sync()

    office.people("1;Anne;Li;employee;12").on(LATER).sync()

    assert log(office) == ["create|kari|11|", "rename|anne|12|"]


def test_leaver_is_seen_off_by_what_the_account_held(office: Office):
    """Nothing gives the account any more, and what it was called is still known; at its deletion, too."""
    program(office, LOG)
    rules = _RULES + AWAY + "lifecycle: {retention_days: 10}\n"
    office.people(KARI, "2;Ola;By;employee;11").rules(rules).sync()

    office.people("2;Ola;By;employee;11").on(LATER).sync()
    office.on(date(2026, 9, 30)).sync(released=frozenset({"ad.account.delete"}))

    assert log(office) == ["disable|disable|kari|", "delete|delete|kari|"]
    assert known(office) == {}


def test_failure_is_a_dead_letter_and_still_owed(office: Office):
    """What the program said is kept sealed, and a plan that looks at the person again tries anew."""
    program(office, "echo Kari is wrong; exit 3")
    office.people(KARI).rules(_RULES + HOME).sync()

    assert dead(office) == ["Rejected: ended with exit code 3"]
    one = known(office)["ad", "home"]
    assert json.loads(one.owed)["arguments"] == ["kari", "11"]
    assert (one.outcome.code, one.outcome.output) == (3, "Kari is wrong\n")
    assert audited(office) == ["fail"]
    assert b"Kari is wrong" not in b"".join(path.read_bytes() for path in office.folder.glob("state.db*"))

    program(office, LOG)
    office.people("1;Kari;Li;employee;12").on(LATER).sync()
    assert log(office) == ["create|kari|12|"]
    assert dead(office) == []


def test_temporary_failure_is_tried_again(office: Office):
    """By the exit code that the configuration says."""
    program(office, LOG + "test -f second || { touch second; exit 9; }", try_later=9)
    office.people(KARI).rules(_RULES + HOME)

    def sleep(seconds: float) -> None:
        office.clock.moment += timedelta(minutes=seconds)

    office.sync(deliver=False)
    context = open_context(office.folder / "config.yaml", office.clock)
    with context.writing() as database:
        deliver_all(context, database, patience_seconds=60, sleep=sleep)

    assert log(office) == ["create|kari|11|", "create|kari|11|"]
    assert audited(office) == ["fail", "run"]


def test_time_limit_ends_it(office: Office):
    """With its children; it is tried again later."""
    program(office, "sleep 60 & sleep 60", time_limit="1s")
    office.people(KARI).rules(_RULES + HOME).sync()

    assert known(office)["ad", "home"].outcome.code < 0
    assert audited(office) == ["fail"]


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("--help", "begin with a dash"),
        ("\N{EN DASH}rf", "begin with a dash"),  # PowerShell takes it for the plain one
        ("", "be empty"),  # rm -rf "/home/$1" would be the end of everybody's
    ],
)
def test_hostile_argument_is_refused_when_planned(office: Office, name: str, fault: str):
    """The account is made all the same, and nothing is run."""
    program(office, LOG)
    rules = _RULES + '      - {script: home, on: create, arguments: ["{{ person.family_name }}"]}\n'
    office.people(f"1;Kari;{name};employee;11").rules(rules).sync()

    assert office.lines == [("hr:1", "ad", "account", "create")]
    assert fault in office.problems["hr:1"]
    assert log(office) == []


def test_what_could_not_be_run_is_told_of_until_it_can(office: Office):
    """By every run, though the account is there by then; with a name that will do, it is run."""
    program(office, LOG)
    rules = _RULES + '      - {script: home, on: create, arguments: ["{{ person.family_name }}"]}\n'
    office.people("1;Kari;-rf;employee;11").rules(rules).sync()

    office.sync()
    assert office.lines == []
    assert "begin with a dash" in office.problems["hr:1"]
    assert log(office) == []

    office.people("1;Kari;Li;employee;11").sync()
    assert log(office) == ["create|Li|"]
    office.sync()
    assert (office.lines, office.problems) == ([], {})


def test_what_could_not_be_run_is_never_run_without_its_arguments(office: Office):
    """Nor once nothing gives the account any more."""
    program(office, LOG)
    rules = _RULES + '      - {script: home, on: create, arguments: ["{{ person.family_name }}"]}\n'
    office.people("1;Kari;-rf;employee;11", "2;Ola;By;employee;11").rules(rules).sync()

    office.people("2;Ola;By;employee;11").on(LATER).sync()

    assert log(office) == ["create|By|"]


def test_words_of_a_shell_are_words(office: Office):
    """There is no shell to read them."""
    program(office, LOG)
    rules = _RULES + '      - {script: home, on: create, arguments: ["{{ person.family_name }}"]}\n'
    office.people("1;Kari;$(touch${IFS}owned)`id`;employee;11").rules(rules).sync()

    assert log(office) == ["create|$(touch${IFS}owned)`id`|"]
    assert not (office.folder / "owned").exists()


@pytest.mark.parametrize(("existing", "runs"), [("skip", []), ("run", ["existing|kari|11|"])])
def test_script_that_is_new_in_a_rule(office: Office, existing: str, runs: list[str]):
    """Those who are there have it run if the rule says so, and once only."""
    program(office, LOG)
    office.people(KARI).rules(_RULES + "      []\n").sync()

    office.rules(_RULES + HOME + f"        existing: {existing}\n").on(LATER).sync()
    office.people("1;Kari;By;employee;11").on(date(2026, 8, 19)).sync()

    assert log(office) == runs


def test_held_account_holds_its_script(office: Office):
    """Whatever is not done to an account is not followed either; once it is let go, both are done."""
    program(office, LOG)
    config = office.folder / "config.yaml"
    data = yaml.safe_load(config.read_text(encoding="utf-8"))
    data["targets"]["ad"]["brake"] = {"account": {"create": {"max": 0}}}
    config.write_text(yaml.safe_dump(data), encoding="utf-8")
    office.people(KARI).rules(_RULES + HOME).sync()
    assert (office.lines, log(office)) == ([], [])

    office.on(LATER).sync(released=frozenset({"ad.account.create"}))
    assert log(office) == ["create|kari|11|"]


def test_held_script_is_owed(office: Office):
    """A brake on scripts lets accounts pass; what was held is run once it is let go."""
    program(office, LOG)
    config = office.folder / "config.yaml"
    data = yaml.safe_load(config.read_text(encoding="utf-8"))
    data["targets"]["ad"]["brake"] = {"script": {"create": {"max": 0}}}
    config.write_text(yaml.safe_dump(data), encoding="utf-8")
    office.people(KARI).rules(_RULES + HOME).sync()
    assert office.held == [("hr:1", "ad", "script", "create")]
    assert len(office.objects(Kind.ACCOUNT)) == 1

    office.on(LATER).sync(released=frozenset({"ad.script.create"}))
    assert log(office) == ["create|kari|11|"]


def test_script_of_who_came_back_is_not_run(office: Office):
    """What was to be run when somebody left must not be run on whoever has returned meanwhile."""
    program(office, "exit 3")
    office.people(KARI, "2;Ola;By;employee;11").rules(_RULES + AWAY).sync()
    office.people("2;Ola;By;employee;11").on(LATER).sync()
    assert dead(office) == ["Rejected: ended with exit code 3"]

    program(office, LOG)
    office.people(KARI, "2;Ola;By;employee;11").on(date(2026, 8, 19)).sync()
    office.on(date(2026, 8, 20)).sync()

    assert (log(office), dead(office)) == ([], [])


def test_program_that_others_may_write_is_not_run(office: Office):
    """Nor one that the configuration does not name any more."""
    program(office, LOG)
    (office.folder / "bin" / "home").chmod(0o777)
    office.people(KARI).rules(_RULES + HOME).sync()

    assert "may be written by others" in dead(office)[0]
    assert log(office) == []


def test_operators_see_what_a_program_said(office: Office, capsys: pytest.CaptureFixture[str]):
    """With the item that had it run; in the history of the account that it was run, and how it ended."""
    program(office, "echo no quota left; exit 3")
    office.people(KARI).rules(_RULES + HOME).sync()
    context = open_context(office.folder / "config.yaml", office.clock)
    (one,) = listed(context, phase="dead").items

    show_item(item(context, one.id), "")
    told = capsys.readouterr().out
    history = list(history_of_account(context, "hr:1"))

    assert "exit code 3" in told
    assert "no quota left" in told
    assert "kari 11" in told
    assert [(line.kind, line.action) for line in history] == [("account", "create"), ("script", "fail")]
    assert (history[1].detail["exit_code"], history[1].detail["script_output"]) == (3, "***")


@pytest.mark.parametrize(
    ("after", "message"),
    [
        ("{script: hom, on: create}", "the configuration has no script 'hom' (did you mean 'home'?)"),
        ('{script: home, on: create, arguments: ["{{ person.national_id }}"]}', "no sensitive field may go into"),
        ('{script: home, on: create, arguments: ["--{{ account.name }}"]}', "could make another option of this"),
        ('{script: home, on: delete, arguments: ["{{ affiliation.title }}"]}', "may not be there any more"),
        ('{script: home, on: create, arguments: ["{{ account.nam }}"]}', "nam"),
        ("{script: home, on: disable, existing: run}", "has to follow 'create', too"),
        ("{script: home, on: create}\n      - {script: home, on: delete}", "'home' stands there twice"),
        ("{script: home, on: created}", "after[0].on"),
    ],
)
def test_script_that_cannot_be_is_refused_when_rules_are_loaded(office: Office, after: str, message: str):
    """With file, line and column."""
    program(office, LOG)
    office.people(KARI).rules(_RULES + f"      - {after}\n")

    with pytest.raises(ConfigError) as caught:
        office.sync()

    (problem,) = caught.value.problems
    assert message in str(problem)
    assert problem.line >= 7


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"program": "bin/home"}, "must be an absolute path"),  # whoever can write to some folder of PATH
        ({"program": "/bin/home.cmd"}, "must not be a batch file"),  # cmd.exe reads its arguments
        ({"environment": {"EADM_EVENT": "x"}}, "not beginning with 'EADM_'"),
    ],
)
def test_program_that_cannot_be_is_refused_with_the_configuration(
    office: Office, settings: dict[str, Any], message: str
):
    """Nobody can choose another program by way of a folder, a shell, or a variable."""
    program(office, LOG, **{name: value for name, value in settings.items() if name != "program"})
    config = office.folder / "config.yaml"
    data = yaml.safe_load(config.read_text(encoding="utf-8"))
    data["scripts"]["home"] |= settings
    config.write_text(yaml.safe_dump(data), encoding="utf-8")

    with pytest.raises(ConfigError, match=message):
        open_context(config, office.clock)
