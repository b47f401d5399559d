"""Members of groups: https://developers.google.com/workspace/admin/directory/reference/rest/v1/members."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from .errors import duplicate, invalid, not_found, precondition, required
from .paging import page
from .service import Answer, Call, Service, resource
from .store import Row

ROLES = ("MEMBER", "MANAGER", "OWNER")
DELIVERIES = ("ALL_MAIL", "DAILY", "DIGEST", "DISABLED", "NONE")


def insert(service: Service, call: Call) -> Answer:
    """POST .../members: by address or id; addresses of other domains are external members, known to nobody."""
    group, _ = service.get("group", call.path["groupKey"])
    body = call.body
    place = body.get("email") or body.get("id")
    if not place:
        raise required("memberKey")
    kind, member, address = _meant(service, place)
    if f"{group}/{member}" in service.store.rows["member"]:
        raise duplicate("Member already exists.")
    if kind == "GROUP" and (member == group or member in _above(service, group)):
        raise precondition("Cyclic memberships not allowed.")
    row = _changed({"role": "MEMBER", "type": kind, "email": address}, body)
    service.store.put("member", f"{group}/{member}", row)
    return Answer(200, _view(service, group, member, delivery=True))


def get(service: Service, call: Call) -> Answer:
    """GET .../members/{key}: direct members only."""
    group, member = _found(service, call)
    return Answer(200, _view(service, group, member, delivery=True))


def list_members(service: Service, call: Call) -> Answer:
    """GET .../members: direct ones, or with those of groups within."""
    group, _ = service.get("group", call.path["groupKey"])
    roles = [one for one in call.query.get("roles", "").upper().split(",") if one]
    if not set(roles) <= set(ROLES):
        raise invalid("Invalid Input: roles")
    pairs = [(group, member) for member in service.store.members.get(group, ())]
    if call.query.get("includeDerivedMembership") == "true":
        pairs = _derived(service, group)
    rows = [
        ((member,), (its, member))
        for its, member in pairs
        if not roles or service.store.rows["member"][f"{its}/{member}"]["role"] in roles
    ]
    body = page(
        "admin#directory#members", "members", rows, call.query, lambda pair: _view(service, *pair),
        default=200, most=200,
    )  # fmt: skip
    return Answer(200, body)


def change(service: Service, call: Call) -> Answer:
    """PUT and PATCH .../members/{key}: role and delivery."""
    group, member = _found(service, call)
    row = _changed(service.store.rows["member"][f"{group}/{member}"], call.body)
    service.store.put("member", f"{group}/{member}", row)
    return Answer(200, _view(service, group, member, delivery=True))


def delete(service: Service, call: Call) -> Answer:
    """DELETE .../members/{key}."""
    group, member = _found(service, call)
    service.store.drop("member", f"{group}/{member}")
    return Answer(204)


def has_member(service: Service, call: Call) -> Answer:
    """GET .../hasMember/{key}: nested too; external addresses cannot be asked for."""
    group, _ = service.get("group", call.path["groupKey"])
    kind, member, _ = _meant(service, call.path["memberKey"])
    if kind == "EXTERNAL":
        raise invalid("Invalid Input: memberKey")
    return Answer(200, {"isMember": member in {one for _, one in _derived(service, group)}})


def _meant(service: Service, place: str) -> tuple[str, str, str | None]:
    """Type, id and, for one who is external, address of whom a key means.

    Raises:
        Refused: 404 for an own address or an id that nobody has, 400 for what is no address.
    """
    for kind in ("user", "group"):
        key = service.find(kind, place)
        if key is not None:
            return kind.upper(), key, None
    if "@" not in place:
        raise not_found("memberKey")
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", place):
        raise invalid("Invalid Input: memberKey")
    if place.rpartition("@")[2].lower() in service.config.domains:
        raise not_found("memberKey")
    number = int.from_bytes(hashlib.sha256(place.lower().encode()).digest()[:8])
    return "EXTERNAL", f"1{number % 10**20:020}", place.lower()


def _found(service: Service, call: Call) -> tuple[str, str]:
    group, _ = service.get("group", call.path["groupKey"])
    place = call.path["memberKey"]
    member = place if f"{group}/{place}" in service.store.rows["member"] else _meant(service, place)[1]
    if f"{group}/{member}" not in service.store.rows["member"]:
        raise not_found("memberKey")
    return group, member


def _changed(row: Row, body: dict[str, Any]) -> Row:
    role = (body.get("role") or row["role"]).upper()
    delivery = body.get("delivery_settings") or row.get("delivery_settings", "ALL_MAIL")
    if role not in ROLES:
        raise invalid("Invalid Input: role")
    if delivery not in DELIVERIES:
        raise invalid("Invalid Input: delivery_settings")
    return {**row, "role": role, "delivery_settings": delivery}


def _above(service: Service, key: str) -> set[str]:
    seen: set[str] = set()
    waiting = [key]
    while waiting:
        for group in service.store.groups_of.get(waiting.pop(), ()):
            if group not in seen:
                seen.add(group)
                waiting.append(group)
    return seen


def _derived(service: Service, group: str) -> list[tuple[str, str]]:
    """Members directly or by way of another group, each once, with the group that they are in."""
    found: dict[str, str] = {}
    waiting = [group]
    while waiting:
        its = waiting.pop(0)
        for member in service.store.members.get(its, ()):
            if member not in found:
                found[member] = its
                waiting.append(member)
    return [(its, member) for member, its in found.items()]


def _view(service: Service, group: str, member: str, *, delivery: bool = False) -> dict[str, Any]:
    row = service.store.rows["member"][f"{group}/{member}"]
    user, inner = service.store.get("user", member), service.store.get("group", member)
    address = user["primaryEmail"] if user else inner["email"] if inner else row["email"]
    suspended = user is not None and user.get("suspended")
    return resource(
        "admin#directory#member",
        id=member,
        email=address,
        role=row["role"],
        type="GROUP" if row["type"] == "GROUP" else "USER",
        status=None if row["type"] == "EXTERNAL" else "SUSPENDED" if suspended else "ACTIVE",
        delivery_settings=row["delivery_settings"] if delivery else None,
    )
