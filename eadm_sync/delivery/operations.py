"""From a change to the operation that a target carries out: anchors looked up, sensitive values opened. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from connectors.contract import Action, Kind, Operation
from connectors.contract import Value as PlainValue
from connectors.errors import Stale
from eadm_sync.model import Sealed
from eadm_sync.plan.change import Change, Value
from eadm_sync.state.known import KnownAccount, KnownGroup

Open = Callable[[Sealed, str], str]
"""(sealed value, attribute) → plain value."""


@dataclass(frozen=True)
class Confirmed:
    """What one target is known to hold of the objects of a batch, as of now.

    Attributes:
        accounts: By person id.
        groups: By group key.
        recycled: By person id, deleted accounts that the target may still have in its recycle bin.
    """

    accounts: Mapping[str, KnownAccount]
    groups: Mapping[str, KnownGroup]
    recycled: Mapping[str, KnownAccount] = field(default_factory=dict)

    def account(self, change: Change) -> KnownAccount:
        """The account a change is about.

        Raises:
            Stale: We have none there (any more): the change was planned on something that is no longer so.
        """
        accounts = self.recycled if change.action is Action.RESTORE else self.accounts
        account = accounts.get(change.person or "")
        if account is None:
            raise Stale("the account is not there (any more); the next plan will tell what is to be done")
        return account

    def group(self, change: Change) -> KnownGroup:
        """The group a change is about; raises as `account`."""
        return self._group(change.group)

    def member(self, change: Change) -> KnownGroup:
        """The group that a nesting puts into another; raises as `account`."""
        return self._group(change.member)

    def _group(self, key: str | None) -> KnownGroup:
        group = self.groups.get(key or "")
        if group is None:
            raise Stale("the group is not there (any more); the next plan will tell what is to be done")
        return group


def operation(change: Change, id_: str, confirmed: Confirmed, open_: Open) -> Operation | None:
    """What the target is asked to do, or None where what shall go is already gone.

    Raises:
        Stale: The change was planned on something that is no longer so.
    """
    match change.kind:
        case Kind.ACCOUNT:
            return _account(change, id_, confirmed, open_)
        case Kind.GROUP:
            return _group(change, id_, confirmed, open_)
        case Kind.MEMBERSHIP:
            return _membership(change, id_, confirmed)
        case Kind.NESTING:
            return _nesting(change, id_, confirmed)
        case Kind.LICENCE:
            return _licence(change, id_, confirmed)
        case Kind.SCRIPT:
            return None  # no target is asked: `scripts` runs it


def _account(change: Change, id_: str, confirmed: Confirmed, open_: Open) -> Operation | None:
    if change.action is Action.DELETE and change.person not in confirmed.accounts:
        return None
    creating = change.action is Action.CREATE
    return Operation(
        id=id_,
        kind=Kind.ACCOUNT,
        action=change.action,
        owner=change.person if creating else None,
        anchor=None if creating else confirmed.account(change).anchor,
        attributes=_new_values(change, open_),
        container=change.container[1] if change.container else None,
        enabled=change.enabled if creating else None,
        revoke_sessions=change.revokes,
    )


def _group(change: Change, id_: str, confirmed: Confirmed, open_: Open) -> Operation | None:
    if change.action is Action.DELETE and change.group not in confirmed.groups:
        return None
    creating = change.action is Action.CREATE
    return Operation(
        id=id_,
        kind=Kind.GROUP,
        action=change.action,
        owner=change.object_key if creating else None,
        anchor=None if creating else confirmed.group(change).anchor,
        attributes=_new_values(change, open_),
        container=change.container[1] if change.container else None,
        earlier_names=change.earlier_names,
    )


def _membership(change: Change, id_: str, confirmed: Confirmed) -> Operation | None:
    gone = change.person not in confirmed.accounts or change.group not in confirmed.groups
    if change.action is Action.DELETE and gone:
        return None
    return Operation(
        id=id_,
        kind=Kind.MEMBERSHIP,
        action=change.action,
        anchor=confirmed.group(change).anchor,
        account=confirmed.account(change).anchor,
        role=change.role,
    )


def _nesting(change: Change, id_: str, confirmed: Confirmed) -> Operation | None:
    gone = change.member not in confirmed.groups or change.group not in confirmed.groups
    if change.action is Action.DELETE and gone:
        return None
    return Operation(
        id=id_,
        kind=Kind.NESTING,
        action=change.action,
        anchor=confirmed.group(change).anchor,
        member=confirmed.member(change).anchor,
    )


def _licence(change: Change, id_: str, confirmed: Confirmed) -> Operation | None:
    if change.action is Action.DELETE and change.person not in confirmed.accounts:
        return None
    return Operation(
        id=id_,
        kind=Kind.LICENCE,
        action=change.action,
        account=confirmed.account(change).anchor,
        sku=change.sku,
    )


def _new_values(change: Change, open_: Open) -> dict[str, PlainValue]:
    new = {**change.initial, **{name: new for name, (_, new) in change.attributes.items()}}
    return {name: _plain(value, name, open_) for name, value in new.items()}


def _plain(value: Value, attribute: str, open_: Open) -> PlainValue:
    return open_(value, attribute) if isinstance(value, Sealed) else value
