"""Attributes of Active Directory that a ruleset may write, and those that it never may.

Syntaxes, lengths and multiplicity: Microsoft's AD schema reference ("Attributes", rangeUpper, isSingleValued). Where
Windows allows less than its schema says, the lesser holds: 20 characters for a user's sAMAccountName, 64 for a CN.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from connectors.errors import Rejected


class Syntax(StrEnum):
    """How an attribute's values look on the wire."""

    TEXT = "text"
    LIST = "list"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    DATE = "date"
    ACCOUNT = "account"
    SCOPE = "scope"
    CATEGORY = "category"


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute.

    Attributes:
        name: As the schema spells it.
        syntax: DATE: a FILETIME, an ISO date here. ACCOUNT: the name of another object; here an anchor, an account's
            name, or whose the account is. SCOPE and CATEGORY: two words that are kept together in `groupType`.
        max_length: Longest value in characters, or None.
    """

    name: str
    syntax: Syntax = Syntax.TEXT
    max_length: int | None = None

    @property
    def type(self) -> str:
        """Its type in the contract's words."""
        return _TYPES.get(self.syntax, "str")


_TYPES = {Syntax.LIST: "list", Syntax.BOOLEAN: "bool", Syntax.INTEGER: "int"}
_WORDS = {"str": Syntax.TEXT, "dn": Syntax.ACCOUNT, "date": Syntax.DATE, **{word: one for one, word in _TYPES.items()}}

CN = "cn"
ACCOUNT_NAME = "sAMAccountName"
CN_LENGTH = 64

_COMMON = (
    Attribute(CN, max_length=CN_LENGTH),
    Attribute("displayName", max_length=256),
    Attribute("description", max_length=1024),
    Attribute("info", max_length=1024),
    Attribute("mail", max_length=256),
    Attribute("mailNickname", max_length=64),
    Attribute("proxyAddresses", Syntax.LIST, 1123),
    Attribute("msExchHideFromAddressLists", Syntax.BOOLEAN),
    Attribute("legacyExchangeDN"),
    Attribute("gidNumber", Syntax.INTEGER),
    Attribute("telephoneNumber", max_length=64),
    *(Attribute(f"extensionAttribute{number}", max_length=1024) for number in range(1, 16)),
)

_ACCOUNT = (
    *_COMMON,
    Attribute(ACCOUNT_NAME, max_length=20),
    Attribute("userPrincipalName", max_length=1024),
    Attribute("givenName", max_length=64),
    Attribute("sn", max_length=64),
    Attribute("middleName", max_length=64),
    Attribute("initials", max_length=6),
    Attribute("personalTitle", max_length=64),
    Attribute("generationQualifier", max_length=64),
    Attribute("employeeID", max_length=16),
    Attribute("employeeNumber", max_length=512),
    Attribute("employeeType", max_length=256),
    Attribute("title", max_length=128),
    Attribute("department", max_length=64),
    Attribute("departmentNumber", Syntax.LIST),
    Attribute("division", max_length=256),
    Attribute("company", max_length=64),
    Attribute("physicalDeliveryOfficeName", max_length=128),
    Attribute("roomNumber", Syntax.LIST),
    Attribute("streetAddress", max_length=1024),
    Attribute("l", max_length=128),
    Attribute("st", max_length=128),
    Attribute("postalCode", max_length=40),
    Attribute("postOfficeBox", Syntax.LIST, 40),
    Attribute("c", max_length=3),
    Attribute("co", max_length=128),
    Attribute("countryCode", Syntax.INTEGER),
    Attribute("mobile", max_length=64),
    Attribute("homePhone", max_length=64),
    Attribute("ipPhone", max_length=64),
    Attribute("pager", max_length=64),
    Attribute("facsimileTelephoneNumber", max_length=64),
    Attribute("otherTelephone", Syntax.LIST, 64),
    Attribute("otherMobile", Syntax.LIST, 64),
    Attribute("otherMailbox", Syntax.LIST),
    Attribute("wWWHomePage", max_length=2048),
    Attribute("url", Syntax.LIST),
    Attribute("preferredLanguage"),
    Attribute("manager", Syntax.ACCOUNT),
    Attribute("assistant", Syntax.ACCOUNT),
    Attribute("secretary", Syntax.ACCOUNT),
    Attribute("homeDirectory"),
    Attribute("homeDrive", max_length=3),
    Attribute("profilePath"),
    Attribute("scriptPath"),
    Attribute("accountExpires", Syntax.DATE),
    Attribute("targetAddress", max_length=1123),
    Attribute("msExchUsageLocation", max_length=2),
    Attribute("uid", Syntax.LIST, 256),
    Attribute("uidNumber", Syntax.INTEGER),
    Attribute("unixHomeDirectory", max_length=2048),
    Attribute("loginShell", max_length=1024),
    Attribute("carLicense", Syntax.LIST),
    *(Attribute(f"msDS-cloudExtensionAttribute{number}") for number in range(1, 21)),
)

_GROUP = (
    *_COMMON,
    Attribute(ACCOUNT_NAME, max_length=256),
    Attribute("managedBy", Syntax.ACCOUNT),
    Attribute("groupScope", Syntax.SCOPE),
    Attribute("groupCategory", Syntax.CATEGORY),
)

ACCOUNT: Mapping[str, Attribute] = {attribute.name: attribute for attribute in _ACCOUNT}
"""Attributes of accounts that need no setting, by name."""

GROUP: Mapping[str, Attribute] = {attribute.name: attribute for attribute in _GROUP}
"""Likewise of groups."""

FORBIDDEN = frozenset(
    name.casefold()
    for name in (
        # Passwords and what signs in in their stead.
        *("unicodePwd", "userPassword", "dBCSPwd", "lmPwdHistory", "ntPwdHistory", "supplementalCredentials"),
        *("pwdLastSet", "msDS-KeyCredentialLink", "altSecurityIdentities", "userCertificate", "userCert"),
        *("userSMIMECertificate", "msPKIAccountCredentials", "msPKIDPAPIMasterKeys", "msPKIRoamingTimeStamp"),
        *("msDS-ManagedPassword", "msDS-GroupMSAMembership", "ms-Mcs-AdmPwd", "msLAPS-Password"),
        # Rights, and who somebody is.
        *("userAccountControl", "msDS-User-Account-Control-Computed", "nTSecurityDescriptor", "adminCount"),
        *("memberOf", "member", "primaryGroupID", "objectSid", "sIDHistory", "objectGUID", "tokenGroups"),
        *("servicePrincipalName", "msDS-AllowedToDelegateTo", "msDS-AllowedToActOnBehalfOfOtherIdentity"),
        *("msDS-SupportedEncryptionTypes", "msDS-AssignedAuthNPolicy", "msDS-AssignedAuthNPolicySilo"),
        *("msDS-PSOApplied", "msDS-ResultantPSO", "msDS-HostServiceAccount", "msDS-AdditionalSamAccountName"),
        *(
            "msDS-AdditionalDnsHostName",
            "dNSHostName",
            "lockoutTime",
            "badPwdCount",
            "logonHours",
            "gPLink",
            "gPOptions",
        ),
        # What the directory itself keeps.
        *("objectClass", "objectCategory", "instanceType", "systemFlags", "isCriticalSystemObject", "isDeleted"),
        *("isRecycled", "lastKnownParent", "msDS-LastKnownRDN", "distinguishedName", "name", "ou", "groupType"),
        *("sAMAccountType", "uSNChanged", "uSNCreated", "whenChanged", "whenCreated", "replPropertyMetaData"),
        *("lastLogon", "lastLogonTimestamp", "logonCount", "revision", "rid", "creationTime", "flags"),
    )
)
"""What no ruleset ever writes, case-folded: whoever could would have the domain, or would break it."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,127}")  # neither an OID nor an option (;binary) under which FORBIDDEN hides


def refusal(name: str, known: Mapping[str, Attribute]) -> Rejected | None:
    """Why an attribute is not written, or None where it is."""
    if name in known:
        return None
    if name.casefold() in FORBIDDEN:
        return Rejected("is never written by a ruleset", name)
    near = get_close_matches(name.casefold(), [one.casefold() for one in known], 1)
    spelt = next((one for one in known if near and one.casefold() == near[0]), None)
    return Rejected(f"is not mapped{f'; did you mean {spelt}?' if spelt else ''}", name)


def attribute_of(name: str, type_: str) -> Attribute:
    """An attribute that the settings add, of a type as the settings write it: str, bool, int, list, date, dn.

    Raises:
        ValueError: It is one that is never written, or the name is none.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"'{name}' is not the name of an attribute")
    if name.casefold() in FORBIDDEN:
        raise ValueError(f"'{name}' is never written by a ruleset")
    return Attribute(name, _WORDS[type_])
