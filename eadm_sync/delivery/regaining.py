"""What came back with an account out of a target's recycle bin: known at once, so that the next plan looks at it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, select

from connectors.contract import Action, Kind, RemoteObject
from eadm_sync.delivery.aftermath import Delivered
from eadm_sync.plan.change import Change
from eadm_sync.state import tables

REASON = "came back with the account"


def came_back(connection: Connection, target: str, delivered: Sequence[Delivered]) -> list[Delivered]:
    """Memberships of known groups, and licences of products that somebody is known to have, as if delivered.

    Whatever else an account came back with is none of ours, as it is when `reconcile` finds it. What rules do not give
    is taken away by the plan of the next run, which these people have to be looked at for.

    Args:
        connection: A connection to the state.
        target: Name of the target.
        delivered: What came through, some of it with what it regained.
    """
    regained = [(one, thing) for one in delivered for thing in one.regained]
    if not regained:
        return []
    groups, products = tables.known_groups.c, tables.known_licences.c
    anchors, skus = {thing.group for _, thing in regained}, {thing.sku for _, thing in regained}
    of_groups = select(groups.anchor, groups.key, groups.rule).where(
        groups.target == target, groups.anchor.in_(anchors)
    )
    of_skus = select(products.sku, products.rule).where(products.target == target, products.sku.in_(skus)).distinct()
    keys = {row.anchor: (row.key, row.rule) for row in connection.execute(of_groups)}
    rules = {row.sku: row.rule for row in connection.execute(of_skus)}
    changes = ((one, _change(one.change, thing, keys, rules)) for one, thing in regained)
    return [Delivered(one.item, change, None, None) for one, change in changes if change is not None]


def _change(
    restored: Change, thing: RemoteObject, groups: dict[str, tuple[str, str]], rules: dict[str, str]
) -> Change | None:
    """What would have given it; None where it is not ours."""
    made = Change(restored.target, thing.kind, Action.CREATE, restored.person, reason=REASON)
    if thing.kind is Kind.MEMBERSHIP and thing.group in groups:
        key, rule = groups[thing.group]
        return msgspec.structs.replace(made, group=key, role=thing.role, rule=rule)
    if thing.kind is Kind.LICENCE and thing.sku in rules:
        return msgspec.structs.replace(made, sku=thing.sku, rule=rules[thing.sku])
    return None
