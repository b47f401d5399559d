"""What describes the tenant: organization, verified domains, and the rights that the application has."""

from __future__ import annotations

from typing import Any

from .config import GRAPH_APP_ID, PASSWORD_ROLE, stable_id
from .errors import not_found
from .service import BASE, Answer, Call, Service
from .store import Item

ROLE_NAMES = (
    "User.Read.All", "User.ReadWrite.All", "User.EnableDisableAccount.All", "User.RevokeSessions.All",
    "User.DeleteRestore.All", "Group.Read.All", "Group.ReadWrite.All", "Group.Create", "GroupMember.Read.All",
    "GroupMember.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All", "Organization.Read.All",
    "LicenseAssignment.Read.All", "LicenseAssignment.ReadWrite.All", "Team.Create", "TeamSettings.ReadWrite.All",
    "Domain.Read.All", "Application.Read.All", "RoleManagement.Read.Directory", PASSWORD_ROLE,
)  # fmt: skip
"""Application permissions of Microsoft Graph that this service knows."""


def organization(service: Service, _call: Call) -> Answer:
    """GET /organization."""
    domains = [_domain(name, first=not at, short=True) for at, name in enumerate(service.config.domains)]
    synced = any(item.get("onPremisesSyncEnabled") for item in service.directory.of_kind("user")) or service.arrivals
    value = {
        "id": service.config.tenant_id,
        "displayName": "Local tenant",
        "countryLetterCode": "NO",
        "tenantType": "AAD",
        "onPremisesSyncEnabled": bool(synced) or None,
        "verifiedDomains": domains,
    }
    return Answer(200, {"@odata.context": f"{BASE}/$metadata#organization", "value": [value]})


def domains(service: Service, _call: Call) -> Answer:
    """GET /domains."""
    value = [_domain(name, first=not at) for at, name in enumerate(service.config.domains)]
    return Answer(200, {"@odata.context": f"{BASE}/$metadata#domains", "value": value})


def _domain(name: str, *, first: bool, short: bool = False) -> dict[str, Any]:
    if short:
        initial = ".onmicrosoft." in name
        return {"name": name, "isDefault": first, "isInitial": initial, "type": "Managed", "capabilities": "Email"}
    return {
        "id": name,
        "isDefault": first,
        "isVerified": True,
        "isAdminManaged": True,
        "authenticationType": "Managed",
        "supportedServices": ["Email"],
    }


def _principals(service: Service) -> dict[str, dict[str, Any]]:
    own, graph = service.config.client_id, GRAPH_APP_ID
    roles = [
        {"id": stable_id(f"role/{name}"), "value": name, "allowedMemberTypes": ["Application"], "isEnabled": True}
        for name in ROLE_NAMES
    ]
    return {
        own: {"id": stable_id(f"principal/{own}"), "appId": own, "displayName": "eadm-sync", "appRoles": []},
        graph: {
            "id": stable_id(f"principal/{graph}"), "appId": graph, "displayName": "Microsoft Graph", "appRoles": roles
        },
    }  # fmt: skip


def service_principals(service: Service, call: Call) -> Answer:
    """GET /servicePrincipals?$filter=appId eq '...'."""
    test = call.options.test
    value = [one for one in _principals(service).values() if test is None or test(one)]
    return Answer(200, {"@odata.context": f"{BASE}/$metadata#servicePrincipals", "value": value})


def _principal(service: Service, key: str) -> dict[str, Any]:
    for one in _principals(service).values():
        if key in {one["id"], one["appId"]}:
            return one
    raise not_found(key)


def service_principal(service: Service, call: Call) -> Answer:
    """GET /servicePrincipals/{id} and /servicePrincipals(appId='...')."""
    return Answer(200, _principal(service, call.keys[0]))


def granted_roles(service: Service, call: Call) -> Answer:
    """GET /servicePrincipals/{id}/appRoleAssignments."""
    principal = _principal(service, call.keys[0])
    graph = _principals(service)[GRAPH_APP_ID]
    granted = service.config.roles if principal["appId"] == service.config.client_id else []
    value = [
        {
            "id": stable_id(f"grant/{name}"),
            "appRoleId": stable_id(f"role/{name}"),
            "principalId": principal["id"],
            "principalType": "ServicePrincipal",
            "resourceId": graph["id"],
            "resourceDisplayName": graph["displayName"],
        }
        for name in granted
    ]
    return Answer(200, {"@odata.context": f"{BASE}/$metadata#appRoleAssignments", "value": value})


def get_object(service: Service, call: Call) -> Answer:
    """GET /directoryObjects/{id}."""
    item: Item | None = service.directory.items.get(call.keys[0].lower())
    if item is None or item.deleted is not None or not service.visible(item):
        raise not_found(call.keys[0])
    kind = f"#microsoft.graph.{item.kind}"
    return Answer(200, {"@odata.type": kind, "id": item.id, "displayName": item.get("displayName")})
