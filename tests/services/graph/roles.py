"""Directory roles: https://learn.microsoft.com/graph/api/resources/directoryrole.

Who has which is set by `control`: `put("user", id, _roles=["User Administrator"])`, of groups likewise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .config import stable_id
from .errors import Refused, not_found
from .service import BASE, Answer, Call, Service
from .store import ROLES, Item
from .views import page

SENSITIVE = {
    "accountEnabled", "businessPhones", "mobilePhone", "onPremisesImmutableId", "otherMails", "passwordProfile",
    "userPrincipalName",
}  # fmt: skip
"""What an application without a role may not change of an administrator:
https://learn.microsoft.com/graph/api/resources/users#who-can-perform-sensitive-actions"""


def list_roles(service: Service, call: Call) -> Answer:
    """GET /directoryRoles: those that somebody has."""
    names = sorted({name for item in _holders(service) for name in item.data[ROLES]})
    return _answer(call, "directoryRoles", (_role(name) for name in names))


def list_members(service: Service, call: Call) -> Answer:
    """GET /directoryRoles/{id}/members."""
    found = [item for item in _holders(service) for name in item.data[ROLES] if _role(name)["id"] == call.keys[0]]
    if not found:
        raise not_found(call.keys[0])
    return page(service, call, found, "directoryObjects", typed=True)


def list_of_user(service: Service, call: Call) -> Answer:
    """GET /users/{id}/transitiveMemberOf/microsoft.graph.directoryRole."""
    item = service.get("user", call.keys[0])
    return _answer(call, "directoryRoles", (_role(name) for name in sorted(roles_of(service, item))))


def roles_of(service: Service, item: Item) -> set[str]:
    """Names of the roles that a user has, directly or by a group."""
    groups = (service.directory.items[key] for key in service.directory.groups_of(item.id, transitive=True))
    return {name for one in (item, *groups) for name in one.data.get(ROLES, ())}


def refuse_administrators(service: Service, item: Item, names: Iterable[str]) -> None:
    """Refuses what only an administrator may do to an administrator; `names` are the properties to be changed.

    Raises:
        Refused: 403.
    """
    if not SENSITIVE.isdisjoint(names) and roles_of(service, item):
        raise Refused(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")


def _holders(service: Service) -> Iterator[Item]:
    every = (*service.directory.of_kind("user"), *service.directory.of_kind("group"))
    return (item for item in every if item.data.get(ROLES))


def _role(name: str) -> dict[str, Any]:
    return {"@odata.type": "#microsoft.graph.directoryRole", "id": stable_id(f"role/{name}"), "displayName": name}


def _answer(call: Call, context: str, roles: Iterable[dict[str, Any]]) -> Answer:
    names = {"id", "@odata.type", *call.options.select}
    value = [{name: one[name] for name in one if not call.options.select or name in names} for one in roles]
    return Answer(200, {"@odata.context": f"{BASE}/$metadata#{context}", "value": value})
