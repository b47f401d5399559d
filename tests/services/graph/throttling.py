"""Quotas: resource units in ten seconds and writes in 150, per application and tenant.

https://learn.microsoft.com/graph/throttling-limits#identity-and-access-service-limits
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tests.services.common.window import Window

from .errors import Refused

UNITS_PER_WINDOW = {"S": 3500, "M": 5000, "L": 8000}
WRITES_PER_WINDOW = 3000
WARN_FROM, WARN_UP_TO = 0.8, 1.8
READ_COSTS = {
    "users": 2, "groups/{}/members": 3, "groups/{}/transitiveMembers": 5, "users/{}/licenseDetails": 2,
    "users/{}/memberOf": 2, "users/{}/transitiveMemberOf": 2, "subscribedSkus": 3,
    "servicePrincipals/{}/appRoleAssignments": 2,
}  # fmt: skip
"""Base costs of reads that are not 1, by route."""
SMALL_PAGE = 20
TEAMS_PER_SECOND = 6


@dataclass(frozen=True)
class Quota:
    """What an application may use.

    Attributes:
        units: Resource units in `seconds`.
        seconds: Length of the window of resource units.
        writes: Writes in `write_seconds`.
        write_seconds: Length of the window of writes.
    """

    units: int
    seconds: float
    writes: int
    write_seconds: float


def quota_of(text: str, users: int) -> Quota | None:
    """What `Config.quota` means in a tenant with so many users; None for no quota.

    Raises:
        ValueError: It means nothing.
    """
    if text == "off":
        return None
    if "/" in text:
        units, writes, seconds = text.split("/")
        return Quota(int(units), float(seconds), int(writes), float(seconds))
    size = ("S" if users < 50 else "M" if users <= 500 else "L") if text == "auto" else text
    if size not in UNITS_PER_WINDOW:
        raise ValueError(f"quota: one of S, M, L, auto, off or units/writes/seconds, not {text!r}")
    return Quota(UNITS_PER_WINDOW[size], 10.0, WRITES_PER_WINDOW, 150.0)


def cost_of(method: str, route: str, *, select: bool, expand: bool, top: int | None) -> int:
    """Resource units of one request; never less than 1."""
    if method != "GET":
        return 1
    cost = READ_COSTS.get(route.partition("/microsoft.graph")[0], 1) - select + expand
    return max(1, cost - (top is not None and top < SMALL_PAGE))


class Throttle:
    """Counts what one application uses, and refuses what is over its quota.

    Requests that are refused count as well, up to 1.8 of the quota: who goes on asking is kept out for longer.
    """

    def __init__(self, quota: Quota) -> None:
        self.quota = quota
        self.units = Window(quota.seconds)
        self.writes = Window(quota.write_seconds)

    def take(self, moment: float, cost: int, *, write: bool) -> dict[str, str]:
        """Counts a request, and gives the headers of its answer.

        Raises:
            Refused: 429 with a Retry-After in whole seconds.
        """
        self.units.forget(moment)
        self.writes.forget(moment)
        limits = [(self.units, self.quota.units, cost, "ResourceUnitLimitExceeded")]
        if write:
            limits.append((self.writes, self.quota.writes, 1, "WriteLimitExceeded"))
        for window, limit, wanted, reason in limits:
            if window.used + wanted > limit:
                wait = window.seconds_until(moment, window.used + wanted - limit)
                if window.used + wanted <= limit * WARN_UP_TO:
                    window.add(moment, wanted)
                raise too_many(math.ceil(wait), reason)
        for window, _, wanted, _ in limits:
            window.add(moment, wanted)
        share = max(window.used / limit for window, limit, _, _ in limits)
        headers = {"x-ms-resource-unit": str(cost)}
        if share >= WARN_FROM:
            headers["x-ms-throttle-limit-percentage"] = f"{share:.2f}"
        return headers


def too_many(retry_after_seconds: int, reason: str) -> Refused:
    """The 429."""
    return Refused(
        429,
        "TooManyRequests",
        "Too many requests.",
        headers={"Retry-After": str(max(1, retry_after_seconds)), "x-ms-throttle-information": reason},
    )
