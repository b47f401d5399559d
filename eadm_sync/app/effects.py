"""What an edit of the rules does to people: counted by rule, and kept person by person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from connectors.contract import Action, Kind
from eadm_sync.desired import Desired, DesiredGroup
from eadm_sync.lifecycle import Standing
from eadm_sync.plan.change import Change, GroupFrame, PersonFrame
from eadm_sync.plan.diff import Seal
from eadm_sync.plan.group_diff import diff_group
from eadm_sync.plan.plan import Problem
from eadm_sync.plan.spool import Spool
from eadm_sync.ruleset.narrowing import RuleEdit
from eadm_sync.state.known import Known, KnownAccount, KnownGroup


class Effect(msgspec.Struct, frozen=True, order=True):
    """What an edit does, counted.

    Attributes:
        rule: Rule that gives it, or that gave what is lost.
        target: Name of the target.
        kind: Account, group, membership or licence.
        action: CREATE is gained, DELETE and DISABLE are lost.
        what: Product, or names of the attributes that change; "" elsewhere.
    """

    rule: str
    target: str
    kind: Kind
    action: Action
    what: str


@dataclass
class Comparison:
    """Two rulesets compared; valid inside the `with` block.

    Attributes:
        old: Version of the installation's ruleset.
        new: Version of the other one.
        edits: What differs in the files.
        people: How many people there are.
        evaluated: For how many an edited rule holds; nothing changes for the others.
        effects: How often each effect comes.
        groups: Changes to groups that both rulesets give.
        frames: Changes for people, by id.
        problems: People whom the new rules cannot serve and the old ones can.
    """

    old: str
    new: str
    edits: tuple[RuleEdit, ...]
    people: int
    evaluated: int = 0
    effects: Counter[Effect] = field(default_factory=Counter)
    groups: tuple[GroupFrame, ...] = ()
    frames: Spool[PersonFrame] = field(default_factory=lambda: Spool(PersonFrame))
    problems: list[Problem] = field(default_factory=list)

    @property
    def differs(self) -> bool:
        """Whether anybody, or any group, gets something else."""
        return bool(self.frames.count or self.groups or self.problems)


def effect_of(change: Change) -> Effect:
    """What a change is counted as."""
    what = change.sku or ", ".join(sorted(change.attributes)) if change.action is Action.UPDATE else change.sku or ""
    return Effect(change.rule, change.target, change.kind, change.action, what)


def regrouped(before: Desired, after: Desired) -> Iterator[tuple[tuple[str, str], GroupFrame]]:
    """What changes of the groups themselves."""
    was = {(group.target, group.key): group for group in before.groups}
    for group in after.groups:
        key = (group.target, group.key)
        if key in was and group != was[key] and (changes := diff_group(group, _known_group(was[key]))):
            yield key, GroupFrame(group.key, changes)


def as_known(desired: Desired, stand: Standing, seal: Seal) -> Known:
    """What the old rules give, as if the targets held it."""
    return Known(
        accounts={
            account.target: KnownAccount(
                account.target,
                "",
                account.container,
                stand.enabled,
                dict(seal(account.target, account.attributes)),
                account.rule,
                None,
            )
            for account in desired.accounts
        },
        memberships={(row.target, row.group): (row.role, row.rule) for row in desired.memberships},
        licences={(row.target, row.sku): row.rule for row in desired.licences},
    )


def _known_group(group: DesiredGroup) -> KnownGroup:
    member_of = {outer: group.puts_into(outer) for outer in group.member_of}
    return KnownGroup(group.target, group.key, "", group.container, dict(group.attributes), group.rule, member_of)
