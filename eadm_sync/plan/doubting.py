"""What is in doubt is taken for the opposite of what is wanted, so that a plan asks for that again. Pure.

A change whose answer was lost may have been carried out. While it is in the queue it is sent again. But once a newer
plan takes its place, which believes what was confirmed before it, nobody would: a leaver whose disabling came through
unheard, and who returns the day after, would stay disabled though known to be enabled.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TypeVar

import msgspec

from connectors.contract import Action, Kind
from eadm_sync.desired import Desired, DesiredLicence, DesiredMembership
from eadm_sync.plan.change import Change
from eadm_sync.plan.overlap import Kept
from eadm_sync.state.doubts import GONE, MADE, Doubt, is_of_existence
from eadm_sync.state.drift import ATTRIBUTES, CONTAINER, ENABLED, aspect
from eadm_sync.state.known import Known, KnownAccount, KnownGroup

_T = TypeVar("_T")

UNKNOWN = "?"
"""Stands for what nobody knows; nothing that is wanted can be the same, since it is only compared."""

_SWITCHING = frozenset({Action.ENABLE, Action.DISABLE})
_COMING_BACK = frozenset({Action.CREATE, Action.RESTORE})
_OBJECTS = frozenset({Kind.ACCOUNT, Kind.GROUP})
_BEGINNING_OR_END = frozenset({Action.CREATE, Action.ADOPT, Action.RESTORE, Action.DELETE})


def doubts_of(change: Change, called: str | None = None) -> Iterator[Doubt]:
    """What is in doubt if nobody knows whether a change was carried out; `called`: the attribute that names the object.

    A group that may have been made is taken by whoever makes it again: its owner tells that it is ours, and its name
    where it is. Without a name to look for, there is nothing to keep.
    """
    target, kind = change.target, change.kind
    if kind is Kind.NESTING:
        yield Doubt(target, kind, change.group or "", "")
    if kind is Kind.MEMBERSHIP:
        yield Doubt(target, kind, change.group or "", change.role)
    elif kind is Kind.LICENCE:
        yield Doubt(target, kind, change.sku or "", "")
    elif kind is Kind.ACCOUNT and change.action in _SWITCHING:
        yield Doubt(target, kind, "", ENABLED)
    elif kind is Kind.ACCOUNT and change.action is Action.UPDATE:
        yield from (Doubt(target, kind, "", aspect(ATTRIBUTES, name)) for name in change.attributes)
        if change.container is not None:
            yield Doubt(target, kind, "", CONTAINER)
    elif kind is Kind.ACCOUNT and change.action in _COMING_BACK:
        yield Doubt(target, kind, _name(change, called), MADE)
    elif kind is Kind.GROUP and change.action is Action.CREATE and (name := _name(change, called)):
        yield Doubt(target, kind, name, MADE)
    elif kind is Kind.ACCOUNT and change.action is Action.DELETE:
        yield Doubt(target, kind, "", GONE)


def _name(change: Change, called: str | None) -> str:
    """What a new object shall be called; "" where nobody knows."""
    _, name = change.attributes.get(called or "", (None, None))
    return name if isinstance(name, str) else ""


def answered(change: Change, doubts: Collection[Doubt]) -> frozenset[Doubt]:
    """Which of a subject's doubts end with a change that was confirmed."""
    mine = [doubt for doubt in doubts if doubt.target == change.target]
    if change.kind in _OBJECTS and change.action in _BEGINNING_OR_END:
        return frozenset(mine)
    told = {(doubt.kind, doubt.name, _respect(doubt)) for doubt in doubts_of(change)}
    if change.kind is Kind.ACCOUNT:  # whatever was done to it, it is there
        told.add((Kind.ACCOUNT, "", GONE))
    return frozenset(doubt for doubt in mine if (doubt.kind, doubt.name, _respect(doubt)) in told)


def _respect(doubt: Doubt) -> str:
    """In what respect, but for roles: whoever has one in a group has no other there."""
    return "" if doubt.kind is Kind.MEMBERSHIP else doubt.aspect


def gives_again(change: Change) -> bool:
    """Whether a change gives an account that may have been deactivated: that it was to be made is told to nobody.

    Where it is superseded, as by a second leaving while the target is down, the account is disabled anew, so that it
    is kept for all of its retention from that day on.
    """
    is_kept = change.action is Action.DISABLE and not change.deactivates and not change.urgent
    return change.kind is Kind.ACCOUNT and (change.action is Action.ENABLE or is_kept)


def perhaps_enabled(known: Known, doubts: Collection[Doubt]) -> Known:
    """What a person may have at worst: accounts of which that is in doubt are enabled."""
    accounts = dict(known.accounts)
    for doubt in doubts:
        if doubt.aspect == ENABLED and doubt.kind is Kind.ACCOUNT and doubt.target in accounts:
            accounts[doubt.target] = msgspec.structs.replace(accounts[doubt.target], enabled=True)
    return msgspec.structs.replace(known, accounts=accounts)


def doubted(
    desired: Desired, known: Known, kept: Collection[Kept], doubts: Collection[Doubt], *, enabled: bool
) -> tuple[Desired, Known]:
    """What a person shall have and is known to have, such that their difference asks again for what is in doubt.

    Args:
        desired: What the rules give.
        known: What the person is known to have, without what is kept for an overlap.
        kept: What is; where it is in doubt, it is asked for too.
        doubts: What is in doubt.
        enabled: Whether accounts that the rules give are to be enabled.
    """
    if not doubts:
        return desired, known
    known = msgspec.structs.replace(
        known, accounts=dict(known.accounts), memberships=dict(known.memberships), licences=dict(known.licences)
    )
    given = {account.target for account in desired.accounts}
    for doubt in sorted(doubts):
        account = known.accounts.get(doubt.target)
        if account is None or is_of_existence(doubt):  # a target drops what hung on an account with it
            continue
        if doubt.kind is Kind.ACCOUNT:
            is_wanted = enabled and doubt.target in given
            known.accounts[doubt.target] = _doubted_account(account, doubt.aspect, is_wanted=is_wanted)
        else:
            desired = _doubt_access(desired, known, doubt, kept)
    return desired, known


def doubted_places(known: KnownGroup, outer: Collection[str], wanted: Collection[str]) -> KnownGroup:
    """A group such that what is wanted is asked for again, of its places in some `outer` groups that are in doubt."""
    certain = {name: rule for name, rule in known.member_of.items() if name not in outer}
    perhaps = {name: known.member_of.get(name, known.rule) for name in sorted(outer) if name not in wanted}
    return msgspec.structs.replace(known, member_of=certain | perhaps)


def with_seats(changes: Iterable[Change], known: Known) -> tuple[Change, ...]:
    """The same changes; licences among them that the person is known to have keep the seats that they have."""
    return tuple(
        msgspec.structs.replace(change, seated=True)
        if change.action is Action.CREATE and (change.target, change.sku) in known.licences
        else change
        for change in changes
    )


def _doubted_account(account: KnownAccount, about: str, *, is_wanted: bool) -> KnownAccount:
    if about == ENABLED:
        return msgspec.structs.replace(account, enabled=not is_wanted)
    if about == CONTAINER:
        return msgspec.structs.replace(account, container=UNKNOWN)
    name = about.removeprefix(f"{ATTRIBUTES}.")
    return msgspec.structs.replace(account, attributes={**account.attributes, name: UNKNOWN})


def _doubt_access(desired: Desired, into: Known, doubt: Doubt, kept: Collection[Kept]) -> Desired:
    """Takes access that is wanted, or kept, out of known state, and puts other access in; returns what is wanted."""
    place = doubt.target, doubt.name
    thing = doubt.target, doubt.kind, doubt.name
    rule = next((one.rule for one in kept if (one.target, one.kind, one.name) == thing), None)
    if doubt.kind is Kind.MEMBERSHIP:
        if rule is not None:
            again = DesiredMembership(*place, rule, doubt.aspect)
            desired = msgspec.structs.replace(desired, memberships=(*desired.memberships, again))
        is_wanted = any((one.target, one.group) == place for one in desired.memberships)
        _turn(into.memberships, place, (doubt.aspect, ""), is_wanted=is_wanted)
    else:
        if rule is not None:
            desired = msgspec.structs.replace(desired, licences=(*desired.licences, DesiredLicence(*place, rule)))
        is_wanted = any((one.target, one.sku) == place for one in desired.licences)
        _turn(into.licences, place, "", is_wanted=is_wanted)
    return desired


def _turn(held: dict[tuple[str, str], _T], place: tuple[str, str], value: _T, *, is_wanted: bool) -> None:
    if is_wanted:
        held.pop(place, None)
    else:
        held.setdefault(place, value)
