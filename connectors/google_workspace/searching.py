"""Queries for users. No I/O.

https://developers.google.com/workspace/admin/directory/v1/guides/search-users
"""

from __future__ import annotations

from collections.abc import Mapping

from connectors.contract import Value
from connectors.errors import Rejected
from connectors.google_workspace.schema import ACCOUNT_NAME, EXTERNAL_IDS, ORGANISATIONS, Table

_FIELDS = {
    ACCOUNT_NAME: "email",
    "givenName": "givenName",
    "familyName": "familyName",
    "relations.manager": "directManager",
    f"{ORGANISATIONS}.name": "orgName",
    f"{ORGANISATIONS}.title": "orgTitle",
    f"{ORGANISATIONS}.department": "orgDepartment",
    f"{ORGANISATIONS}.description": "orgDescription",
    f"{ORGANISATIONS}.costCenter": "orgCostCenter",
}


def equals(field: str, value: str) -> str:
    """A clause."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"{field}='{escaped}'"


def with_external_id(value: str) -> str:
    """A query for who has an external id, of whatever type."""
    return equals("externalId", value)


def search(table: Table, wanted: Mapping[str, Value]) -> str | None:
    """A query for who has all these values, and perhaps for others; None where nobody can have them.

    Raises:
        Rejected: An attribute is unknown, or cannot be searched for.
    """
    clauses: list[str] = []
    for name, value in wanted.items():
        if name not in table.attributes:
            raise Rejected(f"'{name}' is no attribute of this target's {table.kind}s", name)
        field = _field(table, name)
        if field is None or not isinstance(value, str):
            raise Rejected(f"'{name}' cannot be searched for here", name)
        if value == "":
            return None
        clauses.append(equals(field, value))
    return " ".join(clauses)


def has_all(found: Mapping[str, Value], wanted: Mapping[str, Value]) -> bool:
    """Whether an object has all these values, whatever the case."""
    return all(_folded(found.get(name)) == _folded(value) for name, value in wanted.items())


def _field(table: Table, name: str) -> str | None:
    if name.startswith(f"{EXTERNAL_IDS}."):
        return "externalId"
    return name if name in table.custom_fields else _FIELDS.get(name)


def _folded(value: object) -> object:
    return value.casefold() if isinstance(value, str) else value
