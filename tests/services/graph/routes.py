"""Which request is carried out by what, and which application permissions suffice for it.

Permissions: the tables on each operation's page, https://learn.microsoft.com/graph/api/overview
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from . import deleted, delta, groups, licences, roles, teams, tenant, users
from .config import PASSWORD_ROLE, Config
from .errors import Refused
from .service import Answer, Call, Service

Handler = Callable[[Service, Call], Answer]

_USERS_READ = ("User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All")
_USERS_WRITE = ("User.ReadWrite.All", "Directory.ReadWrite.All")
_GROUPS_READ = ("Group.Read.All", "Group.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All")
_GROUPS_WRITE = ("Group.ReadWrite.All", "Directory.ReadWrite.All")
_MEMBERS_READ = ("GroupMember.Read.All", "GroupMember.ReadWrite.All", *_GROUPS_READ)
_MEMBERS_WRITE = ("GroupMember.ReadWrite.All", *_GROUPS_WRITE)
_LICENCES_READ = ("LicenseAssignment.Read.All", "LicenseAssignment.ReadWrite.All", "Organization.Read.All",
                  "Directory.Read.All", "Directory.ReadWrite.All")  # fmt: skip
_LICENCES_WRITE = ("LicenseAssignment.ReadWrite.All", "User.ReadWrite.All", "Directory.ReadWrite.All")
_BIN = ("User.DeleteRestore.All", "User.ReadWrite.All", "Group.ReadWrite.All", "Directory.ReadWrite.All")
_TENANT = ("Organization.Read.All", "Domain.Read.All", "Directory.Read.All", "Directory.ReadWrite.All",
           "User.Read.All", "User.ReadWrite.All", "Group.ReadWrite.All")  # fmt: skip
_ENABLING = ("User.EnableDisableAccount.All", "User.ReadWrite.All", "Directory.ReadWrite.All")
_ROLES_READ = ("RoleManagement.Read.Directory", "Directory.Read.All", "Directory.ReadWrite.All")
_TEAMS = ("Team.Create", "TeamSettings.ReadWrite.All", "Group.ReadWrite.All", "Directory.ReadWrite.All")

ROUTES: Mapping[tuple[str, str], tuple[Handler, tuple[str, ...]]] = {
    ("GET", "users"): (users.list_users, _USERS_READ),
    ("POST", "users"): (users.create_user, _USERS_WRITE),
    ("GET", "users/delta"): (delta.changes, _USERS_READ),
    ("GET", "users/{}"): (users.get_user, _USERS_READ),
    ("PATCH", "users/{}"): (users.update_user, ("User.EnableDisableAccount.All", *_USERS_WRITE)),
    ("DELETE", "users/{}"): (users.delete_user, ("User.DeleteRestore.All", *_USERS_WRITE)),
    ("GET", "users/{}/manager"): (users.get_manager, _USERS_READ),
    ("GET", "users/{}/manager/$ref"): (users.get_manager, _USERS_READ),
    ("PUT", "users/{}/manager/$ref"): (users.put_manager, _USERS_WRITE),
    ("DELETE", "users/{}/manager/$ref"): (users.delete_manager, _USERS_WRITE),
    ("GET", "users/{}/memberOf"): (users.list_groups_of, _MEMBERS_READ),
    ("GET", "users/{}/ownedObjects"): (users.list_owned, _MEMBERS_READ),
    ("GET", "users/{}/transitiveMemberOf"): (users.list_groups_of, _MEMBERS_READ),
    ("GET", "users/{}/transitiveMemberOf/microsoft.graph.directoryRole"): (roles.list_of_user, _ROLES_READ),
    ("GET", "directoryRoles"): (roles.list_roles, _ROLES_READ),
    ("GET", "directoryRoles/{}/members"): (roles.list_members, _ROLES_READ),
    ("POST", "users/{}/revokeSignInSessions"): (users.revoke_sessions, ("User.RevokeSessions.All", *_USERS_WRITE)),
    ("POST", "users/{}/assignLicense"): (licences.assign_to_user, _LICENCES_WRITE),
    ("GET", "users/{}/licenseDetails"): (licences.list_details, (*_LICENCES_READ, *_USERS_READ)),
    ("GET", "subscribedSkus"): (licences.list_skus, _LICENCES_READ),
    ("GET", "subscribedSkus/{}"): (licences.get_sku, _LICENCES_READ),
    ("GET", "groups"): (groups.list_groups, _MEMBERS_READ),
    ("POST", "groups"): (groups.create_group, ("Group.Create", *_GROUPS_WRITE)),
    ("GET", "groups/delta"): (delta.changes, _MEMBERS_READ),
    ("GET", "groups/{}"): (groups.get_group, _MEMBERS_READ),
    ("PATCH", "groups/{}"): (groups.update_group, _MEMBERS_WRITE),
    ("DELETE", "groups/{}"): (groups.delete_group, _GROUPS_WRITE),
    ("GET", "groups/{}/members"): (groups.list_members, _MEMBERS_READ),
    ("GET", "groups/{}/members/$ref"): (groups.list_members, _MEMBERS_READ),
    ("GET", "groups/{}/members/microsoft.graph.user"): (groups.list_members, _MEMBERS_READ),
    ("GET", "groups/{}/members/microsoft.graph.group"): (groups.list_members, _MEMBERS_READ),
    ("POST", "groups/{}/members/$ref"): (groups.add_reference, _MEMBERS_WRITE),
    ("DELETE", "groups/{}/members/{}/$ref"): (groups.remove_reference, _MEMBERS_WRITE),
    ("DELETE", "groups/{}/members/{}"): (groups.delete_member_itself, _USERS_WRITE),
    ("GET", "groups/{}/memberOf"): (users.list_groups_of, _MEMBERS_READ),
    ("GET", "groups/{}/transitiveMembers"): (groups.list_members, _MEMBERS_READ),
    ("GET", "groups/{}/transitiveMembers/microsoft.graph.user"): (groups.list_members, _MEMBERS_READ),
    ("GET", "groups/{}/transitiveMembers/microsoft.graph.group"): (groups.list_members, _MEMBERS_READ),
    ("GET", "groups/{}/owners"): (groups.list_members, _MEMBERS_READ),
    ("GET", "groups/{}/owners/$ref"): (groups.list_members, _MEMBERS_READ),
    ("POST", "groups/{}/owners/$ref"): (groups.add_reference, _GROUPS_WRITE),
    ("DELETE", "groups/{}/owners/{}/$ref"): (groups.remove_reference, _GROUPS_WRITE),
    ("GET", "groups/{}/membersWithLicenseErrors"): (licences.list_groups_errors, _MEMBERS_READ),
    ("POST", "groups/{}/assignLicense"): (licences.assign_to_group, _LICENCES_WRITE),
    ("GET", "groups/{}/team"): (teams.get_team, _TEAMS),
    ("PUT", "groups/{}/team"): (teams.put_team, _TEAMS),
    ("POST", "teams"): (teams.post_team, _TEAMS),
    ("GET", "teams/{}"): (teams.get_team, _TEAMS),
    ("PATCH", "teams/{}"): (teams.patch_team, _TEAMS),
    ("GET", "teams/{}/operations/{}"): (teams.get_operation, _TEAMS),
    ("POST", "teams/{}/archive"): (teams.archive_team, _TEAMS),
    ("POST", "teams/{}/unarchive"): (teams.archive_team, _TEAMS),
    ("GET", "directory/deletedItems/microsoft.graph.user"): (deleted.list_deleted, _USERS_READ),
    ("GET", "directory/deletedItems/microsoft.graph.group"): (deleted.list_deleted, _GROUPS_READ),
    ("GET", "directory/deletedItems/{}"): (deleted.get_deleted, (*_USERS_READ, *_GROUPS_READ)),
    ("DELETE", "directory/deletedItems/{}"): (deleted.purge, _BIN),
    ("POST", "directory/deletedItems/{}/restore"): (deleted.restore, _BIN),
    ("GET", "directoryObjects/{}"): (tenant.get_object, ("Directory.Read.All", "Directory.ReadWrite.All")),
    ("GET", "organization"): (tenant.organization, _TENANT),
    ("GET", "domains"): (tenant.domains, _TENANT),
    ("GET", "servicePrincipals"): (tenant.service_principals, ("Application.Read.All", "Directory.Read.All")),
    ("GET", "servicePrincipals/{}"): (tenant.service_principal, ("Application.Read.All", "Directory.Read.All")),
    ("GET", "servicePrincipals/{}/appRoleAssignments"): (
        tenant.granted_roles,
        ("Application.Read.All", "Directory.Read.All"),
    ),
}
"""What is done for a method and a path, and the permissions of which any one suffices."""

_WORDS = {word for _, route in ROUTES for word in route.split("/")} - {"{}"}
_PATHS = {route for _, route in ROUTES}
_KEYED = re.compile(r"^(\w+)\((?:\w+=)?'([^']*)'\)$")


@dataclass(frozen=True)
class Found:
    """A request that is one of ours."""

    call: Call
    handler: Handler
    roles: tuple[str, ...]


def resolve(call: Call) -> Found:
    """What carries a request out; route, keys and query are filled in.

    Raises:
        Refused: 400 for a path that does not exist, 405 for a method that it does not have.
    """
    split = urlsplit(call.url)
    words, keys = _take_apart(split.path.removeprefix("/v1.0"))
    route = "/".join(words)
    if route not in _PATHS:
        unknown = next((word for word in words if word not in _WORDS), words[-1])
        raise Refused(400, "BadRequest", f"Resource not found for the segment '{unknown}'.")
    if (call.method, route) not in ROUTES:
        raise Refused(405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
    handler, roles = ROUTES[call.method, route]
    query = dict(parse_qsl(split.query, keep_blank_values=True))
    full = Call(call.method, call.url, route, tuple(keys), query, call.headers, call.body, call.base)
    return Found(full, handler, roles)


def _take_apart(path: str) -> tuple[list[str], list[str]]:
    words: list[str] = []
    keys: list[str] = []
    for part in path.strip("/").split("/"):
        segment = unquote(part)
        keyed = _KEYED.match(segment)
        word = _plain(segment)
        if keyed:
            words += [keyed[1], "{}"]
            keys.append(keyed[2])
        elif word in _WORDS:
            words.append(word)
        else:
            words.append("{}" if words else segment)
            keys.append(segment)
    return words, keys


def _plain(segment: str) -> str:
    """A function or a cast by its shortest name: "microsoft.graph.delta()" is "delta"."""
    name = segment.removesuffix("()")
    if name in {"graph.user", "graph.group"}:
        return "microsoft." + name
    short = name.removeprefix("microsoft.graph.")
    return name if name in _WORDS else short


def refuse_unauthorised(config: Config, found: Found) -> None:
    """Refuses what none of the granted application permissions allows.

    Raises:
        Refused: 403.
    """
    granted = set(config.roles)
    wanted = [found.roles]
    if found.call.route == "users/{}" and found.call.method == "PATCH" and isinstance(found.call.body, dict):
        names = set(found.call.body)
        wanted = [_ENABLING] if "accountEnabled" in names else []
        wanted += [_USERS_WRITE] if names - {"accountEnabled", "passwordProfile"} else []
        wanted += [(PASSWORD_ROLE,)] if "passwordProfile" in names else []
    if any(not granted.intersection(roles) for roles in wanted):
        raise Refused(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
