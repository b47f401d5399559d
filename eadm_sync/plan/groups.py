"""The groups of a plan: those that people who were looked at shall be in, and the groups that these are in.

Groups are looked at with the people in them. What a group has of a rule that gave it to somebody who was not looked at
today stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from connectors.contract import Kind
from eadm_sync.desired import DesiredGroup
from eadm_sync.plan.adopting import Undecided
from eadm_sync.plan.change import Change, GroupFrame, group_key
from eadm_sync.plan.doubting import doubted_places
from eadm_sync.plan.group_diff import diff_group, end_group, end_nestings, note_renamed_group
from eadm_sync.plan.wanted_groups import Key, WantedGroups
from eadm_sync.ruleset import Ruleset, TargetWords
from eadm_sync.ruleset.rules import GroupRule
from eadm_sync.state import tables
from eadm_sync.state.doubts import MADE, Doubt
from eadm_sync.state.known import KnownGroup, group_keys, load_groups, load_nestings
from eadm_sync.state.outcomes import Renamed


@dataclass(frozen=True)
class Busy:
    """What the export queue has to do with groups.

    Attributes:
        made: Groups with changes of their own in the queue, dead letters left out.
        filled: Groups with memberships, or places of other groups in them, in the queue.
        running: Subjects with changes that are being delivered right now.
    """

    made: Collection[Key]
    filled: Collection[Key]
    running: Collection[str]


@dataclass
class Groups:
    """Gathers the groups of everybody who is looked at; then tells what has to be done to them.

    Attributes:
        ruleset: The rules.
        words: What each target's groups can hold.
        doubts: What may be otherwise than known, by subject.
        adopt: Says which group that is there already is to be taken, with the change that takes it; or None.
        renamed: Gathers groups that are known by a rule which has another name now.
        overtaken: As `Plan.overtaken`, after `frames`.
        postponed: Ids of people with whom groups are to be looked at again, after `frames`.
        problems: (id of somebody in the group, what is wrong), after `frames`.
    """

    ruleset: Ruleset
    words: Mapping[str, TargetWords]
    renamed: Renamed
    doubts: Mapping[str, Collection[Doubt]]
    adopt: Callable[[DesiredGroup], tuple[KnownGroup, Change] | None] = lambda _group: None
    overtaken: list[Key] = field(default_factory=list)
    postponed: list[str] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)
    _found: WantedGroups = field(default_factory=WantedGroups)

    def __post_init__(self) -> None:
        self._rank = {rule.id: number for number, rule in enumerate(self.ruleset.groups)}
        self._beside = _Beside(self.ruleset.groups)

    def add(self, groups: Iterable[DesiredGroup], person_id: str) -> None:
        """Notes what somebody shall be in; of several rules that give one group, the first in order comes first."""
        for group in groups:
            key = (group.target, group.key)
            if key not in self._found:
                self._found[key] = (group, person_id)
            elif not self._found.says(key, group):
                found, member = self._found[key]
                first, further = sorted((found, group), key=lambda one: self._rank.get(one.rule, 0))
                self._found[key] = (first.with_further(further), member)

    def frames(self, connection: Connection, busy: Busy, *, may_end: bool) -> Iterator[GroupFrame]:
        """What has to be done to the groups, in their order; call it once, when everybody was looked at.

        A group that is being made, or changed right now, is left as it was planned, since memberships in the queue
        wait for it. Whether it is to be changed is seen when its first member here is looked at again.

        Args:
            connection: The state.
            busy: What is in the queue.
            may_end: Whether groups that nobody is in can go: not while somebody who may belong there was left out.
        """
        known, nestings = load_groups(connection, self._found), load_nestings(connection)
        if any(self._found.nested()):
            there = group_keys(connection) | self._found.keys() | frozenset(busy.made)
            self._settle_nestings(there, known, nestings)
        if self.doubts:
            known = {**known, **dict(self._doubted(known))}
        ending = dict(self._endings(connection, nestings, busy)) if may_end else {}
        for key in sorted(self._found.keys() | ending.keys()):
            if key in ending:
                yield GroupFrame(f"{key[0]}:{key[1]}", ending[key])
                continue
            group, member = self._found[key]
            if (key in busy.made and key not in known) or group_key(key[1]) in busy.running:
                self.postponed.append(member)
                continue
            try:
                changes = self._changes(group, known.get(key))
            except Undecided as error:
                self.problems.append((member, str(error)))
                continue
            if changes:
                yield GroupFrame(f"{key[0]}:{key[1]}", changes, member)
            else:
                self.overtaken.append(key)

    def _changes(self, group: DesiredGroup, known: KnownGroup | None) -> tuple[Change, ...]:
        others = self._beside.others(group)
        set_by_others = self._beside.attributes(others)
        taken = self.adopt(group) if known is None else None
        if taken is not None:
            known, change = taken
            return (change, *diff_group(group, known, others=others, set_by_others=set_by_others))
        if known is not None:
            note_renamed_group(group, known, others, self.renamed)
            names = self.words[group.target].group_attributes
            known = known.limited_to(names) if names else known
            others = self._beside.nesting(others, known)
        earlier_names = () if known is not None else self._earlier_names(group)
        return diff_group(group, known, others=others, set_by_others=set_by_others, earlier_names=earlier_names)

    def _earlier_names(self, group: DesiredGroup) -> frozenset[str]:
        """Other names by which a group that is not known may have been made."""
        name = group.attributes.get(self.words[group.target].group_name)
        doubts = self.doubts.get(group_key(group.key), ())
        made = (one for one in doubts if (one.target, one.kind, one.aspect) == (group.target, Kind.GROUP, MADE))
        return frozenset(one.name for one in made if one.name != name)

    def _doubted(self, known: Mapping[Key, KnownGroup]) -> Iterator[tuple[Key, KnownGroup]]:
        """Groups of which places in other groups are in doubt, such that what is wanted is asked for again."""
        for key in self._found.keys() & known.keys():
            outer = {
                one.name
                for one in self.doubts.get(group_key(key[1]), ())
                if (one.target, one.kind) == (key[0], Kind.NESTING)
            }
            if outer:
                yield key, doubted_places(known[key], outer, self._found[key][0].member_of)

    # ------------------------------------------------------------ groups that nobody is in any more

    def _endings(
        self, connection: Connection, nestings: Mapping[Key, Mapping[str, str]], busy: Busy
    ) -> Iterator[tuple[Key, tuple[Change, ...]]]:
        """What has to be done to groups with no member that is known, in the queue, or to come.

        Those of rules that say so (`when_empty: delete`) go; the others leave the groups that no rule puts them into
        any more. The last member has left in a former run, so that what a brake holds, or a target refused, counts as
        staying.
        """
        ends = {rule.id for rule in self.ruleset.groups if rule.ends_empty}
        nests = {rule.id for rule in self.ruleset.groups if rule.nests}
        stale = {
            key: left
            for key, outers in nestings.items()
            if key not in self._found and (left := [outer for outer, rule in outers.items() if rule not in nests])
        }
        if not ends and not stale:
            return
        empty = _without_members(connection, None if stale else ends) - self._found.keys()
        empty = empty - frozenset(busy.filled) - frozenset(busy.made)
        known = load_groups(connection, empty) if empty else {}
        filled = {(target, outer) for (target, _), outers in nestings.items() for outer in outers}
        filled |= {(key[0], outer) for key, (group, _) in self._found.nested() for outer in group.member_of}
        for key in empty:
            group = known[key]
            if group.rule in ends and key not in filled:
                yield key, end_group(group)
            elif key in stale:
                yield key, tuple(end_nestings(group, stale[key], "no rule gives it any more"))

    # ------------------------------------------------------------ groups in groups

    def _settle_nestings(
        self, there: Collection[Key], known: Mapping[Key, KnownGroup], nestings: Mapping[Key, Iterable[str]]
    ) -> None:
        """Puts the keys of groups that are there, or will be, in the place of the names that rules call them by.

        What cannot be is left out and reported: a group that no rule gives, and one that would be in itself.
        """
        above = _Above((key, outer) for key, outers in nestings.items() for outer in outers)
        named = dict(self._found.nested())
        for key in self._found.keys() & known.keys():
            group, _ = self._found[key]
            wanted = {called(key[0], name, there) for name in group.member_of}
            others = self._beside.nesting(self._beside.others(group), known[key])
            for outer, rule in known[key].member_of.items():
                if outer not in wanted and rule not in others:
                    above.leave(key, outer)
        for key, (group, member) in sorted(named.items()):
            settled: list[str] = []
            said_by = {called(group.target, name, there): rule for name, rule in group.nested_by.items()}
            for name in group.member_of:
                outer = called(group.target, name, there)
                fault = _fault(key, outer, there, above)
                if fault is None:
                    above.enter(key, outer)
                    settled.append(outer)
                else:
                    message = f"{group.target}: the group '{group.key}' shall be in the group '{name}', {fault}"
                    self.problems.append((member, f"{message} (rule {group.rule})"))
            self._found[key] = (group.in_groups(settled, said_by), member)


class _Above:
    """Which groups each group is in."""

    def __init__(self, pairs: Iterable[tuple[Key, str]]) -> None:
        self._groups: dict[Key, set[str]] = {}
        for key, outer in pairs:
            self.enter(key, outer)

    def enter(self, key: Key, outer: str) -> None:
        self._groups.setdefault(key, set()).add(outer)

    def leave(self, key: Key, outer: str) -> None:
        self._groups[key].discard(outer)

    def is_within(self, key: Key, other: str) -> bool:
        """Whether a group is the other one of its target, or is in it by whatever way."""
        seen, waiting = {key[1]}, [key[1]]
        while waiting and other not in seen:
            more = self._groups.get((key[0], waiting.pop()), set()) - seen
            seen |= more
            waiting += more
        return other in seen


class _Beside:
    """Which rules may give the same group as another rule, as far as the beginnings of their keys tell."""

    def __init__(self, rules: Iterable[GroupRule]) -> None:
        self._rules = {rule.id: rule for rule in rules}
        self._others: dict[str, frozenset[str]] = {}

    def others(self, group: DesiredGroup) -> frozenset[str]:
        """Ids of the rules that may give the group, without those that did."""
        return self._of(group.rule).difference(group.further)

    def nesting(self, others: frozenset[str], known: KnownGroup) -> frozenset[str]:
        """Ids of the rules whose nestings stay: those that may give the group beside the ones that did.

        Older programs noted for a nesting the first of several rules that gave the group, not the one that nests. What
        is noted for a rule that does not nest stays as long as another one may have said it.
        """
        if not any(self._rules[rule].nests for rule in others):
            return others
        return others.union(rule for rule in known.member_of.values() if not self._nests(rule))

    def _nests(self, rule_id: str) -> bool:
        rule = self._rules.get(rule_id)
        return rule is not None and rule.nests

    def attributes(self, rules: Iterable[str]) -> frozenset[str]:
        """What some rules set."""
        return frozenset(name for rule in rules for name in self._rules[rule].attributes)

    def _of(self, rule_id: str) -> frozenset[str]:
        if rule_id not in self._others:
            rule = self._rules.get(rule_id)
            self._others[rule_id] = frozenset(
                other.id
                for other in self._rules.values()
                if rule is not None and other is not rule and other.may_give_same(rule)
            )
        return self._others[rule_id]


def called(target: str, name: str, there: Collection[Key]) -> str:
    """The key of the group that a rule calls so: as it is, or in lower case, as names are kept."""
    return name if (target, name) in there else name.casefold()


def _fault(key: Key, outer: str, there: Collection[Key], above: _Above) -> str | None:
    """Why a group cannot be in another one, or None."""
    if (key[0], outer) not in there:
        return "which no rule gives to anybody"
    if above.is_within((key[0], outer), key[1]):
        return "and would be in itself"
    return None


def _without_members(connection: Connection, rules: Collection[str] | None) -> frozenset[Key]:
    """Known groups that nobody is known to be in; all of them, or those that some rules gave."""
    groups, members = tables.known_groups.c, tables.known_memberships.c
    inside = select(members.person_id).where(members.target == groups.target, members.group_key == groups.key)
    query = select(groups.target, groups.key).where(~inside.exists())
    if rules is not None:
        query = query.where(groups.rule.in_(rules))
    return frozenset((row.target, row.key) for row in connection.execute(query))
