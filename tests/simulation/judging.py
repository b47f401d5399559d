"""Compares what targets hold with what the model wants, and with all that was ever seen there before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

from connectors.contract import RemoteObject

from . import model
from .model import Believed, Orders, Place, Wanted
from .program import TARGETS, Seen
from .town import UNITS

NAMES = {"ad": "sAMAccountName", "cloud": "userName"}
"""The attribute by which accounts of each target are called."""

_OVERLAP = timedelta(days=model.OVERLAP_DAYS)
_PLAIN = frozenset({"Berg", "Hansen", "Haugen", "Li", "Nguyen"})
"""Family names that stand in an address as they are."""


@dataclass(frozen=True)
class Day:
    """What there is to know about a day.

    Attributes:
        today: Which it is.
        believed: What sound exports have told.
        truth: What the exports would tell today if none were broken.
        orders: Those that stand.
        wanted: What follows from `believed`.
        certain: Accounts that follow from `truth` as well.
        possible: Accounts that follow from either.
        is_calm: Whether no export is broken, no target misbehaves, and everything was delivered.
        is_short: Whether there are too few licences.
    """

    today: date
    believed: Believed
    truth: Believed
    orders: Orders
    wanted: Wanted
    certain: frozenset[Place]
    possible: frozenset[Place]
    is_calm: bool
    is_short: bool

    def is_active(self, who: str) -> bool:
        """Whether somebody has an affiliation, whatever is believed."""
        return all(model.is_active(each.of(who), self.today) for each in (self.believed, self.truth))


@dataclass
class _Account:
    """What is remembered of one account of a target.

    Attributes:
        who: Whose it is; it is nobody else's, ever.
        enabled: As last seen.
        comment: What somebody wrote on it by hand.
        mail: As last seen.
        former_mails: Those before it.
    """

    who: str
    enabled: bool = False
    comment: str | None = None
    mail: str | None = None
    former_mails: set[str] = field(default_factory=set)


@dataclass
class _Memory:
    """What is remembered of one target.

    Attributes:
        accounts: By anchor.
        names: Every name and address that was ever given → to whom.
        strangers: Objects that the program has nothing to do with.
        unwanted_since: who → first day on which nothing gave them an account that they had.
        gone_by: who → day on which such an account has to be deleted, if all is calm.
    """

    accounts: dict[str, _Account] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    strangers: dict[str, RemoteObject] = field(default_factory=dict)
    unwanted_since: dict[str, date] = field(default_factory=dict)
    gone_by: dict[str, date] = field(default_factory=dict)


@dataclass
class _Lost:
    """A place in a group that nothing gives any more.

    Attributes:
        since: The day on which that was first found, at the latest.
        is_kept: Whether it has to be kept for the overlap; it may be, in any case.
    """

    since: date
    is_kept: bool


@dataclass
class Judge:
    """Judges every day; whatever is wrong comes as a sentence.

    Attributes:
        persons: who → id under which the program has them.
        deleted: Accounts that are gone for good.
    """

    persons: dict[str, str] = field(default_factory=dict)
    deleted: int = 0
    _memory: dict[str, _Memory] = field(default_factory=lambda: {target: _Memory() for target in TARGETS})
    _lost: dict[tuple[str, str], _Lost] = field(default_factory=dict)
    _stripped: set[str] = field(default_factory=set)
    _had: set[tuple[str, str]] = field(default_factory=set)
    _was_calm: bool = True

    def spare(self, target: str, strangers: dict[str, RemoteObject]) -> None:
        """Remembers objects that are nobody's business here."""
        self._memory[target].strangers = dict(strangers)

    def never_taken_over(self, target: str, gone: set[str]) -> list[str]:
        """Forgets, and returns, the anchors of strangers that bear the marks of people the program has forgotten."""
        strangers = self._memory[target].strangers
        anchors = [anchor for anchor, one in strangers.items() if _mark(one) in gone]
        for anchor in anchors:
            del strangers[anchor]
        return anchors

    def accounts_of(self, who: str) -> Iterator[tuple[str, str]]:
        """(target, anchor) of somebody's accounts, as last seen."""
        for target, memory in self._memory.items():
            yield from ((target, anchor) for anchor, account in memory.accounts.items() if account.who == who)

    def was_written(self, target: str, anchor: str, comment: str) -> None:
        """Remembers what somebody wrote on an account by hand."""
        self._memory[target].accounts[anchor].comment = comment

    def was_deleted(self, target: str, anchor: str) -> None:
        """Forgets an account that was deleted by hand; it may come back, but not with what was kept for a while."""
        who = self._memory[target].accounts.pop(anchor).who
        if target == "ad":
            self._stripped.add(who)

    def was_extended(self, who: str) -> None:
        """Access may be given again at once, whatever the import of the day says of it then: retention begins anew."""
        for memory in self._memory.values():
            memory.gone_by.pop(who, None)

    def turning_days(self) -> Iterator[date]:
        """Days on which time alone changes what there has to be."""
        for memory in self._memory.values():
            yield from memory.gone_by.values()
        yield from (lost.since + _OVERLAP for lost in self._lost.values())

    def faults(self, target: str, seen: Seen, day: Day) -> list[str]:
        """What is wrong in a target."""
        if target == "ad":
            self._note_lost(day)
        found = list(self._never(target, seen, day))
        if day.is_calm and not found:
            found = list(self._differences(target, seen, day))
        return found

    # ------------------------------------------------------------ whatever fails

    def _never(self, target: str, seen: Seen, day: Day) -> Iterator[str]:
        """What may never be."""
        memory = self._memory[target]
        known_by = [name.partition(" ")[0] for name in seen.groups]
        if len(set(known_by)) != len(known_by):
            yield f"a group was made twice: {seen.groups}"
        for anchor, one in list(memory.strangers.items()):
            now = seen.accounts.get(anchor)
            if now not in (None, one) and (_mark(one), target) in day.possible:  # taken over, as its mark says
                del memory.strangers[anchor]
                memory.accounts[anchor] = _Account(_mark(one), comment=str(one.attributes["comment"]))
            elif now != one:
                yield f"an account that is not ours was changed: {one.attributes} is {seen.accounts.get(anchor)}"
        ours = {anchor: one for anchor, one in seen.accounts.items() if anchor not in memory.strangers}
        for anchor, one in ours.items():
            yield from self._never_of(target, one, memory.accounts.setdefault(anchor, _Account(_mark(one))), day)
        for anchor in memory.accounts.keys() - ours.keys():
            who = memory.accounts.pop(anchor).who
            since = memory.unwanted_since.get(who)
            if since is None or day.today < since + timedelta(days=model.RETENTION_DAYS):
                yield f"the account of {who} was deleted, unwanted since {since}"
            self.deleted += 1
        self._remember(target, day)

    def _never_of(self, target: str, one: RemoteObject, before: _Account, day: Day) -> Iterator[str]:
        """The same of one account."""
        who = _mark(one)
        if one.owner:
            self.persons[who] = one.owner
        if before.who != who:
            yield f"the account of {before.who} became that of {who}"
        for name in (one.attributes[NAMES[target]], one.attributes.get("mail")):
            owner = self._memory[target].names.setdefault(str(name).casefold(), who) if name else who
            if owner != who:
                yield f"{name} was {owner}'s and is {who}'s now"
        is_kept = (who, target) in day.certain and day.is_active(who)
        if before.enabled and not one.enabled and is_kept and who not in day.orders.stopped:
            yield f"{who} is active and was disabled"
        if before.comment is not None and one.attributes.get("comment") != before.comment:
            yield f"what somebody wrote on the account of {who} is gone"
        before.enabled = bool(one.enabled)
        mail = str(one.attributes.get("mail") or "")
        if before.mail and mail != before.mail:
            before.former_mails.add(before.mail)
        before.mail = mail

    def _remember(self, target: str, day: Day) -> None:
        memory = self._memory[target]
        having = {account.who for account in memory.accounts.values()}
        for who in having:
            if (who, target) in day.certain:
                memory.unwanted_since.pop(who, None)
                memory.gone_by.pop(who, None)
            else:
                memory.unwanted_since.setdefault(who, day.today)
                if (who, target) in day.possible:
                    memory.gone_by.pop(who, None)
        for who in memory.gone_by.keys() - having:
            del memory.gone_by[who]

    # ------------------------------------------------------------ where all is calm

    def _differences(self, target: str, seen: Seen, day: Day) -> Iterator[str]:
        """What is otherwise than the model has it, where everything was delivered."""
        memory = self._memory[target]
        who_of = {anchor: account.who for anchor, account in memory.accounts.items()}
        if len(set(who_of.values())) != len(who_of):
            yield f"somebody has two accounts: {sorted(who_of.values())}"
        held = {account.who: (account, seen.accounts[anchor]) for anchor, account in memory.accounts.items()}
        given = {who for who, where in day.wanted.accounts if where == target}
        for who in sorted(given):
            if who not in held:
                yield f"{who} has no account"
            else:
                yield from self._differing(target, *held[who], day)
        for who in sorted(held.keys() - given):
            yield from _not_left(who, target, held[who][1])
            last = memory.gone_by.setdefault(who, day.today + timedelta(days=model.RETENTION_DAYS))
            if day.today >= last:
                yield f"{who} has left and is not deleted"
        yield from self._differing_access(target, seen, day, who_of)

    def _differing(self, target: str, account: _Account, one: RemoteObject, day: Day) -> Iterator[str]:
        """An account that somebody shall have."""
        who = account.who
        attributes, enabled = day.wanted.accounts[who, target]
        differing = {
            name: one.attributes.get(name) for name, value in attributes.items() if one.attributes.get(name) != value
        }
        if differing:
            yield f"{who} has {differing} and not { ({name: attributes[name] for name in differing}) }"
        if bool(one.enabled) != enabled:
            yield f"{who} is {'enabled' if one.enabled else 'disabled'}"
        if target != "ad":
            return
        if one.container != day.wanted.containers[who, target]:
            yield f"{who} is in {one.container} and not in {day.wanted.containers[who, target]}"
        if one.attributes.get("description") == model.LEFT:
            yield f"the account of {who} says of somebody who is there that they left"
        family = day.believed.names[who].rpartition(" ")[2]
        if family in _PLAIN and family.casefold() not in (account.mail or ""):
            yield f"{who} is called {family} and has the address {account.mail}"
        aliases = one.attributes.get("proxyAddresses") or []
        missing = {f"smtp:{mail}" for mail in account.former_mails - {account.mail}}.difference(
            aliases if isinstance(aliases, list) else [aliases]
        )
        if missing:
            yield f"{who} lost {sorted(missing)}"

    def _differing_access(self, target: str, seen: Seen, day: Day, who_of: dict[str, str]) -> Iterator[str]:
        groups = {group: who for (group, where), who in day.wanted.members.items() if where == target}
        for group in sorted(groups.keys() | seen.members.keys()):
            members = {who_of.get(anchor, anchor) for anchor in seen.members.get(group, ())}
            lost = {who: one for (who, where), one in self._lost.items() if where == group and target == "ad"}
            needed = groups.get(group, set()) | {who for who, one in lost.items() if one.is_kept}
            if not needed <= members <= groups.get(group, set()) | lost.keys():
                yield f"in {group} are {sorted(members)} and not {sorted(needed)} (or perhaps {sorted(lost)})"
            if groups.get(group) and f"{group}{day.orders.rules.called}" not in seen.groups:
                yield f"{group} is not called{day.orders.rules.called}"
        if target == "ad":
            self._had = {(who_of.get(one, one), group) for group, anchors in seen.members.items() for one in anchors}
            needed_places = model.nestings(unit for unit in UNITS if groups.get(f"U-{unit}"))
            if not needed_places <= seen.nestings <= model.nestings(UNITS):
                yield f"groups are in groups otherwise: {sorted(needed_places ^ seen.nestings)}"
        else:
            licences = {(who_of.get(anchor, anchor), sku) for anchor, sku in seen.licences}
            lacking = {who for who, sku in day.wanted.licences - licences if sku == "OFFICE" and day.is_short}
            if differing := {one for one in licences ^ day.wanted.licences if one[0] not in lacking}:
                yield f"licences differ: {sorted(differing)}"

    def _note_lost(self, day: Day) -> None:
        """Remembers who was in a group that nothing puts them into any more: they may be in it for the overlap."""
        given = {
            (who, group) for (group, where), members in day.wanted.members.items() if where == "ad" for who in members
        }
        for place in self._had - given:
            self._lost.setdefault(place, _Lost(day.today, is_kept=day.is_calm and self._was_calm))
        for place in list(self._lost):
            lost = self._lost[place]
            if not (day.is_calm and self._was_calm):  # what is found on such a day, or behind it, is left open
                lost.since, lost.is_kept = day.today, False
            has_account = (place[0], "ad") in day.wanted.accounts
            has_account = has_account and place[0] not in self._stripped
            lost.is_kept = lost.is_kept and has_account and model.stays(day.believed, place[0], day.today)
            if place in given or day.today >= lost.since + _OVERLAP:
                del self._lost[place]
        if not day.is_calm:
            self._had |= given
        if day.is_calm:
            self._stripped.clear()
        self._was_calm = day.is_calm


def _not_left(who: str, target: str, one: RemoteObject) -> Iterator[str]:
    """What is wrong with the account of somebody who has left."""
    if one.enabled:
        yield f"{who} has left and is enabled"
    if target != "ad":
        return
    if one.container != model.CONTAINER_OF_LEAVERS:
        yield f"{who} has left and is in {one.container}"
    if one.attributes.get("description") != model.LEFT or one.attributes.get("title"):
        yield f"{who} has left, which the account does not say"


def _mark(one: RemoteObject) -> str:
    return str(one.attributes["mark"])
