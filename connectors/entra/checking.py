"""Whether the application may do all that it will be asked to; changes nothing."""

from __future__ import annotations

from collections import Counter
from http import HTTPStatus
from itertools import islice
from typing import Any, NamedTuple

from connectors.entra.connection import Connection
from connectors.entra.licences import error_of, failed_of
from connectors.entra.options import EntraOptions
from connectors.entra.reading import Reader
from connectors.errors import AuthenticationFailed, Rejected

GRAPH_APP_ID = "00000003-0000-0000-c000-000000000000"
"""Microsoft Graph's own application id, the same in every tenant."""
_ALL = "Directory.ReadWrite.All"


class Need(NamedTuple):
    """Something that the application has to be allowed to do.

    Attributes:
        permission: The least that allows it.
        purpose: What it is for.
        others: Others that allow it too, and more.
    """

    permission: str
    purpose: str
    others: tuple[str, ...] = (_ALL,)


NEEDS = (
    Need(
        "User.ReadWrite.All", "to create, change, delete and restore accounts, to set managers, and to sign leavers out"
    ),
    Need("User.EnableDisableAccount.All", "to enable and disable accounts", ("User.ReadWrite.All", _ALL)),
    Need("Group.ReadWrite.All", "to create, change and delete groups, to set owners, and to make teams"),
    Need("GroupMember.ReadWrite.All", "to add and remove members", ("Group.ReadWrite.All", _ALL)),
    Need("LicenseAssignment.ReadWrite.All", "to give and take licences", ("User.ReadWrite.All", _ALL)),
    Need("Directory.Read.All", "to read accounts, groups, seats, who is an administrator, and these permissions"),
)
"""Application permissions: the tables on each operation's page, https://learn.microsoft.com/graph/api/overview"""


FAILING = "/groups?$filter=hasMembersWithLicenseErrors%20eq%20true&$select=id,displayName"
"""https://learn.microsoft.com/entra/fundamentals/concept-group-based-licensing"""
_GROUPS_LOOKED_AT = 10
UNNAMED = "which permissions it has cannot be looked up: name the managed identity's client_id"


def check(connection: Connection, reader: Reader, options: EntraOptions) -> str | None:
    """Signs in, and looks whether every permission is granted and every product of the settings is there.

    Returns:
        What an operator should know: what could not be looked at, and whom groups could not give their licences; or
        None.

    Raises:
        AuthenticationFailed: Names each permission that is missing, and what it is for.
        Rejected: The settings name a product or a service plan that the tenant does not have, or wait for accounts that
            nobody brings.
        ConnectorError: As `Connection.get`.
    """
    told = _asked(connection, "/organization?$select=id,onPremisesSyncEnabled")
    if options.accounts == "synchronised" and not any(one.get("onPremisesSyncEnabled") for one in told["value"]):
        raise Rejected("accounts: synchronised, but no Active Directory is synchronised to this tenant")
    if options.client_id is not None:
        _check_permissions(_granted(connection, options.client_id))
    products = reader.products()
    for part_number, plans in options.disabled_plans.items():
        product = products.get(part_number.casefold())
        if product is None:
            raise Rejected(f"disabled_plans: the tenant has no product '{part_number}'")
        if missing := [name for name in plans if name.casefold() not in product.plans]:
            raise Rejected(f"disabled_plans: {part_number} has no service plan {' and no '.join(missing)}")
    said = [] if options.client_id is not None else [UNNAMED]
    return "; ".join([*said, *_licences_not_given(connection)]) or None


def _licences_not_given(connection: Connection) -> list[str]:
    """A line for each of the first groups whose licences did not reach all of its members.

    Entra gives them in the background, and tells of what went wrong only where somebody asks.
    """
    groups = [one for page in connection.pages(FAILING) for one in page["value"]]
    lines = [_not_given(connection, one) for one in islice(groups, _GROUPS_LOOKED_AT)]
    if len(groups) > _GROUPS_LOOKED_AT:
        lines.append(f"and {len(groups) - _GROUPS_LOOKED_AT} groups more")
    return lines


def _not_given(connection: Connection, group: dict[str, Any]) -> str:
    select = "$select=id,licenseAssignmentStates&$top=999"
    members = 0
    errors: Counter[str] = Counter()
    for page in connection.pages(f"/groups/{group['id']}/membersWithLicenseErrors?{select}"):
        for one in page["value"]:
            members += 1
            states = one.get("licenseAssignmentStates") or ()
            errors.update({error_of(state) for state in failed_of(states, group["id"])})
    why = ", ".join(f"{count} {error}" for error, count in sorted(errors.items())) or error_of({})
    return f"the licences of the group '{group['displayName']}' did not reach {members} of its members: {why}"


def _check_permissions(granted: set[str]) -> None:
    missing = [one for one in NEEDS if not granted.intersection({one.permission, *one.others})]
    if missing:
        named = "; ".join(f"{one.permission} ({one.purpose})" for one in missing)
        raise AuthenticationFailed(f"the application lacks permissions of Microsoft Graph: {named}")


def _granted(connection: Connection, client_id: str) -> set[str]:
    """Names of the permissions of Graph that the application has."""
    graph = _asked(connection, f"/servicePrincipals(appId='{GRAPH_APP_ID}')?$select=id,appRoles")
    names = {str(one["id"]): str(one["value"]) for one in graph["appRoles"]}
    following: str | None = f"/servicePrincipals(appId='{client_id}')/appRoleAssignments?$top=999"
    found: set[str] = set()
    while following is not None:
        page = _asked(connection, following)
        found.update(names[one["appRoleId"]] for one in page["value"] if one["appRoleId"] in names)
        following = page.get("@odata.nextLink")
    return found


def _asked(connection: Connection, url: str) -> Any:
    """What a look into the tenant finds; who is let in and must not look is told what is missing."""
    try:
        return connection.get(url)
    except AuthenticationFailed as error:
        if not error.reason.startswith(f"{HTTPStatus.FORBIDDEN:d} "):
            raise
        need = NEEDS[-1]
        raise AuthenticationFailed(f"{error.reason}; is {need.permission} missing ({need.purpose})?") from error
