"""The second check of what cannot be taken back: made when it is delivered, whatever was planned."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date

from sqlalchemy import Connection, select

from connectors.contract import Action, Kind, Target
from connectors.errors import Stale
from eadm_sync.lifecycle import NO_ORDERS, Settings, delete_on
from eadm_sync.model import Sealed
from eadm_sync.plan.change import Change
from eadm_sync.state import tables
from eadm_sync.state.known import KnownAccount
from eadm_sync.state.orders import load_orders


def deletion_is_due(
    connection: Connection, person_id: str, account: KnownAccount, *, settings: Settings, today: date
) -> None:
    """Refuses a deletion unless the account is known disabled, retention is over, and the plan is the newest word.

    Raises:
        Stale: With what speaks against it.
    """
    if account.enabled or account.deactivated_on is None:
        raise Stale("the account is in use: it is deleted only after it was deactivated")
    due = delete_on(account.deactivated_on, settings)
    if today < due:
        raise Stale(f"the account is kept until {due}")
    people = tables.people.c
    if connection.scalar(select(people.pending).where(people.id == person_id)):
        raise Stale("the person waits to be looked at again; the next plan will tell")


def enables(change: Change) -> bool:
    """Whether somebody can sign in once a change is made."""
    return change.kind is Kind.ACCOUNT and (
        change.action is Action.ENABLE or (change.action is Action.CREATE and bool(change.enabled))
    )


def not_stopped(connection: Connection, changes: Iterable[Change]) -> Callable[[Change], None]:
    """Refuses, one by one, to enable an account of somebody who has been stopped, whatever was planned before.

    Raises:
        Stale: By what is returned: the person is stopped.
    """
    people = sorted({change.person for change in changes if change.person and enables(change)})
    orders = load_orders(connection, people) if people else {}

    def refuse(change: Change) -> None:
        if enables(change) and orders.get(change.person or "", NO_ORDERS).stopped:
            raise Stale("the person is stopped: no account is enabled until that is taken back")

    return refuse


def still_empty(connection: Connection, target: str, group: str) -> None:
    """Refuses the deletion of a group that somebody, or another group, is known to be in.

    Raises:
        Stale: Somebody is, or a group.
    """
    columns = tables.known_memberships.c
    members = select(columns.person_id).where(columns.target == target, columns.group_key == group)
    if connection.scalar(members.limit(1)) is not None:
        raise Stale("somebody is in the group again; the next plan will tell")
    nestings = tables.known_nestings.c
    groups = select(nestings.member_key).where(nestings.target == target, nestings.group_key == group)
    if connection.scalar(groups.limit(1)) is not None:
        raise Stale("another group is in the group again; the next plan will tell")


def still_disabled(target: Target, account: KnownAccount) -> None:
    """Refuses a deletion if somebody enabled the account in the target by hand.

    Raises:
        Stale: It is enabled there.
        ConnectorError: The target cannot be asked.
    """
    name = target.capabilities.account_name
    value = account.attributes.get(name)
    if value is None or isinstance(value, Sealed):
        return
    for found in target.find(Kind.ACCOUNT, {name: value}):
        if found.anchor == account.anchor and found.enabled:
            raise Stale("the account is enabled in the target, though not by us: somebody needs it")
