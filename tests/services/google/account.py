"""The account itself: customer, domains, and who is super administrator.

.../rest/v1/customers, .../rest/v1/domains, .../rest/v1/roles, .../rest/v1/roleAssignments
"""

from __future__ import annotations

from typing import Any

from .errors import not_found
from .paging import page
from .service import Answer, Call, Service, resource
from .store import DELETED

SUPER_ADMIN_ROLE = "3894208461012993"


def get_customer(service: Service, call: Call) -> Answer:
    """GET /customers/{key}."""
    service.check_customer(call.path["customerKey"])
    return Answer(
        200,
        resource(
            "admin#directory#customer",
            id=service.config.customer_id,
            customerDomain=service.config.domains[0],
            alternateEmail=service.config.admin,
            language="no",
        ),
    )


def list_domains(service: Service, call: Call) -> Answer:
    """GET .../domains; no pages."""
    service.check_customer(call.path["customer"])
    domains = [
        {"kind": "admin#directory#domain", "domainName": name, "isPrimary": not at, "verified": True}
        for at, name in enumerate(service.config.domains)
    ]
    return Answer(200, resource("admin#directory#domains", domains=domains))


def list_roles(service: Service, call: Call) -> Answer:
    """GET .../roles: that of super administrators; there is no other here."""
    service.check_customer(call.path["customer"])
    role = resource(
        "admin#directory#role",
        roleId=SUPER_ADMIN_ROLE,
        roleName="_SEED_ADMIN_ROLE",
        roleDescription="Google Workspace Administrator Seed Role",
        isSystemRole=True,
        isSuperAdminRole=True,
    )
    return Answer(200, resource("admin#directory#roles", items=[role]))


def list_assignments(service: Service, call: Call) -> Answer:
    """GET .../roleassignments: who is super administrator."""
    service.check_customer(call.path["customer"])
    query = call.query
    keys = [key for key, row in service.store.rows["user"].items() if row.get("isAdmin") and DELETED not in row]
    if "userKey" in query:
        only = service.find("user", query["userKey"])
        if only is None:
            raise not_found("userKey")
        keys = [key for key in keys if key == only]
    if query.get("roleId", SUPER_ADMIN_ROLE) != SUPER_ADMIN_ROLE:
        keys = []
    rows = [((key,), key) for key in keys]
    body = page("admin#directory#roleAssignments", "items", rows, query, _assignment, default=100, most=200)
    return Answer(200, body)


def _assignment(key: str) -> dict[str, Any]:
    return resource(
        "admin#directory#roleAssignment",
        roleAssignmentId=key[-17:],
        roleId=SUPER_ADMIN_ROLE,
        assignedTo=key,
        assigneeType="user",
        scopeType="CUSTOMER",
    )
