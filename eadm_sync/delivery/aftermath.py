"""How accounts and groups are once changes came through, from what was known and what the target answered. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date

import msgspec

from connectors.contract import Action, Kind, RemoteObject
from connectors.contract import Value as PlainValue
from eadm_sync.model import Sealed
from eadm_sync.plan.audited import Image
from eadm_sync.plan.change import Change, Value
from eadm_sync.state.known import Attributes, KnownAccount, KnownGroup
from eadm_sync.state.outcomes import Confirmations
from exportqueue import Item

Seal = Callable[[str, str], Sealed]
"""(plain value, attribute) → sealed value."""


class Delivered(msgspec.Struct, frozen=True):
    """What the queue carries from `deliver` to `record` for an item that came through."""

    item: Item
    change: Change
    before: KnownAccount | KnownGroup | None
    anchor: str | None
    stored: Mapping[str, PlainValue] = msgspec.field(default_factory=dict)
    warning: str | None = None
    regained: tuple[RemoteObject, ...] = ()


Known = tuple[Delivered, Image]
"""What was delivered, with the account or group as it is known from now on."""


def outcome_of(one: Delivered, target: str, day: date, seal: Seal) -> Image:
    """The account or group as it now is; None where it is gone, and for everything else."""
    if one.change.action is Action.DELETE:
        return None
    match one.change.kind:
        case Kind.ACCOUNT:
            return _account_after(one, target, day, seal)
        case Kind.GROUP:
            return _group_after(one, target, seal)
        case _:
            return None


def _account_after(one: Delivered, target: str, day: date, seal: Seal) -> KnownAccount:
    change = one.change
    before = one.before if isinstance(one.before, KnownAccount) else None
    enabled = change.enabled if change.action in _COMING else (before.enabled if before else False)
    deactivated_on = before.deactivated_on if before else None
    if change.action is Action.ENABLE:
        enabled, deactivated_on = True, None
    elif change.action is Action.RESTORE:
        deactivated_on = None  # something gives it again
    elif change.action is Action.DISABLE:
        enabled, deactivated_on = False, day if change.deactivates else None
    return KnownAccount(
        target=target,
        anchor=one.anchor or (before.anchor if before else change.anchor or ""),
        container=_container(change, before),
        enabled=bool(enabled),
        attributes=_attributes(one, before, seal),
        rule=change.rule,
        deactivated_on=deactivated_on,
        altered=_altered(one, before, seal),
    )


_COMING = frozenset({Action.CREATE, Action.ADOPT})


def _group_after(one: Delivered, target: str, seal: Seal) -> KnownGroup:
    before = one.before if isinstance(one.before, KnownGroup) else None
    return KnownGroup(
        target=target,
        key=one.change.group or "",
        anchor=one.anchor or (before.anchor if before else one.change.anchor or ""),
        container=_container(one.change, before),
        attributes=_attributes(one, before, seal),
        rule=one.change.rule,
        altered=_altered(one, before, seal),
    )


def deleted(known: Iterable[Known]) -> Iterator[tuple[str, KnownAccount]]:
    """(person id, account as it was) of the accounts that are gone now."""
    for one, _ in known:
        if one.change.action is Action.DELETE and isinstance(one.before, KnownAccount):
            yield one.change.person or "", one.before


def confirmations(known: Sequence[Known]) -> Confirmations:
    """What a batch says the target now holds."""
    confirmed = Confirmations()
    for one, after in known:
        change = one.change
        match change.kind:
            case Kind.ACCOUNT if isinstance(after, KnownAccount):
                confirmed.accounts.append((change.person or "", after))
            case Kind.ACCOUNT:
                confirmed.accounts_gone.append(change.person or "")
            case Kind.GROUP if isinstance(after, KnownGroup):
                confirmed.groups.append(after)
            case Kind.GROUP:
                confirmed.groups_gone.append(change.group or "")
            case Kind.MEMBERSHIP:
                _confirm_membership(confirmed, change)
            case Kind.NESTING:
                _confirm_nesting(confirmed, change)
            case Kind.LICENCE:
                _confirm_licence(confirmed, change)
    return confirmed


def _confirm_membership(confirmed: Confirmations, change: Change) -> None:
    person_id, group = change.person or "", change.group or ""
    if change.action is Action.DELETE:
        confirmed.memberships_gone.append((person_id, group))
    else:
        confirmed.memberships.append((person_id, group, change.role, change.rule))


def _confirm_nesting(confirmed: Confirmations, change: Change) -> None:
    group, member = change.group or "", change.member or ""
    if change.action is Action.DELETE:
        confirmed.nestings_gone.append((group, member))
    else:
        confirmed.nestings.append((group, member, change.rule))


def _confirm_licence(confirmed: Confirmations, change: Change) -> None:
    person_id, sku = change.person or "", change.sku or ""
    if change.action is Action.DELETE:
        confirmed.licences_gone.append((person_id, sku))
    else:
        confirmed.licences.append((person_id, sku, change.rule))


def _container(change: Change, before: KnownAccount | KnownGroup | None) -> str | None:
    if change.container is not None:
        return change.container[1]
    return before.container if before else None


def _attributes(one: Delivered, before: KnownAccount | KnownGroup | None, seal: Seal) -> Attributes:
    """What was held, with what changed put over it as the target stored it; cleared attributes go."""
    held: Attributes = dict(before.attributes) if before else {}
    for name, new in {**_asked(one), **_stored(one, seal)}.items():
        if new is None:
            held.pop(name, None)
        else:
            held[name] = new
    return held


def _altered(one: Delivered, before: KnownAccount | KnownGroup | None, seal: Seal) -> dict[str, tuple[Value, Value]]:
    """What was stored otherwise than asked, with (asked, stored): before, unless it was asked for anew, and now."""
    asked = _asked(one)
    altered = {name: both for name, both in before.altered.items() if name not in asked} if before else {}
    stored = _stored(one, seal)
    return altered | {name: (asked[name], stored[name]) for name in stored.keys() & asked.keys()}


def _asked(one: Delivered) -> dict[str, Value]:
    return {name: new for name, (_, new) in one.change.attributes.items()}


def _stored(one: Delivered, seal: Seal) -> dict[str, Value]:
    """What the target stored otherwise; what was asked for sealed is sealed."""
    asked = _asked(one)
    return {
        name: seal(stored, name) if isinstance(stored, str) and isinstance(asked.get(name), Sealed) else stored
        for name, stored in one.stored.items()
        if name not in one.change.initial
    }
