"""The difference between what one person shall have and what the targets are known to hold. Pure."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from datetime import date

from connectors.contract import Action, Kind
from eadm_sync.desired import Desired, DesiredAccount, DesiredGroup
from eadm_sync.desired import Value as PlainValue
from eadm_sync.lifecycle import Settings, Stage, Standing, delete_on
from eadm_sync.model import Sealed
from eadm_sync.plan.change import Change, Value
from eadm_sync.plan.deactivated import DISABLED, Deactivated
from eadm_sync.state.known import Known, KnownAccount, KnownGroup
from eadm_sync.state.outcomes import Renamed

_NO_WORD: Mapping[str, Deactivated] = {}

Seal = Callable[[str, dict[str, PlainValue]], Mapping[str, Value]]
"""(target, attributes) → the same, with sensitive values sealed."""


def diff_person(  # noqa: PLR0913 - all that decides what one person has
    person_id: str,
    desired: Desired,
    known: Known,
    standing: Standing,
    *,
    seal: Seal,
    settings: Settings,
    today: date,
    keeping: Container[str] = frozenset(),
    deactivated: Mapping[str, Deactivated] = _NO_WORD,
) -> tuple[Change, ...]:
    """Every change that brings one person from known to desired state, in the order they are shown.

    Args:
        person_id: Whose they are.
        desired: What the rules give.
        known: What the targets are known to hold.
        standing: Where the person stands in the lifecycle.
        seal: Seals sensitive values.
        settings: The lifecycle's.
        today: The local day.
        keeping: Ids of group rules whose members stay members while the rules give them the account.
        deactivated: Target → what an account looks like there that nothing gives any more.
    """
    wanted = {account.target: account for account in desired.accounts}
    changes: list[Change] = []
    for target, account in wanted.items():
        existing = known.accounts.get(target)
        recycled = known.recycled.get(target)
        if existing is None and recycled is not None:
            changes.append(_restore(person_id, account))
            changes += _adjust(person_id, account, recycled, standing, seal)
        elif existing is None:
            changes.append(_create(person_id, account, standing, seal))
        else:
            changes += _adjust(person_id, account, existing, standing, seal)
            changes += _keep_anew(person_id, account, existing, standing)
    for target, existing in known.accounts.items():
        if target not in wanted:
            shape = deactivated.get(target, DISABLED)
            changes += _retire(person_id, existing, standing, settings, today, shape)
    kept = {target: shape for target, shape in deactivated.items() if target not in wanted and target in known.accounts}
    changes += _memberships(person_id, desired, known, keeping, {one for one in kept if kept[one].keeps_groups})
    changes += _licences(person_id, desired, known, {one for one in kept if kept[one].keeps_licences})
    return tuple(changes)


def diff_group(
    desired: DesiredGroup,
    known: KnownGroup | None,
    *,
    others: Container[str] = frozenset(),
    set_by_others: Container[str] = frozenset(),
) -> tuple[Change, ...]:
    """What brings one group, and its places in other groups, to what its rules say; nothing where all is so.

    Args:
        desired: What the rules say that gave the group to whoever was looked at.
        known: What the target is known to hold.
        others: Ids of further rules that may give the group to somebody who was not: their nestings stay.
        set_by_others: Attributes that such rules set, and that are not cleared therefore.
    """
    return (*_group_itself(desired, known, set_by_others), *_nestings(desired, known, others))


def _nestings(desired: DesiredGroup, known: KnownGroup | None, others: Container[str]) -> Iterator[Change]:
    held = known.member_of if known else {}
    for group in desired.member_of:
        if group not in held:
            yield _nesting(Action.CREATE, desired.target, group, desired.key, desired.rule, "given by a rule")
    for group, rule in held.items():
        if group not in desired.member_of and rule not in others:
            yield _nesting(Action.DELETE, desired.target, group, desired.key, rule, "no rule gives it any more")


def _nesting(action: Action, target: str, group: str, member: str, rule: str, reason: str) -> Change:
    return Change(target, Kind.NESTING, action, group=group, member=member, rule=rule, reason=reason)


def _group_itself(desired: DesiredGroup, known: KnownGroup | None, set_by_others: Container[str]) -> tuple[Change, ...]:
    attributes: dict[str, Value] = dict(desired.attributes)
    if known is None:
        return (
            Change(
                desired.target,
                Kind.GROUP,
                Action.CREATE,
                group=desired.key,
                attributes={name: (None, value) for name, value in attributes.items() if value is not None},
                container=(None, desired.container) if desired.container else None,
                rule=desired.rule,
                reason="given by a rule",
            ),
        )
    differing = _differing(attributes, known, set_by_others)
    moved = (known.container, desired.container) if _moves(known.container, desired.container) else None
    if not differing and moved is None:
        return ()
    return (
        Change(
            desired.target,
            Kind.GROUP,
            Action.UPDATE,
            group=desired.key,
            attributes=differing,
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


def note_renamed(person_id: str, desired: Desired, known: Known, into: Renamed) -> None:
    """Gathers what a person is known to have of a rule while another one, or the same by another name, gives it now.

    It is no change to a target: whoever asks for the rule of an access is told the one that holds.
    """
    for account in desired.accounts:
        held = known.accounts.get(account.target)
        if held is not None and held.rule != account.rule:
            into.accounts.append((account.rule, person_id, account.target))
    for row in desired.memberships:
        place = known.memberships.get((row.target, row.group))
        if place is not None and place[1] != row.rule:
            into.memberships.append((row.rule, person_id, row.target, row.group))
    for licence in desired.licences:
        rule = known.licences.get((licence.target, licence.sku))
        if rule is not None and rule != licence.rule:
            into.licences.append((licence.rule, person_id, licence.target, licence.sku))


def note_renamed_group(desired: DesiredGroup, known: KnownGroup, others: Container[str], into: Renamed) -> None:
    """As `note_renamed`, for a group and its places in other groups; what one of `others` gave keeps its name."""
    if known.rule != desired.rule and known.rule not in others:
        into.groups.append((desired.rule, desired.target, desired.key))
    for group in desired.member_of:
        rule = known.member_of.get(group)
        if rule is not None and rule != desired.rule and rule not in others:
            into.nestings.append((desired.rule, desired.target, group, desired.key))


def stop_person(person_id: str, known: Known) -> tuple[Change, ...]:
    """The disabling of all that somebody can use, ahead of everything else; whoever is signed in is signed out.

    No retention begins with it: the rules may still give the accounts.
    """
    return tuple(
        Change(
            account.target,
            Kind.ACCOUNT,
            Action.DISABLE,
            person=person_id,
            rule=account.rule,
            reason="stopped",
            urgent=True,
            revokes=True,
        )
        for account in known.accounts.values()
        if account.enabled
    )


def retirement_days(known: Known, desired: Desired, settings: Settings) -> Iterator[date]:
    """The days on which accounts that nothing gives any more may be deleted."""
    wanted = {account.target for account in desired.accounts}
    for target, account in known.accounts.items():
        if target not in wanted and account.deactivated_on is not None:
            yield delete_on(account.deactivated_on, settings)


def _create(person_id: str, account: DesiredAccount, standing: Standing, seal: Seal) -> Change:
    return Change(
        account.target,
        Kind.ACCOUNT,
        Action.CREATE,
        person=person_id,
        attributes={
            name: (None, value) for name, value in seal(account.target, account.attributes).items() if value is not None
        },
        container=(None, account.container) if account.container else None,
        enabled=standing.enabled,
        rule=account.rule,
        reason="joins" if standing.enabled else _NOT_ENABLED.get(standing.stage, "joins soon: made ready, disabled"),
    )


_NOT_ENABLED = {Stage.LEAVE: "on leave", Stage.STOPPED: "stopped"}
"""Why an account that the rules give is disabled, apart from a start that is still to come."""


def _restore(person_id: str, account: DesiredAccount) -> Change:
    return Change(
        account.target,
        Kind.ACCOUNT,
        Action.RESTORE,
        person=person_id,
        rule=account.rule,
        reason="returns; the account is still in the recycle bin",
    )


def _adjust(
    person_id: str, account: DesiredAccount, existing: KnownAccount, standing: Standing, seal: Seal
) -> Iterator[Change]:
    differing = _differing(seal(account.target, account.attributes), existing)
    moved = (existing.container, account.container) if _moves(existing.container, account.container) else None
    if differing or moved is not None:
        yield Change(
            account.target,
            Kind.ACCOUNT,
            Action.UPDATE,
            person=person_id,
            attributes=differing,
            container=moved,
            rule=account.rule,
            reason="differs from the rule",
        )
    if standing.enabled and not existing.enabled:
        yield Change(
            account.target,
            Kind.ACCOUNT,
            Action.ENABLE,
            person=person_id,
            rule=account.rule,
            reason="returns" if existing.deactivated_on else "starts, or is back",
        )
    elif existing.enabled and not standing.enabled:
        yield Change(
            account.target,
            Kind.ACCOUNT,
            Action.DISABLE,
            person=person_id,
            rule=account.rule,
            reason=_NOT_ENABLED.get(standing.stage, "the start was put off"),
            revokes=True,
        )


def _keep_anew(person_id: str, account: DesiredAccount, existing: KnownAccount, standing: Standing) -> Iterator[Change]:
    """Ends the retention of a deactivated account that is given again, but not enabled yet.

    It is disabled already. But should nothing give it any more, retention begins anew: the year's leave that somebody
    returned to may be over, or the start be called off on the day before.
    """
    if existing.deactivated_on is not None and not (existing.enabled or standing.enabled):
        yield Change(
            account.target,
            Kind.ACCOUNT,
            Action.DISABLE,
            person=person_id,
            rule=account.rule,
            reason="given again, stays disabled for now",
        )


def _retire(
    person_id: str, existing: KnownAccount, standing: Standing, settings: Settings, today: date, shape: Deactivated
) -> Iterator[Change]:
    """Disable first; delete only after retention, counted from the day the disabling was confirmed."""
    if existing.enabled or existing.deactivated_on is None:
        yield Change(
            existing.target,
            Kind.ACCOUNT,
            Action.DISABLE,
            person=person_id,
            deactivates=True,
            revokes=shape.revokes_sessions,
            rule=existing.rule,
            reason="leaves" if standing.stage is Stage.ENDED else "no rule gives it any more",
        )
    elif delete_on(existing.deactivated_on, settings) <= today:
        yield Change(
            existing.target,
            Kind.ACCOUNT,
            Action.DELETE,
            person=person_id,
            rule=existing.rule,
            reason=f"deactivated on {existing.deactivated_on}, kept for {settings.retention_days} days",
        )
        return
    yield from _put_away(person_id, existing, shape)


def _put_away(person_id: str, existing: KnownAccount, shape: Deactivated) -> Iterator[Change]:
    """Brings a deactivated account to what it shall look like.

    It is a change of its own, so that no description and no container can keep an account from being disabled.
    """
    differing: dict[str, tuple[Value, Value]] = {
        name: (existing.attributes.get(name), value)
        for name, value in shape.attributes.items()
        if not _is_so(existing, name, value)
    }
    moved = (existing.container, shape.container) if _moves(existing.container, shape.container) else None
    if differing or moved is not None:
        yield Change(
            existing.target,
            Kind.ACCOUNT,
            Action.UPDATE,
            person=person_id,
            attributes=differing,
            container=moved,
            rule=existing.rule,
            reason="as deactivated accounts are kept",
        )


def _memberships(
    person_id: str, desired: Desired, known: Known, keeping: Container[str], kept: Container[str]
) -> Iterator[Change]:
    """Args: as `diff_person`; `kept` are targets whose deactivated accounts stay in their groups."""
    accounts = {account.target for account in desired.accounts}
    wanted = {(row.target, row.group): row for row in desired.memberships}
    for (target, group), row in wanted.items():
        existing = known.memberships.get((target, group))
        if existing is None or existing[0] != row.role:
            yield Change(
                target,
                Kind.MEMBERSHIP,
                Action.CREATE,
                person=person_id,
                group=group,
                role=row.role,
                rule=row.rule,
                reason="given by a rule",
            )
    for (target, group), (role, rule) in known.memberships.items():
        stays = (target, group) in wanted or (rule in keeping and target in accounts)
        if not stays and target not in kept:
            yield Change(
                target,
                Kind.MEMBERSHIP,
                Action.DELETE,
                person=person_id,
                group=group,
                role=role,
                rule=rule,
                reason="no rule gives it any more",
            )


def _licences(person_id: str, desired: Desired, known: Known, kept: Container[str]) -> Iterator[Change]:
    """Additions before removals: in an exclusive set nobody is without for a moment; `kept` as for memberships."""
    wanted = {(row.target, row.sku): row for row in desired.licences}
    for (target, sku), row in wanted.items():
        if (target, sku) not in known.licences:
            yield Change(
                target,
                Kind.LICENCE,
                Action.CREATE,
                person=person_id,
                sku=sku,
                rule=row.rule,
                reason="given by a rule",
            )
    for (target, sku), rule in known.licences.items():
        if (target, sku) not in wanted and target not in kept:
            yield Change(
                target,
                Kind.LICENCE,
                Action.DELETE,
                person=person_id,
                sku=sku,
                rule=rule,
                reason="no rule gives it any more",
            )


def _differing(
    wanted: Mapping[str, Value], held: KnownAccount | KnownGroup, kept: Container[str] = ()
) -> dict[str, tuple[Value, Value]]:
    """Name → (old, new) of what differs.

    What we set and no rule sets any more is cleared, but for `kept`: otherwise a title would outlive the position that
    it came with. What we never set is not known, and never touched.
    """
    known = held.attributes
    differing = {name: (known.get(name), value) for name, value in wanted.items() if not _is_so(held, name, value)}
    if not known.keys() <= wanted.keys():
        differing.update((name, (old, None)) for name, old in known.items() if name not in wanted and name not in kept)
    return differing


def _is_so(held: KnownAccount | KnownGroup, name: str, value: Value) -> bool:
    """Whether an attribute is as wanted: so stored, or stored otherwise by a target that was asked for just that."""
    known = held.attributes.get(name)
    if _same(known, value):
        return True
    if name not in held.altered:
        return False
    asked, stored = held.altered[name]
    return _same(asked, value) and _same(stored, known)


def _same(old: Value, new: Value) -> bool:
    if isinstance(old, Sealed) or isinstance(new, Sealed):
        return old == new
    return type(old) is type(new) and old == new


def _moves(old: str | None, new: str | None) -> bool:
    return new is not None and old != new
