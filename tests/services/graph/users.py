"""Users: https://learn.microsoft.com/graph/api/resources/user."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from . import licences, roles
from .contract import USER, check_body
from .errors import Refused, bad_request, conflict, mastered_on_premises, not_found
from .service import BASE, Answer, Call, Service
from .store import FORMER_MANAGER, GROUPS, MANAGER, PASSWORD, SESSIONS, Item, addresses_of
from .views import page, show

CLOUD_MASTERED = {
    "usageLocation", "preferredDataLocation", "otherMails", "ageGroup", "consentProvidedForMinor", "passwordPolicies",
    "employeeHireDate", "employeeLeaveDateTime", "customSecurityAttributes", "showInAddressList",
}  # fmt: skip
"""What may be written on a user that is synchronised from Active Directory; all else is mastered there."""
LICENCES = "_licences"


def list_users(service: Service, call: Call) -> Answer:
    """GET /users."""
    name, value = call.options.equal or ("", None)
    if name == "userPrincipalName" and isinstance(value, str):
        found = service.directory.find("user", value) if "@" in value else None
        return page(service, call, [found] if found else [], "users")
    return page(service, call, service.directory.of_kind("user"), "users")


def get_user(service: Service, call: Call) -> Answer:
    """GET /users/{id or userPrincipalName}."""
    item = service.get("user", call.keys[0])
    return Answer(200, {"@odata.context": f"{BASE}/$metadata#users/$entity", **show(service, item, call.options)})


def create_user(service: Service, call: Call) -> Answer:
    """POST /users."""
    body = dict(check_body(USER, "POST", call.body))
    if not body.get("passwordProfile") and not body.get("onPremisesImmutableId"):
        raise bad_request(
            "A password must be specified to create a new user.", "MissingRequiredProperty", "passwordProfile"
        )
    item = Item("user", service.new_id(), {}, service.now())
    data = _changed(service, item, {"userType": "Member", **body})
    item = service.directory.put(item, data)
    return Answer(
        201,
        {"@odata.context": f"{BASE}/$metadata#users/$entity", **show(service, item, call.options)},
        {"Location": f"{call.base}/users/{item.id}"},
    )


def update_user(service: Service, call: Call) -> Answer:
    """PATCH /users/{id}: null clears."""
    item = service.get("user", call.keys[0])
    body = check_body(USER, "PATCH", call.body)
    roles.refuse_administrators(service, item, body)
    refuse_mastered(item, body)
    service.directory.put(item, _changed(service, item, body))
    return Answer(204)


def refuse_mastered(item: Item, body: Mapping[str, Any]) -> None:
    """Refuses what Active Directory is the master of.

    Raises:
        Refused: 400.
    """
    if item.get("onPremisesSyncEnabled") and not set(body) <= CLOUD_MASTERED:
        raise mastered_on_premises()


def _changed(service: Service, item: Item, body: Mapping[str, Any]) -> dict[str, Any]:
    """The properties after a change, all of it or nothing."""
    data = {**item.data, **body}
    profile = data.pop("passwordProfile", None)
    if profile and profile.get("password") is not None:
        check_password(profile["password"])
        data[PASSWORD] = profile["password"]
        data["lastPasswordChangeDateTime"] = service.moment()
    if profile:
        data["_mustChange"] = bool(profile.get("forceChangePasswordNextSignIn", True))
    reference = data.pop("manager@odata.bind", None)
    if reference:
        data[MANAGER] = _referred(service, reference).id
    extension = body.get("onPremisesExtensionAttributes")
    if extension is not None:
        merged = {**(item.get("onPremisesExtensionAttributes") or {}), **extension}
        data["onPremisesExtensionAttributes"] = {name: value for name, value in merged.items() if value is not None}
    if body.get("mail") and body["mail"] != item.get("mail"):
        data["proxyAddresses"] = _with_primary(item.get("proxyAddresses") or [], body["mail"])
    if "userPrincipalName" in body:
        check_principal_name(service, body["userPrincipalName"])
    refuse_taken(service, item, data)
    return data


def _with_primary(addresses: list[str], mail: str) -> list[str]:
    """A new mail address becomes the primary one; the former stays as an alias."""
    others = ["smtp:" + one.rpartition(":")[2] for one in addresses if one.rpartition(":")[2].lower() != mail.lower()]
    return ["SMTP:" + mail, *others]


def check_password(password: str) -> None:
    """Length and three of four kinds of characters, as Entra asks for.

    Raises:
        Refused: 400.
    """
    kinds = sum(bool(re.search(kind, password)) for kind in ("[a-z]", "[A-Z]", "[0-9]", "[^a-zA-Z0-9]"))
    if not 8 <= len(password) <= 256 or kinds < 3:
        raise bad_request(
            "The specified password does not comply with password complexity requirements. Please provide a "
            "different password.",
            "PasswordNotComplex",
            "passwordProfile.password",
        )


def check_principal_name(service: Service, name: str | None) -> None:
    """Characters and domain of a user principal name.

    Raises:
        Refused: 400.
    """
    local, _, domain = (name or "").partition("@")
    if not re.fullmatch(r"[A-Za-z0-9'._\-!#^~]{1,64}", local) or local.endswith("."):
        raise bad_request("Property userPrincipalName is invalid.", "InvalidValue", "userPrincipalName")
    if domain.lower() not in service.config.domains:
        raise bad_request(
            "The domain portion of the userPrincipalName property is invalid. You must use one of the verified domain "
            "names in your organization.",
            "InvalidValue",
            "userPrincipalName",
        )


def refuse_taken(service: Service, item: Item, data: Mapping[str, Any]) -> None:
    """Refuses names that another object has, in the recycle bin too where the settings say so.

    Raises:
        Refused: 400 `ObjectConflict`.
    """
    for name, target in addresses_of(item.kind, data).items():
        if service.directory.holder(name, besides=item.id):
            raise conflict(target)


def delete_user(service: Service, call: Call) -> Answer:
    """DELETE /users/{id}: into the recycle bin; its memberships and licences are kept for its return."""
    item = service.get("user", call.keys[0])
    roles.refuse_administrators(service, item, roles.SENSITIVE)
    soft_delete(service, item)
    return Answer(204)


def soft_delete(service: Service, item: Item) -> None:
    """Puts a user into the recycle bin."""
    directory = service.directory
    groups = directory.groups_of(item.id)
    states = item.data.get("licenseAssignmentStates", [])
    licences.set_states(service, item, [])
    item = directory.items[item.id]
    data = {**item.data, GROUPS: groups, LICENCES: [one for one in states if not one["assignedByGroup"]]}
    directory.put(item, data, deleted=service.now())
    for group in groups:
        directory.unlink("members", group, item.id)


def restore(service: Service, item: Item) -> Item:
    """Takes a user out of the recycle bin, with what it had: memberships, and licences as far as seats go.

    Raises:
        Refused: 400: its names are somebody else's by now.
    """
    directory = service.directory
    refuse_taken(service, item, item.data)
    data = dict(item.data)
    groups, states = data.pop(GROUPS, []), data.pop(LICENCES, [])
    item = directory.put(item, data)
    for group in groups:
        if group in directory.items and directory.items[group].deleted is None:
            directory.link("members", group, item.id)
    held = [one for one in states if licences.free(service, one["skuId"]) > 0]
    licences.set_states(service, item, held)
    licences.look_again(service, [item.id])
    return directory.items[item.id]


def get_manager(service: Service, call: Call) -> Answer:
    """GET /users/{id}/manager and .../manager/$ref."""
    item = service.get("user", call.keys[0])
    manager = service.directory.find("user", item.data.get(MANAGER, ""))
    if manager is None:
        raise not_found("manager")
    if call.route.endswith("$ref"):
        return Answer(200, {"@odata.id": f"{BASE}/directoryObjects/{manager.id}/Microsoft.DirectoryServices.User"})
    return Answer(200, show(service, manager, call.options, typed=True))


def put_manager(service: Service, call: Call) -> Answer:
    """PUT /users/{id}/manager/$ref."""
    item = service.get("user", call.keys[0])
    reference = check_body("reference", "PUT", call.body)["@odata.id"]
    refuse_mastered(item, {"manager": reference})
    service.directory.change(item, **_managed_by(item, _referred(service, reference).id))
    return Answer(204)


def delete_manager(service: Service, call: Call) -> Answer:
    """DELETE /users/{id}/manager/$ref."""
    item = service.get("user", call.keys[0])
    if not item.get(MANAGER):
        raise not_found("manager")
    refuse_mastered(item, {"manager": None})
    service.directory.change(item, **_managed_by(item, None))
    return Answer(204)


def _managed_by(item: Item, key: str | None) -> dict[str, str | None]:
    return {MANAGER: key, FORMER_MANAGER: item.get(MANAGER)}


def _referred(service: Service, reference: str) -> Item:
    key = reference.rstrip("/").rpartition("/")[2]
    item = service.directory.find("user", key)
    if item is None or not service.visible(item):
        raise Refused(404, "Request_ResourceNotFound", not_found(key).message)
    return item


def revoke_sessions(service: Service, call: Call) -> Answer:
    """POST /users/{id}/revokeSignInSessions."""
    item = service.get("user", call.keys[0])
    revoked = item.data.get(SESSIONS, 0) + 1
    service.directory.change(item, signInSessionsValidFromDateTime=service.moment(), **{SESSIONS: revoked})
    return Answer(200, {"@odata.context": f"{BASE}/$metadata#Edm.Boolean", "value": True})


def list_groups_of(service: Service, call: Call) -> Answer:
    """GET /users/{id}/memberOf and .../transitiveMemberOf, /groups/{id}/memberOf."""
    item = service.get("user" if call.route.startswith("users") else "group", call.keys[0])
    keys = service.directory.groups_of(item.id, transitive="transitive" in call.route)
    return page(service, call, (service.directory.items[key] for key in keys), "directoryObjects", typed=True)


def list_owned(service: Service, call: Call) -> Answer:
    """GET /users/{id}/ownedObjects: groups, which are all that can be owned here."""
    item = service.get("user", call.keys[0])
    owned = (
        one for one in service.directory.of_kind("group") if item.id in service.directory.members(one.id, "owners")
    )
    return page(service, call, owned, "directoryObjects", typed=True)
