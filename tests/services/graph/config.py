"""What can be set about the service: the tenant it plays, its quota, its delays and its faults."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import NAMESPACE_DNS, uuid5

from tests.services.common.config import PlainConfig

GRAPH_APP_ID = "00000003-0000-0000-c000-000000000000"
"""Microsoft Graph's own application id, the same in every tenant."""

SUFFICIENT_ROLES = (
    "User.ReadWrite.All",
    "User.EnableDisableAccount.All",
    "Group.ReadWrite.All",
    "GroupMember.ReadWrite.All",
    "Directory.Read.All",
    "LicenseAssignment.ReadWrite.All",
)
"""Application permissions that are enough for accounts, groups and licences."""
PASSWORD_ROLE = "User-PasswordProfile.ReadWrite.All"
"""What it takes besides to give an account that is there another password."""


def stable_id(name: str) -> str:
    """A GUID that is the same for the same name, on every machine."""
    return str(uuid5(NAMESPACE_DNS, f"graph.local/{name}"))


@dataclass
class Faults:
    """What goes wrong, as fractions (0-1) of HTTP requests, or of single operations where it says so.

    Attributes:
        unavailable: Answered 503 or 504, one like the other, and not done.
        dropped: Connection cut, before or after the work is done, one like the other.
        item_unavailable: Of operations within a batch: answered 503, and not done.
        item_throttled: Of operations within a batch: answered 429 with a Retry-After of one second, and not done.
        throttled: Answered 429 as a whole.
        delta_empty: Of delta pages: comes with nothing in it, and a link to go on.
        delta_repeated: Of delta pages: comes twice.
        status_4xx: Refuses every operation with this status, as a gateway in between would; 0 for none.
    """

    unavailable: float = 0.0
    dropped: float = 0.0
    item_unavailable: float = 0.0
    item_throttled: float = 0.0
    throttled: float = 0.0
    delta_empty: float = 0.0
    delta_repeated: float = 0.0
    status_4xx: int = 0


@dataclass
class Config(PlainConfig):
    """The service's settings; `Config()` is a small tenant that answers at once and never fails.

    Attributes:
        tenant_id: The directory's id.
        client_id: The application that may sign in.
        secret: Its client secret.
        audience: Whom tokens have to be for: Graph's address in this cloud.
        roles: Application permissions granted to it.
        domains: Verified domains; the first is the default one.
        skus: Products: part number to seats (enabled units).
        exclusive: Sets of part numbers of which a user can have only one.
        seed: Of everything that is random.
        delay_seconds: Waited before every HTTP request is answered.
        visible_seconds: Until a new object is seen by reads and references.
        team_seconds: Until a new group can become a team; the documentation speaks of up to 15 minutes.
        group_licence_seconds: Until group-based licensing has come to a member.
        quota: "S", "M", "L" as documented, "auto" by the number of users, "off", or "units/writes/seconds", as
            "500/100/1": resource units and writes in so many seconds.
        page_size: Objects in a page where the request does not say; Graph's own is 100, and of a delta 200.
        delta_page_size: Objects in a page of a delta.
        keep_deleted_names: The names of a deleted user stay taken until it is purged. If not, they are free, and
            restoring fails once somebody else has them.
        deleted_days: Until a deleted object is purged by itself.
        delta_days: Until a delta link expires.
        token_seconds: Until an access token expires.
        wire_log: Entries kept; 0 for none.
        openapi: A file with Microsoft's OpenAPI description, by which every request is checked too, or None.
        faults: What goes wrong.
    """

    tenant_id: str = stable_id("tenant")
    client_id: str = stable_id("client")
    secret: str = "local-secret"
    audience: str = "https://graph.microsoft.com"
    roles: list[str] = field(default_factory=lambda: [*SUFFICIENT_ROLES, PASSWORD_ROLE])
    domains: list[str] = field(default_factory=lambda: ["kommune.example", "kommune.onmicrosoft.example"])
    skus: dict[str, int] = field(
        default_factory=lambda: {
            "STANDARDWOFFPACK_FACULTY": 500,
            "STANDARDWOFFPACK_STUDENT": 5000,
            "M365EDU_A3_FACULTY": 300,
            "SPE_E3": 1000,
            "EMS": 25,
        }
    )
    exclusive: list[list[str]] = field(default_factory=list)
    seed: int = 1
    delay_seconds: float = 0.0
    visible_seconds: float = 0.0
    team_seconds: float = 0.0
    group_licence_seconds: float = 0.0
    quota: str = "off"
    page_size: int = 100
    delta_page_size: int = 200
    keep_deleted_names: bool = True
    deleted_days: int = 30
    delta_days: int = 7
    token_seconds: int = 3599
    wire_log: int = 50_000
    openapi: str | None = None
    faults: Faults = field(default_factory=Faults)

    FAULTS = Faults
