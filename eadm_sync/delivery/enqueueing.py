"""Accepted changes become queue items, with their prerequisites and in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from connectors.contract import Action, Kind
from eadm_sync.delivery.payload import FORMAT, pack
from eadm_sync.plan.change import Change, account_key, group_key
from eadm_sync.state.crypto import Vault
from exportqueue import NewItem

_PRIORITIES = {
    (Kind.ACCOUNT, Action.DISABLE): 10,  # who has left is out before who has come is in
    (Kind.ACCOUNT, Action.DELETE): 90,  # what cannot be taken back goes last
}
_PRIORITY = 50


def items(changes: Iterable[Change], vault: Vault) -> Iterator[NewItem]:
    """One item per change."""
    for change in changes:
        yield NewItem(
            target=change.target,
            object_key=change.object_key,
            operation=f"{change.action} {change.kind}",
            payload=pack(change, vault),
            format=FORMAT,
            subject=change.subject,
            after=prerequisites(change),
            priority=_PRIORITIES.get((change.kind, change.action), _PRIORITY),
        )


def prerequisites(change: Change) -> tuple[str, ...]:
    """Keys of the objects that have to be done with first.

    A membership needs its account and its group, a licence its account. An account that goes waits for nothing: the
    target drops what hung on it.
    """
    match change.kind, change.action:
        case Kind.MEMBERSHIP, Action.CREATE:
            return account_key(change.person or ""), group_key(change.group or "")
        case Kind.LICENCE, Action.CREATE:
            return (account_key(change.person or ""),)
        case _:
            return ()
