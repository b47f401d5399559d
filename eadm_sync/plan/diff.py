"""The difference between what one person shall have and what the targets are known to hold. Pure."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from datetime import date

from connectors.contract import Action, Kind
from eadm_sync.desired import Desired, DesiredAccount
from eadm_sync.desired import Value as PlainValue
from eadm_sync.lifecycle import Settings, Stage, Standing, delete_on
from eadm_sync.plan.change import Change, Value
from eadm_sync.plan.deactivated import DISABLED as ONLY_DISABLED
from eadm_sync.plan.deactivated import Deactivated
from eadm_sync.plan.differences import differing, initial_only, is_so, left_alone, moves
from eadm_sync.ruleset.rules import CONTAINER, INITIAL_ONLY
from eadm_sync.state.drift import DISABLED, ENABLED, MISSING, ROLE, UNEXPECTED
from eadm_sync.state.known import Known, KnownAccount
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
    desired, known = _without_missing(desired, known)
    wanted = {account.target: account for account in desired.accounts}
    changes: list[Change] = []
    for target, account in wanted.items():
        existing = known.accounts.get(target)
        recycled = known.recycled.get(target)
        if existing is None and recycled is not None:
            changes.append(_restore(person_id, account))
            changes += _adjust(person_id, account, recycled, standing, seal, _left(known, target))
        elif existing is None:
            changes.append(_create(person_id, account, standing, seal))
        else:
            changes += _adjust(person_id, account, existing, standing, seal, _left(known, target))
            changes += _keep_anew(person_id, account, existing, standing)
    for target, existing in known.accounts.items():
        if target not in wanted and not (existing.enabled and ENABLED in _left(known, target)):
            shape = deactivated.get(target, ONLY_DISABLED)
            changes += _retire(person_id, existing, standing, settings, today, shape)
    kept = {target: shape for target, shape in deactivated.items() if target not in wanted and target in known.accounts}
    changes += _memberships(person_id, desired, known, keeping, {one for one in kept if kept[one].keeps_groups})
    changes += _licences(person_id, desired, known, {one for one in kept if kept[one].keeps_licences})
    return tuple(changes)


def _left(known: Known, target: str, kind: Kind = Kind.ACCOUNT, name: str = "") -> frozenset[str]:
    """What was changed by hand and is left alone, of one thing that somebody has."""
    return known.left.get((target, kind, name), frozenset())


def _without_missing(desired: Desired, known: Known) -> tuple[Desired, Known]:
    """Leaves out targets in which somebody deleted the account, as long as nobody has decided what becomes of that."""
    gone = {target for (target, kind, _), left in known.left.items() if kind is Kind.ACCOUNT and MISSING in left}
    return (desired.without(gone), known.without(gone)) if gone else (desired, known)


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
    values = {name: value for name, value in seal(account.target, account.attributes).items() if value is not None}
    initial = initial_only(account.policies, values)
    return Change(
        account.target,
        Kind.ACCOUNT,
        Action.CREATE,
        person=person_id,
        attributes={name: (None, value) for name, value in values.items() if name not in initial},
        initial={name: value for name, value in values.items() if name in initial},
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
    person_id: str,
    account: DesiredAccount,
    existing: KnownAccount,
    standing: Standing,
    seal: Seal,
    left: frozenset[str],
) -> Iterator[Change]:
    wanted = seal(account.target, account.attributes)
    different = differing(wanted, existing, untouched=_untouched(account, existing, left))
    stays = CONTAINER in left or (account.policies.get(CONTAINER) == INITIAL_ONLY and not _was_put_away(existing))
    moved = (existing.container, account.container) if moves(existing.container, account.container) else None
    moved = None if stays else moved
    if different or moved is not None:
        yield Change(
            account.target,
            Kind.ACCOUNT,
            Action.UPDATE,
            person=person_id,
            attributes=different,
            container=moved,
            rule=account.rule,
            reason="differs from the rule",
        )
    if standing.enabled and not existing.enabled:
        if DISABLED in left:
            return
        yield Change(
            account.target,
            Kind.ACCOUNT,
            Action.ENABLE,
            person=person_id,
            rule=account.rule,
            reason="returns" if existing.deactivated_on else "starts, or is back",
        )
    elif existing.enabled and not standing.enabled and ENABLED not in left:
        yield Change(
            account.target,
            Kind.ACCOUNT,
            Action.DISABLE,
            person=person_id,
            rule=account.rule,
            reason=_NOT_ENABLED.get(standing.stage, "the start was put off"),
            revokes=True,
        )


def _untouched(account: DesiredAccount, existing: KnownAccount, left: frozenset[str]) -> frozenset[str]:
    """Attributes that are the target's own, or left alone; but what a deactivation wrote is taken back."""
    if not account.policies and not left:
        return frozenset()
    initial = initial_only(account.policies, account.attributes)
    if _was_put_away(existing):
        initial -= existing.attributes.keys()
    return initial | left_alone(left, {**account.attributes, **existing.attributes})


def _was_put_away(existing: KnownAccount) -> bool:
    """Whether the account looks as deactivated ones do."""
    return existing.deactivated_on is not None


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
    different: dict[str, tuple[Value, Value]] = {
        name: (existing.attributes.get(name), value)
        for name, value in shape.attributes.items()
        if not is_so(existing, name, value)
    }
    moved = (existing.container, shape.container) if moves(existing.container, shape.container) else None
    if different or moved is not None:
        yield Change(
            existing.target,
            Kind.ACCOUNT,
            Action.UPDATE,
            person=person_id,
            attributes=different,
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
        if not _left(known, target, Kind.MEMBERSHIP, group).isdisjoint((MISSING, ROLE)):
            continue
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
        left = UNEXPECTED in _left(known, target, Kind.MEMBERSHIP, group)
        stays = (target, group) in wanted or (target in accounts and (rule in keeping or left))
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
    accounts = {account.target for account in desired.accounts}
    for (target, sku), row in wanted.items():
        if (target, sku) not in known.licences and MISSING not in _left(known, target, Kind.LICENCE, sku):
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
        stays = target in accounts and UNEXPECTED in _left(known, target, Kind.LICENCE, sku)
        if (target, sku) not in wanted and target not in kept and not stays:
            yield Change(
                target,
                Kind.LICENCE,
                Action.DELETE,
                person=person_id,
                sku=sku,
                rule=rule,
                reason="no rule gives it any more",
            )
