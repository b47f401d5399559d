"""Tells a story to the program, day by day, and has what comes of it judged."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import re
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from connectors.contract import Action, Kind, Operation
from eadm_sync.errors import NotFound

from . import model
from .judging import NAMES, Day, Judge
from .model import ORDER, Believed, Orders, Rules
from .program import TARGETS, Crash, Program, crashing
from .story import ON_TOWN, Event, Story
from .town import Town, day_of

_MEMORY = Path("/dev/shm")  # noqa: S108 - durability is not what is simulated, and a disk would take most of the time

ASKED_EVERY = 3
"""How many calm days go by from one question what a second run would do to the next; each takes as long as a run."""

CHECKED_TIMES = 100
"""How often at most audit and targets are read in one story: the audit's reading takes the longer the longer it is."""


FILLED = 4
"""Of so many people, one has an account in the directory from before; it is taken over when they come."""


class Broken(AssertionError):
    """An invariant does not hold: on which `day`, and what; `kind` is that without names and numbers."""

    def __init__(self, day: int, what: str) -> None:
        super().__init__(f"day {day} ({day_of(day)}): {what}")
        self.day = day
        self.kind = re.sub(r"\w*\d[\w-]*|[\[{].*", "", what.partition(";")[0])


@dataclass
class Told:
    """How much came of a story."""

    days_run: int = 0
    calm_days: int = 0
    events: int = 0
    crashes: int = 0
    deleted: int = 0
    purged: int = 0

    def plus(self, other: Told) -> Told:
        """Both together."""
        return Told(*(getattr(self, one.name) + getattr(other, one.name) for one in dataclasses.fields(self)))


_PUT_OFF = frozenset(ON_TOWN) - {"rename unit", "rollover"}
"""What waits for a sound export: a broken one tells of half of it, and from which day it counts were open."""

DatabaseMaker = Callable[[], AbstractContextManager[str | None]]
"""Makes an empty database for one telling: its URL, or None for a file."""


def tell(story: Story, last: int, *, every: int = 1, database: DatabaseMaker = nullcontext) -> Told:
    """Tells a story to its end, and some calm days more.

    Args:
        story: What happens, sorted by day.
        last: The last day; nothing is broken on it.
        every: Days from one run of the program to the next, at least.
        database: Where the program's state is.

    Raises:
        Broken: Something is not as it should be.
    """
    folder = _MEMORY if _MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=folder, prefix="simulation-") as place, database() as url:
        return _Telling(Program(Path(place), url), story, last, every).tell()


class _Telling:
    def __init__(self, program: Program, story: Story, last: int, every: int) -> None:
        self.program = program
        self.waiting = list(reversed(story))
        self.last, self.every = last, every
        self.checked_every = max(2, last // (every * ASKED_EVERY * CHECKED_TIMES)) * ASKED_EVERY
        self.town, self.believed, self.truth = Town(), Believed(), Believed()
        self.judge, self.told = Judge(), Told()
        self.rules = Rules()
        self.stopped: set[str] = set()
        self.extended: dict[str, date] = {}
        self.faults: dict[str, tuple[str, int]] = {}
        self.seats: tuple[int, int] | None = None
        self.had_before = sorted({one.who for one in story if one.what in ("join", "enrol")})[::FILLED]
        self.is_spoilt, self.was_calm = False, True
        self.left, self.found_queued = 0, False
        self.broken_until = -1
        self.emptied: tuple[str, ...] = ()
        self.is_half = False

    def tell(self) -> Told:
        try:
            self.program.install()
            self._settle_strangers()
            number = 0
            while number <= self.last:
                self._live_or_break(number)
                number = self._next(number)
        finally:
            self.program.restart()
        return self.told

    def _live_or_break(self, number: int) -> None:
        try:
            self._live(number)
        except Broken:
            raise
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            raise Broken(number, f"{error!r} in {place.name}, {place.filename}:{place.lineno}") from error

    def _settle_strangers(self) -> None:
        """Puts objects into the targets that are nobody's business here, or not yet: some people have accounts."""
        for target in TARGETS:
            for number in range(3):
                operation = Operation(
                    f"stranger {number}",
                    Kind.ACCOUNT,
                    Action.CREATE,
                    attributes={NAMES[target]: f"svc-{number}", "displayName": "Kari Hansen", "mark": f"x{number}"},
                    enabled=number > 0,
                )
                self.program.carry_out(target, operation)
            for who in self.had_before if target == "ad" else ():
                self.program.carry_out(target, _made_before(who))
            self.judge.spare(target, self.program.seen(target).accounts)

    def _next(self, number: int) -> int:
        """The next day on which something can be different, as far as runs go; the last one is among them."""
        if number >= self.last:
            return number + 1
        today = day_of(number)
        dates = {*model.turning_days(self.believed), *self.judge.turning_days()}
        dates |= {until + timedelta(days=1) for until in self.extended.values()}
        days = {number + (each - today).days for each in dates if each > today}
        days |= {self.broken_until + 1, self.last, *(until + 1 for _, until in self.faults.values())}
        if self.seats:
            days.add(self.seats[1] + 1)
        if self.waiting:
            days.add(self.waiting[-1].day)
        soonest = min(day for day in days if day > number)
        return min(max(soonest, number + self.every), self.last)

    # ------------------------------------------------------------ one day

    def _live(self, number: int) -> None:
        today = day_of(number)
        self.program.on(today)
        crash = self._happen(number)
        self._set_faults(number)
        if self.is_spoilt:
            self.is_spoilt = not self.program.reconcile()
        is_sound = not self._is_broken(number)
        self._export(today, is_sound=is_sound)
        self.found_queued = bool(self.left or crash)
        self.left = left = self._work(crash, is_sound)
        is_calm = is_sound and not self.faults
        if left and self.seats:  # what was queued before there were too few of a licence waits until there are more
            is_calm = False
        if is_calm and left:
            self.program.deliver_all()
            self.left = 0
        self.was_calm = is_calm
        self._check(number, self._day(today, is_calm=is_calm))
        self.told.days_run += 1

    def _happen(self, number: int) -> int:
        """All that happens up to a day; returns the step at which the program crashes, 0 for none."""
        events: list[Event] = []
        while self.waiting and self.waiting[-1].day <= number:
            events.append(self.waiting.pop())
        self._break_exports(events, number)
        postponed = [one for one in events if one.what in _PUT_OFF and self._is_broken(number)]
        again = self.broken_until + 1
        self.waiting += [dataclasses.replace(one, day=again) for one in reversed(postponed)]
        crash = 0
        for event in (one for one in events if one not in postponed):
            self.told.events += 1
            if event.what in ON_TOWN:
                ON_TOWN[event.what](self.town, event)
            elif event.what == "crash":
                crash = event.days
            else:
                self._befall(event, number)
        return crash

    def _break_exports(self, events: Sequence[Event], number: int) -> None:
        for event in events:
            if event.what in ("empty export", "half export"):
                self.broken_until = max(self.broken_until, number + event.days)
                self.is_half = event.what == "half export"
                self.emptied = () if self.is_half else (event.word,)

    def _is_broken(self, number: int) -> bool:
        return number <= self.broken_until and number < self.last

    def _befall(self, event: Event, number: int) -> None:
        """What befalls the program, its sources and its targets."""
        match event.what:
            case "fault":
                self.faults[event.who] = event.word, number + event.days
            case "seats":
                self.seats = int(event.word), number + event.days
            case "empty export" | "half export":
                pass  # seen to already
            case "edit rules":
                self._edit_rules(edition=f" {event.word}")
            case "rename groups":
                self._edit_rules(called=f" {event.word}")
            case "close the cloud":
                self._edit_rules(cloud_kinds=tuple(kind for kind in ORDER if kind != event.word))
            case "spoil":
                self._spoil(event)
            case "edit by hand":
                for target, anchor in self.judge.accounts_of(event.who):
                    self.judge.was_written(target, anchor, event.word)
                    self.program.edit_by_hand(target, anchor, {"comment": event.word})
            case _:
                self._order(event, day_of(number + event.days))

    def _edit_rules(self, **changes: Any) -> None:
        self.rules = dataclasses.replace(self.rules, **changes)
        self.program.edit_rules(self.rules)

    def _spoil(self, event: Event) -> None:
        """Changes what is ours by hand; the targets are read before the next run, which sees to it.

        Only where nothing is on its way: what a change is queued for, reconciliation leaves to a later reading.
        """
        if not self.was_calm:
            return
        for target, anchor in list(self.judge.accounts_of(event.who)):
            self.is_spoilt = True
            if event.word == "rename":
                self.program.edit_by_hand(target, anchor, {"displayName": "Somebody Else"})
            else:
                self.program.delete_by_hand(target, anchor)
                self.judge.was_deleted(target, anchor)

    def _order(self, event: Event, until: date) -> None:
        who, person = event.who, self.judge.persons.get(event.who)
        is_moot = {
            "stop": who in self.stopped,
            "resume": who not in self.stopped,
            "extend": False,
            "end extension": who not in self.extended,
        }
        if person is None or is_moot[event.what]:
            return
        with contextlib.suppress(NotFound):  # who was forgotten since cannot be stopped
            self.program.order(event.what, person, until)
            match event.what:
                case "stop":
                    self.stopped.add(who)
                case "resume":
                    self.stopped.discard(who)
                case "extend":
                    self.extended[who] = until
                    if who not in self.believed.dead:  # as far as the program knows before it reads the sources
                        self.judge.was_extended(who)
                case _:
                    del self.extended[who]

    def _set_faults(self, number: int) -> None:
        """Has targets misbehave as long as the story says, and on the last day not."""
        self.faults = {
            target: (kind, until)
            for target, (kind, until) in self.faults.items()
            if number <= until and number < self.last
        }
        if self.seats and (number > self.seats[1] or number == self.last):
            self.seats = None
        faults = {target: kind for target, (kind, _) in self.faults.items()}
        self.program.configure(faults, self.seats[0] if self.seats else None)

    def _export(self, today: date, *, is_sound: bool) -> None:
        folder = self.program.folder / "exports"
        if is_sound:
            self.town.export(folder)
            self.believed.take_in(self.town, today)
            self.truth = self.believed
        else:
            self.town.export(folder, self.emptied, self.is_half)
            self.truth = copy.deepcopy(self.believed)
            self.truth.take_in(self.town, today)

    def _work(self, crash: int, is_sound: bool) -> int:
        """The night's work; where it crashes, it is begun again by a new process. Returns what is left to deliver."""
        if crash:
            try:
                with crashing(crash):
                    self.program.sync(believes=is_sound)
                    self.program.deliver()
            except Crash:
                self.told.crashes += 1
            self.program.restart()
            self.program.clock.moment += timedelta(minutes=1)
        self.program.sync(believes=is_sound)
        return self.program.deliver()

    # ------------------------------------------------------------ comparing

    def _day(self, today: date, *, is_calm: bool) -> Day:
        orders = Orders(frozenset(self.stopped), dict(self.extended), self.rules)
        wanted = model.wanted_on(self.believed, today, orders)
        certain, possible = set(wanted.accounts), set(wanted.accounts)
        if self.truth is not self.believed:  # what a broken export tells rightly may be known already
            told = model.wanted_on(self.truth, today, orders).accounts.keys()
            certain, possible = certain & told, possible | told
        is_short = bool(self.program.short_of)
        both = frozenset(certain), frozenset(possible)
        return Day(today, self.believed, self.truth, orders, wanted, *both, is_calm, is_short)

    def _check(self, number: int, day: Day) -> None:
        for target in TARGETS:
            if faults := self.judge.faults(target, self.program.seen(target), day):
                raise Broken(number, f"{target}: {'; '.join(faults)}")
        self.told.deleted = self.judge.deleted
        if day.is_calm:
            self.told.calm_days += 1
            self._check_rest(number)

    def _check_rest(self, number: int) -> None:
        """What holds where everything was delivered."""
        if self.told.calm_days % ASKED_EVERY and number != self.last:
            return
        if not self.program.short_of:
            self._run_again(number)
        if self.told.calm_days % self.checked_every and number != self.last:
            return
        if faults := self.program.audit_faults():
            raise Broken(number, f"the audit does not tell what is known: {faults}")
        if drift := self.program.drift():
            raise Broken(number, f"known state is not what targets hold: {drift}")
        self._purge()

    def _run_again(self, number: int) -> None:
        people, changes = self.program.changes_of_another_run()
        # A group goes with the run behind the last member's; and whoever met one that was still being made is looked at
        # once more, with nothing to do.
        is_last_step = not people and changes == ["cloud group delete"]
        if is_last_step or (self.found_queued and not changes and people):
            self.program.sync(believes=True)
            self.program.deliver_all()
            people, changes = self.program.changes_of_another_run()
        if people or changes:
            known = " ".join(who for who, person in self.judge.persons.items() if person in people)
            raise Broken(number, f"a second run looks at {people} ( {known} ), and changes: {changes}")

    def _purge(self) -> None:
        """Forgets who is gone for good, and with them what was ordered about them.

        An account from before that was never taken over keeps a name that is reserved now, and would be refused if they
        came back; so somebody deletes it by hand.
        """
        self.told.purged += self.program.purge()
        stored = self.program.stored_people()
        gone = {who for who, person in self.judge.persons.items() if person not in stored}
        for anchor in self.judge.never_taken_over("ad", gone):
            self.program.carry_out("ad", Operation(f"clear {anchor}", Kind.ACCOUNT, Action.DELETE, anchor=anchor))
        for who in self._forgotten(stored):
            self.stopped.discard(who)
            self.extended.pop(who, None)

    def _forgotten(self, stored: set[str]) -> Iterator[str]:
        ordered = self.stopped | self.extended.keys()
        yield from (who for who in sorted(ordered) if self.judge.persons.get(who) not in stored)


def _made_before(who: str) -> Operation:
    """An account as somebody made it by hand years ago; its mark says whose it is, as an employee number would."""
    attributes = {NAMES["ad"]: f"gammel-{who}", "displayName": "As it was", "mark": who, "comment": "from before"}
    return Operation(f"before {who}", Kind.ACCOUNT, Action.CREATE, attributes=attributes, enabled=True)
