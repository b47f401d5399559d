"""The program under simulation: a real installation in a folder, run through its use cases by a clock that is set."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import Engine, event, select

from connectors.contract import Action, Kind, Operation, RemoteObject
from connectors.embedded import open_target
from connectors.embedded.options import Faults
from eadm_sync.app import persons, purging
from eadm_sync.app.auditing import untold, verify
from eadm_sync.app.context import Context
from eadm_sync.app.delivering import deliver_all
from eadm_sync.app.planning import Planned, planned
from eadm_sync.app.reconciling import reconcile
from eadm_sync.app.syncing import sync
from eadm_sync.clock import FixedClock
from eadm_sync.config.keys import write_key_file
from eadm_sync.config.loading import load_settings
from eadm_sync.state import tables
from eadm_sync.state.database import Database, open_for_writing
from exportqueue import State

from . import model
from .town import FIRST_DAY

TARGETS = ("ad", "cloud")
_SHORTAGES = {"cloud.licence.OFFICE"}
MOST_ROUNDS = 60
"""Deliveries, an hour apart, after which what is left will stay."""

_LIFECYCLE = f"""
lifecycle:
  create_days_before_start: {model.CREATE_DAYS}
  enable_days_before_start: {model.ENABLE_DAYS}
  grace_days: {model.GRACE_DAYS}
  retention_days: {model.RETENTION_DAYS}
  purge_days: {model.PURGE_DAYS}
  leave: {{{", ".join(f"{code}: {what}" for code, what in model.ON_LEAVE.items())}}}
  aliases:
    ad: [{{attribute: proxyAddresses, of: mail, form: "smtp:{{{{ former }}}}"}}]
  deactivation:
    ad: {{container: "{model.CONTAINER_OF_LEAVERS}", attributes: {{description: {model.LEFT}, title: ""}}}}
"""

RULES = (
    """
ruleset: town
identifiers:
  username:
    candidates:
      - "{{ person.given_name | slug | first(3) }}{{ person.family_name | slug | first(2) }}"
      - "{{ person.given_name | slug | first(3) }}{{ person.family_name | slug | first(2) }}{{ n }}"
    unique_in: [ad.sAMAccountName, cloud.userName]
  mail:
    candidates:
      - "{{ person.given_name | slug }}.{{ person.family_name | slug }}@town.example"
      - "{{ person.given_name | slug }}.{{ person.family_name | slug }}{{ n }}@town.example"
    unique_in: [ad.mail]
    on_rename: follow
affiliation_order: [teacher, employee, pupil]
accounts:
  - rule: staff-ad
    target: ad
    when: affiliation.kind in ['employee', 'teacher']
    container: "OU={{ affiliation.unit.code | dn }},DC=town"
    attributes:
      sAMAccountName: "{{ username }}"
      displayName: "{{ person.given_name }} {{ person.family_name }}"
      title: "{{ affiliation.title }}EDITION"
      department: "{{ affiliation.unit.name }}"
      mark: "{{ person.extra.mark }}"
      mail: "{{ mail }}"
  - rule: everybody-cloud
    target: cloud
    when: affiliation.kind in CLOUD_KINDS
    attributes:
      userName: "{{ username }}@town.example"
      displayName: "{{ person.given_name }} {{ person.family_name }}"
      department: "{{ affiliation.unit.name }}"
      mark: "{{ person.extra.mark }}"
groups:
  - rule: unit-ad
    target: ad
    when:
      - affiliation.kind in ['employee', 'teacher']
      - affiliation.unit is defined
    for_each: unit_path
    nested: true
    key: "U-{{ unit.code }}"
    name: "U-{{ unit.code }}CALLED"
    overlap_days: OVERLAP_DAYS
  - rule: class-cloud
    target: cloud
    for_each: class
    when: class_group.role == 'pupil'
    key: "C-{{ class_group.code }}"
    name: "C-{{ class_group.code }}CALLED"
    when_empty: delete
licences:
  - {rule: faculty, target: cloud, sku: FACULTY, exclusive: one, when: affiliation.kind == 'teacher'}
  - {rule: office, target: cloud, sku: OFFICE, exclusive: one, when: affiliation.kind == 'employee'}
  - {rule: student, target: cloud, sku: STUDENT, exclusive: one, when: affiliation.kind == 'pupil'}
"""
    + _LIFECYCLE
).replace("OVERLAP_DAYS", str(model.OVERLAP_DAYS))
"""What `model` says in its own words; EDITION and CALLED stand for what the administrator has added, CLOUD_KINDS for
whom there are accounts in the cloud."""


def _map_of_people(key: str, **more: str) -> dict[str, Any]:
    return {
        **more,
        "from": "persons",
        "key": f"{{{{ row.{key} }}}}",
        "given_name": "{{ row.Fornavn }}",
        "family_name": "{{ row.Etternavn }}",
        "national_id": "{{ row.Fnr }}",
        "extra": {"mark": "{{ row.Merke }}"},
    }


def _settings(url: str | None, seats: int | None) -> dict[str, Any]:
    tie = {"start": "{{ row.Fra }}", "end": "{{ row.Til }}", "key": "{{ row.Key }}"}
    hr = {
        "people": _map_of_people("Nr", deceased="{{ row.Dod }}"),
        "affiliations": {
            **tie,
            "from": "positions",
            "person": "{{ row.Nr }}",
            "kind": "{{ 'teacher' if row.Kategori == 'teacher' else 'employee' }}",
            "unit": "{{ row.Enhet }}",
            "title": "{{ row.Tittel }}",
            "primary": "{{ row.Hoved }}",
            "leave": "{{ row.Permisjon }}",
        },
        "units": {
            "from": "units",
            "code": "{{ row.Kode }}",
            "name": "{{ row.Navn }}",
            "parent": "{{ row.Over }}",
        },
    }
    school = {
        "people": _map_of_people("Id"),
        "affiliations": {**tie, "from": "pupils", "person": "{{ row.Id }}", "kind": "pupil", "unit": "{{ row.Skole }}"},
        "class_groups": {
            "from": "classes",
            "code": "{{ row.Kode }}",
            "name": "{{ row.Navn }}",
            "unit": "{{ row.Skole }}",
        },
        "class_memberships": {
            "from": "pupils",
            "person": "{{ row.Id }}",
            "class_group": "{{ row.Klasse }}",
            "role": "pupil",
        },
    }

    def source(name: str, mapping: dict[str, Any], *names: str) -> dict[str, Any]:
        files = {one: f"exports/{name}-{one}.csv" for one in names}
        brake = {"max_vanished_fraction": 0.2, "floor": 2}
        return {"type": "csv", "files": files, "delimiter": ";", "encoding": "utf-8", "map": mapping, "brake": brake}

    return {
        "organisation": {"name": "Simulert kommune"},
        "state": {"url": url} if url else {},
        "sources": {
            "hr": source("hr", hr, "persons", "positions", "units"),
            "school": source("school", school, "persons", "pupils", "classes"),
        },
        "brakes": {"drift": {"floor": 1000}},
        "targets": {
            "ad": {
                "type": "embedded",
                "path": "var/ad.db",
                "account_name": "sAMAccountName",
                "batch_size": 20,
                "correlation": {"rules": [{"match": "mark", "to": "{{ person.extra.mark }}"}]},
            },
            "cloud": {
                "type": "embedded",
                "path": "var/cloud.db",
                "account_name": "userName",
                "containers": False,
                "batch_size": 7,
                "seats": {"FACULTY": None, "OFFICE": seats, "STUDENT": None},
            },
        },
    }


class _Resident(Context):
    """As a daemon has it: the state is opened once. That is ten times quicker than opening it for each step."""

    _open: Database | None = None

    @contextlib.contextmanager
    def writing(self) -> Iterator[Database]:
        """The state, opened when it is first asked for."""
        if self._open is None:
            with super().writing():
                self._open = open_for_writing(self.loaded.settings.state.url, self.loaded.base_dir)
        yield self._open

    reading = writing

    def close(self) -> None:
        """Lets go of the state."""
        if self._open is not None:
            self._open.close()


class Crash(BaseException):
    """The process ends here."""


@contextlib.contextmanager
def crashing(step: int) -> Iterator[None]:
    """Ends the process, all its threads, at so many steps of its work with the database; 0: never.

    A step is the beginning or the commit of a transaction. Whatever is tried behind it fails too, as in a process that
    is gone: nothing can be written down about a crash.
    """
    left = step or -1

    def count(_connection: object) -> None:
        nonlocal left
        left -= left > 0
        if left == 0:
            raise Crash

    hook = threading.excepthook
    threading.excepthook = lambda args: None if args.exc_type is Crash else hook(args)
    running = set(threading.enumerate())
    for moment in ("begin", "commit"):
        event.listen(Engine, moment, count)
    try:
        yield
    finally:
        for thread in set(threading.enumerate()) - running if left == 0 else ():
            thread.join()  # all fail at their next step; none is to go on behind the crash
        for moment in ("begin", "commit"):
            event.remove(Engine, moment, count)
        threading.excepthook = hook


@dataclass(frozen=True)
class Seen:
    """What a target holds at one moment, as its own administrator sees it.

    Attributes:
        accounts: By anchor, those in the recycle bin left out.
        members: What a group is known by → anchors of members.
        licences: (account's anchor, sku).
        groups: Names of all groups.
        nestings: (a group, the one that it is in), by what they are known by.
    """

    accounts: dict[str, RemoteObject]
    members: dict[str, set[str]]
    licences: set[tuple[str, str]]
    groups: list[str]
    nestings: set[tuple[str, str]]


@dataclass
class Program:
    """One installation.

    Attributes:
        folder: Where it stands.
        clock: Set by whoever tells the story.
        url: Where the state is; None: in a file of the folder.
        short_of: Licences of which there are too few, as the last run found.
    """

    folder: Path
    url: str | None = None
    clock: FixedClock = field(default_factory=lambda: FixedClock(datetime.combine(FIRST_DAY, time(4), UTC)))
    _context: _Resident | None = None
    short_of: frozenset[str] = frozenset()
    _configured: tuple[dict[str, str], int | None] | None = None

    @property
    def context(self) -> Context:
        """As the running process has it."""
        if self._context is None:
            self._context = _Resident(load_settings(self.folder / "config.yaml"), self.clock, "operator")
        return self._context

    def install(self) -> None:
        """Makes the installation."""
        self.configure({})
        self.edit_rules(model.Rules())
        write_key_file(self.folder / "var" / "eadm-sync.key")

    def restart(self) -> None:
        """Forgets what the process had in memory."""
        if self._context is not None:
            self._context.close()
        self._context = None

    def configure(self, faults: dict[str, str], seats: int | None = None) -> None:
        """Writes the configuration, if it is another one: targets fail as `faults` says, `seats` are for OFFICE."""
        if (faults, seats) == self._configured:
            return
        self._configured = faults, seats
        settings = _settings(self.url, seats)
        for target, kind in faults.items():
            every = 1 if kind == "unavailable" else 3
            settings["targets"][target]["faults"] = {"fail": [{"kind": kind, "every": every}]}
        (self.folder / "config.yaml").write_text(yaml.safe_dump(settings, allow_unicode=True), "utf-8")
        self.restart()

    def edit_rules(self, rules: model.Rules) -> None:
        """Writes the rules."""
        text = RULES.replace("EDITION", rules.edition).replace("CALLED", rules.called)
        text = text.replace("CLOUD_KINDS", str(list(rules.cloud_kinds)))
        (self.folder / "rulesets").mkdir(exist_ok=True)
        (self.folder / "rulesets" / "town.yaml").write_text(text, "utf-8")
        self.restart()

    def on(self, day: date) -> None:
        """Sets the clock to the morning of a day."""
        self.clock.moment = datetime.combine(day, time(4), UTC)

    # ------------------------------------------------------------ what operators do

    def sync(self, *, believes: bool) -> None:
        """Imports, plans, enqueues; an operator who believes the exports lets go what brakes hold."""
        released: frozenset[str] = frozenset()
        for _ in range(6):
            held: set[str] = set()

            def agree(made: Planned, held: set[str] = held) -> bool:
                held.update(hold.brake for hold in made.import_holds)
                held.update(hold.name for hold in made.plan.holds)
                self.short_of = frozenset(held & _SHORTAGES)  # these nobody lets go: the target would refuse them
                held -= _SHORTAGES
                return not held or not believes

            report = sync(self.context, agree, deliver=False, released=released, reason="looked at")
            if report.accepted:
                return
            released |= held
        raise AssertionError(f"holds that cannot be released: {sorted(held)}")

    def deliver(self) -> int:
        """Delivers what can be; returns how much is left."""
        with self.context.writing() as database:
            return sum(report.left + report.dead for report in deliver_all(self.context, database, sleep=self._wait))

    def deliver_all(self) -> None:
        """Delivers hour after hour until nothing is left; what was refused, an operator lets try again each time."""
        for _ in range(MOST_ROUNDS):
            if not self.deliver():
                return
            self._wait(3600)
            self._resurrect()
        raise AssertionError(f"never delivered: {self._left()}")

    def _resurrect(self) -> None:
        context = self.context
        with context.writing() as database, database.write() as connection:
            dead = context.queue.list(connection, state=State.DEAD, limit=1000)
            context.queue.resurrect(connection, [item.id for item in dead])

    def _left(self) -> list[str]:
        with self.context.reading() as database, database.read() as connection:
            items = self.context.queue.list(connection, limit=1_000_000)
        unfinished = (item for item in items if item.state not in (State.DONE, State.DROPPED))
        return [f"{item.target} {item.operation} {item.object_key}: {item.last_error}" for item in unfinished]

    def _wait(self, seconds: float) -> None:
        self.clock.moment += timedelta(seconds=seconds)

    def order(self, what: str, person: str, until: date) -> None:
        """Stops somebody, keeps somebody until a day, or takes either back."""
        context, reason, terms = self.context, "a story says so", persons.Terms(deliver=False)
        match what:
            case "stop":
                persons.stop(context, person, reason, terms)
            case "resume":
                persons.resume(context, person, reason, terms)
            case "extend":
                persons.extend(context, person, until, reason, terms)
            case "end extension":
                persons.end_extension(context, person, reason, terms)

    def purge(self) -> int:
        """Forgets who is gone for good; returns how many."""
        return purging.purge(self.context, released=frozenset({purging.HOLD})).purged

    def carry_out(self, target: str, operation: Operation) -> str:
        """What its own administrator does in a target by hand, whatever fails from afar; returns the anchor."""
        settings = self.context.loaded.settings.targets[target]
        options = settings.options.model_copy(update={"faults": Faults()})
        with open_target(options, self.folder) as opened:
            (outcome,) = opened.apply([operation])
        assert outcome.error is None
        return outcome.anchor or operation.anchor or ""

    def edit_by_hand(self, target: str, anchor: str, attributes: dict[str, Any]) -> None:
        """Changes attributes of an account by hand."""
        self.carry_out(target, Operation("by hand", Kind.ACCOUNT, Action.UPDATE, anchor=anchor, attributes=attributes))

    def delete_by_hand(self, target: str, anchor: str) -> None:
        """Deletes an account by hand."""
        self.carry_out(target, Operation("by hand", Kind.ACCOUNT, Action.DELETE, anchor=anchor))

    def reconcile(self) -> bool:
        """Has known state be what targets hold; returns whether all could be read, and were believed."""
        return all(not one.error and not one.held for one in reconcile(self.context))

    # ------------------------------------------------------------ what is where

    def seen(self, target: str) -> Seen:
        """What a target holds."""
        with self.context.make_target(target) as opened:

            def of(kind: Kind) -> Iterator[RemoteObject]:
                return (one for one in opened.read(kind) if isinstance(one, RemoteObject) and not one.deleted)

            names = {one.anchor: str(one.attributes["name"]) for one in of(Kind.GROUP)}
            groups = {anchor: name.partition(" ")[0] for anchor, name in names.items()}
            members: dict[str, set[str]] = {}
            for one in of(Kind.MEMBERSHIP):
                members.setdefault(groups[one.group or ""], set()).add(one.account or "")
            nestings = {(groups[one.member or ""], groups[one.group or ""]) for one in of(Kind.NESTING)}
            return Seen(
                accounts={one.anchor: one for one in of(Kind.ACCOUNT)},
                members=members,
                licences={(one.account or "", one.sku or "") for one in of(Kind.LICENCE)},
                groups=sorted(names.values()),
                nestings=nestings,
            )

    def changes_of_another_run(self) -> tuple[list[str], list[str]]:
        """Ids of the people that a run made now would look at, and what it would change: "cloud group delete"."""
        with self.context.reading() as database, planned(self.context, database) as made:
            return sorted(made.plan.due), sorted(" ".join(slice_) for slice_ in made.plan.counts)

    def drift(self) -> dict[str, dict[str, int]]:
        """What `reconcile` finds otherwise than known, by target."""
        found = reconcile(self.context, dry_run=True)
        assert [one.error for one in found] == [None] * len(found)
        return {one.target: one.counts for one in found if one.total}

    def audit_faults(self) -> tuple[Any, ...]:
        """What is wrong with the audit: what it does not tell of known state, and links of its chain."""
        with self.context.reading() as database, database.read() as connection:
            missing = untold(connection)
        return (*missing, *verify(self.context).faults)

    def stored_people(self) -> set[str]:
        """Ids of the people that the state has."""
        with self.context.reading() as database, database.read() as connection:
            return set(connection.scalars(select(tables.people.c.id)))
