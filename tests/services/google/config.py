"""What can be set about the service: the customer it plays, its quotas, its delays and its faults."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.services.common.config import PlainConfig

SCOPE = "https://www.googleapis.com/auth/"
SUFFICIENT_SCOPES = (
    SCOPE + "admin.directory.user",
    SCOPE + "admin.directory.user.security",
    SCOPE + "admin.directory.userschema.readonly",
    SCOPE + "admin.directory.orgunit",
    SCOPE + "admin.directory.group",
    SCOPE + "admin.directory.rolemanagement.readonly",
    SCOPE + "admin.directory.customer.readonly",
    SCOPE + "admin.directory.domain.readonly",
    SCOPE + "apps.groups.settings",
    SCOPE + "apps.licensing",
    SCOPE + "admin.datatransfer",
)
"""Scopes that are enough for accounts, organisational units, groups, licences and transfers."""


@dataclass
class Faults:
    """What goes wrong, as fractions (0-1) of HTTP requests, or of single operations where it says so.

    Attributes:
        unavailable: Answered 503, every other time with a Retry-After of one second, and not done.
        dropped: Connection cut, before or after the work is done, one like the other.
        throttled: Refused for a quota, with one of the four reasons, and not done.
        item_unavailable: Of operations within a batch: answered 503, and not done.
        item_throttled: Of operations within a batch: refused for a quota, and not done.
        status_4xx: Refuses every operation with this status, as a gateway in between would; 0 for none.
    """

    unavailable: float = 0.0
    dropped: float = 0.0
    throttled: float = 0.0
    item_unavailable: float = 0.0
    item_throttled: float = 0.0
    status_4xx: int = 0


@dataclass
class Config(PlainConfig):
    """The service's settings; `Config()` is a small customer that answers at once and never fails.

    Attributes:
        customer_id: The account's id; "my_customer" means it too.
        admin: Address of the super administrator that is there from the beginning.
        service_account: Address of the service account whose key is in the state folder.
        client_id: Its client id.
        project: Its Google Cloud project.
        scopes: Scopes that domain-wide delegation grants to it.
        disabled_apis: APIs that are not enabled in the project: "admin", "licensing", "groupssettings".
        source_token: Bearer token that may have a JWT signed for the service account, for sign-in without a key.
        domains: Verified domains; the first is the primary one.
        products: Product id to SKU id to seats.
        automatic: Path of an organisational unit to "product/SKU" that its users get by themselves.
        archive_seats: Users that can be archived; Archived User licences.
        name_length: Longest given and family name. The developer's guide says 60, the limits page 40.
        batch_limit: Calls in one batch.
        seed: Of everything that is random.
        delay_seconds: Waited before every HTTP request is answered.
        visible_seconds: Until a new user or group is seen by reads, and can be a member.
        creation_seconds: Until a new user can be changed; 412 before.
        rename_seconds: Until a user can be changed after its primary address was; 409 before.
        transfer_seconds: Until a data transfer is complete.
        queries_per_minute: Of the Directory API per user; 0 for no limit. Google's own is 2 400.
        creations_per_second: New users per customer; 0 for no limit. Google's own is 10.
        unit_writes_per_second: Of organisational units; 0 for no limit. Google's own is 1.
        licence_writes_per_second: Of the licensing API; 0 for no limit. Google's own is about 1.
        concurrent_requests: HTTP requests at the same time, per account; 0 for no limit.
        deleted_days: Until a deleted user is gone for good.
        token_seconds: Until an access token expires.
        wire_log: Entries kept; 0 for none.
        faults: What goes wrong.
    """

    customer_id: str = "C03az79cb"
    admin: str = "admin@kommune.example"
    service_account: str = "eadm-sync@local-project.iam.gserviceaccount.com"
    client_id: str = "100000000000000000042"
    project: str = "local-project"
    scopes: list[str] = field(default_factory=lambda: list(SUFFICIENT_SCOPES))
    disabled_apis: list[str] = field(default_factory=list)
    source_token: str = "local-source-token"
    domains: list[str] = field(default_factory=lambda: ["kommune.example", "skole.example"])
    products: dict[str, dict[str, int]] = field(
        default_factory=lambda: {
            "101031": {"1010310008": 500, "1010310009": 5000},
            "Google-Apps": {"1010020027": 100, "1010020028": 25},
        }
    )
    automatic: dict[str, str] = field(default_factory=dict)
    archive_seats: int = 50
    name_length: int = 40
    batch_limit: int = 1000
    seed: int = 1
    delay_seconds: float = 0.0
    visible_seconds: float = 0.0
    creation_seconds: float = 0.0
    rename_seconds: float = 0.0
    transfer_seconds: float = 0.0
    queries_per_minute: int = 0
    creations_per_second: int = 0
    unit_writes_per_second: int = 0
    licence_writes_per_second: int = 0
    concurrent_requests: int = 0
    deleted_days: int = 20
    token_seconds: int = 3599
    wire_log: int = 50_000
    faults: Faults = field(default_factory=Faults)

    FAULTS = Faults


GOOGLES_QUOTAS = {
    "queries_per_minute": 2400,
    "creations_per_second": 10,
    "unit_writes_per_second": 1,
    "licence_writes_per_second": 1,
}
"""What Google allows: https://developers.google.com/workspace/admin/directory/v1/limits, .../licensing/v1/limits."""
