"""Tells a story to the program, day by day, and compares what comes of it with the model."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from connectors.contract import Action, Kind, Operation, RemoteObject
from eadm_sync.errors import NotFound

from . import model
from .model import Believed, Place, Wanted
from .program import TARGETS, Crash, Program, Seen, crashing
from .story import ON_TOWN, Event, Story
from .town import Town, day_of

_MEMORY = Path("/dev/shm")  # noqa: S108 - durability is not what is simulated, and a disk would take most of the time


ASKED_EVERY = 3
"""How many calm days go by from one question what a second run would do to the next; each takes as long as a run."""

CHECKED_TIMES = 100
"""How often at most audit and targets are read in one story: the audit's reading takes the longer the longer it is."""


_NAMES = {"ad": "sAMAccountName", "cloud": "userName"}
"""The attribute by which accounts of each target are called."""


class Broken(AssertionError):
    """An invariant does not hold: on which `day`, and what."""

    def __init__(self, day: int, what: str) -> None:
        super().__init__(f"day {day} ({day_of(day)}): {what}")
        self.day = day


@dataclass
class Told:
    """How much came of a story."""

    days_run: int = 0
    calm_days: int = 0
    crashes: int = 0
    deleted: int = 0
    purged: int = 0

    def plus(self, other: Told) -> Told:
        """Both together."""
        return Told(*(getattr(self, one.name) + getattr(other, one.name) for one in dataclasses.fields(self)))


def tell(story: Story, last: int) -> Told:
    """Tells a story to its end, and some calm days more.

    Args:
        story: What happens, sorted by day.
        last: The last day; nothing is broken on it.

    Raises:
        Broken: Something is not as it should be.
    """
    folder = _MEMORY if _MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=folder, prefix="simulation-") as place:
        return _Telling(Path(place), story, last).tell()


@dataclass
class _Account:
    """What is remembered of one account of a target.

    Attributes:
        who: Whose it is; it is nobody else's, ever.
        enabled: As last seen.
        comment: What somebody wrote on it by hand.
    """

    who: str
    enabled: bool = False
    comment: str | None = None


@dataclass
class _Memory:
    """What is remembered of one target.

    Attributes:
        accounts: By anchor.
        names: Every name that was ever given → to whom.
        strangers: Objects that the program has nothing to do with.
        unwanted_since: who → first day on which nothing gave them an account that they had.
        gone_by: who → day on which such an account has to be deleted, if all is calm.
    """

    accounts: dict[str, _Account] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    strangers: dict[str, RemoteObject] = field(default_factory=dict)
    unwanted_since: dict[str, date] = field(default_factory=dict)
    gone_by: dict[str, date] = field(default_factory=dict)


class _Telling:
    def __init__(self, folder: Path, story: Story, last: int) -> None:
        self.program = Program(folder)
        self.story = story
        self.last = last
        self.checked_every = max(2, last // (ASKED_EVERY * CHECKED_TIMES)) * ASKED_EVERY
        self.town, self.believed, self.truth = Town(), Believed(), Believed()
        self.memory = {target: _Memory() for target in TARGETS}
        self.told = Told()
        self.edition = ""
        self.stopped: set[str] = set()
        self.persons: dict[str, str] = {}
        self.faults: dict[str, tuple[str, int]] = {}
        self.broken_until = -1
        self.emptied: tuple[str, ...] = ()
        self.is_half = False

    def tell(self) -> Told:
        self.program.install()
        self._settle_strangers()
        number = 0
        while number <= self.last:
            try:
                self._live(number)
            except Broken:
                raise
            except Exception as error:
                place = traceback.extract_tb(error.__traceback__)[-1]
                raise Broken(number, f"{error!r} in {place.name}, {place.filename}:{place.lineno}") from error
            number = self._next(number)
        return self.told

    def _settle_strangers(self) -> None:
        """Puts objects into the targets that are nobody's business here."""
        for target in TARGETS:
            for number in range(3):
                operation = Operation(
                    f"stranger {number}",
                    Kind.ACCOUNT,
                    Action.CREATE,
                    attributes={_NAMES[target]: f"svc-{number}", "displayName": "Kari Hansen", "mark": f"x{number}"},
                    enabled=number > 0,
                )
                self.program.carry_out(target, operation)
            self.memory[target].strangers = dict(self.program.seen(target).accounts)

    def _next(self, number: int) -> int:
        """The next day on which something can be different."""
        days = {event.day for event in self.story} | {self.broken_until + 1, self.last}
        days |= {until + 1 for _, until in self.faults.values()}
        today = day_of(number)
        dates = set(model.turning_days(self.believed))
        for memory in self.memory.values():
            dates |= set(memory.gone_by.values())
        days |= {number + (each - today).days for each in dates if each > today}
        return min(day for day in days if day > number) if number < self.last else self.last + 1

    # ------------------------------------------------------------ one day

    def _live(self, number: int) -> None:
        today = day_of(number)
        self.program.on(today)
        crash = 0
        for event in self.story:
            if event.day == number:
                if event.what in ON_TOWN:
                    ON_TOWN[event.what](self.town, event)
                elif event.what == "crash":
                    crash = event.days
                else:
                    self._befall(event, number)
        self._set_faults(number)
        is_sound = number > self.broken_until or number == self.last
        if is_sound:
            self.town.export(self.program.folder / "exports")
            self.believed.take_in(self.town, today)
            self.truth = self.believed
        else:
            self.town.export(self.program.folder / "exports", self.emptied, self.is_half)
            self.truth = copy.deepcopy(self.believed)
            self.truth.take_in(self.town, today)
        left = self._work(crash, is_sound)
        is_calm = is_sound and not self.faults
        if is_calm and left:
            self.program.deliver_all()
        self._check(number, today, is_calm)
        self.told.days_run += 1

    def _befall(self, event: Event, number: int) -> None:
        """What befalls the program, its sources and its targets."""
        if event.what == "fault":
            self.faults[event.who] = event.word, number + event.days
        elif event.what in ("empty export", "half export"):
            self.broken_until = max(self.broken_until, number + event.days)
            self.is_half = event.what == "half export"
            self.emptied = () if self.is_half else (event.word,)
        elif event.what == "edit rules":
            self.edition = f" {event.word}"
            self.program.edit_rules(self.edition)
        elif event.what == "edit by hand":
            self._edit_by_hand(event)
        elif event.what in ("stop", "resume"):
            self._order(event)

    def _set_faults(self, number: int) -> None:
        """Has targets misbehave as long as the story says, and on the last day not."""
        self.faults = {
            target: (kind, until)
            for target, (kind, until) in self.faults.items()
            if number <= until and number < self.last
        }
        self.program.configure({target: kind for target, (kind, _) in self.faults.items()})

    def _edit_by_hand(self, event: Event) -> None:
        for target in TARGETS:
            for anchor, account in self.memory[target].accounts.items():
                if account.who == event.who:
                    account.comment = event.word
                    self.program.edit_by_hand(target, anchor, {"comment": event.word})

    def _order(self, event: Event) -> None:
        person = self.persons.get(event.who)
        if person is None or (event.what == "stop") == (event.who in self.stopped):
            return
        with contextlib.suppress(NotFound):  # who was forgotten since cannot be stopped
            self.program.order(event.what, person)
            (self.stopped.add if event.what == "stop" else self.stopped.discard)(event.who)

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

    def _check(self, number: int, today: date, is_calm: bool) -> None:
        wanted = model.wanted_on(self.believed, today, frozenset(self.stopped), self.edition)
        certain = set(wanted.accounts)
        if self.truth is not self.believed:  # what a broken export tells rightly may be known already
            certain &= model.wanted_on(self.truth, today, frozenset(self.stopped), self.edition).accounts.keys()
        for target in TARGETS:
            seen = self.program.seen(target)
            faults = list(self._never(target, seen, certain, today))
            if is_calm and not faults:
                faults = list(self._differences(target, seen, wanted, today))
            if faults:
                raise Broken(number, f"{target}: {'; '.join(faults)}")
        if is_calm:
            self.told.calm_days += 1
            self._check_rest(number)

    def _check_rest(self, number: int) -> None:
        """What holds where everything was delivered."""
        if self.told.calm_days % ASKED_EVERY and number != self.last:
            return
        people, changes = self.program.changes_of_another_run()
        if not people and changes == ["cloud group delete"]:  # it goes with the run behind the last member's
            self.program.sync(believes=True)
            self.program.deliver_all()
            people, changes = self.program.changes_of_another_run()
        if people or changes:
            known = " ".join(who for who, person in self.persons.items() if person in people)
            raise Broken(number, f"a second run looks at {people} ( {known} ), and changes: {changes}")
        if self.told.calm_days % self.checked_every and number != self.last:
            return
        if faults := self.program.audit_faults():
            raise Broken(number, f"the audit does not tell what is known: {faults}")
        if drift := self.program.drift():
            raise Broken(number, f"known state is not what targets hold: {drift}")
        self.told.purged += self.program.purge()

    def _never(self, target: str, seen: Seen, certain: set[Place], today: date) -> Iterator[str]:
        """What may never be, whatever fails; `certain` are the accounts that whatever is believed gives."""
        memory = self.memory[target]
        for anchor, one in memory.strangers.items():
            if seen.accounts.get(anchor) != one:
                yield f"an account that is not ours was changed: {one.attributes} is {seen.accounts.get(anchor)}"
        ours = {anchor: one for anchor, one in seen.accounts.items() if anchor not in memory.strangers}
        for anchor, one in ours.items():
            yield from self._never_of(
                target, one, memory.accounts.setdefault(anchor, _Account(_mark(one))), certain, today
            )
        for anchor in memory.accounts.keys() - ours.keys():
            who = memory.accounts.pop(anchor).who
            since = memory.unwanted_since.get(who)
            if since is None or today < since + timedelta(days=model.RETENTION_DAYS):
                yield f"the account of {who} was deleted, unwanted since {since}"
            self.told.deleted += 1
        self._remember(target, certain, today)

    def _never_of(
        self, target: str, one: RemoteObject, before: _Account, certain: set[Place], today: date
    ) -> Iterator[str]:
        """The same of one account."""
        who, name = _mark(one), str(one.attributes[_NAMES[target]]).casefold()
        self.persons[who] = one.owner or ""
        if before.who != who:
            yield f"the account of {before.who} became that of {who}"
        owner = self.memory[target].names.setdefault(name, who)
        if owner != who:
            yield f"{name} was {owner}'s and is {who}'s now"
        is_kept = (who, target) in certain and all(
            model.is_active(each.of(who), today) for each in (self.believed, self.truth)
        )
        if before.enabled and not one.enabled and is_kept and who not in self.stopped:
            yield f"{who} is active and was disabled"
        if before.comment is not None and one.attributes.get("comment") != before.comment:
            yield f"what somebody wrote on the account of {who} is gone"
        before.enabled = bool(one.enabled)

    def _remember(self, target: str, certain: set[Place], today: date) -> None:
        memory = self.memory[target]
        having = {account.who for account in memory.accounts.values()}
        for who in having:
            if (who, target) in certain:
                memory.unwanted_since.pop(who, None)
                memory.gone_by.pop(who, None)
            else:
                memory.unwanted_since.setdefault(who, today)
        for who in memory.gone_by.keys() - having:
            del memory.gone_by[who]

    def _differences(self, target: str, seen: Seen, wanted: Wanted, today: date) -> Iterator[str]:
        """What is otherwise than the model has it, where everything was delivered."""
        memory = self.memory[target]
        who_of = {anchor: account.who for anchor, account in memory.accounts.items()}
        if len(set(who_of.values())) != len(who_of):
            yield f"somebody has two accounts: {sorted(who_of.values())}"
        held = {account.who: seen.accounts[anchor] for anchor, account in memory.accounts.items()}
        for (who, where), (attributes, enabled) in sorted(wanted.accounts.items()):
            if where != target:
                continue
            if who not in held:
                yield f"{who} has no account"
                continue
            differing = {
                name: held[who].attributes.get(name)
                for name, value in attributes.items()
                if held[who].attributes.get(name) != value
            }
            if differing:
                yield f"{who} has {differing} and not { ({name: attributes[name] for name in differing}) }"
            if bool(held[who].enabled) != enabled:
                yield f"{who} is {'enabled' if held[who].enabled else 'disabled'}"
        for who in held.keys() - {who for who, where in wanted.accounts if where == target}:
            if held[who].enabled:
                yield f"{who} has left and is enabled"
            last = memory.gone_by.setdefault(who, today + timedelta(days=model.RETENTION_DAYS))
            if today >= last:
                yield f"{who} has left and is not deleted"
        yield from self._differing_access(target, seen, wanted, who_of)

    def _differing_access(self, target: str, seen: Seen, wanted: Wanted, who_of: dict[str, str]) -> Iterator[str]:
        groups = {group: who for (group, where), who in wanted.members.items() if where == target}
        for group in sorted(groups.keys() | seen.members.keys()):
            members = {who_of.get(anchor, anchor) for anchor in seen.members.get(group, ())}
            if members != groups.get(group, set()):
                yield f"in {group} are {sorted(members)} and not {sorted(groups.get(group, set()))}"
        if target == "cloud":
            licences = {(who_of.get(anchor, anchor), sku) for anchor, sku in seen.licences}
            if licences != wanted.licences:
                yield f"licences differ: {sorted(licences ^ wanted.licences)}"


def _mark(one: RemoteObject) -> str:
    return str(one.attributes["mark"])
