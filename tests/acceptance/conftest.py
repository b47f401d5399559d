"""An invented town in real files, run from the outside: sources, rules, targets and state as an operator has them."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from sqlalchemy import Connection, Row, select

from connectors.contract import Kind, Operation, RemoteObject, Target
from eadm_sync.app.approving import save
from eadm_sync.app.context import Context, open_context
from eadm_sync.app.delivering import TargetReport, deliver_all
from eadm_sync.app.planning import Planned, planned
from eadm_sync.app.syncing import SyncReport, apply_saved, sync
from eadm_sync.clock import FixedClock
from eadm_sync.config.keys import write_key_file
from eadm_sync.model import Sealed
from eadm_sync.plan.brakes import Hold
from eadm_sync.plan.plan import Plan
from eadm_sync.sample.write import write
from eadm_sync.state import tables
from exportqueue import Drained, Item, Queue, State, Worker, define

ROOT = Path(__file__).parents[2]
PROCESS = Path(__file__).with_name("sync_process.py")
FIRST_DAY = date(2026, 8, 17)
SMALL_TOWN = 30

Line = tuple[str, ...]
"""A change in short: ("hr:001028", "ad", "account", "update") with the group or the product behind it, if any."""


@dataclass(frozen=True)
class Made:
    """What a plan said, kept after the plan is gone."""

    hash: str
    lines: list[Line]
    held_lines: list[Line]
    holds: tuple[Hold, ...]
    import_holds: tuple[str, ...]
    failures: tuple[str, ...]
    is_held: bool
    evaluated: int
    postponed: tuple[str, ...]
    attributes: dict[Line, dict[str, tuple[Any, Any]]]
    people: dict[str, str]


def made_of(planned_: Planned) -> Made:
    """A plan as data that outlives it."""
    plan: Plan = planned_.plan
    lines: list[Line] = []
    held_lines: list[Line] = []
    attributes: dict[Line, dict[str, tuple[Any, Any]]] = {}
    for _, accepted, held in plan.judged():
        for changes, into in ((accepted, lines), (held, held_lines)):
            for change in changes:
                what = change.sku or (change.group if change.kind is Kind.MEMBERSHIP else None)
                line = (change.subject, change.target, str(change.kind), str(change.action), *([what] if what else []))
                into.append(line)
                attributes[line] = dict(change.attributes)
    return Made(
        hash=plan.hash,
        lines=lines,
        held_lines=held_lines,
        holds=plan.holds,
        import_holds=tuple(hold.brake for hold in planned_.import_holds),
        failures=tuple(f"{error}" for error in planned_.failures),
        is_held=planned_.is_held,
        evaluated=plan.evaluated,
        postponed=plan.postponed,
        attributes=attributes,
        people={frame.person: frame.stage for frame in plan.people},
    )


@dataclass
class Town:
    """One installation.

    Attributes:
        folder: Where everything stands.
        clock: Stands still until it is set.
        made: What the last plan said.
    """

    folder: Path
    clock: FixedClock = field(default_factory=lambda: FixedClock(datetime.combine(FIRST_DAY, time(4), UTC)))
    made: Made | None = None

    # ------------------------------------------------------------ doing

    @property
    def context(self) -> Context:
        """Opened anew, as each start of the program does."""
        return open_context(self.folder / "config.yaml", self.clock)

    def sync(self, **options: Any) -> SyncReport:
        """The main job, with everything agreed to."""
        return sync(self.context, self._agree, **options)

    def deliver(self, **options: Any) -> dict[str, TargetReport]:
        """Delivers what is queued; whoever waits, waits on the town's clock. Returns the reports by target."""
        context = self.context
        with context.writing() as database:
            reports = deliver_all(context, database, **{"sleep": self._wait, **options})
        return {report.name: report for report in reports}

    def deliver_to_the_end(self, most_rounds: int = 400) -> int:
        """Delivers as a scheduler would, an hour apart, until nothing is left; returns how often."""
        for round_ in range(most_rounds):
            if not any(report.left for report in self.later(hours=1).deliver().values()):
                return round_ + 1
        raise AssertionError(f"something is left after {most_rounds} rounds: {self.items()[:3]}")

    def deliver_through_kills(
        self, target: str, times: int, *, kill: Callable[[], object], restart: Callable[[], object]
    ) -> int:
        """Delivers so many times, until chance has a target killed on the way; how many deliveries were cut short."""
        chance, queued, cut_short = random.Random(1), len(self.items()), 0
        for _ in range(times):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Worker, "work", _killing(target, chance.randrange(1, queued // times), kill))
                self.later(hours=1).deliver()
            cut_short += any(item.target == target for item in self.items())
            restart()
        return cut_short

    def _wait(self, seconds: float) -> None:
        self.later(seconds=seconds)

    def plan(self, **options: Any) -> Made:
        """The dry run."""
        context = self.context
        with context.reading() as database, planned(context, database, **options) as one:
            return made_of(one)

    def save(self, name: str = "plan.jsonl", **options: Any) -> Path:
        """The dry run, with the plan put into a file."""
        context, file = self.context, self.folder / name
        with context.reading() as database, planned(context, database, **options) as one:
            save(context, one.plan, file)
        return file

    def apply(self, file: Path) -> SyncReport:
        """Applies a saved plan, with everything agreed to."""
        return apply_saved(self.context, file, self._agree)

    def _agree(self, planned_: Planned) -> bool:
        self.made = made_of(planned_)
        return True

    def on(self, day: date) -> Town:
        """Sets the clock to the morning of a day."""
        self.clock.moment = datetime.combine(day, time(4), UTC)
        return self

    def later(self, **delta: float) -> Town:
        """Moves the clock on."""
        self.clock.moment += timedelta(**delta)
        return self

    # ------------------------------------------------------------ its files

    def file(self, name: str) -> Path:
        """A file of a source: "hr/persons.csv"."""
        return self.folder / "examples" / "kommune" / name

    def next_day(self) -> None:
        """Puts the files of the example's second day in place."""
        shutil.copytree(ROOT / "examples" / "kommune-changed", self.file(""), dirs_exist_ok=True)

    def edit(self, name: str, change: Callable[[dict[str, str]], dict[str, str] | None]) -> None:
        """Rewrites a CSV file of a source row by row; None leaves the row out."""
        path = self.file(name)
        delimiter = ";" if name.startswith("hr/") else ","
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, delimiter=delimiter)
            header = list(reader.fieldnames or ())
            rows = [changed for row in reader if (changed := change(row)) is not None]
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, header, delimiter=delimiter, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)

    def end_positions(self, numbers: Iterable[str], last: date) -> None:
        """Gives all HR positions of some people a last day."""
        chosen = frozenset(numbers)
        self.edit(
            "hr/positions.csv",
            lambda row: {**row, "Til": f"{last:%d.%m.%Y}"} if row["Ansattnr"] in chosen else row,
        )

    def hire(self, number: str, given: str, family: str, start: date = FIRST_DAY, unit: str = "1601") -> str:
        """Adds somebody with a full position to HR; returns the person's id."""
        with self.file("hr/persons.csv").open("a", encoding="utf-8", newline="") as file:
            file.write(f"{number};;{given};{family};01.02.1980;;;\n")
        with self.file("hr/positions.csv").open("a", encoding="utf-8", newline="") as file:
            file.write(f"{number};1;{unit};7517;Fagarbeider;Fast;100;{start:%d.%m.%Y};;J;\n")
        return f"hr:{number}"

    def working_in(self, unit: str) -> list[str]:
        """Numbers of those who have all their positions in units whose codes begin so, in order."""
        with self.file("hr/positions.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter=";"))
        elsewhere = {row["Ansattnr"] for row in rows if not row["Enhet"].startswith(unit)}
        return sorted({row["Ansattnr"] for row in rows} - elsewhere)

    def a_unit(self) -> str:
        """The code of a unit that somebody works in."""
        with self.file("hr/positions.csv").open(encoding="utf-8", newline="") as file:
            return [row["Enhet"] for row in csv.DictReader(file, delimiter=";")][-1]

    def configure(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Changes the configuration."""
        path = self.folder / "config.yaml"
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
        change(settings)
        path.write_text(yaml.safe_dump(settings, allow_unicode=True, sort_keys=False), encoding="utf-8")

    def fail(self, target: str, *faults: dict[str, Any]) -> None:
        """Has a target misbehave from now on; without faults, behave."""
        self.configure(lambda settings: settings["targets"][target].update(faults={"fail": list(faults)}))

    def fingerprint(self) -> dict[str, str]:
        """Every file with a hash of its content."""
        return {
            str(path.relative_to(self.folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }

    # ------------------------------------------------------------ what is where

    @contextlib.contextmanager
    def state(self) -> Iterator[Connection]:
        """The state, for reading."""
        with self.context.reading() as database, database.read() as connection:
            yield connection

    def rows(self, table: Any) -> list[Row[Any]]:
        """All rows of a table of the state."""
        with self.state() as connection:
            return list(connection.execute(select(table)))

    def told(self) -> list[Row[Any]]:
        """What the audit tells of changes to targets."""
        return [row for row in self.rows(tables.audit) if row.target is not None]

    def alter(self, statement: Any) -> None:
        """Changes the state behind the program's back."""
        with self.context.writing() as database, database.write() as connection:
            connection.execute(statement)

    def items(self, state: State | None = None) -> list[Item]:
        """Items of the queue that are not done or dropped, or those of one state."""
        tables_ = define(type(tables.metadata)())
        with self.state() as connection:
            found = Queue(tables_).list(connection, state=state, limit=1_000_000)
        return [item for item in found if state is not None or item.state not in (State.DONE, State.DROPPED)]

    @contextlib.contextmanager
    def target(self, name: str) -> Iterator[Target]:
        """A target as its own administrator has it."""
        with self.context.make_target(name) as target:
            yield target

    def account(self, person: str, target: str = "ad") -> RemoteObject | None:
        """Somebody's live account in a target."""
        with self.target(target) as opened:
            found = [one for one in _objects(opened, Kind.ACCOUNT) if one.owner == person]
        return found[0] if found else None

    def carry_out(self, target: str, operation: Operation) -> None:
        """What somebody does in a target by hand."""
        with self.target(target) as opened:
            assert [outcome.error for outcome in opened.apply([operation])] == [None]

    def content(self, name: str) -> dict[str, Any]:
        """What a target holds, without anchors."""
        with self.target(name) as target:
            accounts = {one.anchor: one for one in _objects(target, Kind.ACCOUNT)}
            groups = {one.anchor: one for one in _objects(target, Kind.GROUP)}
            owner = {anchor: one.owner for anchor, one in {**accounts, **groups}.items()}
            return {
                "accounts": _unique((one.owner, _plain(one)) for one in accounts.values()),
                "groups": _unique((one.owner, _plain(one)) for one in groups.values()),
                "memberships": _unique(
                    ((owner[one.group or ""], owner[one.account or ""]), one.role)
                    for one in _objects(target, Kind.MEMBERSHIP)
                ),
                "nestings": _unique(
                    ((owner[one.group or ""], owner[one.member or ""]), True) for one in _objects(target, Kind.NESTING)
                ),
                "licences": _unique(
                    ((owner[one.account or ""], one.sku), True) for one in _objects(target, Kind.LICENCE)
                ),
            }

    def known(self, name: str) -> dict[str, Any]:
        """What a target is known to hold, in the same form."""
        decode = msgspec.msgpack.Decoder(dict[str, str | bool | int | list[str] | Sealed | None]).decode
        with self.target(name) as target:
            anchors = {one.owner: one.anchor for kind in (Kind.ACCOUNT, Kind.GROUP) for one in _objects(target, kind)}
        accounts, groups = tables.known_accounts, tables.known_groups
        memberships, nestings = tables.known_memberships, tables.known_nestings
        licences = tables.known_licences
        with self.state() as connection:

            def of(table: Any) -> Iterator[Row[Any]]:
                yield from connection.execute(select(table).where(table.c.target == name))

            for row in of(accounts):
                assert anchors.get(row.person_id) == row.anchor
            for row in of(groups):
                assert anchors.get(f"group:{row.key}") == row.anchor
            return {
                "accounts": {
                    row.person_id: (decode(row.attributes), row.container, bool(row.enabled)) for row in of(accounts)
                },
                "groups": {f"group:{row.key}": (decode(row.attributes), row.container, None) for row in of(groups)},
                "memberships": {(f"group:{row.group_key}", row.person_id): row.role for row in of(memberships)},
                "nestings": {(f"group:{row.group_key}", f"group:{row.member_key}"): True for row in of(nestings)},
                "licences": {(row.person_id, row.sku): True for row in of(licences)},
            }

    def contents(self) -> dict[str, dict[str, Any]]:
        """What all targets hold."""
        return {name: self.content(name) for name in self.context.loaded.settings.targets}

    def assert_known_is_true(self) -> None:
        """Known state is what the targets hold, object by object and value by value."""
        for name in self.context.loaded.settings.targets:
            content = self.content(name)
            for attributes, *_ in content["accounts"].values():
                for own in self._own_to(name):
                    attributes.pop(own, None)
            assert self.known(name) == content, name

    def _own_to(self, target: str) -> set[str]:
        """Attributes that are written when an account is made, and are the target's own from then on."""
        rules = (rule for rule in self.context.ruleset.accounts if rule.target == target)
        return {name for rule in rules for name, policy in rule.policies.items() if policy == "initial-only"}

    def assert_settled(self) -> None:
        """Nothing is on its way any more, and known state is true."""
        assert self.items() == []
        self.assert_known_is_true()


def _killing(target: str, after: int, kill: Callable[[], object]) -> Any:
    """`Worker.work` that has the target killed after so many changes: by the worker itself, which has more in hand.

    Whoever only hears of progress may hear of it when everything is delivered.
    """
    real, lock, left = Worker.work, threading.Lock(), [after]

    def work(worker: Worker, stop: Callable[[], bool], tell: Callable[[Drained], None]) -> Drained:
        before = Drained()

        def told(drained: Drained) -> None:
            nonlocal before
            tell(drained)
            if worker.target == target:
                with lock:
                    is_now = left[0] > 0 >= left[0] - (drained.done - before.done)
                    left[0] -= drained.done - before.done
                    if is_now:
                        kill()
            before = drained

        return real(worker, stop, told)

    return work


def _objects(target: Target, kind: Kind) -> Iterator[RemoteObject]:
    return (one for one in target.read(kind) if isinstance(one, RemoteObject) and not one.deleted)


def _plain(one: RemoteObject) -> tuple[dict[str, Any], str | None, bool | None]:
    return dict(one.attributes), one.container or None, one.enabled  # where nobody asked for a container, it has none


def _unique(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    """A dictionary of pairs whose keys must differ: a second account for one person is an error."""
    listed = list(pairs)
    assert len({key for key, _ in listed}) == len(listed)
    return dict(listed)


def make_town(folder: Path, people: int | None = None) -> Town:
    """A new installation with the example's rules, of the example's people or of so many others."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "config.example.yaml", folder / "config.yaml")
    shutil.copytree(ROOT / "rulesets", folder / "rulesets", ignore=shutil.ignore_patterns("tests"))
    if people is None:
        shutil.copytree(ROOT / "examples" / "kommune", folder / "examples" / "kommune")
    else:
        write(folder / "examples" / "kommune", people=people, seed=1)
    write_key_file(folder / "var" / "eadm-sync.key")
    return Town(folder)


@pytest.fixture
def town(tmp_path: Path) -> Town:
    """The example municipality of 250 people, before its first run."""
    return make_town(tmp_path / "town")


@pytest.fixture
def small_town(tmp_path: Path) -> Town:
    """A municipality of 30 people, before its first run."""
    return make_town(tmp_path / "small", SMALL_TOWN)


@pytest.fixture(scope="session")
def _settled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make_town(tmp_path_factory.mktemp("settled") / "town")
    assert made.sync().is_complete
    return made.folder


@pytest.fixture
def settled(tmp_path: Path, _settled: Path) -> Town:
    """The example municipality after its first run."""
    shutil.copytree(_settled, tmp_path / "settled")
    return Town(tmp_path / "settled")


@pytest.fixture(scope="session")
def _settled_small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make_town(tmp_path_factory.mktemp("settled-small") / "town", SMALL_TOWN)
    assert made.sync().is_complete
    return made.folder


@pytest.fixture
def settled_small(tmp_path: Path, _settled_small: Path) -> Town:
    """The municipality of 30 people after its first run."""
    shutil.copytree(_settled_small, tmp_path / "settled-small")
    return Town(tmp_path / "settled-small")


class Processes:
    """Runs the main job in processes of its own, which can be killed (see `sync_process.py`)."""

    def __init__(self) -> None:
        self._server = subprocess.Popen(
            [sys.executable, str(PROCESS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def run(self, town: Town, kill_after_seconds: float | None = None) -> tuple[str, float]:
        """How the process ended ("done", "killed", "failed"), and after how many seconds."""
        assert self._server.stdin
        assert self._server.stdout
        after = "" if kill_after_seconds is None else repr(kill_after_seconds)
        self._server.stdin.write(f"{town.folder}\t{town.clock.moment.isoformat()}\t{after}\n")
        self._server.stdin.flush()
        status, seconds = self._server.stdout.readline().split()
        return status, float(seconds)

    def close(self) -> None:
        """Ends the server."""
        self._server.send_signal(signal.SIGTERM)
        self._server.communicate()


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    """Processes that run the main job."""
    made = Processes()
    yield made
    made.close()
