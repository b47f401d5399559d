"""Settings of the target `google`."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from connectors.google_workspace.schema import EXTERNAL_IDS, RESERVED, USER

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def _an_address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise ValueError("must begin with https:// (http:// on this machine only)")
    return text.rstrip("/")


Address = Annotated[str, AfterValidator(_an_address)]


class LicenceOptions(BaseModel):
    """A product that can be given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    product: str = Field(
        pattern=r"^[0-9A-Za-z_-]+$",
        description='Id of the product, as in "101031"'
        " (https://developers.google.com/workspace/admin/licensing/v1/how-tos/products).",
    )
    sku: str = Field(pattern=r"^[0-9A-Za-z_-]+$", description='Id of the SKU within it, as in "1010310008".')
    seats: PositiveInt | None = Field(None, description="Seats that were bought: Google's API does not tell it.")


class Rates(BaseModel):
    """What Google allows in a second; 0: no limit. Other programs in the same name use up the same quotas."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    queries: NonNegativeInt = Field(40, description="Of the Directory API: Google's 2 400 a minute.")
    creations: NonNegativeInt = Field(10, description="New users.")
    units: NonNegativeInt = Field(1, description="Writes of organisational units.")
    licences: NonNegativeInt = Field(1, description="Writes of licences.")


class GoogleOptions(BaseModel):
    """Settings of the target `google`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    authentication: Literal["keyless", "key_file"] = Field(
        "key_file",
        description="How the service account signs in. `keyless`: IAM signs for it, at the request of whoever this"
        " machine is to Google Cloud (application default credentials), so that there is no key to steal.",
    )
    key_file: str | None = Field(None, description="The service account's key (JSON); with `key_file` only.")
    service_account: str | None = Field(None, description="The service account's address; with `keyless` only.")
    subject: str = Field(
        pattern=r"^[^@\s]+@[^@\s]+$",
        description="Address of the administrator in whose name everything is done (domain-wide delegation).",
    )
    customer: str = Field("my_customer", min_length=1, description="The customer's id; best left as it is.")
    endpoint: Address | None = Field(
        None, description="In the place of the addresses of Google's APIs; to rehearse against a local service."
    )
    token_url: Address = Field(
        "https://oauth2.googleapis.com/token",
        description="Where `keyless` fetches tokens; with a key, the key file says so.",
    )
    iam_url: Address = Field("https://iamcredentials.googleapis.com", description="Where `keyless` has IAM sign.")
    owner_type: str = Field(
        "eadm-sync",
        min_length=1,
        max_length=40,
        description="Custom type of the external id of users that says whose an account is, so that one whose creation"
        " was not confirmed is found again. Nothing else may use this type.",
    )
    external_ids: tuple[str, ...] = Field(
        (),
        description="Custom types of external ids that rulesets set, each as the account attribute"
        " `externalIds.<type>`; Google's own (organization, account, customer, login_id, network) are there anyway.",
    )
    custom_fields: dict[str, Literal["str", "bool", "int", "list"]] = Field(
        {},
        description="Custom fields of users that rulesets set, as `<schema>.<field>`, and what each holds; `list` is a"
        " field of several texts.",
    )
    required: tuple[str, ...] = Field(
        (),
        description="Account attributes, beside primaryEmail, givenName and familyName, that an account cannot be"
        " without.",
    )
    password_hash: Literal["crypt"] | None = Field(
        None,
        description="`crypt`: passwords are sent as SHA-512 hashes, which are of no use in anybody's log; Google cannot"
        " hold them against rules of its own then. None: as they are, within TLS.",
    )
    archive: bool = Field(
        False,
        description="Whoever is disabled is archived too, as far as there are Archived User licences; without one the"
        " account is suspended, and the log says so.",
    )
    keep_former_address: bool = Field(
        True,
        description="After a rename the former address stays with the account as an alias, so that mail still comes. If"
        " not, it is taken away as soon as Google allows it.",
    )
    transfer_to: str | None = Field(
        None,
        pattern=r"^[^@\s]+@[^@\s]+$",
        description="Address of the account that is given the files and the calendar of whoever is deleted, before the"
        " deletion; without it they are lost with the account.",
    )
    licences: dict[str, LicenceOptions] = Field(
        {},
        description="Products that rulesets can give, by the name that they have there (`sku`). Of one product Google"
        " gives everybody one SKU at most.",
    )
    settling_seconds: NonNegativeInt = Field(
        600,
        description="For how long a new object that is not found, or a user that was made or renamed and cannot be"
        " changed, is taken to be still on its way.",
    )
    rates: Rates = Field(Rates(), description="Calls in a second, as far as Google allows other than usually.")
    in_flight: int = Field(4, ge=1, le=16, description="Batches of fifty calls at the same time.")
    answer_timeout_seconds: PositiveFloat = Field(60, description="How long an answer is waited for.")
    batch_size: int = Field(100, ge=1, le=200, description="Most changes that are sent at once.")

    @model_validator(mode="after")
    def _names_products_once(self) -> GoogleOptions:
        places = [(one.product, one.sku) for one in self.licences.values()]
        if len(set(places)) < len(places):
            raise ValueError("`licences` names one SKU twice")
        return self

    @model_validator(mode="after")
    def _names_attributes(self) -> GoogleOptions:
        for name in self.custom_fields:
            schema, _, field = name.partition(".")
            if not schema or not field or "." in field or schema in RESERVED:
                raise ValueError(f"`custom_fields`: `{name}` is not `<schema>.<field>`")
        if any(one.casefold() == self.owner_type.casefold() for one in self.external_ids):
            raise ValueError("`external_ids` names `owner_type`, which nothing else may use")
        known = {*USER, *self.custom_fields, *(f"{EXTERNAL_IDS}.{one}" for one in self.external_ids)}
        for name in self.required:
            if name not in known:
                raise ValueError(f"`required`: `{name}` is no attribute that rulesets can set here")
        return self

    @model_validator(mode="after")
    def _has_credentials(self) -> GoogleOptions:
        needed, other = (
            ("key_file", "service_account") if self.authentication == "key_file" else ("service_account", "key_file")
        )
        if getattr(self, needed) is None:
            raise ValueError(f"`authentication: {self.authentication}` needs `{needed}`")
        if getattr(self, other) is not None:
            raise ValueError(f"`authentication: {self.authentication}` knows no `{other}`")
        return self
