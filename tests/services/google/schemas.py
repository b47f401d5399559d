"""Custom schemas: https://developers.google.com/workspace/admin/directory/reference/rest/v1/schemas."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from .errors import duplicate, invalid, not_found, required
from .service import Answer, Call, Service, resource

TYPES = ("STRING", "INT64", "BOOL", "DOUBLE", "EMAIL", "PHONE", "DATE")


def insert(service: Service, call: Call) -> Answer:
    """POST .../schemas."""
    service.check_customer(call.path["customerId"])
    row = _checked(call.body)
    if _key(service, row["schemaName"]) is not None:
        raise duplicate()
    key = service.new_name("schema", "", 20)
    service.store.put("schema", key, row)
    return Answer(200, _view(key, row))


def get(service: Service, call: Call) -> Answer:
    """GET .../schemas/{name or id}."""
    key = _found(service, call)
    return Answer(200, _view(key, service.store.rows["schema"][key]))


def list_schemas(service: Service, call: Call) -> Answer:
    """GET .../schemas; no pages."""
    service.check_customer(call.path["customerId"])
    found = [_view(key, row) for key, row in service.store.rows["schema"].items()]
    return Answer(200, resource("admin#directory#schemas", schemas=found or None))


def change(service: Service, call: Call) -> Answer:
    """PUT and PATCH .../schemas/{name or id}: `fields` as a whole."""
    key = _found(service, call)
    row = _checked({**service.store.rows["schema"][key], **call.body})
    service.store.put("schema", key, row)
    return Answer(200, _view(key, row))


def delete(service: Service, call: Call) -> Answer:
    """DELETE .../schemas/{name or id}."""
    service.store.drop("schema", _found(service, call))
    return Answer(204)


def merged(service: Service, before: Mapping[str, Any], given: Mapping[str, Any] | None) -> dict[str, Any]:
    """The custom fields of a user after a change; null clears a field or a whole schema.

    Raises:
        Refused: 400: a schema, a field or a value that cannot be.
    """
    after = {name: dict(fields) for name, fields in before.items()}
    for name, fields in ({} if given is None else given).items():
        key = _key(service, name)
        if key is None:
            raise invalid(f"Invalid Input: custom_schema {name}")
        if fields is None:
            after.pop(name, None)
            continue
        if not isinstance(fields, dict):
            raise invalid(f"Invalid Input: custom_schema {name}")
        known = {one["fieldName"]: one for one in service.store.rows["schema"][key]["fields"]}
        for field, value in fields.items():
            if field not in known or not _fits(known[field], value):
                raise invalid(f"Invalid Input: custom_schema {name}.{field}")
            after.setdefault(name, {})[field] = value
        after[name] = {field: value for field, value in after.get(name, {}).items() if value is not None}
    return {} if given is None else {name: fields for name, fields in after.items() if fields}


def _checked(body: Mapping[str, Any]) -> dict[str, Any]:
    name, fields = body.get("schemaName"), body.get("fields")
    if not name or not fields:
        raise required("fields" if name else "schemaName")
    for one in fields:
        if not re.fullmatch(r"[\w-]+", one.get("fieldName", "")) or one.get("fieldType") not in TYPES:
            raise invalid("Invalid Input: fields")
    return {"schemaName": name, "displayName": body.get("displayName", name), "fields": fields}


def _fits(known: Mapping[str, Any], value: object) -> bool:
    if value is None:
        return True
    if not known.get("multiValued"):
        return _is(known["fieldType"], value)
    return isinstance(value, list) and all(
        isinstance(one, dict) and _is(known["fieldType"], one.get("value")) for one in value
    )


def _is(kind: str, value: object) -> bool:
    if kind == "BOOL":
        return isinstance(value, bool)
    if kind == "INT64":
        return bool(re.fullmatch(r"-?\d+", str(value))) and not isinstance(value, bool)
    if kind == "DOUBLE":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "DATE":
        try:
            return bool(date.fromisoformat(str(value)))
        except ValueError:
            return False
    return isinstance(value, str) and (kind != "EMAIL" or "@" in value)


def _key(service: Service, name: str) -> str | None:
    rows = service.store.rows["schema"]
    return next((key for key, row in rows.items() if name in {key, row["schemaName"]}), None)


def _found(service: Service, call: Call) -> str:
    service.check_customer(call.path["customerId"])
    key = _key(service, call.path["schemaKey"])
    if key is None:
        raise not_found("schemaKey")
    return key


def _view(key: str, row: Mapping[str, Any]) -> dict[str, Any]:
    return resource("admin#directory#schema", schemaId=key, **row)
