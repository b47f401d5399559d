"""What somebody who has moved keeps for a while, though no rule gives it any more. Pure.

It begins on the day on which a plan first finds that nothing gives the thing any more, whatever the reason: a position
that ended, another unit in the same record. With the rule itself, or its last day, it ends at once: somebody meant it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import date, timedelta

import msgspec

from connectors.contract import Kind
from eadm_sync.desired import Desired
from eadm_sync.lifecycle import Standing
from eadm_sync.ruleset import Ruleset
from eadm_sync.state.known import Known, Thing
from eadm_sync.state.outcomes import Lost


class Terms(msgspec.Struct, frozen=True):
    """How long what a rule gave is kept.

    Attributes:
        days: By id of the rules in force that keep it for a while.
        exclusive: Set of each licence rule that is in one, by id: its successor takes the place of such a licence.
        keeping: Ids of group rules whose members stay anyhow.
    """

    days: Mapping[str, int]
    exclusive: Mapping[str, str]
    keeping: Collection[str]

    @classmethod
    def of(cls, ruleset: Ruleset, today: date) -> Terms:
        """What a ruleset says on a day."""
        usual = ruleset.lifecycle.overlap_days
        days = {
            rule.id: usual if rule.overlap_days is None else rule.overlap_days
            for rule in ruleset.rules
            if rule.is_in_force(today)
        }
        return cls(
            {rule: number for rule, number in days.items() if number},
            {rule.id: rule.exclusive for rule in ruleset.licences if rule.exclusive},
            frozenset(rule.id for rule in ruleset.groups if rule.keeps),
        )


class Kept(msgspec.Struct, frozen=True):
    """One thing that is kept.

    Attributes:
        target: Name of the target.
        kind: Account, membership or licence.
        name: Key of the group, or product; "" for an account.
        rule: Id of the rule that once gave it.
        lost_on: The day it was found that nothing gives it any more.
        last_day: The last day on which it is kept.
    """

    target: str
    kind: Kind
    name: str
    rule: str
    lost_on: date
    last_day: date

    @property
    def what(self) -> str:
        """The thing in a few words: "membership staff"."""
        return f"{self.kind} {self.name}".rstrip()


class Overlap(msgspec.Struct):
    """What comes of it for one person.

    Attributes:
        known: What the person is known to have, without what is kept: nothing is done to that.
        kept: What is, in the order account, membership, licence.
        lost: Thing → the day to write down; None: given again, so that the day is struck out.
    """

    known: Known
    kept: list[Kept] = []
    lost: dict[Thing, date | None] = {}

    def turning_days(self) -> Iterator[date]:
        """The first days on which something is kept no more."""
        return (one.last_day + timedelta(days=1) for one in self.kept)

    def note(self, person_id: str, into: Lost) -> None:
        """Gathers what is to be written down."""
        for (target, kind, name), day in self.lost.items():
            text = None if day is None else day.isoformat()
            if kind is Kind.ACCOUNT:
                into.accounts.append((text, person_id, target))
            elif kind is Kind.MEMBERSHIP:
                into.memberships.append((text, person_id, target, name))
            else:
                into.licences.append((text, person_id, target, name))


def overlapped(desired: Desired, known: Known, standing: Standing, terms: Terms, today: date) -> Overlap:
    """Sorts out what a person keeps for a while.

    Nothing is kept for whoever leaves or is on leave, nor of an account that goes. A licence of an exclusive set goes
    when another one of the set comes.

    Args:
        desired: What the rules give.
        known: What the person is known to have.
        standing: Where the person stands in the lifecycle.
        terms: How long things are kept.
        today: The local day.
    """
    found = Overlap(known)
    if not (terms.days or known.lost):
        return found
    wanted = _wanted(desired)
    found.lost = {thing: None for thing in known.lost if thing in wanted}
    if not (terms.days and standing.overlaps):
        return found
    targets = {account.target for account in desired.accounts}
    taken = {terms.exclusive.get(licence.rule) for licence in desired.licences} - {None}
    for thing, rule in _held(known):
        target, kind, name = thing
        gone = kind is not Kind.ACCOUNT and target not in targets
        replaced = kind is Kind.LICENCE and terms.exclusive.get(rule) in taken
        if thing in wanted or gone or replaced or rule in terms.keeping:
            continue
        lost_on = known.lost.get(thing, today)
        end = lost_on + timedelta(days=terms.days.get(rule, 0))
        if today < end:
            found.kept.append(Kept(target, kind, name, rule, lost_on, end - timedelta(days=1)))
            if thing not in known.lost:
                found.lost[thing] = today
            if kind is Kind.ACCOUNT:
                targets.add(target)
    if found.kept:
        found.known = known.without_things({(one.target, one.kind, one.name) for one in found.kept})
    return found


def _wanted(desired: Desired) -> set[Thing]:
    return {
        *((one.target, Kind.ACCOUNT, "") for one in desired.accounts),
        *((one.target, Kind.MEMBERSHIP, one.group) for one in desired.memberships),
        *((one.target, Kind.LICENCE, one.sku) for one in desired.licences),
    }


def _held(known: Known) -> Iterator[tuple[Thing, str]]:
    """What a person has, accounts first, with the rule that gave it; accounts that were deactivated left out."""
    for target, account in known.accounts.items():
        if account.deactivated_on is None:
            yield (target, Kind.ACCOUNT, ""), account.rule
    for (target, group), (_, rule) in known.memberships.items():
        yield (target, Kind.MEMBERSHIP, group), rule
    for (target, sku), rule in known.licences.items():
        yield (target, Kind.LICENCE, sku), rule
