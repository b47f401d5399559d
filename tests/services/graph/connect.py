"""Entra Connect, played: what is so in an Active Directory reaches the tenant after a while.

A user is recognised by its immutable id (hard match), else by its user principal name (soft match: the cloud's user
becomes the synchronised one). https://learn.microsoft.com/entra/identity/hybrid/connect/how-to-connect-install-existing-tenant
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import users
from .service import Service
from .store import Item


@dataclass(frozen=True)
class Arrival:
    """Something that is on its way.

    Attributes:
        due: When it arrives, in seconds since 1970.
        data: Properties of the user, `onPremisesImmutableId` among them.
        gone: Whether the user is gone from Active Directory.
    """

    due: float
    data: dict[str, Any]
    gone: bool = False


def send(service: Service, data: dict[str, Any], after_seconds: float, *, gone: bool = False) -> None:
    """Puts a user, or a change to one, on its way.

    Raises:
        KeyError: It has no immutable id.
    """
    if not data.get("onPremisesImmutableId"):
        raise KeyError("onPremisesImmutableId")
    service.arrivals.append(Arrival(service.now() + after_seconds, data, gone))


def work_in_background(service: Service) -> None:
    """Lets arrive what is due, in the order in which it was sent."""
    due = [one for one in service.arrivals if one.due <= service.now()]
    if due:
        service.arrivals = [one for one in service.arrivals if one.due > service.now()]
    for one in due:
        _arrive(service, one)


def _arrive(service: Service, one: Arrival) -> None:
    item = _match(service, one.data)
    if one.gone:
        if item is not None and item.deleted is None:
            users.soft_delete(service, item)
        return
    if item is not None and item.deleted is not None:
        item = users.restore(service, item)
    if item is None:
        item = Item("user", service.new_id(), {"userType": "Member", "accountEnabled": True}, service.now())
    synchronised = {"onPremisesSyncEnabled": True, "onPremisesLastSyncDateTime": service.moment()}
    service.directory.put(item, {**item.data, **one.data, **synchronised})


def _match(service: Service, data: dict[str, Any]) -> Item | None:
    directory = service.directory
    hard = directory.holder("immutable:" + data["onPremisesImmutableId"])
    soft = directory.find("user", data.get("userPrincipalName", ""))
    return hard or (soft if soft is not None and not soft.get("onPremisesImmutableId") else None)
