"""Settings of the target `entra`."""

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
    SecretStr,
    model_validator,
)

from connectors.entra.schema import USER

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_NEEDED = {
    "certificate": ("client_id", "certificate_file"),
    "secret": ("client_id", "client_secret"),
    "managed_identity": (),
    "workload_identity": ("client_id",),
}
_POSSIBLE = {
    "certificate": {"client_id", "certificate_file", "certificate_password"},
    "secret": {"client_id", "client_secret"},
    "managed_identity": {"client_id"},
    "workload_identity": {"client_id", "token_file"},
}


def _an_address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise ValueError("must begin with https:// (http:// on this machine only)")
    return text.rstrip("/")


Address = Annotated[str, AfterValidator(_an_address)]
OwnerAttribute = Literal[
    "extensionAttribute1",
    "extensionAttribute2",
    "extensionAttribute3",
    "extensionAttribute4",
    "extensionAttribute5",
    "extensionAttribute6",
    "extensionAttribute7",
    "extensionAttribute8",
    "extensionAttribute9",
    "extensionAttribute10",
    "extensionAttribute11",
    "extensionAttribute12",
    "extensionAttribute13",
    "extensionAttribute14",
    "extensionAttribute15",
]


class EntraOptions(BaseModel):
    """Settings of the target `entra`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tenant: str = Field(min_length=1, description="The tenant's id, or one of its domains.")
    authentication: Literal["certificate", "secret", "managed_identity", "workload_identity"] = Field(
        "certificate",
        description="How the application signs in. `certificate` before `secret`: a key that never leaves this machine."
        " `managed_identity`: on a machine in Azure. `workload_identity`: by the token of a cluster.",
    )
    client_id: str | None = Field(
        None, description="Id of the registered application; with `managed_identity` only for a user-assigned one."
    )
    client_secret: SecretStr | None = Field(
        None, description="Its secret, best as ${env:…} or ${file:…}; with `secret` only."
    )
    certificate_file: str | None = Field(
        None, description="Its certificate with the private key (PEM or PFX); with `certificate` only."
    )
    certificate_password: SecretStr | None = Field(
        None, description="The private key's password, best as ${env:…} or ${file:…}."
    )
    token_file: str | None = Field(
        None, description="The cluster's token; where it is not given, AZURE_FEDERATED_TOKEN_FILE says where it is."
    )
    authority: Address = Field(
        "https://login.microsoftonline.com",
        description="Where to sign in; another one in sovereign clouds, and to rehearse.",
    )
    graph_url: Address = Field(
        "https://graph.microsoft.com/v1.0",
        description="Where Graph is; another one in sovereign clouds, and to rehearse.",
    )
    audience: Address = Field(
        "https://graph.microsoft.com",
        description="Whom the token is for: Graph's address in this cloud, without a path.",
    )
    ca_file: str | None = Field(
        None,
        description="Certificates (PEM) of the authorities to trust, in place of those that are known; to rehearse.",
    )
    accounts: Literal["cloud", "synchronised"] = Field(
        "cloud",
        description="Where accounts come from. `cloud`: they are made here. `synchronised`: Entra Connect brings them"
        " up from Active Directory. They are waited for by userPrincipalName or onPremisesImmutableId, never made,"
        " taken if the mark, employeeId or onPremisesImmutableId proves whose they are, and given groups, licences and"
        " what the cloud is the master of.",
    )
    owner_attribute: OwnerAttribute = Field(
        "extensionAttribute15",
        description="Extension attribute of accounts that nothing else uses: says whose an account is, so that one"
        " whose creation was not confirmed is found again.",
    )
    unique: tuple[str, ...] = Field(
        ("mail",), description="Account attributes, beside userPrincipalName, whose values no two accounts may share."
    )
    required: tuple[str, ...] = Field(
        (),
        description="Account attributes, beside userPrincipalName and displayName, that an account cannot be without.",
    )
    disabled_plans: dict[str, tuple[str, ...]] = Field(
        {}, description="Service plans that are left off when a product is given, by its part number."
    )
    settling_seconds: NonNegativeInt = Field(
        300, description="For how long after its creation an object that is not found is taken to be still on its way."
    )
    in_flight: PositiveInt = Field(4, le=16, description="Batches of twenty requests at the same time.")
    answer_timeout_seconds: PositiveFloat = Field(60, description="How long an answer is waited for.")
    batch_size: PositiveInt = Field(300, description="Most changes that are sent at once.")

    @model_validator(mode="after")
    def _names_attributes(self) -> EntraOptions:
        for name in (*self.unique, *self.required):
            if name not in USER or name == self.owner_attribute:
                raise ValueError(f"`{name}` is no attribute that rulesets can set here")
        return self

    @model_validator(mode="after")
    def _has_credentials(self) -> EntraOptions:
        way = self.authentication
        every = ("client_id", "client_secret", "certificate_file", "certificate_password", "token_file")
        given = {name for name in every if getattr(self, name) is not None}
        missing = [name for name in _NEEDED[way] if name not in given]
        if missing:
            raise ValueError(f"`authentication: {way}` needs {' and '.join(f'`{name}`' for name in missing)}")
        if others := sorted(given - _POSSIBLE[way]):
            raise ValueError(f"`authentication: {way}` knows no {' and no '.join(f'`{name}`' for name in others)}")
        return self
