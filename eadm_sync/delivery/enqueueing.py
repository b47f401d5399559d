"""Accepted changes become queue items, with their prerequisites and in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from connectors.contract import Action, Kind
from eadm_sync.delivery.payload import FORMAT, pack
from eadm_sync.plan.change import Change, account_key, group_key
from eadm_sync.state.crypto import Vault
from exportqueue import NewItem

_PRIORITIES = {
    (Kind.ACCOUNT, Action.DISABLE): 10,  # who has left is out before who has come is in
    (Kind.NESTING, Action.DELETE): 40,  # before new ones, which might not be possible beside it
    **dict.fromkeys(((Kind.LICENCE, action) for action in Action), 60),  # Google takes one a second: all else goes by
    **dict.fromkeys(((Kind.SCRIPT, action) for action in Action), 80),  # they take long: accounts do not wait for them
    (Kind.ACCOUNT, Action.DELETE): 90,  # what cannot be taken back goes last
}
_PRIORITY = 50
_URGENT = 0
"""Before everything else, however long the queue."""

_AWAITED = {
    (Kind.GROUP, Action.DELETE): Kind.NESTING,  # the end of its places in other groups
    (Kind.LICENCE, Action.DELETE): Kind.LICENCE,  # its successor: nobody is without for a moment
}
"""Kind of the changes to the same subject in the same target that a change waits for."""

_AWAITED_BY_OTHERS = frozenset({(Kind.NESTING, Action.DELETE), (Kind.LICENCE, Action.CREATE)})
"""Those changes."""


def items(changes: Iterable[Change], vault: Vault) -> Iterator[NewItem]:
    """One item per change, those first that others wait for: an item waits for what is enqueued before it only.

    New nestings come last, behind both of their groups. A group's deletion waits for the end of its places in other
    groups, and a licence that goes for those that the person gets in its place: both stand before it in every plan.
    It also waits for the end of what the same plan takes out of it.
    """
    before: dict[tuple[str, Kind], list[str]] = {}
    nestings: list[Change] = []
    ending: list[tuple[Change, Sequence[str]]] = []
    leaving: dict[tuple[str, str], list[str]] = {}
    subject = ""
    for change in changes:
        if change.kind is Kind.NESTING and change.action is Action.CREATE:
            nestings.append(change)
            continue
        if (own := change.subject) != subject:
            subject, before = own, {}
        if (change.kind, change.action) in _AWAITED_BY_OTHERS:
            before.setdefault((change.target, change.kind), []).append(change.object_key)
        awaited = _AWAITED.get((change.kind, change.action))
        after = tuple(before.get((change.target, awaited), ())) if awaited else ()
        if change.kind is Kind.GROUP and change.action is Action.DELETE:
            ending.append((change, after))
            leaving.setdefault((change.target, change.group or ""), [])
            continue
        if change.action is Action.DELETE and (change.kind is Kind.NESTING or (change.target, change.group) in leaving):
            leaving.setdefault((change.target, change.group or ""), []).append(change.object_key)
        yield _item(change, vault, after)
    for change, others in ending:
        yield _item(change, vault, (*others, *leaving[change.target, change.group or ""]))
    for change in nestings:
        yield _item(change, vault)


def _item(change: Change, vault: Vault, after: Sequence[str] = ()) -> NewItem:
    return NewItem(
        target=change.target,
        object_key=change.object_key,
        operation=f"run {change.kind}" if change.kind is Kind.SCRIPT else f"{change.action} {change.kind}",
        payload=pack(change, vault),
        format=FORMAT,
        subject=change.subject,
        after=(*prerequisites(change), *after),
        priority=_URGENT if change.urgent else _PRIORITIES.get((change.kind, change.action), _PRIORITY),
    )


def prerequisites(change: Change) -> tuple[str, ...]:
    """Keys of the objects that have to be done with first.

    A membership needs its account and its group, a nesting its two groups, a licence its account, and so does a script,
    whatever is done to that. An account that goes waits for nothing: the target drops what hung on it. What waits for
    other changes of its plan is `items`' to know.
    """
    match change.kind, change.action:
        case Kind.MEMBERSHIP, Action.CREATE:
            return account_key(change.person or ""), group_key(change.group or "")
        case Kind.NESTING, Action.CREATE:
            return group_key(change.member or ""), group_key(change.group or "")
        case Kind.LICENCE, Action.CREATE:
            return (account_key(change.person or ""),)
        case Kind.SCRIPT, _:
            return (account_key(change.person or ""),)
        case _:
            return ()
