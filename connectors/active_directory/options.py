"""Settings of the target `active_directory`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    model_validator,
)

from connectors.active_directory import names
from connectors.errors import Rejected

AttributeType = Literal["str", "bool", "int", "list"]


def _a_dn(text: str) -> str:
    try:
        parts = names.parts(text)
    except Rejected:
        parts = []
    if not parts:
        raise ValueError("not a distinguished name (OU=Ansatte,DC=eksempel,DC=no)")
    return text


DistinguishedName = Annotated[str, AfterValidator(_a_dn)]


class ActiveDirectoryOptions(BaseModel):
    """Settings of the target `active_directory`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    servers: tuple[str, ...] = Field(
        min_length=1,
        description="Domain controllers as `name` or `name:port`; the first that answers is used until it fails.",
    )
    encryption: Literal["tls", "start_tls"] = Field(
        "tls",
        description="`tls`: LDAPS, port 636. `start_tls`: port 389, encrypted before anything is said."
        " There is no third: passwords are set on encrypted connections only.",
    )
    ca_file: str | None = Field(
        None, description="Certificates (PEM) of the authorities to trust, in place of those that the system trusts."
    )
    authentication: Literal["simple", "ntlm", "kerberos"] = Field(
        "simple",
        description="`simple`: name and password within TLS. `ntlm`: where the domain still allows it; the user as"
        " DOMAIN\\name. `kerberos`: with a ticket of the process; install eadm-sync[kerberos].",
    )
    user: str = Field(
        "", description="Who signs in: a distinguished name, name@domain or DOMAIN\\name; empty with `kerberos`."
    )
    password: SecretStr = Field(
        SecretStr(""), description="Its password, best as ${env:…} or ${file:…}; empty with `kerberos`."
    )
    base_dn: DistinguishedName | None = Field(
        None, description="The domain (DC=eksempel,DC=no); asked of the domain controller where it is not given."
    )
    account_containers: tuple[DistinguishedName, ...] = Field(
        (), description="Accounts are read in these and below only; empty: in the whole domain."
    )
    group_containers: tuple[DistinguishedName, ...] = Field((), description="Likewise for groups.")
    attributes: dict[str, AttributeType] = Field(
        {},
        description="Account attributes that rulesets may set beside the usual ones, each with its type; not those that"
        " decide who may sign in or what somebody may do.",
    )
    group_attributes: dict[str, AttributeType] = Field({}, description="Likewise for groups.")
    owner_attribute: str = Field(
        "msDS-cloudExtensionAttribute1",
        description="Text attribute of accounts that nothing else uses: says whose an account is, so that one whose"
        " creation was not confirmed is found again. An indexed one: it is searched for with every creation.",
    )
    group_owner_attribute: str = Field("adminDescription", description="Likewise for groups; needs no index.")
    recycle_bin: bool = Field(
        False, description="The domain's recycle bin is on: a deleted account can be restored as it was."
    )
    create_containers: bool = Field(
        True, description="An organisational unit that is asked for and not there is made, those above it first."
    )
    remove_empty_containers: bool = Field(
        False, description="An organisational unit that was made here is deleted when its last object leaves it."
    )
    random_password: bool = Field(
        True,
        description="A new account that is given no password gets a long one that nobody knows: Windows enables none"
        " without, now or later.",
    )
    password_min_length: PositiveInt = Field(
        7, description="Fewest characters of a password, as the domain's policy for these accounts has it."
    )
    password_complexity: bool = Field(
        True,
        description="That policy asks for complexity: three of lower case, upper case, digits and other characters,"
        " and no part of the account's names.",
    )
    confidential_attributes: tuple[str, ...] = Field(
        (),
        description="Account attributes that the domain's schema marks as confidential: all others can be read by"
        " everybody who can sign in.",
    )
    required: tuple[str, ...] = Field((), description="Account attributes that an account cannot be without.")
    unique: tuple[str, ...] = Field(
        ("userPrincipalName",),
        description="Account attributes, beside sAMAccountName, whose values no two accounts may share.",
    )
    connect_timeout_seconds: PositiveFloat = Field(5, description="How long one domain controller is tried.")
    answer_timeout_seconds: PositiveInt = Field(60, description="How long an answer is waited for.")
    page_size: PositiveInt = Field(1000, le=1000, description="Objects in one answer; Active Directory gives 1000.")
    batch_size: PositiveInt = Field(500, description="Most changes that are sent at once.")

    @model_validator(mode="after")
    def _has_credentials(self) -> ActiveDirectoryOptions:
        given = bool(self.user), bool(self.password.get_secret_value())
        if self.authentication == "kerberos":
            if any(given):
                raise ValueError("with `authentication: kerberos` leave out `user` and `password`: the ticket says who")
        elif not all(given):  # a simple bind without password succeeds, as nobody (RFC 4513 section 5.1.2)
            raise ValueError(f"`authentication: {self.authentication}` needs `user` and `password`")
        return self
