"""What becomes of hand edits, as the rules say and as somebody decided. Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from connectors.contract import Kind
from eadm_sync.app.differing import Found
from eadm_sync.app.wishes import Wishes
from eadm_sync.correlation import is_same_container
from eadm_sync.model import Sealed
from eadm_sync.ruleset import Ruleset
from eadm_sync.ruleset.rules import INITIAL_ONLY, MEMBERS, OVERWRITE, REPORT, AccountRule, GroupRule
from eadm_sync.ruleset.rules import Policies as OfRule
from eadm_sync.state.doubts import Doubts
from eadm_sync.state.drift import (
    ATTRIBUTES,
    CONTAINER,
    DISABLED,
    ENABLED,
    MISSING,
    ROLE,
    UNEXPECTED,
    LeftRow,
    Value,
    aspect,
)
from eadm_sync.state.known import Known, KnownAccount, KnownGroup

Outcome = Literal["overwrite", "report", "accepted", "own", "unheard"]
"""Put back by the next plan; left alone until somebody decides; left alone for good; the target's own by the rules; a
change of ours of which no answer came, and so nothing that somebody did there."""


class Policies:
    """What becomes of what was found in one target."""

    def __init__(self, ruleset: Ruleset, target: str, wishes: Wishes, doubts: Doubts) -> None:
        self._rules = {rule.id: rule for rule in (*ruleset.accounts, *ruleset.groups)}
        self._settings = ruleset.drift_in(target)
        self._target = target
        self._wishes = wishes
        self._in_doubt = {(one.target, one.kind, who, one.aspect) for who, found in doubts.items() for one in found}

    def outcome(self, found: Found, row: LeftRow | None) -> Outcome | None:
        """What becomes of one thing; None where it is nothing to tell of: a group that only grows has grown.

        Args:
            found: What differs.
            row: What stands about it in the table of what is left alone, or None.
        """
        if row is not None and row.accepted_at is not None:
            return "accepted"
        if found.kind is Kind.MEMBERSHIP and found.what == UNEXPECTED and self._keeps(found):
            return None
        what = ENABLED if found.what == DISABLED else found.what
        if (self._target, found.kind, found.person, aspect(what, found.name)) in self._in_doubt:
            return "unheard"
        policy = self._policy(found)
        if policy == INITIAL_ONLY:
            return "own" if found.what == ATTRIBUTES else None
        return "report" if policy == REPORT else "overwrite"

    def _keeps(self, found: Found) -> bool:
        rule = self._rules.get(found.holding.rule if found.holding else "")
        return isinstance(rule, GroupRule) and rule.keeps

    def _policy(self, found: Found) -> str:
        if found.kind is Kind.LICENCE:
            return self._settings.licences
        if found.kind in {Kind.MEMBERSHIP, Kind.NESTING}:
            return self._of(found).get(MEMBERS, OVERWRITE) if self._is_ruled(found) else self._settings.members
        match found.what:
            case "disabled":
                return self._settings.disabled
            case "enabled":
                return self._settings.enabled
            case "missing":
                return self._settings.deleted if found.kind is Kind.ACCOUNT else OVERWRITE
            case _:
                name = found.name or CONTAINER
                return self._of(found).get(name, OVERWRITE) if self._is_ruled(found) else self._settings.attributes

    def _is_ruled(self, found: Found) -> bool:
        return found.holding is not None and found.holding.rule in self._rules

    def _of(self, found: Found) -> OfRule:
        """What the rules say that give the object, or gave it."""
        if found.kind is Kind.ACCOUNT and (account := self._wishes.account(self._target, found.person)) is not None:
            return account.policies
        rule = self._rules[found.holding.rule] if found.holding else None
        return rule.policies if isinstance(rule, AccountRule | GroupRule) else {}


def is_over(row: LeftRow, now: Wishes, met: Collection[str]) -> bool:
    """Whether something need not be left alone any more.

    Args:
        row: What is left alone.
        now: What the rules give, and what is known.
        met: Keys of objects that the latest reading saw.
    """
    if row.what == MISSING and row.kind == Kind.ACCOUNT:
        return row.accepted_at is None and row.object in met
    if not _is_there(row, now):
        return True
    if row.accepted_at is not None:
        return False
    present, wanted = _present(row, now), now.value(row.target, row)
    if row.what == UNEXPECTED:
        return present is not True or wanted is True
    alike = _in_one_place if row.what == CONTAINER else _alike
    return alike(present, wanted) or (row.what != MISSING and alike(present, row.former))


def _alike(one: Value, other: Value) -> bool:
    if isinstance(one, Sealed) and isinstance(other, Sealed):
        return one.digest == other.digest
    return one == other


def _in_one_place(one: Value, other: Value) -> bool:
    return one == other or (isinstance(one, str) and isinstance(other, str) and is_same_container(one, other))


def _is_there(row: LeftRow, now: Wishes) -> bool:
    """Whether the object is known that something was changed of."""
    if row.person is not None:
        return row.target in now.known.get(row.person, Known()).accounts
    return (row.target, row.group or "") in now.groups


def _present(row: LeftRow, now: Wishes) -> Value:
    """What is known of it now, in the terms of `Wishes.value`."""
    known = now.known.get(row.person or "", Known())
    group = now.groups.get((row.target, row.group or ""))
    name = row.object.removeprefix(f"{row.kind}:{row.person or row.group}:")
    match row.kind:
        case Kind.ACCOUNT:
            return _of_object(row, known.accounts.get(row.target))
        case Kind.GROUP:
            return _of_object(row, group)
        case Kind.NESTING:
            return group is not None and name in group.member_of
        case Kind.LICENCE:
            return (row.target, name) in known.licences
        case _:
            place = known.memberships.get((row.target, name))
            return place is not None if row.what != ROLE else place[0] if place else None


def _of_object(row: LeftRow, held: KnownAccount | KnownGroup | None) -> Value:
    if held is None:
        return None
    if row.what in {ENABLED, DISABLED}:
        return isinstance(held, KnownAccount) and held.enabled
    return held.container if row.what == CONTAINER else held.attributes.get(row.name)
