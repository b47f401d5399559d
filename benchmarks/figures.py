"""The figures by id: what is run, against what, and what is aimed at."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from benchmarks.comparing import parse
from benchmarks.installation import DATABASES, Installations, OnPostgresql, output, run, shell
from benchmarks.measuring import Cost, best, cost, interleaved, middle, scaled
from benchmarks.queue_peers import PEERS
from tests.postgresql import start_new, what_is_missing

ITEMS = 100_000
PEER_ITEMS = 2_000
"""Other queues take so long for each item that fewer have to do; rates are compared."""

Work = Callable[[], Cost]
A_PERSON = "hr:001001"  # the first that every town has

EDITED = {
    "licence": "one licence rule edited",
    "attribute": "one account attribute edited",
    "group": "one group rule edited",
    "condition": "a condition edited that eleven rules name",
    "identifier": "an identifier edited",
    "everything": "every rule edited",
}
"""Kinds of edit, as `benchmarks.editing` makes them."""


@dataclass(frozen=True)
class Aim:
    """What a figure should stay under; None where nothing is said.

    Attributes:
        ratio: To the floor.
        seconds: By the clock on the wall, for a hundred thousand people.
        peak_mib: Of memory.
    """

    ratio: float | None = None
    seconds: float | None = None
    peak_mib: float | None = None

    def __str__(self) -> str:
        bounds = ((self.ratio, "×"), (self.seconds, " s"), (self.peak_mib, " MiB"))
        return ", ".join(f"≤ {bound:g}{unit}" for bound, unit in bounds if bound is not None)


@dataclass(frozen=True)
class Row:
    """One figure; medians.

    Attributes:
        id: As in the issues.
        what: What was run.
        floor: What it is compared with.
        ours: Its cost.
        floor_cost: The floor's cost.
        runs: Seconds of each run, and of each run of the floor.
        aim: What is aimed at.
    """

    id: str
    what: str
    floor: str
    ours: Cost
    floor_cost: Cost
    runs: tuple[tuple[float, ...], tuple[float, ...]]
    aim: Aim

    @property
    def of_people(self) -> bool:
        """Whether everybody in the town went through it."""
        return self.id in {"P1", "P2", "P3", "P4"}

    @property
    def ratio(self) -> float:
        """Ours to the floor."""
        return self.ours.seconds / self.floor_cost.seconds

    @property
    def met(self) -> bool:
        """Whether every bound of the aim is kept."""
        figures = (self.ratio, self.ours.seconds, self.ours.peak_mib)
        bounds = (self.aim.ratio, self.aim.seconds, self.aim.peak_mib)
        return all(bound is None or figure <= bound for figure, bound in zip(figures, bounds, strict=True))


@dataclass
class Bench:
    """Where figures are taken.

    Attributes:
        installations: The town.
        repeats: Runs of each, whose median counts.
        is_full: Whether those are taken as well that take long: ten times the people, and on PostgreSQL.
        taken: Figures so far.
    """

    installations: Installations
    repeats: int
    is_full: bool = False
    taken: list[Row] = field(default_factory=list)

    def row(self, id_: str, what: str, floor: str, aim: Aim, by_turns: tuple[Work, Work]) -> Row:
        """Measures floor and ours by turns."""
        floors, ours = interleaved(*by_turns, self.repeats)
        return _row(id_, what, floor, aim, floors, ours)


def _row(
    id_: str,
    what: str,
    floor: str,
    aim: Aim,
    floors: Sequence[Cost],
    ours: Sequence[Cost],
    pick: Callable[[Sequence[Cost]], Cost] = middle,
) -> Row:
    runs = tuple(each.seconds for each in ours), tuple(each.seconds for each in floors)
    return Row(id_, what, floor, pick(ours), pick(floors), runs, aim)


def unchanged(bench: Bench) -> Iterator[Row]:
    """P1."""
    town = bench.installations
    synced, remembered = town.synced, town.remembered
    yield bench.row(
        "P1",
        "sync, nothing changed",
        "csv.reader, typed records, a hash each, compared with those in SQLite",
        Aim(ratio=2.0, seconds=2.0, peak_mib=150),
        (partial(run, "benchmarks.floors", "unchanged", str(synced), str(remembered)), partial(town.sync, synced)),
    )


def first_plan(bench: Bench) -> Iterator[Row]:
    """P2; not before rules by hand and engine have been found to agree."""
    town = bench.installations
    folder = town.fresh
    run("benchmarks.agreement", str(folder))
    yield bench.row(
        "P2",
        "first plan, three targets",
        "the same rules by hand in Python, a hash each",
        Aim(ratio=3.0, seconds=8.0, peak_mib=250),
        (partial(run, "benchmarks.floors", "plan", str(folder)), partial(town.plan, folder)),
    )


def edited(bench: Bench) -> Iterator[Row]:
    """P3; not before rule by hand and command have been found to tell of the same number of people."""
    synced = bench.installations.synced
    for kind, what in EDITED.items():
        edit = bench.installations.edited(kind)
        run("benchmarks.editing", "agree", kind, str(synced))
        yield bench.row(
            "P3",
            f"plan --rulesets, {what}",
            "that by hand, over the stored people",
            Aim(seconds=6.0) if kind == "everything" else Aim(ratio=5.0),
            (partial(run, "benchmarks.editing", kind, str(synced)), partial(bench.installations.compare, synced, edit)),
        )


def first_sync(bench: Bench) -> Iterator[Row]:
    """P4; ours goes before the floor, which inserts the rows that it leaves."""
    town = bench.installations

    def floor() -> Cost:
        databases = [str(town.synced / "var" / name) for name in DATABASES]
        return run("benchmarks.floors", "insert", str(town.synced), *databases)

    ours, floors = interleaved(town.sync_first, floor, bench.repeats)
    what, against = "first sync, delivered to three embedded targets", "P2's floor, and bulk inserts of the same rows"
    yield _row("P4", what, against, Aim(ratio=3.0), floors, ours)


def changed(bench: Bench) -> Iterator[Row]:
    """P5."""
    town = bench.installations
    synced = town.synced
    what, floor = "sync, 1 000 people changed", "sync, nothing changed"
    yield bench.row("P5", what, floor, Aim(ratio=1.3), (partial(town.sync, synced), town.sync_changed))


def ten_times(bench: Bench) -> Iterator[Row]:
    """P6: P1 to P5 once with ten times the people, against what the same took with as many as there are.

    Raises:
        RuntimeError: That was not measured.
    """
    if not bench.is_full:
        return
    town = bench.installations.larger
    works: dict[str, Work] = {
        "P2": lambda: town.plan(town.fresh),
        "P4": town.sync_first,
        "P1": lambda: town.sync(town.synced),
        "P3": lambda: town.compare(town.synced, town.edited("attribute")),
        "P5": town.sync_changed,
    }
    for id_, work in works.items():
        wanted = EDITED["attribute"] if id_ == "P3" else ""
        former = next((row for row in bench.taken if row.id == id_ and wanted in row.what), None)
        if former is None:
            raise RuntimeError(f"{id_} has to be measured before P6")
        what = f"{former.what}, {town.people:,} people"
        floor = f"the same with {bench.installations.people:,} people"
        yield _row("P6", what, floor, Aim(ratio=11.0, peak_mib=600), (former.ours,), (work(),))


def on_postgresql(bench: Bench) -> Iterator[Row]:
    """P1, P4 and P5 with the state on PostgreSQL, against the same on SQLite.

    Raises:
        RuntimeError: That was not measured, or there is no PostgreSQL.
    """
    if not bench.is_full:
        return
    if missing := what_is_missing():
        raise RuntimeError(missing)
    server = start_new(settings=())
    try:
        town = OnPostgresql(bench.installations.place / "postgresql", bench.installations.people, server)
        works: dict[str, Work] = {
            "P4": town.sync_first,
            "P1": lambda: town.sync(town.synced),
            "P5": town.sync_changed,
        }
        for id_, work in works.items():
            former = next((row for row in bench.taken if row.id == id_), None)
            if former is None:
                raise RuntimeError(f"{id_} has to be measured on SQLite first")
            what = f"{former.what}, state on PostgreSQL"
            yield _row(id_, what, "the same on SQLite", Aim(), (former.ours,), (work(),))
    finally:
        server.remove()


def queue(bench: Bench) -> Iterator[Row]:
    """P7: each way against a table without the queue, and against what other queues need for as many items."""
    kinds = ("sqlite", "postgresql") if bench.is_full and not what_is_missing() else ("sqlite",)
    for kind in kinds:
        for ours, bare, what, floor in (
            ("enqueue", "insert", "in, two prerequisites each", "bulk insert of the same rows"),
            ("drain", "bare-drain", "out, batches of 100", "a table without order, leases and dependencies"),
        ):
            row = bench.row(
                "P7",
                f"{ITEMS:,} queue items {what}, {kind}",
                floor,
                Aim(ratio=2.5),
                (
                    partial(run, "benchmarks.queueing", kind, bare, str(ITEMS)),
                    partial(run, "benchmarks.queueing", kind, ours, str(ITEMS)),
                ),
            )
            yield row
            yield from _against_peers(row, kind, "peer-in" if ours == "enqueue" else "peer-out")


def _against_peers(row: Row, kind: str, direction: str) -> Iterator[Row]:
    """The same against each other queue on that kind of database; fewer items, scaled."""
    for peer in PEERS:
        if peer.kind == kind:
            spent = run("benchmarks.queueing", kind, direction, str(PEER_ITEMS), peer.name)
            theirs = scaled(spent, ITEMS / PEER_ITEMS)
            runs = row.runs[0], (theirs.seconds,)
            floor = f"{peer.name}, rate of {PEER_ITEMS:,} items"
            what = f"{row.what}, against {peer.name}"
            yield replace(row, what=what, floor=floor, floor_cost=theirs, runs=runs, aim=Aim(ratio=1.0))


def domain(bench: Bench) -> Iterator[Row]:
    """P8: the contenders take turns on one domain controller, which each of two processes starts itself.

    Of each the best round counts: the directory fills from one to the next.
    """
    for module in ("benchmarks.active_directory", "benchmarks.active_directory_reading"):
        for each in parse(output(module, "--json", "--rounds", str(bench.repeats))):
            aim = Aim(ratio=round(1 / each.least, 2))
            what = f"Active Directory: {each.what}, {each.count:,}, against {each.floor}"
            yield _row("P8", what, each.floor, aim, each.floors, each.ours, best)


def clouds(bench: Bench) -> Iterator[Row]:
    """P9: our connectors against one call of the vendors' own packages after the other, on the same local service."""
    count = "2000" if bench.is_full else "200"
    for module, name, more in (
        ("benchmarks.entra", "Entra ID", ()),
        ("benchmarks.google", "Google Workspace", () if bench.is_full else ("--seconds", "15")),
    ):
        for each in parse(output(module, "--json", "--count", count, *more)):
            aim = Aim(ratio=round(1 / each.least, 2))
            what = f"{name}: {each.what}, {each.count:,}, against {each.floor}"
            yield _row("P9", what, each.floor, aim, each.floors, each.ours)


def starts(bench: Bench) -> Iterator[Row]:
    """P10."""
    synced = bench.installations.synced
    for command, seconds in (("--help",), 0.3), (("status",), None), (("explain", A_PERSON), 0.5):
        yield bench.row(
            "P10",
            f"eadm-sync {' '.join(command)}",
            "python -c 'import typer'",
            Aim(seconds=seconds),
            (
                partial(cost, (sys.executable, "-c", "import typer")),
                partial(shell, *command, folder=None if command == ("--help",) else synced),
            ),
        )


FIGURES: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "P2": first_plan,
    "P4": first_sync,
    "P1": unchanged,
    "P3": edited,
    "P5": changed,
    "P7": queue,
    "P8": domain,
    "P9": clouds,
    "P10": starts,
    "PostgreSQL": on_postgresql,
    "P6": ten_times,
}
"""In the order in which they are taken: what one leaves, the next uses."""
