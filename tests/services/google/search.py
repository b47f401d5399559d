"""The `query` of lists of users: https://developers.google.com/workspace/admin/directory/v1/guides/search-users."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from .errors import invalid
from .store import ALIASES, Row

Test = Callable[[Row, str], bool]
_CLAUSE = re.compile(r"""\s*(?P<field>[\w.]+)(?P<operator>=|:)(?P<value>'(?:[^'\\]|\\.)*'|"[^"]*"|[^\s'"]+)""")
_ORGANISATION = {
    "orgName": "name", "orgTitle": "title", "orgDepartment": "department", "orgDescription": "description",
    "orgCostCenter": "costCenter",
}  # fmt: skip
_FLAGS = {
    "isAdmin": "isAdmin",
    "isDelegatedAdmin": "isDelegatedAdmin",
    "isSuspended": "suspended",
    "isArchived": "archived",
}
_PREFIXED = {"email", "givenName", "familyName"}


def parse(text: str) -> Test:
    """A test for a user's row and the path of its unit; all clauses must hold.

    Raises:
        Refused: 400: no query, or a field that is not played.
    """
    tests = []
    at = 0
    while text[at:].strip():
        match = _CLAUSE.match(text, at)
        if match is None:
            raise invalid("Invalid Input: query")
        value = match["value"]
        if value[0] in "'\"":
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        tests.append(_test(match["field"], match["operator"], value.lower()))
        at = match.end()
    return lambda row, path: all(test(row, path) for test in tests)


def _test(field: str, operator: str, value: str) -> Test:
    if field in _FLAGS:
        if value not in {"true", "false"} or operator != "=":
            raise invalid("Invalid Input: query")
        return lambda row, _: bool(row.get(_FLAGS[field])) == (value == "true")
    if field == "orgUnitPath":
        top = value.rstrip("/") + "/"
        return lambda _, path: (path.rstrip("/").lower() + "/").startswith(top)
    values = _values(field)
    if operator == "=":
        return lambda row, _: value in values(row)
    if value.endswith("*") and field in _PREFIXED:
        return lambda row, _: any(one.startswith(value[:-1]) for one in values(row))
    return lambda row, _: any(value in one for one in values(row))


def _values(field: str) -> Callable[[Row], list[str]]:
    if field in _READERS:
        return _READERS[field]
    if field in _ORGANISATION:
        return lambda row: [str(one.get(_ORGANISATION[field], "")).lower() for one in row.get("organizations", ())]
    if "." in field:
        return lambda row: _custom(row, *field.split(".", 1))
    raise invalid("Invalid Input: query")


def _listed(row: Row, name: str, kind: str | None = None) -> list[str]:
    return [str(one.get("value", "")).lower() for one in row.get(name, ()) if kind in (None, one.get("type"))]


_READERS: Mapping[str, Callable[[Row], list[str]]] = {
    "email": lambda row: [row["primaryEmail"].lower(), *row.get(ALIASES, ())],
    "givenName": lambda row: [row["name"].get("givenName", "").lower()],
    "familyName": lambda row: [row["name"].get("familyName", "").lower()],
    "name": lambda row: [f"{row['name'].get('givenName', '')} {row['name'].get('familyName', '')}".lower()],
    "externalId": lambda row: _listed(row, "externalIds"),
    "directManager": lambda row: _listed(row, "relations", "manager"),
}


def _custom(row: Mapping[str, Any], schema: str, field: str) -> list[str]:
    value = row.get("customSchemas", {}).get(schema, {}).get(field)
    values = [one.get("value") for one in value] if isinstance(value, list) else [] if value is None else [value]
    return [str(one).lower() for one in values]
