"""The difference between what a group shall be and what the target is known to hold. Pure."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator

from connectors.contract import Action, Kind
from eadm_sync.desired import DesiredGroup
from eadm_sync.plan.change import Change, Value
from eadm_sync.plan.differences import differing, initial_only, keeps_place, left_alone, moves
from eadm_sync.state.drift import aspect
from eadm_sync.state.known import KnownGroup
from eadm_sync.state.outcomes import Renamed


def diff_group(
    desired: DesiredGroup,
    known: KnownGroup | None,
    *,
    others: Container[str] = frozenset(),
    set_by_others: Container[str] = frozenset(),
    earlier_names: Collection[str] = (),
) -> tuple[Change, ...]:
    """What brings one group, and its places in other groups, to what its rules say; nothing where all is so.

    Args:
        desired: What the rules say that gave the group to whoever was looked at.
        known: What the target is known to hold.
        others: Ids of further rules that may give the group to somebody who was not: their nestings stay.
        set_by_others: Attributes that such rules set, and that are not cleared therefore.
        earlier_names: What it may be called there, unheard, where it is not known.
    """
    return (*_group_itself(desired, known, set_by_others, earlier_names), *_nestings(desired, known, others))


def _nestings(desired: DesiredGroup, known: KnownGroup | None, others: Container[str]) -> Iterator[Change]:
    held = known.member_of if known else {}
    left = known.left if known else frozenset()
    for group in desired.member_of:
        if group not in held and aspect("nesting", group) not in left:
            rule = desired.puts_into(group)
            yield _nesting(Action.CREATE, desired.target, group, desired.key, rule, "given by a rule")
    for group, rule in held.items():
        if group not in desired.member_of and rule not in others and aspect("nesting", group) not in left:
            yield _nesting(Action.DELETE, desired.target, group, desired.key, rule, "no rule gives it any more")


def _nesting(action: Action, target: str, group: str, member: str, rule: str, reason: str) -> Change:
    return Change(target, Kind.NESTING, action, group=group, member=member, rule=rule, reason=reason)


def _group_itself(
    desired: DesiredGroup, known: KnownGroup | None, set_by_others: Container[str], earlier_names: Collection[str]
) -> tuple[Change, ...]:
    attributes: dict[str, Value] = dict(desired.attributes)
    initial = initial_only(desired.policies, attributes)
    if known is None:
        return (
            Change(
                desired.target,
                Kind.GROUP,
                Action.CREATE,
                group=desired.key,
                attributes={
                    name: (None, value)
                    for name, value in attributes.items()
                    if value is not None and name not in initial
                },
                initial={name: attributes[name] for name in sorted(initial) if attributes[name] is not None},
                container=(None, desired.container) if desired.container else None,
                rule=desired.rule,
                reason="given by a rule",
                earlier_names=tuple(sorted(earlier_names)),
            ),
        )
    untouched = initial | left_alone(known.left, {**attributes, **known.attributes})
    different = differing(attributes, known, set_by_others, untouched)
    may_move = not keeps_place(desired.policies, known.left) and moves(known.container, desired.container)
    moved = (known.container, desired.container) if may_move else None
    if not different and moved is None:
        return ()
    return (
        Change(
            desired.target,
            Kind.GROUP,
            Action.UPDATE,
            group=desired.key,
            attributes=different,
            container=moved,
            rule=desired.rule,
            reason="differs from the rule",
        ),
    )


def end_group(known: KnownGroup) -> tuple[Change, ...]:
    """The deletion of a group that nobody is in any more, behind the end of its places in other groups."""
    reason = "nobody is in it any more"
    gone = Change(known.target, Kind.GROUP, Action.DELETE, group=known.key, rule=known.rule, reason=reason)
    return (*end_nestings(known, known.member_of, reason), gone)


def end_nestings(known: KnownGroup, groups: Iterable[str], reason: str) -> Iterator[Change]:
    """The end of a group's places in some of the groups that it is in."""
    for group in groups:
        yield _nesting(Action.DELETE, known.target, group, known.key, known.member_of[group], reason)


def note_renamed_group(desired: DesiredGroup, known: KnownGroup, others: Container[str], into: Renamed) -> None:
    """As `note_renamed`, for a group and its places in other groups; what one of `others` gave keeps its name."""
    if known.rule != desired.rule and known.rule not in others:
        into.groups.append((desired.rule, desired.target, desired.key))
    for group in desired.member_of:
        rule, says = known.member_of.get(group), desired.puts_into(group)
        if rule is not None and rule != says and rule not in others:
            into.nestings.append((says, desired.target, group, desired.key))
