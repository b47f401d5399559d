"""Organisational units: https://developers.google.com/workspace/admin/directory/reference/rest/v1/orgunits.

Users refer to their unit by its id, so that a move of a unit takes everybody in it along.
"""

from __future__ import annotations

from typing import Any

from .errors import Refused, invalid, precondition, required
from .service import ROOT_UNIT, Answer, Call, Service, resource
from .store import UNIT, Row

MOST_DEEP = 35


def insert(service: Service, call: Call) -> Answer:
    """POST .../orgunits: the parent must be there; a name that is taken in it is an "Invalid Ou Id"."""
    service.check_customer(call.path["customerId"])
    body = call.body
    name = body.get("name")
    if not name or "/" in name:
        raise invalid("Invalid Ou Id") if name else required("name")
    parent = _parent(service, body)
    if parent is None:
        raise required("parentOrgUnitPath")
    _refuse_taken(service, parent, name)
    if path(service, parent).rstrip("/").count("/") + 1 > MOST_DEEP:
        raise invalid("Invalid Parent Orgunit Id")
    key = service.new_name("unit", "id:03ph8a2z", 7)
    row = {"name": name, "description": body.get("description", ""), "parent": parent}
    service.store.put("unit", key, row)
    return Answer(200, view(service, key))


def get(service: Service, call: Call) -> Answer:
    """GET .../orgunits/{path or id}."""
    return Answer(200, view(service, _found(service, call)))


def list_units(service: Service, call: Call) -> Answer:
    """GET .../orgunits: children, or all beneath; no pages."""
    service.check_customer(call.path["customerId"])
    top = call.query.get("orgUnitPath") or "/"
    key = find(service, top)
    if key is None:
        raise _missing()
    kind = call.query.get("type", "children")
    keys = list(service.store.children[key].values()) if kind == "children" else _beneath(service, key)
    if kind == "allIncludingParent":
        keys.insert(0, key)
    units = {"organizationUnits": [view(service, one) for one in keys]} if keys else {}
    return Answer(200, resource("admin#directory#orgUnits", **units))


def change(service: Service, call: Call) -> Answer:
    """PUT and PATCH .../orgunits/{path or id}: renames, moves, describes."""
    key = _found(service, call)
    row = dict(service.store.rows["unit"][key])
    body = call.body
    parent = _parent(service, body) or row.get("parent")
    name = body.get("name") or row["name"]
    if key == ROOT_UNIT and (parent or name != row["name"]):
        raise invalid("Invalid Ou Id")
    if parent is not None and (parent == key or parent in _beneath(service, key)):
        raise invalid("Invalid Parent Orgunit Id")
    if parent is not None and (parent, name.lower()) != (row["parent"], row["name"].lower()):
        _refuse_taken(service, parent, name)
    row |= {"name": name, "parent": parent, "description": body.get("description", row.get("description", ""))}
    service.store.put("unit", key, row)
    return Answer(200, view(service, key))


def delete(service: Service, call: Call) -> Answer:
    """DELETE .../orgunits/{path or id}: only an empty one."""
    key = _found(service, call)
    used = any(row.get(UNIT) == key and "_deleted" not in row for row in service.store.rows["user"].values())
    if key == ROOT_UNIT or service.store.children[key] or used:
        raise precondition("Condition not met: the org unit is not empty.")
    service.store.drop("unit", key)
    return Answer(204)


# ------------------------------------------------------------ for others


def find(service: Service, place: str) -> str | None:
    """The id of a unit by its path, with or without the slash in front, or by its id; None where there is none."""
    if place.startswith("id:"):
        return place if place in service.store.rows["unit"] else None
    key = ROOT_UNIT
    for name in filter(None, place.split("/")):
        child = service.store.children[key].get(name.lower())
        if child is None:
            return None
        key = child
    return key


def path(service: Service, key: str) -> str:
    """The full path of a unit; "/" for the root, and for one that is gone."""
    names: list[str] = []
    row: Row | None = service.store.rows["unit"].get(key)
    while row is not None and row.get("parent"):
        names.append(row["name"])
        row = service.store.rows["unit"].get(row["parent"])
    return "/" + "/".join(reversed(names))


def view(service: Service, key: str) -> dict[str, Any]:
    """A unit as it is sent."""
    row = service.store.rows["unit"][key]
    parent = row.get("parent")
    return resource(
        "admin#directory#orgUnit",
        name=row["name"],
        description=row.get("description", ""),
        orgUnitPath=path(service, key),
        orgUnitId=key,
        parentOrgUnitPath=None if parent is None else path(service, parent),
        parentOrgUnitId=parent,
    )


def _found(service: Service, call: Call) -> str:
    service.check_customer(call.path["customerId"])
    key = find(service, call.path["orgUnitPath"])
    if key is None:
        raise _missing()
    return key


def _parent(service: Service, body: dict[str, Any]) -> str | None:
    place = body.get("parentOrgUnitId") or body.get("parentOrgUnitPath")
    if not place:
        return None
    key = find(service, place)
    if key is None:
        raise invalid("Invalid Parent Orgunit Id")
    return key


def _beneath(service: Service, key: str) -> list[str]:
    found: list[str] = []
    waiting = [key]
    while waiting:
        below = list(service.store.children.get(waiting.pop(0), {}).values())
        found += below
        waiting += below
    return found


def _refuse_taken(service: Service, parent: str, name: str) -> None:
    if name.lower() in service.store.children[parent]:
        raise invalid("Invalid Ou Id")


def _missing() -> Refused:
    return Refused(404, "notFound", "Org unit not found")
