"""What a request may hold: properties with their types, as the public reference documents them.

Graph refuses what it does not know; a stand-in that let a misspelt property through would hide the mistake. Sources:
https://learn.microsoft.com/graph/api/resources/user, .../group, .../team, .../assignedlicense
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from .errors import Refused, bad_request

GUID = re.compile(r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
USER, GROUP = "microsoft.graph.user", "microsoft.graph.group"
READ_ONLY = "!"
"""Marks a type whose property can be read and filtered by, but not written."""

_USER_TYPES = """
accountEnabled bool | ageGroup text | assignedLicenses! list | assignedPlans! list | businessPhones texts | city text
companyName text | consentProvidedForMinor text | country text | createdDateTime! moment | creationType! text
customSecurityAttributes object | deletedDateTime! moment | department text | displayName text
employeeHireDate moment | employeeId text | employeeLeaveDateTime moment | employeeOrgData org | employeeType text
externalUserState! text | faxNumber text | givenName text | id! text | identities list | imAddresses! texts
isResourceAccount! bool | jobTitle text | lastPasswordChangeDateTime! moment | legalAgeGroupClassification! text
licenseAssignmentStates! list | mail text | mailNickname text | mobilePhone text | officeLocation text
onPremisesDistinguishedName! text | onPremisesDomainName! text | onPremisesExtensionAttributes extension
onPremisesImmutableId text | onPremisesLastSyncDateTime! moment | onPremisesProvisioningErrors! list
onPremisesSamAccountName! text | onPremisesSecurityIdentifier! text | onPremisesSyncEnabled! bool
onPremisesUserPrincipalName! text | otherMails texts | passwordPolicies text | passwordProfile password
postalCode text | preferredDataLocation text | preferredLanguage text | provisionedPlans! list
proxyAddresses! texts | securityIdentifier! text | serviceProvisioningErrors! list | showInAddressList bool
signInActivity! object | signInSessionsValidFromDateTime! moment | state text | streetAddress text | surname text
usageLocation country | userPrincipalName text | userType text | manager@odata.bind text
"""

_GROUP_TYPES = """
assignedLabels list | assignedLicenses! list | classification text | createdDateTime! moment | deletedDateTime! moment
description text | displayName text | expirationDateTime! moment | groupTypes texts | hasMembersWithLicenseErrors! bool
id! text | isAssignableToRole bool | licenseProcessingState! object | mail! text | mailEnabled bool
mailNickname text | membershipRule text | membershipRuleProcessingState text | onPremisesDomainName! text
onPremisesLastSyncDateTime! moment | onPremisesProvisioningErrors! list | onPremisesSamAccountName! text
onPremisesSecurityIdentifier! text | onPremisesSyncEnabled! bool | preferredDataLocation text
preferredLanguage text | proxyAddresses! texts | renewedDateTime! moment | resourceBehaviorOptions texts
resourceProvisioningOptions texts | securityEnabled bool | securityIdentifier! text | theme text | uniqueName! text
visibility text | members@odata.bind texts | owners@odata.bind texts
"""

_TEAM_TYPES = """
displayName text | description text | visibility text | memberSettings object | guestSettings object
messagingSettings object | funSettings object | template@odata.bind text | group@odata.bind text | members list
"""


def _table(text: str) -> Mapping[str, str]:
    pairs = (pair.split() for line in text.strip().splitlines() for pair in line.split("|"))
    return {name.rstrip(READ_ONLY): kind + (READ_ONLY if name.endswith(READ_ONLY) else "") for name, kind in pairs}


PROPERTIES: Mapping[str, Mapping[str, str]] = {
    USER: _table(_USER_TYPES),
    GROUP: _table(_GROUP_TYPES),
    "microsoft.graph.team": _table(_TEAM_TYPES),
    "microsoft.graph.teamPatch": _table(_TEAM_TYPES),
    "assignLicense": _table("addLicenses licences | removeLicenses guids"),
    "microsoft.graph.assignedLicense": _table("skuId guid | disabledPlans guids"),
    "microsoft.graph.passwordProfile": _table(
        "password text | forceChangePasswordNextSignIn bool | forceChangePasswordNextSignInWithMfa bool"
    ),
    "microsoft.graph.employeeOrgData": _table("costCenter text | division text"),
    "microsoft.graph.onPremisesExtensionAttributes": _table(
        " | ".join(f"extensionAttribute{number} text" for number in range(1, 16))
    ),
    "reference": _table("@odata.id text"),
    "restore": _table("autoReconcileProxyConflict bool"),
}
"""The types that requests speak of, with their properties: "text", "bool", ... and READ_ONLY behind it."""

COLLECTIONS = {"texts", "list", "guids", "licences"}
NEEDED = {
    (USER, "POST"): ("accountEnabled", "displayName", "mailNickname", "userPrincipalName"),
    (GROUP, "POST"): ("displayName", "mailEnabled", "mailNickname", "securityEnabled"),
    ("reference", "POST"): ("@odata.id",),
    ("reference", "PUT"): ("@odata.id",),
}
"""What has to be there. A user's password is asked for apart: federated and synchronised users have none."""

LONGEST = {
    "displayName": 256, "givenName": 64, "surname": 64, "userPrincipalName": 113, "mailNickname": 64, "jobTitle": 128,
    "department": 64, "companyName": 64, "employeeId": 16, "mobilePhone": 64, "city": 128, "country": 128, "state": 128,
    "streetAddress": 1024, "postalCode": 40, "officeLocation": 128, "description": 1024,
}  # fmt: skip
"""Characters, as the reference gives them; the longest values of people's names do get cut in practice."""


def _is_moment(value: object) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value) is not None
    except ValueError:
        return False


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


_CHECKS: Mapping[str, Callable[[object], bool]] = {
    "text": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "texts": _is_texts,
    "list": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "moment": _is_moment,
    "guid": lambda value: isinstance(value, str) and GUID.match(value) is not None,
    "guids": lambda value: _is_texts(value) and all(GUID.match(one) for one in value),  # type: ignore[union-attr]
    "country": lambda value: isinstance(value, str) and re.fullmatch("[A-Z]{2}", value) is not None,
}
_NESTED = {
    "password": "microsoft.graph.passwordProfile",
    "org": "microsoft.graph.employeeOrgData",
    "extension": "microsoft.graph.onPremisesExtensionAttributes",
}


def check_body(kind: str, method: str, body: object) -> dict[str, Any]:
    """The body, if it is one that `kind` may have.

    Raises:
        Refused: 400: no object, an unknown or a read-only property, a wrong type, a value too long, something missing.
    """
    if not isinstance(body, dict):
        raise bad_request("Empty Payload. JSON content expected." if body is None else "Unexpected JSON value.")
    for name, value in body.items():
        _check_property(kind, name, value)
    for name in NEEDED.get((kind, method), ()):
        if body.get(name) in (None, ""):
            raise bad_request(
                f"A value is required for property '{name}' of resource '{kind.rpartition('.')[2].title()}'.",
                "MissingRequiredProperty",
                name,
            )
    return body


def _check_property(kind: str, name: str, value: object) -> None:
    if name.startswith("@odata.") and name != "@odata.id":
        return
    expected = PROPERTIES[kind].get(name)
    if expected is None:
        raise bad_request(f"Invalid property '{name}'.", "InvalidProperty", name)
    if expected.endswith(READ_ONLY):
        raise bad_request(f"Property '{name}' is read-only and cannot be set.", "ReadOnlyProperty", name)
    if value is None:
        if expected in COLLECTIONS or expected == "bool":
            raise _wrong_value(name)
        return
    if expected == "licences":
        _check_licences(name, value)
    elif expected in _NESTED:
        check_body(_NESTED[expected], "PATCH", value)
    elif not _CHECKS[expected](value) or _too_long(name, value):
        raise _wrong_value(name)


def _check_licences(name: str, value: object) -> None:
    if not isinstance(value, list):
        raise _wrong_value(name)
    for one in value:
        check_body("microsoft.graph.assignedLicense", "POST", one)


def _too_long(name: str, value: object) -> bool:
    return isinstance(value, str) and (value == "" or len(value) > LONGEST.get(name, 4096))


def _wrong_value(name: str) -> Refused:
    return bad_request(f"Invalid value specified for property '{name}' of resource.", "InvalidValue", name)


def check_select(kind: str, names: list[str]) -> None:
    """Refuses names that `kind` does not have.

    Raises:
        Refused: 400.
    """
    known = PROPERTIES[kind]
    for name in names:
        if name not in known and name not in {"manager", "members", "owners"}:
            raise Refused(400, "BadRequest", f"Could not find a property named '{name}' on type '{kind}'.")
