"""Products, seats and who has them: https://learn.microsoft.com/graph/api/user-assignlicense.

Direct assignment fails at once; that of a group is done in the background, and tells of its failures in the user's
`licenseAssignmentStates`: https://learn.microsoft.com/entra/fundamentals/concept-group-based-licensing
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import takewhile
from typing import Any

from .config import stable_id
from .contract import check_body
from .errors import Refused, bad_request, not_found
from .service import BASE, Answer, Call, Service
from .store import Item
from .views import fails_by, page, show

KNOWN_SKUS = {
    "STANDARDWOFFPACK_FACULTY": "94763226-9b3c-4e75-a931-5c89701abe66",
    "STANDARDWOFFPACK_STUDENT": "314c4481-f395-4525-be8b-2ec4bb1e9d91",
    "M365EDU_A3_FACULTY": "4b590615-0888-425a-a965-b3bf7789848d",
    "SPE_E3": "05e9a617-0261-4cee-bb44-138d3ef5d965",
    "EMS": "efccb6f7-5641-4e0e-bd10-b4976e1bf68e",
}
"""Microsoft's own ids: https://learn.microsoft.com/entra/identity/users/licensing-service-plan-reference"""
PLANS = ("EXCHANGE_S_STANDARD", "SHAREPOINTSTANDARD", "TEAMS1", "MFA_PREMIUM")


def sku_id(part_number: str) -> str:
    """The id of a product."""
    return KNOWN_SKUS.get(part_number) or stable_id(part_number)


def plan_id(part_number: str, plan: str) -> str:
    """The id of one service plan within a product."""
    return stable_id(f"{part_number}/{plan}")


def _part_number(service: Service, sku: str) -> str | None:
    return next((part for part in service.config.skus if sku_id(part) == sku), None)


def _plans(part_number: str) -> list[dict[str, Any]]:
    return [
        {
            "servicePlanId": plan_id(part_number, plan),
            "servicePlanName": plan,
            "provisioningStatus": "Success",
            "appliesTo": "User",
        }
        for plan in PLANS
    ]


def _used(service: Service) -> Counter[str]:
    """Seats in use, by product; counted once and kept from then on."""
    if service.seats_used is None:
        service.seats_used = Counter()
        for user in service.directory.of_kind("user"):
            service.seats_used.update(_active(user.data.get("licenseAssignmentStates", ())))
    return service.seats_used


def _active(states: Iterable[dict[str, Any]]) -> set[str]:
    return {one["skuId"] for one in states if one["state"] == "Active"}


def free(service: Service, sku: str) -> int:
    """Seats that nobody has."""
    part = _part_number(service, sku)
    return (service.config.skus[part] if part else 0) - _used(service)[sku]


def set_states(service: Service, user: Item, states: list[dict[str, Any]]) -> None:
    """Gives a user the assignments that it shall have from now on, and counts the seats anew."""
    before = user.data.get("licenseAssignmentStates", [])
    if states == before:
        return
    used = _used(service)
    used.subtract(_active(before))
    used.update(_active(states))
    service.directory.change(user, licenseAssignmentStates=states)


# ---------------------------------------------------------------- products


def _sku(service: Service, part_number: str) -> dict[str, Any]:
    enabled = service.config.skus[part_number]
    return {
        "id": f"{service.config.tenant_id}_{sku_id(part_number)}",
        "accountId": service.config.tenant_id,
        "accountName": "local",
        "appliesTo": "User",
        "capabilityStatus": "Enabled" if enabled else "Suspended",
        "consumedUnits": _used(service)[sku_id(part_number)],
        "prepaidUnits": {"enabled": enabled, "suspended": 0, "warning": 0, "lockedOut": 0},
        "servicePlans": _plans(part_number),
        "skuId": sku_id(part_number),
        "skuPartNumber": part_number,
        "subscriptionIds": [stable_id(f"subscription/{part_number}")],
    }


def list_skus(service: Service, call: Call) -> Answer:
    """GET /subscribedSkus: not paged."""
    return Answer(
        200,
        {
            "@odata.context": f"{BASE}/$metadata#subscribedSkus",
            "value": [_selected(call, _sku(service, part)) for part in service.config.skus],
        },
    )


def get_sku(service: Service, call: Call) -> Answer:
    """GET /subscribedSkus/{id}."""
    for part in service.config.skus:
        sku = _sku(service, part)
        if sku["id"] == call.keys[0]:
            return Answer(200, _selected(call, sku))
    raise not_found(call.keys[0])


def _selected(call: Call, data: dict[str, Any]) -> dict[str, Any]:
    names = call.options.select
    return {name: value for name, value in data.items() if name in names} if names else data


def list_details(service: Service, call: Call) -> Answer:
    """GET /users/{id}/licenseDetails."""
    user = service.get("user", call.keys[0])
    parts = [_part_number(service, one) for one in sorted(_active(user.data.get("licenseAssignmentStates", ())))]
    details = [
        {"id": sku_id(part), "skuId": sku_id(part), "skuPartNumber": part, "servicePlans": _plans(part)}
        for part in parts
        if part
    ]
    return Answer(200, {"@odata.context": f"{BASE}/$metadata#users/licenseDetails", "value": details})


# ---------------------------------------------------------------- direct assignment


def assign_to_user(service: Service, call: Call) -> Answer:
    """POST /users/{id}/assignLicense: all of it or nothing."""
    user = service.get("user", call.keys[0])
    added, removed = _asked(service, call)
    states = list(user.data.get("licenseAssignmentStates", []))
    for sku in removed:
        states = _without(states, sku)
    for one in added:
        states = [*(kept for kept in states if kept["skuId"] != one["skuId"] or kept["assignedByGroup"]), one]
    _refuse_impossible(service, user, states, {one["skuId"] for one in added})
    set_states(service, user, states)
    return Answer(200, show(service, service.directory.items[user.id], call.options, typed=True))


def _asked(service: Service, call: Call) -> tuple[list[dict[str, Any]], list[str]]:
    body = check_body("assignLicense", "POST", call.body)
    missing = [name for name in ("addLicenses", "removeLicenses") if name not in body]
    if missing:
        raise bad_request(
            "One or more parameters of the operation 'assignLicense' are missing from the request payload. The "
            f"missing parameters are: {', '.join(missing)}."
        )
    added = [_state(service, one.get("skuId"), one.get("disabledPlans") or []) for one in body["addLicenses"]]
    return added, [one.lower() for one in body["removeLicenses"]]


def _state(service: Service, sku: str | None, disabled: list[str], group: str | None = None) -> dict[str, Any]:
    part = _part_number(service, (sku or "").lower())
    if part is None:
        raise bad_request(f"License {sku} does not correspond to a valid company License.")
    plans = {plan_id(part, plan) for plan in PLANS}
    for plan in disabled:
        if plan not in plans:
            raise bad_request(f"Plan {plan} is not a valid service plan of license {sku}.")
    return {
        "skuId": sku_id(part),
        "disabledPlans": disabled,
        "assignedByGroup": group,
        "state": "Active",
        "error": "None",
        "lastUpdatedDateTime": service.moment(),
    }


def direct(service: Service, part_number: str) -> dict[str, Any]:
    """What a direct assignment of a product looks like."""
    return _state(service, sku_id(part_number), [])


def _without(states: list[dict[str, Any]], sku: str) -> list[dict[str, Any]]:
    held = [one for one in states if one["skuId"] == sku]
    if not held:
        raise bad_request("User does not have a corresponding license.")
    if all(one["assignedByGroup"] for one in held):
        raise bad_request(
            "User license is inherited from a group membership and it cannot be removed directly from the user."
        )
    return [one for one in states if one["skuId"] != sku or one["assignedByGroup"]]


def _refuse_impossible(service: Service, user: Item, states: list[dict[str, Any]], added: set[str]) -> None:
    if added and not user.get("usageLocation"):
        raise bad_request(
            "License assignment cannot be done for user with invalid usage location.", "InvalidValue", "usageLocation"
        )
    held = _active(user.data.get("licenseAssignmentStates", ()))
    for sku in sorted(added - held):
        if free(service, sku) <= 0:
            raise bad_request(f"Subscription with SKU {sku} does not have any available licenses.")
    if clash := _excluded(service, _active(states)):
        raise bad_request(f"License assignment failed because service plans {clash} are mutually exclusive.")


def _excluded(service: Service, skus: set[str]) -> str:
    for parts in service.config.exclusive:
        both = sorted(skus & {sku_id(part) for part in parts})
        if len(both) > 1:
            return " and ".join(both)
    return ""


# ---------------------------------------------------------------- group-based licensing


def assign_to_group(service: Service, call: Call) -> Answer:
    """POST /groups/{id}/assignLicense: done in the background."""
    group = service.get("group", call.keys[0])
    added, removed = _asked(service, call)
    kept = {one["skuId"]: one for one in group.data.get("assignedLicenses", ()) if one["skuId"] not in removed}
    kept.update({one["skuId"]: {"skuId": one["skuId"], "disabledPlans": one["disabledPlans"]} for one in added})
    group = service.directory.change(group, assignedLicenses=list(kept.values()))
    look_again(service, service.directory.members(group.id))
    return Answer(202, show(service, group, call.options, typed=True))


def _due(service: Service) -> dict[str, float]:
    """Users to look at again, with the time; after a start, everybody in a group that gives licences."""
    if service.licences_due is None:
        service.licences_due = {}
        for group in service.directory.of_kind("group"):
            if group.data.get("assignedLicenses"):
                service.licences_due.update(dict.fromkeys(service.directory.members(group.id), 0.0))
    return service.licences_due


def look_again(service: Service, keys: Iterable[str]) -> None:
    """Says that the groups of these users, or the licences of those groups, have changed."""
    due, when = _due(service), service.now() + service.config.group_licence_seconds
    for key in keys:
        due.setdefault(key, when)


def work_in_background(service: Service) -> None:
    """Gives and takes what groups give, for all users whose time has come."""
    due, now = _due(service), service.now()
    # The first to come is the first that was put there: all wait for the same time.
    for key in list(takewhile(lambda key: due[key] <= now, due)):
        del due[key]
        user = service.directory.find("user", key)
        if user is not None:
            _inherit(service, user)


def _inherit(service: Service, user: Item) -> None:
    before = user.data.get("licenseAssignmentStates", [])
    states = [one for one in before if not one["assignedByGroup"]]
    for key in service.directory.groups_of(user.id):
        group = service.directory.items[key]
        for licence in group.data.get("assignedLicenses", ()):
            state = _state(service, licence["skuId"], licence["disabledPlans"], key)
            known = next((one for one in before if _like(one, state)), None)
            states.append(known or _judged(service, user, states, state))
    set_states(service, user, states)


def _like(one: dict[str, Any], other: dict[str, Any]) -> bool:
    names = ("skuId", "assignedByGroup", "disabledPlans")
    return one["state"] == "Active" and all(one[name] == other[name] for name in names)


def _judged(service: Service, user: Item, states: list[dict[str, Any]], state: dict[str, Any]) -> dict[str, Any]:
    """The state with what is wrong with it."""
    error = "None"
    held = _active(user.data.get("licenseAssignmentStates", ())) | _active(states)
    if not user.get("usageLocation"):
        error = "ProhibitedInUsageLocationViolation"
    elif state["skuId"] not in held and free(service, state["skuId"]) <= 0:
        error = "CountViolation"
    elif _excluded(service, _active([*states, state])):
        error = "MutuallyExclusiveViolation"
    return {**state, "state": "Active" if error == "None" else "Error", "error": error}


def list_groups_errors(service: Service, call: Call) -> Answer:
    """GET /groups/{id}/membersWithLicenseErrors."""
    group = service.get("group", call.keys[0])
    users = [service.directory.items[key] for key in service.directory.members(group.id)]
    wrong = [one for one in users if fails_by(one, group.id)]
    return page(service, call, wrong, "directoryObjects", typed=True)


def refuse_giving(group: Item) -> None:
    """Refuses to delete a group that gives licences.

    Raises:
        Refused: 400.
    """
    if group.data.get("assignedLicenses"):
        raise Refused(400, "Request_BadRequest", "The group cannot be deleted because it has active licenses assigned.")
