"""Leaves out of a plan what would change protected accounts and groups, as far as the state tells what is. Pure.

What the target itself protects is known once it was read, or refused a change. What only it knows, such as who is in a
protected group there, is looked at again when changes are delivered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from connectors.contract import Kind
from eadm_sync.correlation import Protection
from eadm_sync.correlation.protection import BY_TARGET
from eadm_sync.plan.change import Change
from eadm_sync.ruleset import TargetWords
from eadm_sync.state.known import Known, KnownAccount


@dataclass(frozen=True)
class Protecting:
    """Which changes may not be.

    Attributes:
        protections: By target.
        words: What each target's accounts and groups are called by.
        groups_by_target: (target, key) of groups that a target says are protected.
    """

    protections: Mapping[str, Protection]
    words: Mapping[str, TargetWords]
    groups_by_target: Collection[tuple[str, str]] = ()

    def sifted(self, changes: tuple[Change, ...], known: Known) -> tuple[tuple[Change, ...], tuple[str, ...]]:
        """One person's changes without those that may not be, and a sentence for each reason.

        What follows an account's change goes with it: licences, memberships, and programs that would be told of it.
        """
        if not changes or not self._is_any(known):
            return changes, ()
        whole = {
            change.target: why
            for change in changes
            if (why := self._account(change, known.accounts.get(change.target))) is not None
        }
        kept, left_out = [], Counter[str]()
        for change in changes:
            why = whole.get(change.target) or self.group(change)
            if why is None:
                kept.append(change)
            else:
                left_out[f"{change.target}: {why}"] += 1
        return tuple(kept), tuple(f"{why}; changes left out: {number}" for why, number in left_out.items())

    def _is_any(self, known: Known) -> bool:
        return (
            bool(self.groups_by_target)
            or any(one.is_set for one in self.protections.values())
            or any(one.protected for one in known.accounts.values())
        )

    def group(self, change: Change) -> str | None:
        """Why a change to a group, or to who is in it, may not be; or None."""
        if change.group is None:
            return None
        if (change.target, change.group) in self.groups_by_target:
            return BY_TARGET
        protection = self.protections.get(change.target)
        if protection is None:
            return None
        new = change.attributes.get(self.words[change.target].group_name, (None, None))
        containers = change.container or (None,)
        return next((why for each in containers if (why := protection.group((change.group, *new), each))), None)

    def groups(self, changes: Iterable[Change]) -> str | None:
        """The first such reason among some changes."""
        return next((why for change in changes if (why := self.group(change)) is not None), None)

    def _account(self, change: Change, known: KnownAccount | None) -> str | None:
        """Why the account that a change is about may not be changed, by what it is called and where it is, or would."""
        if known is not None and known.protected:
            return BY_TARGET
        protection = self.protections.get(change.target)
        word = self.words[change.target].account_name or ""
        why = protection.account(known.attributes.get(word), known.container) if protection and known else None
        if why is not None or protection is None or change.kind is not Kind.ACCOUNT:
            return why
        return protection.account(
            change.attributes.get(word, (None, None))[1], change.container[1] if change.container else None
        )
