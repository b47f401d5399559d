"""What takes a run back: the reverse of each of its changes that the audit tells of, and what cannot be reversed. Pure.

An account that was created is disabled, never deleted; a group that was created goes, if nobody else is in it. What was
changed again since stays as it is, attribute by attribute: the later change was meant, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

import msgspec

from connectors.contract import Action, Kind
from eadm_sync.model import Sealed
from eadm_sync.plan.audited import ADOPT, Audited
from eadm_sync.plan.change import Change, Value
from eadm_sync.plan.group_diff import end_group
from eadm_sync.state.known import Attributes, KnownAccount, KnownGroup


class Told(NamedTuple):
    """A line of the audit about one object.

    Attributes:
        run: The run that made the change, or None.
        action: The audit's word for it.
        change: The change; None where it was forgotten with its person.
    """

    run: str | None
    action: str
    change: Audited | None


class Story(NamedTuple):
    """What the audit tells of one object.

    Attributes:
        target: Name of the target.
        kind: What it is.
        key: Its object key.
        person: Whose it is; None for groups and nestings.
        of_run: The run's own lines, in order; at least one.
        before: The latest line before them that says whether it was there, and was enabled; None where none does.
        later: The lines behind them, in order.
    """

    target: str
    kind: Kind
    key: str
    person: str | None
    of_run: Sequence[Told]
    before: Told | None = None
    later: Sequence[Told] = ()


class NotUndone(msgspec.Struct, frozen=True):
    """A change of the run that stays.

    Attributes:
        target: Name of the target.
        kind: What was changed.
        key: Object key of what was changed.
        person: Whose it is, or None.
        reason: Why it stays, in words for people.
    """

    target: str
    kind: Kind
    key: str
    person: str | None
    reason: str


@dataclass
class Present:
    """What targets are known to hold now of all that the run changed.

    Attributes:
        accounts: By (person id, target).
        groups: By (target, key).
        members: (target, group key) → ids of those in it.
        inner: (target, group key) → keys of the groups in it.
        roles: Role of each membership, by (person id, target, group key).
        licences: (person id, target, sku).
        recycled: (person id, target) of accounts that the target can give back.
        stopped: Ids of people of whom nothing is enabled.
        can_open: Whether a sealed value, of an attribute of some name, can still be opened.
    """

    accounts: dict[tuple[str, str], KnownAccount] = field(default_factory=dict)
    groups: dict[tuple[str, str], KnownGroup] = field(default_factory=dict)
    members: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    inner: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    roles: dict[tuple[str, str, str], str] = field(default_factory=dict)
    licences: set[tuple[str, str, str]] = field(default_factory=set)
    recycled: set[tuple[str, str]] = field(default_factory=set)
    stopped: set[str] = field(default_factory=set)
    can_open: Callable[[Sealed, str], bool] = lambda _sealed, _name: True


class Reversal:
    """The reverse of a run.

    Attributes:
        changes: What takes it back, each with the reason "undo of RUN".
        kept: What stays.
    """

    def __init__(self, run: str, stories: Sequence[Story], present: Present) -> None:
        self.changes: list[Change] = []
        self.kept: list[NotUndone] = []
        self._reason = f"undo of {run}"
        self._present = present
        self._made = {(one.target, one.key) for one in stories if _is_made_again(one)}
        self._leaving = {(one.target, one.key) for one in stories if one.kind in _LINKS and _was_absent(one)}
        for story in stories:
            self._undo(story)

    def _undo(self, story: Story) -> None:
        if any(line.change is None for line in story.of_run):
            self._keep(story, "what it was before was forgotten with its person")
            return
        if any(line.action == ADOPT for line in story.of_run):
            self._keep(story, "it was in the target before the run, which only took it under management")
            return
        lines = [line.change for line in story.of_run if line.change is not None]
        match story.kind:
            case Kind.ACCOUNT:
                self.changes += self._account(story, lines)
            case Kind.GROUP:
                self.changes += self._group(story, lines)
            case _:
                self.changes += self._link(story, lines)

    def _keep(self, story: Story, reason: str) -> None:
        self.kept.append(NotUndone(story.target, story.kind, story.key, story.person, reason))

    def _is_later(self, story: Story, actions: frozenset[Action]) -> bool:
        """Whether one of some actions came behind the run; it is told then."""
        for line in reversed(story.later):
            if line.action in actions:
                self._keep(story, f"{_PAST.get(line.action, line.action)} since by {_who(line)}")
                return True
        return False

    # ------------------------------------------------------------ accounts

    def _account(self, story: Story, lines: Sequence[Audited]) -> Iterator[Change]:
        known = self._present.accounts.get((story.person or "", story.target))
        if lines[-1].action is Action.DELETE:
            yield from self._bring_back(story, lines[-1], known)
            return
        if known is None:
            if not self._is_later(story, frozenset({Action.DELETE})):
                self._keep(story, "there is no such account any more")
            return
        if lines[0].action in _COMING:
            if not self._is_later(story, _SWITCHING) and (known.enabled or known.deactivated_on is None):
                yield self._switched(known, story, enabled=False, deactivates=True)
            return
        yield from self._updated(story, lines, known, Change(story.target, Kind.ACCOUNT, Action.UPDATE, story.person))
        switching = [line for line in lines if line.action in _SWITCHING]
        if switching and not self._is_later(story, _SWITCHING):
            yield from self._switched_back(story, switching[0], known)

    def _bring_back(self, story: Story, deleted: Audited, known: KnownAccount | None) -> Iterator[Change]:
        if known is not None:
            self._is_later(story, _COMING)
        elif (story.person or "", story.target) in self._present.recycled:
            yield Change(
                story.target,
                Kind.ACCOUNT,
                Action.RESTORE,
                story.person,
                rule=deleted.rule,
                reason=self._reason,
            )
        else:
            self._keep(story, "it is deleted for good: the target has no recycle bin, or has emptied it")

    def _switched_back(self, story: Story, first: Audited, known: KnownAccount) -> Iterator[Change]:
        was_enabled, deactivated_on = _was(story, first)
        if was_enabled and not known.enabled:
            if story.person in self._present.stopped:
                self._keep(story, "the person is stopped: nothing is enabled before `person resume`")
            else:
                yield self._switched(known, story, enabled=True)
        elif not was_enabled and (known.enabled or (deactivated_on is None) != (known.deactivated_on is None)):
            yield self._switched(known, story, enabled=False, deactivates=deactivated_on is not None)

    def _switched(self, known: KnownAccount, story: Story, *, enabled: bool, deactivates: bool = False) -> Change:
        return Change(
            story.target,
            Kind.ACCOUNT,
            Action.ENABLE if enabled else Action.DISABLE,
            story.person,
            deactivates=deactivates,
            rule=known.rule,
            reason=self._reason,
        )

    # ------------------------------------------------------------ accounts and groups

    def _updated(
        self, story: Story, lines: Sequence[Audited], known: KnownAccount | KnownGroup, empty: Change
    ) -> Iterator[Change]:
        """The attributes and the container as they were, where nothing has touched them since."""
        olds: Attributes = {}
        for line in reversed(lines):
            olds.update((name, old) for name, (old, _) in line.attributes.items())
        attributes: dict[str, tuple[Value, Value]] = {}
        for name, old in olds.items():
            if self._may_set(story, name, old) and known.attributes.get(name) != old:
                attributes[name] = (known.attributes.get(name), old)
        moves = [line.container for line in lines if line.container is not None]
        moved = None
        if moves and not self._is_touched(story, "container", lambda later: later.container is not None):
            moved = (known.container, moves[0][0]) if moves[0][0] not in {None, known.container} else None
        if attributes or moved is not None:
            yield msgspec.structs.replace(
                empty, attributes=attributes, container=moved, rule=known.rule, reason=self._reason
            )

    def _may_set(self, story: Story, name: str, old: Value) -> bool:
        if self._is_touched(story, name, lambda later: name in later.attributes):
            return False
        if isinstance(old, Sealed) and not self._present.can_open(old, name):
            self._keep(story, f"{name}: the key that its former value was sealed with is gone")
            return False
        return True

    def _is_touched(self, story: Story, what: str, touches: Callable[[Audited], bool]) -> bool:
        for line in reversed(story.later):
            if line.change is not None and touches(line.change):
                self._keep(story, f"{what}: changed since by {_who(line)}")
                return True
        return False

    # ------------------------------------------------------------ groups

    def _group(self, story: Story, lines: Sequence[Audited]) -> Iterator[Change]:
        key = lines[0].group or ""
        known = self._present.groups.get((story.target, key))
        last = lines[-1]
        if last.action is Action.DELETE:
            if known is None:
                yield self._made_again(story, key, last)
            else:
                self._is_later(story, _COMING)
        elif known is None:
            self._is_later(story, frozenset({Action.DELETE}))
        elif lines[0].action is Action.CREATE:
            yield from self._unmade(story, key, known)
        else:
            empty = Change(story.target, Kind.GROUP, Action.UPDATE, group=key)
            yield from self._updated(story, lines, known, empty)

    def _made_again(self, story: Story, key: str, deleted: Audited) -> Change:
        """A new group as the deleted one was; whatever somebody had granted to that one by hand does not come back."""
        container = deleted.container[0] if deleted.container else None
        return Change(
            story.target,
            Kind.GROUP,
            Action.CREATE,
            group=key,
            attributes={name: (None, old) for name, (old, _) in deleted.attributes.items() if old is not None},
            container=(None, container) if container else None,
            rule=deleted.rule,
            reason=self._reason,
        )

    def _unmade(self, story: Story, key: str, known: KnownGroup) -> Iterator[Change]:
        if self._is_later(story, frozenset(Action)):
            return
        people = self._present.members.get((story.target, key), set())
        inner = self._present.inner.get((story.target, key), set())
        staying = [one for one in people if (story.target, f"{Kind.MEMBERSHIP}:{one}:{key}") not in self._leaving] + [
            one for one in inner if (story.target, f"{Kind.NESTING}:{one}:{key}") not in self._leaving
        ]
        if staying:
            self._keep(story, f"others are in it since: {', '.join(sorted(staying)[:_FEW])}")
            return
        for change in end_group(known):
            if change.kind is Kind.GROUP or (story.target, change.object_key) not in self._leaving:
                yield msgspec.structs.replace(change, reason=self._reason)

    # ------------------------------------------------------------ memberships, nestings, licences

    def _link(self, story: Story, lines: Sequence[Audited]) -> Iterator[Change]:
        if self._is_later(story, frozenset(Action)):
            return
        first = lines[0]
        was_there = not _was_absent(story)
        role = _role_before(story, first)
        now = self._role(first)
        change = Change(
            story.target,
            story.kind,
            Action.CREATE if was_there else Action.DELETE,
            story.person,
            first.group,
            first.sku,
            role,
            rule=first.rule,
            reason=self._reason,
            member=first.member,
        )
        if not was_there and now is not None:
            yield change
        elif was_there and now != role:
            missing = self._missing(story, first)
            if missing is None:
                yield change
            else:
                self._keep(story, missing)

    def _role(self, link: Change) -> str | None:
        """What there is now: a role, which only memberships have others of than one; None where there is nothing."""
        if link.kind is Kind.MEMBERSHIP:
            return self._present.roles.get((link.person or "", link.target, link.group or ""))
        if link.kind is Kind.LICENCE:
            there = (link.person or "", link.target, link.sku or "") in self._present.licences
        else:
            there = (link.member or "") in self._present.inner.get((link.target, link.group or ""), set())
        return _PLAIN if there else None

    def _missing(self, story: Story, link: Change) -> str | None:
        """What a link needs and is not there, nor comes back with this undo."""
        if link.person is not None:
            key = f"{Kind.ACCOUNT}:{link.person}"
            if (link.person, story.target) not in self._present.accounts and (story.target, key) not in self._made:
                return "the account is not there any more"
        for group in filter(None, (link.group, link.member)):
            there = (story.target, group) in self._present.groups
            if not there and (story.target, f"{Kind.GROUP}:{group}") not in self._made:
                return f"the group {group} is not there any more"
        return None


_LINKS = (Kind.MEMBERSHIP, Kind.NESTING, Kind.LICENCE)
_COMING = frozenset({Action.CREATE, Action.RESTORE})
_SWITCHING = frozenset({Action.ENABLE, Action.DISABLE, Action.DELETE})
_PLAIN = "member"
_FEW = 3
_PAST = {
    Action.CREATE: "created",
    Action.UPDATE: "changed",
    Action.ENABLE: "enabled",
    Action.DISABLE: "disabled",
    Action.DELETE: "taken away",
    Action.RESTORE: "restored",
    ADOPT: "adopted",
}


def _who(line: Told) -> str:
    return f"the run {line.run}" if line.run else "somebody outside of any run"


def _is_made_again(story: Story) -> bool:
    """Whether an account or group went with the run, so that undoing it may bring it back."""
    return story.kind not in _LINKS and story.of_run[-1].action == Action.DELETE


def _was_absent(story: Story) -> bool:
    """Whether a membership, nesting or licence was not there before the run."""
    first = story.of_run[0]
    if first.action == Action.DELETE:
        return False
    return story.kind is not Kind.MEMBERSHIP or _role_before(story, first.change) == getattr(first.change, "role", "")


def _role_before(story: Story, first: Audited | None) -> str:
    """The role before the run; that of the run's own line where nothing else is told."""
    before = story.before
    told = before.change if before is not None and before.action != Action.DELETE else None
    if first is None:
        return _PLAIN
    return first.role if told is None or first.action is Action.DELETE else told.role


def _was(story: Story, first: Audited) -> tuple[bool, date | None]:
    """Whether an account was enabled before the run, and the day on which its retention had begun."""
    before = story.before
    if before is None or before.change is None:
        return first.action is Action.DISABLE, None
    if before.action in _COMING or before.action == ADOPT:
        return bool(before.change.enabled), None
    return before.action == Action.ENABLE, before.change.deactivated_on
