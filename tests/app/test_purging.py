"""Whoever is gone for good is forgotten, nobody else is, and none of their names is given to another."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import sqlalchemy as sa
import yaml

from connectors.contract import Kind, RemoteObject
from eadm_sync.app import purging
from eadm_sync.app.auditing import verify
from eadm_sync.app.context import Context, complete_metadata, open_context
from eadm_sync.app.purging import HOLD, PurgeReport, preview_purge, purge
from eadm_sync.app.syncing import sync
from eadm_sync.app.working import work
from eadm_sync.clock import FixedClock
from eadm_sync.config.keys import write_key_file
from eadm_sync.errors import NotFound, StateBusy
from eadm_sync.state import tables

RULES = """
ruleset: r
identifiers:
  username:
    candidates: ["{{ person.given_name | lower }}", "{{ person.given_name | lower }}{{ n }}"]
    unique_in: [ad.name]
lifecycle: {retention_days: 30, purge_days: 60RESERVE}
accounts:
  - {rule: a, target: ad, attributes: {name: "{{ username }}", title: "{{ person.family_name }}"}}
"""
HIRED = date(2026, 8, 17)
LEFT = HIRED + timedelta(days=10)
DELETED = LEFT + timedelta(days=30)
FORGOTTEN = DELETED + timedelta(days=60)
KARI, OLA, NEW_KARI = "1;Kari;Hemmelig", "2;Ola;By", "3;Kari;Annen"


class Ticking(FixedClock):
    """A clock that goes on by a second each time it is looked at."""

    def now(self) -> datetime:
        """The moment."""
        self.moment += timedelta(seconds=1)
        return self.moment


class Town:
    """One source, one target, everything delivered, and a clock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FixedClock(datetime.combine(HIRED, time(4), UTC))

    @property
    def context(self) -> Context:
        """Opened anew, as each start of the program does."""
        return open_context(self.folder / "config.yaml", self.clock)

    def sync(self, day: date, *people: str) -> None:
        """The main job on a day, with these people in the source."""
        self.clock.moment = datetime.combine(day, time(4), UTC)
        (self.folder / "people.csv").write_text("\n".join(["nr;given;family", *people, ""]), encoding="utf-8")
        sync(self.context, lambda _: True)

    def accounts(self) -> dict[str | None, object]:
        """Person → name of the account."""
        with self.context.make_target("ad") as target:
            found = [one for one in target.read(Kind.ACCOUNT) if isinstance(one, RemoteObject) and not one.deleted]
        return {one.owner: one.attributes["name"] for one in found}

    def purge(self, day: date, **options: Any) -> PurgeReport:
        """Forgets on a day."""
        self.clock.moment = datetime.combine(day, time(4), UTC)
        return purge(self.context, **options)

    def rows(self, table: sa.Table) -> list[Any]:
        """All of a table."""
        with self.context.reading() as database, database.read() as connection:
            return list(connection.execute(sa.select(table)))

    def write(self, statement: Any) -> None:
        """Changes the state behind the program's back."""
        with self.context.writing() as database, database.write() as connection:
            connection.execute(statement)


def make_town(folder: Path, reserve: str = "") -> Town:
    """A town without people."""
    people = {
        "from": "people",
        "key": "{{ row.nr }}",
        "given_name": "{{ row.given }}",
        "family_name": "{{ row.family }}",
    }
    affiliations = {"from": "people", "person": "{{ row.nr }}", "key": "1", "kind": "employee"}
    settings = {
        "organisation": {"name": "Town"},
        "state": {"url": "sqlite:///state.db", "key_file": "key"},
        "rulesets": ["rules.yaml"],
        "sources": {
            "hr": {
                "type": "csv",
                "files": {"people": "people.csv"},
                "delimiter": ";",
                "brake": {"max_vanished_fraction": 1.0},
                "map": {"people": people, "affiliations": affiliations},
            }
        },
        "schedule": {"tidy": {"do": "housekeeping", "cron": "0 3 * * *"}},
        "targets": {"ad": {"type": "embedded", "account_name": "name", "path": "ad.db", "soft_delete": False}},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    (folder / "rules.yaml").write_text(RULES.replace("RESERVE", reserve), encoding="utf-8")
    write_key_file(folder / "key")
    return Town(folder)


@pytest.fixture
def town(tmp_path: Path) -> Town:
    """A town that Kari left, whose account is deleted; Ola is there."""
    return leave(make_town(tmp_path))


def leave(town: Town) -> Town:
    """Kari comes, goes and is deleted."""
    town.sync(HIRED, KARI, OLA)
    town.sync(LEFT, OLA)
    town.sync(DELETED, OLA)
    assert town.accounts() == {"hr:2": "ola"}
    return town


def test_nobody_is_forgotten_a_day_too_early(town: Town):
    """`purge_days` count from the day on which the last account was deleted."""
    assert town.purge(FORGOTTEN - timedelta(days=1)) == PurgeReport(limit=100)
    assert [one.person for one in preview_purge(open_at(town, FORGOTTEN)).due] == ["hr:1"]


def open_at(town: Town, day: date) -> Context:
    """The installation on the morning of a day."""
    town.clock.moment = datetime.combine(day, time(4), UTC)
    return town.context


def test_all_that_is_personal_goes_and_a_keyed_hash_of_the_name_stays(town: Town):
    """No row and no file of the state tells of her, but for the audit's bare lines and the reservation."""
    report = town.purge(FORGOTTEN)

    assert (report.purged, report.held, [one.names for one in report.due]) == (1, False, [1])
    assert [row.id for row in town.rows(tables.people)] == ["hr:2"]
    assert [row.key for row in town.rows(tables.source_records)] == ["2"]
    assert [row.person_id for row in town.rows(tables.identifiers)] == ["hr:2"]
    assert [(row.name, row.until) for row in town.rows(tables.reservations)] == [("username", None)]
    hers = [row for row in town.rows(tables.audit) if row.person_id == "hr:1"]
    assert [(row.kind, row.action, row.detail is None) for row in hers] == [
        ("account", "create", True),
        ("account", "disable", True),
        ("account", "delete", True),
        ("person", "purge", False),
    ]
    for file in town.folder.glob("state.db*"):
        assert b"Hemmelig" not in file.read_bytes()


def test_a_server_forgets_as_well(tmp_path: Path, postgresql_url: str):
    """PostgreSQL has the same guards, and the audit's triggers let the details go."""
    town = make_town(tmp_path)
    path = tmp_path / "config.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("sqlite:///state.db", postgresql_url), encoding="utf-8")
    assert leave(town).purge(FORGOTTEN).purged == 1
    assert [row.id for row in town.rows(tables.people)] == ["hr:2"]
    assert [row.detail is None for row in town.rows(tables.audit) if row.person_id == "hr:1"] == [True] * 3 + [False]
    assert verified(town.context)


def verified(context: Context) -> bool:
    """Whether the audit still holds, chain and all."""
    found = verify(context)
    return not found.faults and found.forgotten > 0


def test_the_audit_holds_after_a_purge(town: Town):
    """What was forgotten is no tampering."""
    town.purge(FORGOTTEN)
    assert verified(town.context)


def test_finished_changes_in_the_queue_go_too(town: Town):
    """Also where they are kept longer than she is."""
    items = complete_metadata().tables["queue_items"]
    assert "hr:1" in {row.subject for row in town.rows(items)}
    town.purge(FORGOTTEN)
    assert {row.subject for row in town.rows(items)} == {"hr:2"}


def test_her_name_is_given_to_nobody_else(town: Town):
    """Nor to herself: whoever comes back after that is somebody new."""
    town.purge(FORGOTTEN)
    town.sync(FORGOTTEN + timedelta(days=1), OLA, NEW_KARI, KARI)
    assert sorted(town.accounts().values(), key=str) == ["kari2", "kari3", "ola"]


def test_a_reservation_ends_with_its_last_day(tmp_path: Path):
    """`reserve_days` later, the name is free, and the reservation is gone."""
    town = leave(make_town(tmp_path, ", reserve_days: 10"))
    town.purge(FORGOTTEN)
    last = FORGOTTEN + timedelta(days=10)
    town.sync(last, OLA, NEW_KARI)
    assert town.accounts()["hr:3"] == "kari2"
    town.sync(last + timedelta(days=1), OLA, NEW_KARI, "4;Kari;Tredje")
    assert town.accounts()["hr:4"] == "kari"
    assert town.purge(last + timedelta(days=1)).reservations_ended == 1
    assert town.rows(tables.reservations) == []


def test_who_returns_before_keeps_the_name(town: Town):
    """After the deletion and before the purge, the username is hers; the account is another."""
    town.sync(FORGOTTEN - timedelta(days=1), OLA, KARI)
    assert town.accounts()["hr:1"] == "kari"
    assert town.purge(FORGOTTEN + timedelta(days=900)).purged == 0


@pytest.mark.parametrize(
    "obstacle",
    [
        tables.known_accounts.insert().values(("hr:1", "old", "x", None, False, b"\x80", "r/a", "", None, None)),
        tables.people.update().where(tables.people.c.id == "hr:1").values(pending=True),
        tables.source_records.update().where(tables.source_records.c.key == "1").values(absent_since=None),
        tables.source_records.insert().values(source="school", key="9", hash=b"", person_id="hr:1", data=b""),
        tables.person_orders.insert().values(person_id="hr:1", kind="stop", reason="x", actor="a", at="2026"),
        complete_metadata().tables["queue_items"].update().values(state="dead", finished_at=None),
    ],
    ids=["account", "pending", "present", "present elsewhere", "stopped", "on its way"],
)
@pytest.mark.parametrize("only", [None, "hr:1"])
def test_who_is_not_gone_is_never_forgotten(town: Town, obstacle: Any, only: str | None):
    """Whatever the dates say, and whoever asks."""
    town.write(obstacle)
    report = town.purge(FORGOTTEN + timedelta(days=900), only=only, reason="case 1")
    assert (report.due, report.purged) == ((), 0)
    assert {row.id for row in town.rows(tables.people)} == {"hr:1", "hr:2"}


def test_it_is_looked_at_again_in_the_transaction_that_forgets(town: Town, monkeypatch: pytest.MonkeyPatch):
    """An account that is adopted, or a stop that is ordered, between the list and the deed keeps the person."""
    stop = tables.person_orders.insert().values(person_id="hr:1", kind="stop", reason="x", actor="a", at="2026")
    listed = purging.preview_purge
    calls: list[PurgeReport] = []

    def overtaken(context: Context, *, only: str | None = None) -> PurgeReport:
        calls.append(listed(context, only=only))
        if len(calls) > 1:  # behind the second list, which is the one that counts
            town.write(stop)
        return calls[-1]

    monkeypatch.setattr(purging, "preview_purge", overtaken)
    report = town.purge(FORGOTTEN)
    assert (len(calls[-1].due), report.purged) == (1, 0)
    assert "hr:1" in {row.id for row in town.rows(tables.people)}


def test_one_person_is_forgotten_at_once_when_asked_for(town: Town):
    """A request for erasure need not wait for `purge_days`; it does wait for the deletion."""
    report = town.purge(DELETED, only="hr:1", reason="case 2026/7")
    assert report.purged == 1
    assert [row.id for row in town.rows(tables.people)] == ["hr:2"]


def test_too_many_at_once_are_held_until_somebody_lets_them_go(town: Town):
    """Nobody is forgotten by halves, and other names of holds are refused."""
    path = town.folder / "config.yaml"
    path.write_text(path.read_text(encoding="utf-8") + "housekeeping: {max_purged: 0}\n", encoding="utf-8")

    held = town.purge(FORGOTTEN)
    assert (held.held, held.purged, len(held.due)) == (True, 0, 1)
    assert "hr:1" in {row.id for row in town.rows(tables.people)}
    assert town.rows(tables.runs)[-1].command == "purge"
    with pytest.raises(NotFound):
        town.purge(FORGOTTEN, released=frozenset({"ad.account.delete"}))
    assert town.purge(FORGOTTEN, released=frozenset({HOLD}), reason="end of term").purged == 1


def test_nothing_is_forgotten_while_somebody_plans(town: Town):
    """A run may be bringing her back in this very moment."""
    runs = len(town.rows(tables.runs))
    with town.context.writing() as database, database.run_lock(), pytest.raises(StateBusy):
        town.purge(FORGOTTEN)
    assert len(town.rows(tables.runs)) == runs
    assert "hr:1" in {row.id for row in town.rows(tables.people)}


def test_scheduled_housekeeping_forgets_too(town: Town):
    """And is held as the command is, so that somebody is told."""
    path = town.folder / "config.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(f"{text}housekeeping: {{max_purged: 0}}\n", encoding="utf-8")
    assert tidied(town, FORGOTTEN) == "held"
    path.write_text(text, encoding="utf-8")
    assert tidied(town, FORGOTTEN + timedelta(days=1)) == "done"
    assert [row.id for row in town.rows(tables.people)] == ["hr:2"]


def tidied(town: Town, day: date) -> str:
    """How the job of the schedule ended; of its runs, the last one tells."""
    context = open_context(town.folder / "config.yaml", Ticking(datetime.combine(day, time(4), UTC)))
    with context.writing() as database:
        return work(context, database, "tidy", who="daemon", cut_off=Event()).status


def test_a_second_purge_finds_nothing(town: Town):
    """And leaves no run behind."""
    town.purge(FORGOTTEN)
    runs = len(town.rows(tables.runs))
    assert town.purge(FORGOTTEN + timedelta(days=1)).due == ()
    assert len(town.rows(tables.runs)) == runs


def test_every_table_that_names_people_is_thought_of():
    """A table that is added later is either emptied of whom is forgotten, or keeps nothing personal."""
    emptied = {
        "people",
        "source_records",
        "identifiers",
        "person_orders",
        "recycled_accounts",
        "former_values",
        "drift",
    } | {"correlations"}
    emptied |= {"passwords", "known_scripts", "doubts"}
    must_be_empty = {"known_accounts", "known_memberships", "known_licences"}
    without_values = {"audit"}
    naming = {name for name, table in tables.metadata.tables.items() if "person_id" in table.columns} | {"people"}
    assert naming == emptied | must_be_empty | without_values
