"""Filling the tenant quickly: people that nobody knows, in groups, some with licences, some synchronised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import licences
from .service import Service
from .store import Item, Kind

GIVEN = ("Kari", "Ola", "Ingrid", "Lars", "Astrid", "Nils", "Solveig", "Per", "Aase", "Bjørn", "Siri", "Håkon")
SURNAMES = ("Hansen", "Johansen", "Olsen", "Larsen", "Bakken", "Haugen", "Moen", "Lie", "Dahl", "Berg", "Sæther")
DAY_SECONDS = 86400.0


@dataclass(frozen=True)
class Seed:
    """How much there shall be.

    Attributes:
        users: Accounts; numbers go on where an earlier seed ended.
        groups: Security groups.
        groups_each: Groups that each user is in.
        sku: Part number of a product that each user has, or None.
        synced: Fraction (0-1) of users that are synchronised from Active Directory.
    """

    users: int = 0
    groups: int = 0
    groups_each: int = 0
    sku: str | None = None
    synced: float = 0.0


def put(service: Service, kind: Kind, data: dict[str, Any], key: str | None = None) -> Item:
    """An object as it is given, checked by nothing: read-only properties too; seen by reads at once."""
    item = service.directory.items.get(key or "") or Item(
        kind, key or service.new_id(), {}, service.now() - DAY_SECONDS
    )
    return service.directory.put(item, {**item.data, **data}, item.deleted)


def fill(service: Service, seed: Seed) -> tuple[list[str], list[str]]:
    """Ids of the users and of the groups that were made."""
    began = sum(1 for _ in service.directory.of_kind("user"))
    groups = [put(service, "group", _group(number)).id for number in range(seed.groups)]
    extra = {"licenseAssignmentStates": [licences.direct(service, seed.sku)]} if seed.sku else {}
    users = []
    for number in range(began, began + seed.users):
        data = _user(service, number, synced=service.random.random() < seed.synced)
        user = put(service, "user", {**data, **extra})
        users.append(user.id)
        for at in range(min(seed.groups_each, len(groups))):
            service.directory.link("members", groups[(number + at) % len(groups)], user.id)
    service.seats_used = None
    return users, groups


def _group(number: int) -> dict[str, Any]:
    return {
        "displayName": f"Group {number:04}",
        "mailNickname": f"group{number:04}",
        "mailEnabled": False,
        "securityEnabled": True,
    }


def _user(service: Service, number: int, *, synced: bool) -> dict[str, Any]:
    given, surname = GIVEN[number % len(GIVEN)], SURNAMES[number // len(GIVEN) % len(SURNAMES)]
    name = f"user{number:05}"
    address = f"{name}@{service.config.domains[0]}"
    data = {
        "accountEnabled": True,
        "displayName": f"{given} {surname}",
        "givenName": given,
        "surname": surname,
        "userPrincipalName": address,
        "mailNickname": name,
        "mail": address,
        "proxyAddresses": ["SMTP:" + address],
        "employeeId": f"{number:06}",
        "usageLocation": "NO",
        "userType": "Member",
    }
    if synced:
        data |= {
            "onPremisesSyncEnabled": True,
            "onPremisesImmutableId": f"immutable{number:05}==",
            "onPremisesSamAccountName": name,
            "onPremisesLastSyncDateTime": service.moment(),
        }
    return data
