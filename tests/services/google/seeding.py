"""Filling the account quickly: people that nobody knows, in units and groups, some with licences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import licences
from .service import DAY_SECONDS, ROOT_UNIT, Service
from .store import CREATED, UNIT, Kind, Row

GIVEN = ("Kari", "Ola", "Ingrid", "Lars", "Astrid", "Nils", "Solveig", "Per", "Aase", "Bjørn", "Siri", "Håkon")
SURNAMES = ("Hansen", "Johansen", "Olsen", "Larsen", "Bakken", "Haugen", "Moen", "Lie", "Dahl", "Berg", "Sæther")


@dataclass(frozen=True)
class Seed:
    """How much there shall be.

    Attributes:
        users: Accounts; numbers go on where an earlier seed ended.
        groups: Groups.
        groups_each: Groups that each user is in.
        units: Paths of organisational units, which are made where they are missing; users are spread over them.
        licence: "product/SKU" that each user has, or None.
    """

    users: int = 0
    groups: int = 0
    groups_each: int = 0
    units: tuple[str, ...] = ()
    licence: str | None = None


def put(service: Service, kind: Kind, data: dict[str, Any], key: str | None = None) -> str:
    """A row as it is given, checked by nothing, what is output only too; seen by reads at once. Its id."""
    data = dict(data)
    if "orgUnitPath" in data:
        data[UNIT] = unit(service, data.pop("orgUnitPath"))
    new = {CREATED: service.now() - DAY_SECONDS, **({UNIT: ROOT_UNIT} if kind == "user" else {})}
    before: Row = service.store.rows[kind].get(key or "") or new
    key = key or (service.new_id() if kind == "user" else service.new_name(kind))
    service.store.put(kind, key, {**before, **data})
    return key


def unit(service: Service, path: str) -> str:
    """The id of the unit with a path; it and those above it are made where they are missing."""
    key = ROOT_UNIT
    for name in filter(None, path.split("/")):
        child = service.store.children[key].get(name.lower())
        if child is None:
            child = service.new_name("unit", "id:03ph8a2z", 7)
            service.store.put("unit", child, {"name": name, "description": "", "parent": key})
        key = child
    return key


def link(service: Service, group: str, keys: list[str], role: str = "MEMBER") -> None:
    """Puts users and groups, by their ids, into a group."""
    for key in keys:
        kind = "USER" if key in service.store.rows["user"] else "GROUP"
        row = {"role": role, "type": kind, "delivery_settings": "ALL_MAIL"}
        service.store.put("member", f"{group}/{key}", row)


def fill(service: Service, seed: Seed) -> tuple[list[str], list[str]]:
    """Ids of the users and of the groups that were made."""
    domain = service.config.domains[0]
    places = [unit(service, path) for path in seed.units] or [ROOT_UNIT]
    began = len(service.store.rows["user"]) - 1
    groups = [
        put(service, "group", {"email": f"group{at:04}@{domain}", "name": f"Group {at:04}", "description": ""})
        for at in range(seed.groups)
    ]
    users = []
    for number in range(began, began + seed.users):
        given, surname = GIVEN[number % len(GIVEN)], SURNAMES[number // len(GIVEN) % len(SURNAMES)]
        row = {
            "primaryEmail": f"user{number:05}@{domain}",
            "name": {"givenName": given, "familyName": surname},
            "externalIds": [{"type": "organization", "value": f"{number:06}"}],
            UNIT: places[number % len(places)],
        }
        key = put(service, "user", row)
        users.append(key)
        for at in range(min(seed.groups_each, len(groups))):
            link(service, groups[(number + at) % len(groups)], [key])
        if seed.licence:
            product, sku = seed.licence.split("/")
            service.store.put("licence", f"{product}/{key}", {"sku": sku})
        licences.give_automatic(service, key)
    return users, groups
