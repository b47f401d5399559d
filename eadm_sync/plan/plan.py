"""A plan: what it stands on, what it would do, what is held, and its hash."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from itertools import chain

import msgspec

from connectors.contract import Action, Kind
from eadm_sync.model import Orders
from eadm_sync.plan.aliases import Former
from eadm_sync.plan.brakes import Hold, Sieve, Slice
from eadm_sync.plan.change import NOWHERE, Change, Frame, GroupFrame, PersonFrame
from eadm_sync.plan.scripts import follow_accounts
from eadm_sync.plan.spool import Spool
from eadm_sync.state.outcomes import Lost, Renamed
from eadm_sync.state.releases import Use


class Basis(msgspec.Struct, frozen=True):
    """Everything a plan stands on. Two plans with the same basis and the same frames are the same plan.

    Attributes:
        today: The local date it was made for.
        sources: Source → hash of what it held.
        ruleset: Version of the ruleset.
        targets: Target → hash of its settings.
        known: Target → number of confirmed changes so far.
        released: Names of the holds that were let go.
        granted: Holds that were let go beforehand, each with the most that may pass.
    """

    today: date
    sources: dict[str, str]
    ruleset: str
    targets: dict[str, str]
    known: dict[str, int]
    released: tuple[str, ...] = ()
    granted: dict[str, int] = {}

    def moved(self, other: Basis) -> tuple[str, ...]:
        """What differs between this basis and a later one, in words for people."""
        words = []
        if self.today != other.today:
            words.append(f"the date: {self.today} is now {other.today}")
        if self.ruleset != other.ruleset:
            words.append(f"the ruleset: {self.ruleset} is now {other.ruleset}")
        for what, old, new in (
            ("source", self.sources, other.sources),
            ("target", self.targets, other.targets),
            ("known state of", self.known, other.known),
        ):
            words += [f"{what} {name} has changed" for name in sorted(_differing(old, new))]
        if (self.released, self.granted) != (other.released, other.granted):
            words.append("other holds are released")
        return tuple(words)


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """A person whom the rules cannot serve: "no free username". The rest of the plan goes on.

    Attributes:
        person: The person's id.
        reason: Why, for people.
        waits: Nothing is wrong: somebody has to say which account is theirs.
    """

    person: str
    reason: str
    waits: bool = False


class Plan(msgspec.Struct):
    """What one run would do.

    Attributes:
        basis: What it stands on.
        counts: Changes by (target, kind, action), held ones included.
        holds: Slices that a brake holds.
        groups: The changes to groups, in order of target and key.
        people: The changes to people, in order of id.
        problems: People whom the rules cannot serve.
        evaluated: How many people were looked at; the others cannot have changed.
        due: Person id → the next day on which time alone can change something, for everybody evaluated.
        postponed: People to be looked at again by the next run, because changes that concern them are under way.
        waiting: Changes of former runs that are still in the export queue.
        overtaken: (target, key) of groups that are as they shall be: changes of them in the queue, if there are any,
            are out of date.
        renamed: What is known by a rule that has another name now; no change to a target.
        formers: Values that accounts lose and keep as aliases, to be written down with the plan.
        lost: Since when people have what is kept for them though nothing gives it any more; no change to a target.
        orders: What was ordered about people when it was made, by id.
        uses: How far each limit was used.
        is_whole: Whether everybody was looked at for whom something can be different; else some people only.
    """

    basis: Basis
    counts: dict[Slice, int]
    holds: tuple[Hold, ...]
    groups: Spool[GroupFrame]
    people: Spool[PersonFrame]
    problems: tuple[Problem, ...]
    evaluated: int
    due: Mapping[str, date | None]
    postponed: tuple[str, ...]
    waiting: int = 0
    overtaken: tuple[tuple[str, str], ...] = ()
    renamed: Renamed = msgspec.field(default_factory=Renamed)
    lost: Lost = msgspec.field(default_factory=Lost)
    formers: tuple[Former, ...] = ()
    orders: dict[str, Orders] = {}
    uses: tuple[Use, ...] = ()
    is_whole: bool = True

    @property
    def hash(self) -> str:
        """Hash over basis, changes, and what is held of them, in hexadecimal: 32 characters."""
        parts = hashlib.blake2b(msgspec.json.encode(self.basis, order="deterministic"), digest_size=16)
        parts.update(msgspec.msgpack.encode(self.holds))
        parts.update(bytes.fromhex(self.groups.digest))
        parts.update(bytes.fromhex(self.people.digest))
        return parts.hexdigest()

    @property
    def changes(self) -> int:
        """How many changes there are, held ones included."""
        return sum(self.counts.values())

    def judged(self) -> Iterator[tuple[Frame, tuple[Change, ...], tuple[Change, ...]]]:
        """Each frame with its accepted and its held changes: groups first, since memberships need them."""
        sieve = Sieve(self.holds, (change for frame in self.groups for change in frame.changes))
        frames: Iterator[Frame] = chain(self.groups, self.people)
        for frame in frames:
            if not self.holds:
                yield frame, frame.changes, ()
                continue
            yield frame, *_sifted(frame, sieve)

    def held_people(self) -> Iterator[str]:
        """Ids of people of whom something is held; of a group, of somebody who belongs there."""
        if not self.holds:
            return
        for frame, _, held in self.judged():
            person = frame.person if isinstance(frame, PersonFrame) else frame.member
            if held and person:
                yield person


def _sifted(frame: Frame, sieve: Sieve) -> tuple[tuple[Change, ...], tuple[Change, ...]]:
    """A frame's accepted and held changes.

    Who does not get a licence keeps those that were to go for it: licences come before they go. And nobody's account
    is deleted anywhere while something else of theirs waits for a decision: its delivery would be refused.
    """
    place = frame.place if isinstance(frame, PersonFrame) else NOWHERE
    blocked = sieve.held_targets([change for change in frame.changes if not change.urgent], place)
    waiting: set[str] = set()
    accepted: list[Change] = []
    held: list[Change] = []
    for change in frame.changes:
        if change.urgent:
            accepted.append(change)
            continue
        on_hold = sieve.lacks_group(change) or change.target in blocked or sieve.holds(change, place)
        if change.kind is Kind.LICENCE:
            if change.action is Action.CREATE:
                on_hold = on_hold or not (change.seated or sieve.takes_seat(change.target, change.sku or ""))
                waiting |= {change.target} if on_hold else set()
            else:
                on_hold = on_hold or change.target in waiting
        (held if on_hold else accepted).append(change)
    if held:
        held += filter(_deletes_account, accepted)
        accepted = [change for change in accepted if not _deletes_account(change)]
    return follow_accounts(accepted, held)


def _deletes_account(change: Change) -> bool:
    return change.kind is Kind.ACCOUNT and change.action is Action.DELETE


def slice_of(change: Change) -> Slice:
    """The slice that a change is counted in."""
    return change.target, change.kind, change.action


def count(counts: Counter[Slice], changes: tuple[Change, ...]) -> None:
    """Adds changes to the counts by slice."""
    counts.update(map(slice_of, changes))


def _differing(old: Mapping[str, object], new: Mapping[str, object]) -> set[str]:
    return {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
