"""Groups: https://developers.google.com/workspace/admin/directory/reference/rest/v1/groups."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .addresses import check_address, readdressed, refuse_taken
from .errors import Refused, forbidden, invalid, not_found, required
from .paging import page
from .service import Answer, Call, Service, resource
from .store import ALIASES, CREATED, SETTINGS, Row

MOST_NAME, MOST_DESCRIPTION = 75, 4096


def insert(service: Service, call: Call) -> Answer:
    """POST /groups."""
    body = call.body
    if not body.get("email"):
        raise required("email")
    address = check_address(service, body["email"], "email")
    refuse_taken(service, address)
    row = _checked(
        {
            "email": address,
            "name": body.get("name") or address.partition("@")[0],
            "description": body.get("description") or "",
            "externalIds": body.get("externalIds") or [],
            CREATED: service.now(),
        }
    )
    key = service.new_name("group")
    service.store.put("group", key, row)
    return Answer(200, view(service, key))


def get(service: Service, call: Call) -> Answer:
    """GET /groups/{key}: by id, address or alias."""
    key, _ = service.get("group", call.path["groupKey"])
    return Answer(200, view(service, key))


def list_groups(service: Service, call: Call) -> Answer:
    """GET /groups: of a customer, a domain, or those that a user or a group is directly in."""
    query = call.query
    keys: Iterable[str] = service.store.rows["group"]
    if "userKey" in query:
        keys = _groups_of(service, query["userKey"])
    elif "customer" in query:
        service.check_customer(query["customer"])
    elif query.get("domain", "").lower() not in service.config.domains:
        raise forbidden() if "domain" in query else Refused(400, "badRequest", "Bad Request")
    if "query" in query:
        keys = [key for key in keys if _asked(service.store.rows["group"][key], query["query"])]
    rows = []
    for key in keys:
        row = service.store.rows["group"][key]
        if service.visible(row) and row["email"].endswith(query.get("domain", "").lower()):
            rows.append(((row["email"], key), key))
    body = page(
        "admin#directory#groups", "groups", rows, query, lambda key: view(service, key),
        default=200, most=200, descending=query.get("sortOrder") == "DESCENDING",
    )  # fmt: skip
    return Answer(200, body)


def change(service: Service, call: Call) -> Answer:
    """PUT and PATCH /groups/{key}; a former address stays as an alias."""
    key, row = service.get("group", call.path["groupKey"])
    body = call.body
    after = {**row, **{name: body[name] or "" for name in ("name", "description") if name in body}}
    if "externalIds" in body:
        after["externalIds"] = body["externalIds"] or []
    if body.get("email") and body["email"].lower() != row["email"]:
        after = readdressed(service, "group", key, after, "email", body["email"])
    service.store.put("group", key, _checked(after))
    return Answer(200, view(service, key))


def delete(service: Service, call: Call) -> Answer:
    """DELETE /groups/{key}: gone for good, with its memberships."""
    key, _ = service.get("group", call.path["groupKey"])
    service.store.leave_all(key)
    service.store.drop("group", key)
    return Answer(204)


def view(service: Service, key: str) -> dict[str, Any]:
    """A group as it is sent."""
    row = service.store.rows["group"][key]
    return resource(
        "admin#directory#group",
        id=key,
        email=row["email"],
        name=row["name"],
        description=row["description"],
        adminCreated=True,
        directMembersCount=str(len(service.store.members.get(key, ()))),
        aliases=row.get(ALIASES),
        externalIds=row.get("externalIds") or None,
    )


def _checked(row: Row) -> Row:
    if not row["name"] or len(row["name"]) > MOST_NAME:
        raise invalid("Invalid Input: name")
    if len(row["description"]) > MOST_DESCRIPTION:
        raise invalid("Invalid Input: description")
    return {**row, SETTINGS: row.get(SETTINGS, {})}


def _groups_of(service: Service, place: str) -> list[str]:
    key = service.find("user", place) or service.find("group", place)
    if key is None:
        raise not_found("userKey")
    return list(service.store.groups_of.get(key, ()))


def _asked(row: Row, text: str) -> bool:
    """Whether a group is what a query of one clause asks for: "email:sko*", "name='Lærere'"."""
    name, mark, value = text.partition(":") if ":" in text.partition("=")[0] else text.partition("=")
    value = value.strip("'\"").lower()
    if name not in {"email", "name"} or not mark:
        raise invalid("Invalid Input: query")
    own = row[name].lower()
    if mark == "=":
        return bool(own == value)
    return bool(own.startswith(value[:-1]) if value.endswith("*") else value in own)
