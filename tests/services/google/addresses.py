"""Addresses that users and groups hold, and their aliases: .../rest/v1/users.aliases, .../rest/v1/groups.aliases."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .errors import duplicate, forbidden, invalid, required
from .service import Answer, Call, Service, etag_of, resource
from .store import ALIASES, Kind, Row
from .writing import refuse_unready

LOCAL = re.compile(r"[a-z0-9_'+-]+(\.[a-z0-9_'+-]+)*")
"""Letters, digits, dashes, underscores, apostrophes and single dots: https://support.google.com/a/answer/9193374"""


def check_address(service: Service, address: str, name: str) -> str:
    """An address in one of the customer's domains, in lower case.

    Raises:
        Refused: 400, or 403 for a domain that is not the customer's.
    """
    local, _, domain = address.lower().partition("@")
    if not LOCAL.fullmatch(local) or len(local) > 64 or not domain:
        raise invalid(f"Invalid Input: {name}")
    if domain not in service.config.domains:
        raise forbidden()
    return address.lower()


def refuse_taken(service: Service, address: str, besides: tuple[Kind, str] | None = None) -> None:
    """Refuses an address that somebody else has.

    Raises:
        Refused: 409.
    """
    holder = service.store.holders.get(address.lower())
    if holder is not None and holder != besides:
        raise duplicate()


def readdressed(service: Service, kind: Kind, key: str, row: Mapping[str, Any], name: str, address: str) -> Row:
    """The row with another primary address; the former one stays as an alias.

    Raises:
        Refused: 400, 403, 409.
    """
    new = check_address(service, address, name)
    refuse_taken(service, new, (kind, key))
    aliases = [one for one in (row[name].lower(), *row.get(ALIASES, ())) if one != new]
    return {**row, name: new, ALIASES: aliases}


def insert(service: Service, call: Call) -> Answer:
    """POST .../aliases."""
    kind, key, row = _owner(service, call)
    alias = check_address(service, call.body.get("alias") or "", "alias")
    if not call.body.get("alias"):
        raise required("alias")
    refuse_taken(service, alias)
    row = service.store.put(kind, key, {**row, ALIASES: [*row.get(ALIASES, ()), alias]})
    return Answer(200, _view(kind, key, row, alias))


def list_aliases(service: Service, call: Call) -> Answer:
    """GET .../aliases; no pages."""
    kind, key, row = _owner(service, call, writes=False)
    found = [_view(kind, key, row, alias) for alias in row.get(ALIASES, ())]
    return Answer(200, resource("admin#directory#aliases", aliases=found or None))


def delete(service: Service, call: Call) -> Answer:
    """DELETE .../aliases/{alias}."""
    kind, key, row = _owner(service, call)
    alias = call.path["alias"].lower()
    if alias not in row.get(ALIASES, ()):
        raise invalid("Invalid Input: resource_id")
    service.store.put(kind, key, {**row, ALIASES: [one for one in row[ALIASES] if one != alias]})
    return Answer(204)


def _owner(service: Service, call: Call, *, writes: bool = True) -> tuple[Kind, str, Row]:
    kind: Kind = "user" if "userKey" in call.path else "group"
    key, row = service.get(kind, call.path[f"{kind}Key"])
    if writes and kind == "user":
        refuse_unready(service, row)
    return kind, key, row


def _view(kind: Kind, key: str, row: Row, alias: str) -> dict[str, Any]:
    primary = row["primaryEmail" if kind == "user" else "email"]
    return {
        "kind": "admin#directory#alias", "id": key, "etag": etag_of([key, alias]), "primaryEmail": primary,
        "alias": alias,
    }  # fmt: skip
