"""Orders about single people, and what sources say of one: a leave, a death."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import select

from connectors.contract import Kind, RemoteObject
from eadm_sync.app import persons, queueing
from eadm_sync.app.context import Context, open_context
from eadm_sync.app.delivering import Crew, deliver
from eadm_sync.app.history import history_of_person
from eadm_sync.app.persons import Terms
from eadm_sync.app.syncing import SyncReport, sync
from eadm_sync.clock import FixedClock
from eadm_sync.config.keys import write_key_file
from eadm_sync.errors import ConfigError, NotFound
from eadm_sync.state import tables
from eadm_sync.state.orders import Order, OrderKind, give_order
from exportqueue import Item, State

RULES = """
ruleset: r
accounts:
  - {rule: a, target: ad, attributes: {name: "{{ person.given_name }}"}}
  - {rule: b, target: web, attributes: {name: "{{ person.given_name }}"}}
groups:
  - {rule: g, target: ad, name: "u-{{ affiliation.unit.code }}"}
lifecycle:
  grace_days: 3
  leave: {unpaid: disable, military: strip}
"""


class Office:
    """Two targets and a CSV file of people."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FixedClock(datetime(2026, 8, 17, 4, tzinfo=UTC))

    @property
    def context(self) -> Context:
        """Opened anew, as each start of the program does."""
        return open_context(self.folder / "config.yaml", self.clock)

    def people(self, *rows: str) -> None:
        """Writes the source: "1;Kari;11;2026-01-01;2026-08-31"."""
        columns = "number;given;unit;start;end;leave;died"
        lines = [row + ";" * (columns.count(";") - row.count(";")) for row in rows]
        (self.folder / "people.csv").write_text("\n".join([columns, *lines, ""]), encoding="utf-8")

    def on(self, day: date) -> None:
        """Sets the clock to the morning of a day."""
        self.clock.moment = datetime(day.year, day.month, day.day, 4, tzinfo=UTC)

    def sync(self, **options: Any) -> SyncReport:
        """The main job."""
        return sync(self.context, lambda _: True, **options)

    def queued(self, subject: str | None = None) -> list[Item]:
        """What is in the queue and can be delivered, or waits for that."""
        with self.context.reading() as database, database.read() as connection:
            queue = self.context.queue
            found = [queue.list(connection, None, state, subject, 500) for state in (State.WAITING, State.READY)]
        return [item for items in found for item in items]

    def members(self, target: str = "ad") -> set[str | None]:
        """Everybody who is in a group."""
        with self.context.make_target(target) as opened:
            owners = {one.anchor: one.owner for one in opened.read(Kind.ACCOUNT) if isinstance(one, RemoteObject)}
            found = [one for one in opened.read(Kind.MEMBERSHIP) if isinstance(one, RemoteObject) and not one.deleted]
        return {owners[one.account or ""] for one in found}

    def enabled(self, target: str = "ad") -> dict[str | None, bool | None]:
        """Person → whether their account is enabled, as the target itself says."""
        with self.context.make_target(target) as opened:
            found = [one for one in opened.read(Kind.ACCOUNT) if isinstance(one, RemoteObject) and not one.deleted]
        return {one.owner: one.enabled for one in found}


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """Kari and Ola, who have accounts in both targets."""
    configuration = {
        "organisation": {"name": "Office", "time_zone": "Europe/Oslo"},
        "state": {"url": "sqlite:///state.db", "key_file": "key"},
        "rulesets": ["rules.yaml"],
        "sources": {
            "hr": {
                "type": "csv",
                "files": {"people": "people.csv", "units": "units.csv"},
                "delimiter": ";",
                "dates": ["%Y-%m-%d"],
                "brake": {"max_vanished_fraction": 1.0},
                "map": {
                    "people": {
                        "from": "people",
                        "key": "{{ row.number }}",
                        "given_name": "{{ row.given }}",
                        "deceased": "{{ row.died }}",
                    },
                    "affiliations": {
                        "from": "people",
                        "person": "{{ row.number }}",
                        "key": "{{ row.number }}",
                        "kind": "employee",
                        "unit": "{{ row.unit }}",
                        "start": "{{ row.start }}",
                        "end": "{{ row.end }}",
                        "leave": "{{ row.leave }}",
                    },
                    "units": {"from": "units", "code": "{{ row.code }}"},
                },
            }
        },
        "targets": {name: {"type": "embedded", "account_name": "name", "path": f"{name}.db"} for name in ("ad", "web")},
        "brakes": {"targets": {"account": {"disable": {"max": 0}}}},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    (tmp_path / "rules.yaml").write_text(RULES, encoding="utf-8")
    (tmp_path / "units.csv").write_text("code\n11\n", encoding="utf-8")
    write_key_file(tmp_path / "key")
    made = Office(tmp_path)
    made.people("1;Kari;11;2026-01-01;2026-08-31", "2;Ola;11;2026-01-01;")
    made.sync()
    return made


def test_a_stop_disables_all_accounts_at_once_though_a_brake_would_hold_it(office: Office):
    """The brake of this office lets no account be disabled; a stop is not counted by it, and touches nobody else."""
    done = persons.stop(office.context, "hr:1", "lost laptop")

    assert done.is_complete
    assert done.enqueued == 2
    assert done.person.stage == "stopped"
    assert office.enabled("ad") == {"hr:1": False, "hr:2": True}
    assert office.enabled("web") == {"hr:1": False, "hr:2": True}


def _ordered_only(office: Office) -> None:
    """Kari is stopped by the order alone: nothing is planned yet."""
    with office.context.writing() as database, database.write() as connection:
        give_order(connection, "hr:1", Order(OrderKind.STOP, None, "lost laptop", "anna", "2026-08-17T04:00:00+00:00"))
        connection.execute(tables.people.update().values(pending=True))


def test_a_run_does_what_the_stop_could_not(office: Office):
    """Where the order stands and an account is enabled all the same, the next plan disables it, counted by no brake."""
    _ordered_only(office)
    holds: list[object] = []

    report = sync(office.context, lambda made: holds.extend(made.plan.holds) is None)

    assert (report.enqueued, report.held, holds) == (2, 0, [])
    assert office.enabled("ad") == {"hr:1": False, "hr:2": True}


def test_a_brake_that_holds_others_does_not_hold_a_stop(office: Office):
    """Ola's leaving is held in the same slice, by this office's brake."""
    _ordered_only(office)
    office.people("1;Karen;11;2026-01-01;", "2;Ola;11;2026-01-01;2026-08-10")

    report = office.sync()

    assert report.held == 3  # Ola's two accounts and his group; Kari's new name goes through
    assert office.enabled("ad") == {"hr:1": False, "hr:2": True}
    assert office.enabled("web") == {"hr:1": False, "hr:2": True}


def test_nothing_enables_somebody_who_is_stopped(office: Office):
    """Neither another unit nor another day, nor a run that evaluates everybody."""
    persons.stop(office.context, "hr:1", "lost laptop")
    office.people("1;Kari Ann;11;2026-01-01;", "2;Ola;11;2026-01-01;")
    (office.folder / "rules.yaml").write_text(RULES + "  \n# edited\n", encoding="utf-8")
    office.on(date(2026, 9, 20))

    report = office.sync()

    assert report.is_complete
    assert office.enabled("ad") == {"hr:1": False, "hr:2": True}
    assert persons.show(office.context, "hr:1").accounts == {"ad": False, "web": False}
    assert office.sync().enqueued == 0


def test_resume_puts_everything_back(office: Office):
    """Accounts are enabled again by a plan for this person alone."""
    persons.stop(office.context, "hr:1", "lost laptop")

    done = persons.resume(office.context, "hr:1", "found again")

    assert done.is_complete
    assert done.person.orders == ()
    assert done.person.stage == "active"
    assert office.enabled("ad") == {"hr:1": True, "hr:2": True}
    assert not persons.resume(office.context, "hr:1", "twice").changed


def test_a_stop_goes_ahead_of_a_long_queue_and_replaces_what_waits_of_the_person(office: Office):
    """What was queued before is still there afterwards, but for the person's own."""
    office.people(*(f"{number};N{number};11;2026-01-01;" for number in range(1, 40)))
    office.sync(deliver=False)
    waiting = office.queued("hr:2")

    done = persons.stop(office.context, "hr:1", "lost laptop", Terms(deliver=False))

    mine = office.queued("hr:1")
    everything = office.queued()
    assert done.enqueued == 2
    assert [(one.operation, one.priority) for one in mine] == [("disable account", 0)] * 2
    assert min(one.priority for one in everything if one.subject != "hr:1") > 0
    assert office.queued("hr:2") == waiting
    deliver(office.context)
    assert office.enabled("ad")["hr:1"] is False


def test_a_stop_waits_for_no_other_run_and_outlives_its_plan(office: Office):
    """A run that was planned before, and is accepted after the stop, leaves the person to the next one."""
    office.people("1;Karen;11;2026-01-01;", "2;Ola;11;2026-01-01;")

    def stopped_meanwhile(_planned: object) -> bool:
        thread = threading.Thread(target=persons.stop, args=(office.context, "hr:1", "lost laptop", Terms(False)))
        thread.start()
        thread.join(30)
        return True

    report = sync(office.context, stopped_meanwhile)

    assert report.left_out == 1
    assert office.enabled("ad") == {"hr:1": False, "hr:2": True}
    assert office.sync().is_complete
    assert office.enabled("ad") == {"hr:1": False, "hr:2": True}


def test_workers_that_run_deliver_a_stop(office: Office):
    """A daemon has the targets to itself; the command waits until its workers have done it."""
    with office.context.writing() as database:
        crew = Crew(office.context, database, until_empty=False)
        crew.start()
        while not all(health.holding for health in crew.health()):
            time.sleep(0.02)
        try:
            done = persons.stop(office.context, "hr:1", "lost laptop")
        finally:
            crew.stop()
            crew.wait()

    assert done.is_complete
    assert sum(health.done for health in crew.health()) == 2
    assert office.enabled("ad") == {"hr:1": False, "hr:2": True}


def test_an_account_that_is_still_to_be_made_is_made_disabled(office: Office):
    """The queue may hold the creation of an account when its owner is stopped: it is planned anew."""
    office.people("1;Kari;11;2026-01-01;", "2;Ola;11;2026-01-01;", "3;Mia;11;2026-01-01;")
    office.sync(deliver=False)

    persons.stop(office.context, "hr:3", "a mistake of HR")
    office.sync()

    assert office.enabled("ad")["hr:3"] is False


def test_the_order_stands_though_a_target_is_paused(office: Office):
    """The command tells which target has not been reached, and why; the others are."""
    queueing.pause(office.context, "web", "maintenance")

    done = persons.stop(office.context, "hr:1", "lost laptop", Terms(patience_seconds=5))

    assert done.left == {"web": "it is paused (maintenance)"}
    assert office.enabled("ad")["hr:1"] is False
    assert office.enabled("web")["hr:1"] is True
    queueing.resume(office.context, "web")
    deliver(office.context)
    assert office.enabled("web")["hr:1"] is False


def test_broken_rules_keep_nobody_from_being_stopped(office: Office):
    """The change is queued without them; who delivers needs them, so the command says that it is not through."""
    (office.folder / "rules.yaml").write_text("ruleset: r\naccounts: [}\n", encoding="utf-8")

    done = persons.stop(office.context, "hr:1", "lost laptop")

    assert done.left.keys() == {"ad", "web"}
    with pytest.raises(ConfigError):
        office.sync()
    (office.folder / "rules.yaml").write_text(RULES, encoding="utf-8")
    deliver(office.context)
    assert office.enabled("ad")["hr:1"] is False


def test_a_leaver_who_is_stopped_is_deactivated_as_well(office: Office):
    """Their retention begins with the regular change, which a brake may hold; the stop itself is not held."""
    persons.stop(office.context, "hr:1", "dismissed")
    office.on(date(2026, 9, 10))

    report = office.sync()

    assert report.held > 0
    assert office.enabled("ad")["hr:1"] is False
    assert persons.show(office.context, "hr:1").stage == "ended"


def test_an_extension_keeps_access_up_to_its_day_and_ends_by_itself(office: Office):
    """Grace ends on 3 September, the extension on the 20th."""
    persons.extend(office.context, "hr:1", date(2026, 9, 20), "hands the project over")

    stages = []
    for day in (date(2026, 9, 4), date(2026, 9, 20), date(2026, 9, 21)):
        office.on(day)
        office.sync(released=frozenset({"ad.account.disable", "web.account.disable"}), reason="known")
        stages.append((persons.show(office.context, "hr:1").stage, office.enabled("ad")["hr:1"]))

    assert stages == [("extended", True), ("extended", True), ("ended", False)]


def test_an_extension_brings_access_back_and_can_be_taken_back(office: Office):
    """Somebody who has left is enabled at once, and disabled when it is taken back."""
    office.on(date(2026, 9, 10))
    office.sync(released=frozenset({"ad.account.disable", "web.account.disable"}), reason="known")
    assert office.enabled("ad")["hr:1"] is False

    back = persons.extend(office.context, "hr:1", date(2026, 9, 20), "exam")
    assert back.is_complete
    assert office.enabled("ad")["hr:1"] is True

    ended = persons.end_extension(office.context, "hr:1", "the exam is cancelled")
    assert ended.person.stage == "ended"
    assert ended.held > 0  # this office's brake holds it, as any other disabling


def test_every_order_is_audited_with_its_reason(office: Office):
    """Who, what, why: in the person's history."""
    persons.stop(office.context, "hr:1", "lost laptop")
    persons.resume(office.context, "hr:1", "found again")
    persons.extend(office.context, "hr:1", date(2026, 9, 20), "exam")
    persons.end_extension(office.context, "hr:1", "no exam")

    found = [row for row in history_of_person(office.context, "hr:1") if row.kind == persons.AUDITED]

    assert [(row.action, row.detail["reason"]) for row in found] == [
        ("stop", "lost laptop"),
        ("resume", "found again"),
        ("extend", "exam"),
        ("end extension", "no exam"),
    ]


def test_each_stop_is_a_plan_in_the_book(office: Office):
    """Its changes in the audit lead to the run that made them."""
    persons.stop(office.context, "hr:1", "lost laptop")

    with office.context.reading() as database, database.read() as connection:
        rows = connection.execute(select(tables.runs.c.id, tables.runs.c.command)).all()
        commands = {row.id: row.command for row in rows}
        plans = list(connection.scalars(select(tables.plans.c.run_id)))
    assert [commands[run] for run in plans] == ["sync", "person stop"]


@pytest.mark.parametrize(
    "order",
    [
        # stop
        lambda context: persons.stop(context, "hr:9", "?"),
        # resume
        lambda context: persons.resume(context, "hr:9", "?"),
        # extend
        lambda context: persons.extend(context, "hr:9", date(2027, 1, 1), "?"),
        # take an extension back
        lambda context: persons.end_extension(context, "hr:9", "?"),
        # show
        lambda context: persons.show(context, "hr:9"),
    ],
)
def test_orders_about_nobody_are_errors(office: Office, order: Callable[[Context], object]):
    """Whoever is not known cannot be stopped, and the command must not look as if they were."""
    with pytest.raises(NotFound):
        order(office.context)


def test_a_narrow_plan_leaves_everybody_else_to_the_next_run(office: Office):
    """Rules that were edited meanwhile are applied to all by the next run, not only to the person of an order."""
    (office.folder / "rules.yaml").write_text(RULES.replace("u-{{", "unit-{{"), encoding="utf-8")
    office.clock.moment += timedelta(hours=1)

    persons.extend(office.context, "hr:1", date(2026, 9, 20), "exam")

    report = office.sync()
    assert report.enqueued > 0
    with office.context.make_target("ad") as opened:
        names = [one.attributes["name"] for one in opened.read(Kind.GROUP) if isinstance(one, RemoteObject)]
    assert "unit-11" in names
    assert office.sync().enqueued == 0


RELEASED = frozenset({"ad.account.disable", "web.account.disable"})
"""This office's brake lets no account be disabled; these tests are not about that."""


def test_who_has_died_is_disabled_at_once_and_kept_for_retention(office: Office):
    """Without the three days of grace; a source that takes it back gives everything back."""
    office.people("1;Kari;11;2026-01-01;;;ja", "2;Ola;11;2026-01-01;")
    office.sync(released=RELEASED, reason="known")
    dead = office.enabled("ad")
    with office.context.reading() as database, database.read() as connection:
        days = set(connection.scalars(select(tables.known_accounts.c.deactivated_on)))

    office.people("1;Kari;11;2026-01-01;", "2;Ola;11;2026-01-01;")
    office.sync()

    assert dead == {"hr:1": False, "hr:2": True}
    assert days == {None, "2026-08-17"}
    assert office.enabled("ad") == {"hr:1": True, "hr:2": True}


@pytest.mark.parametrize(
    ("code", "enabled", "members"),
    [
        # disabled, with all groups
        ("unpaid", False, {"hr:1", "hr:2"}),
        # enabled, without groups
        ("military", True, {"hr:2"}),
        # nothing changes
        ("other", True, {"hr:1", "hr:2"}),
    ],
)
def test_a_leave_does_what_the_ruleset_says_and_is_undone_at_its_end(
    office: Office, code: str, enabled: bool, members: set[str]
):
    """The account is not deactivated meanwhile: no retention begins."""
    office.people(f"1;Kari;11;2026-01-01;;{code}", "2;Ola;11;2026-01-01;")
    office.sync(released=RELEASED, reason="known")
    on_leave = office.enabled("ad"), office.members("ad")
    with office.context.reading() as database, database.read() as connection:
        days = set(connection.scalars(select(tables.known_accounts.c.deactivated_on)))
    assert office.sync().enqueued == 0

    office.people("1;Kari;11;2026-01-01;", "2;Ola;11;2026-01-01;")
    office.sync()

    assert on_leave == ({"hr:1": enabled, "hr:2": True}, members)
    assert days == {None}
    assert (office.enabled("ad"), office.members("ad")) == ({"hr:1": True, "hr:2": True}, {"hr:1", "hr:2"})


def test_orders_work_on_postgresql_too(office: Office, postgresql_url: str):
    """The same on the other database: stop, resume, extend and its end."""
    path = office.folder / "config.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("sqlite:///state.db", postgresql_url), encoding="utf-8")
    for target in ("ad.db", "web.db"):
        (office.folder / target).unlink()
    office.sync()

    stopped = persons.stop(office.context, "hr:1", "lost laptop")
    disabled = office.enabled("ad")
    resumed = persons.resume(office.context, "hr:1", "found again")
    persons.extend(office.context, "hr:1", date(2026, 9, 20), "exam")
    ended = persons.end_extension(office.context, "hr:1", "no exam")

    assert (stopped.is_complete, resumed.is_complete, ended.is_complete) == (True, True, True)
    assert disabled == {"hr:1": False, "hr:2": True}
    assert office.enabled("ad") == {"hr:1": True, "hr:2": True}
