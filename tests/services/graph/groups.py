"""Groups and who is in them: https://learn.microsoft.com/graph/api/resources/groups-overview."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

from . import licences, users
from .contract import GROUP, check_body
from .errors import Refused, bad_request, mastered_on_premises, not_found
from .service import BASE, Answer, Call, Service
from .store import Item, Relation
from .views import page, show

MOST_BOUND = 20
"""References in one request: https://learn.microsoft.com/graph/api/group-post-members"""
DYNAMIC, UNIFIED = "DynamicMembership", "Unified"


def list_groups(service: Service, call: Call) -> Answer:
    """GET /groups."""
    return page(service, call, service.directory.of_kind("group"), "groups")


def get_group(service: Service, call: Call) -> Answer:
    """GET /groups/{id} and /groups(uniqueName='...')."""
    item = service.get("group", _key(service, call))
    return Answer(200, {"@odata.context": f"{BASE}/$metadata#groups/$entity", **show(service, item, call.options)})


def _key(service: Service, call: Call) -> str:
    """The id of the group that a request is about."""
    if not is_named(call):
        return call.keys[0]
    item = service.directory.holder("unique:" + call.keys[0].lower())
    return item.id if item is not None else call.keys[0]


def is_named(call: Call) -> bool:
    """Whether a group is meant by its unique name."""
    return "(uniqueName=" in unquote(call.url)


def create_group(service: Service, call: Call) -> Answer:
    """POST /groups: security and Microsoft 365 groups; others are Exchange's."""
    return _create(service, call, {})


def _create(service: Service, call: Call, more: dict[str, Any]) -> Answer:
    body = dict(check_body(GROUP, "POST", call.body))
    bound: dict[Relation, list[str]] = {
        "members": body.pop("members@odata.bind", []),
        "owners": body.pop("owners@odata.bind", []),
    }
    _refuse_too_many([*bound["members"], *bound["owners"]])
    _check_type(body)
    keys = {relation: [_referred(service, one) for one in bound[relation]] for relation in bound}
    item = Item("group", service.new_id(), {}, service.now())
    if UNIFIED in body.get("groupTypes", ()):
        mail = f"{body['mailNickname']}@{service.config.domains[0]}"
        body = {"visibility": "Public", **body, "mail": mail, "proxyAddresses": ["SMTP:" + mail]}
    body |= more
    users.refuse_taken(service, item, body)
    item = service.directory.put(item, body)
    for relation, found in keys.items():
        for key in dict.fromkeys(found):
            service.directory.link(relation, item.id, key)
    shown = show(service, item, call.options)
    return Answer(201, {"@odata.context": f"{BASE}/$metadata#groups/$entity", **shown})


def _check_type(body: dict[str, Any]) -> None:
    types = body.get("groupTypes", [])
    if set(types) - {UNIFIED, DYNAMIC}:
        raise bad_request("Invalid value specified for property 'groupTypes' of resource 'Group'.")
    if UNIFIED in types and not body["mailEnabled"]:
        raise bad_request("Group type 'Unified' must have 'mailEnabled' set to true.", "InvalidValue", "mailEnabled")
    if UNIFIED not in types and body["mailEnabled"]:
        raise bad_request(
            "The service does not currently support writes of mail-enabled groups. Please ensure that the "
            "mail-enablement property is unset and the security-enablement property is set."
        )
    if UNIFIED not in types and not body["securityEnabled"]:
        raise bad_request("A group must be security-enabled or mail-enabled.", "InvalidValue", "securityEnabled")
    if (DYNAMIC in types) != bool(body.get("membershipRule")):
        raise bad_request("The group type and its membership rule do not agree.", "InvalidValue", "membershipRule")
    if any(not (33 <= ord(one) < 127) or one in '@()\\[]";:<>,' for one in body["mailNickname"]):
        raise bad_request("Invalid value specified for property 'mailNickname' of resource 'Group'.", "InvalidValue",
                          "mailNickname")  # fmt: skip


def update_group(service: Service, call: Call) -> Answer:
    """PATCH /groups/{id}: properties, or up to 20 new members, all or nothing.

    By unique name, with `Prefer: create-if-missing`, a group that is not there is made:
    https://learn.microsoft.com/graph/api/group-upsert
    """
    named = is_named(call) and "create-if-missing" in call.headers.get("prefer", "")
    if named and service.directory.holder("unique:" + call.keys[0].lower()) is None:
        return _create(service, call, {"uniqueName": call.keys[0]})
    item = service.get("group", _key(service, call))
    body = dict(check_body(GROUP, "PATCH", call.body))
    bound = body.pop("members@odata.bind", None)
    if bound is not None:
        _refuse_too_many(bound)
        _add(service, item, "members", [_referred(service, one) for one in bound])
    if not body:
        return Answer(204)
    if item.get("onPremisesSyncEnabled"):
        raise mastered_on_premises()
    for name in ("groupTypes", "mailEnabled", "isAssignableToRole"):
        if name in body and body[name] != (item.get(name) or ([] if name == "groupTypes" else False)):
            raise bad_request(f"Property '{name}' cannot be changed on an existing group.", "InvalidValue", name)
    _refuse_exchange(item)
    users.refuse_taken(service, item, {**item.data, **body})
    service.directory.put(item, {**item.data, **body})
    return Answer(204)


def delete_group(service: Service, call: Call) -> Answer:
    """DELETE /groups/{id}: a Microsoft 365 group can be restored, a security group is gone."""
    item = service.get("group", call.keys[0])
    if item.get("onPremisesSyncEnabled"):
        raise mastered_on_premises()
    licences.refuse_giving(item)
    _refuse_exchange(item)
    if UNIFIED in item.data.get("groupTypes", ()):
        service.directory.put(item, item.data, deleted=service.now())
    else:
        service.directory.purge(item.id)
    return Answer(204)


# ---------------------------------------------------------------- members and owners


def list_members(service: Service, call: Call) -> Answer:
    """GET /groups/{id}/members, .../transitiveMembers and .../owners, each also cast to users or groups."""
    item = service.get("group", call.keys[0])
    words = call.route.split("/")
    directory = service.directory
    if words[2] == "transitiveMembers":
        keys = directory.transitive_members(item.id)
    else:
        keys = directory.members(item.id, words[2])  # type: ignore[arg-type]
    found: Iterable[Item] = (directory.items[key] for key in keys)
    cast = words[-1].removeprefix("microsoft.graph.")
    if cast in {"user", "group"}:
        found = (one for one in found if one.kind == cast)
    if words[-1] == "$ref":
        return page(service, call, found, "Collection($ref)", shown=lambda one: {"@odata.id": _reference(one)})
    return page(service, call, found, "directoryObjects", typed=True)


def _reference(item: Item) -> str:
    return f"{BASE}/directoryObjects/{item.id}/Microsoft.DirectoryServices.{item.kind.title()}"


def add_reference(service: Service, call: Call) -> Answer:
    """POST /groups/{id}/members/$ref and .../owners/$ref."""
    item = service.get("group", call.keys[0])
    body = check_body("reference", "POST", call.body)
    key = _referred(service, body["@odata.id"], alone=True)
    _add(service, item, "owners" if "owners" in call.route else "members", [key])
    return Answer(204)


def _add(service: Service, group: Item, relation: Relation, keys: list[str]) -> None:
    _refuse_unwritable(group)
    there = service.directory.references[relation].get(group.id, {})
    if any(key in there for key in keys) or len(set(keys)) != len(keys):
        raise bad_request(
            f"One or more added object references already exist for the following modified properties: '{relation}'."
        )
    for key in keys:
        if service.directory.items[key].kind == "group":
            _refuse_nesting(group, key, relation)
    for key in keys:
        service.directory.link(relation, group.id, key)
    if group.data.get("assignedLicenses") and relation == "members":
        licences.look_again(service, keys)


def _refuse_nesting(group: Item, key: str, relation: Relation) -> None:
    if UNIFIED in group.data.get("groupTypes", ()) or relation == "owners" or key == group.id:
        raise bad_request(
            "The type of the object that is added is not supported for the following modified properties: "
            f"'{relation}'."
        )


def remove_reference(service: Service, call: Call) -> Answer:
    """DELETE /groups/{id}/members/{id}/$ref and .../owners/{id}/$ref."""
    group, key = service.get("group", call.keys[0]), call.keys[1].lower()
    relation: Relation = "owners" if "owners" in call.route else "members"
    _refuse_unwritable(group)
    if key not in service.directory.items:
        raise not_found(key)
    there = service.directory.members(group.id, relation)
    if key not in there:
        raise bad_request(
            f"One or more removed object references do not exist for the following modified properties: '{relation}'."
        )
    if relation == "owners" and UNIFIED in group.data.get("groupTypes", ()) and len(there) == 1:
        raise bad_request("The group must have at least one owner, hence this owner cannot be removed.")
    service.directory.unlink(relation, group.id, key)
    if group.data.get("assignedLicenses"):
        licences.look_again(service, [key])
    return Answer(204)


def delete_member_itself(service: Service, call: Call) -> Answer:
    """DELETE /groups/{id}/members/{id}: without `/$ref` it is the object itself that goes, as is documented.

    https://learn.microsoft.com/graph/api/group-delete-members
    """
    service.get("group", call.keys[0])
    users.soft_delete(service, service.get("user", call.keys[1]))
    return Answer(204)


def _refuse_too_many(bound: list[str]) -> None:
    if len(bound) > MOST_BOUND:
        raise bad_request(f"The number of references in one request must not exceed {MOST_BOUND}.")


def _refuse_unwritable(group: Item) -> None:
    if group.get("onPremisesSyncEnabled"):
        raise mastered_on_premises()
    _refuse_exchange(group)
    if group.get("isAssignableToRole"):
        raise Refused(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
    if DYNAMIC in group.data.get("groupTypes", ()):
        raise Refused(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation: the "
                      "members of a dynamic group cannot be changed.")  # fmt: skip


def _refuse_exchange(group: Item) -> None:
    if group.get("mailEnabled") and UNIFIED not in group.data.get("groupTypes", ()):
        raise bad_request("Cannot Update a mail-enabled security groups and or distribution list.")


def _referred(service: Service, reference: str, *, alone: bool = False) -> str:
    """The id that a reference leads to.

    Raises:
        Refused: 400 or, for a reference that comes alone to something that never was, 404.
    """
    key = reference.rstrip("/").rpartition("/")[2]
    item = service.directory.find("user", key) or service.directory.find("group", key)
    if item is not None and service.visible(item):
        return item.id
    if alone and item is None:
        raise not_found(key)
    raise bad_request(
        "One or more of the referenced objects do not exist for the following modified properties: 'members'."
    )
