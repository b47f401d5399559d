"""The difference between what one person shall have and what the targets are known to hold. Pure."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from datetime import date

from connectors.contract import Action, Kind
from eadm_sync.desired import Desired, DesiredAccount, DesiredGroup
from eadm_sync.desired import Value as PlainValue
from eadm_sync.lifecycle import Settings, Stage, Standing, delete_on
from eadm_sync.model import Sealed
from eadm_sync.plan.change import Change, Value
from eadm_sync.state.known import Known, KnownAccount, KnownGroup

Seal = Callable[[str, dict[str, PlainValue]], Mapping[str, Value]]
"""(target, attributes) → the same, with sensitive values sealed."""


def diff_person(
    person_id: str,
    desired: Desired,
    known: Known,
    standing: Standing,
    *,
    seal: Seal,
    settings: Settings,
    today: date,
    keeping: Container[str] = frozenset(),
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
    """
    wanted = {account.target: account for account in desired.accounts}
    changes: list[Change] = []
    for target, account in wanted.items():
        existing = known.accounts.get(target)
        if existing is None:
            changes.append(_create(person_id, account, standing, seal))
        else:
            changes += _adjust(person_id, account, existing, standing, seal)
    for target, existing in known.accounts.items():
        if target not in wanted:
            changes += _retire(person_id, existing, standing, settings, today)
    changes += _memberships(person_id, desired, known, keeping)
    changes += _licences(person_id, desired, known)
    return tuple(changes)


def diff_group(desired: DesiredGroup, known: KnownGroup | None) -> tuple[Change, ...]:
    """What brings one group to what its rule says; nothing where it already is so."""
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
    differing = _differing(attributes, known.attributes)
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


def end_group(known: KnownGroup) -> Change:
    """The deletion of a group that nobody is in any more."""
    return Change(
        known.target,
        Kind.GROUP,
        Action.DELETE,
        group=known.key,
        rule=known.rule,
        reason="nobody is in it any more",
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
        reason="joins" if standing.enabled else "joins soon: made ready, disabled",
    )


def _adjust(
    person_id: str, account: DesiredAccount, existing: KnownAccount, standing: Standing, seal: Seal
) -> Iterator[Change]:
    differing = _differing(seal(account.target, account.attributes), existing.attributes)
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
            reason="returns" if existing.deactivated_on else "starts",
        )
    elif existing.enabled and not standing.enabled:
        yield Change(
            account.target,
            Kind.ACCOUNT,
            Action.DISABLE,
            person=person_id,
            rule=account.rule,
            reason="the start was put off",
        )


def _retire(
    person_id: str, existing: KnownAccount, standing: Standing, settings: Settings, today: date
) -> Iterator[Change]:
    """Disable first; delete only after retention, counted from the day the disabling was confirmed."""
    if existing.enabled or existing.deactivated_on is None:
        yield Change(
            existing.target,
            Kind.ACCOUNT,
            Action.DISABLE,
            person=person_id,
            deactivates=True,
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


def _memberships(person_id: str, desired: Desired, known: Known, keeping: Container[str]) -> Iterator[Change]:
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
        if not stays:
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


def _licences(person_id: str, desired: Desired, known: Known) -> Iterator[Change]:
    """Additions before removals: in an exclusive set nobody is without for a moment."""
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
        if (target, sku) not in wanted:
            yield Change(
                target,
                Kind.LICENCE,
                Action.DELETE,
                person=person_id,
                sku=sku,
                rule=rule,
                reason="no rule gives it any more",
            )


def _differing(wanted: Mapping[str, Value], known: Mapping[str, Value]) -> dict[str, tuple[Value, Value]]:
    """Name → (old, new) of what differs. What the rules no longer mention is left as it is in the target."""
    return {name: (known.get(name), value) for name, value in wanted.items() if not _same(known.get(name), value)}


def _same(old: Value, new: Value) -> bool:
    if isinstance(old, Sealed) or isinstance(new, Sealed):
        return old == new
    return type(old) is type(new) and old == new


def _moves(old: str | None, new: str | None) -> bool:
    return new is not None and old != new
