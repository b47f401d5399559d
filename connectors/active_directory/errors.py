"""What a domain controller says when it refuses, in the contract's words. Pure.

An answer has a result code (RFC 4511 section 4.1.9 and appendix A) and a text that begins with a Windows error code in
hexadecimal ([MS-ERREF] section 2.2); where a bind failed, that is behind "data". The rest of the text differs between
servers and versions, and may hold values: it is read for the name of an attribute, never shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

from connectors.contract import Kind
from connectors.errors import (
    AlreadyExists,
    AuthenticationFailed,
    ConnectorError,
    NotFound,
    Rejected,
    Throttled,
    Transient,
    Unavailable,
)


class Code(IntEnum):
    """Result codes of RFC 4511 that mean something of their own here."""

    SUCCESS = 0
    OPERATIONS_ERROR = 1
    TIME_LIMIT_EXCEEDED = 3
    SIZE_LIMIT_EXCEEDED = 4
    STRONGER_AUTHENTICATION_REQUIRED = 8
    REFERRAL = 10
    ADMIN_LIMIT_EXCEEDED = 11
    CRITICAL_EXTENSION = 12
    CONFIDENTIALITY_REQUIRED = 13
    NO_SUCH_ATTRIBUTE = 16
    UNDEFINED_ATTRIBUTE = 17
    INAPPROPRIATE_MATCHING = 18
    CONSTRAINT_VIOLATION = 19
    VALUE_EXISTS = 20
    INVALID_SYNTAX = 21
    NO_SUCH_OBJECT = 32
    INVALID_DN = 34
    INVALID_CREDENTIALS = 49
    INSUFFICIENT_RIGHTS = 50
    BUSY = 51
    UNAVAILABLE = 52
    UNWILLING = 53
    NAMING_VIOLATION = 64
    CLASS_VIOLATION = 65
    NOT_ON_NON_LEAF = 66
    NOT_ON_RDN = 67
    ALREADY_EXISTS = 68
    AFFECTS_MULTIPLE_SERVERS = 71
    OTHER = 80


class Win(IntEnum):
    """Windows error codes that tell more than the result code they come with ([MS-ERREF] section 2.2)."""

    ACCESS_DENIED = 0x5
    NOT_AUTHENTICATED = 0x4DC
    USER_EXISTS = 0x524
    NO_SUCH_USER = 0x525
    GROUP_EXISTS = 0x526
    MEMBER_IN_GROUP = 0x528
    MEMBER_NOT_IN_GROUP = 0x529
    PASSWORD_RESTRICTION = 0x52D
    SPECIAL_ACCOUNT = 0x55B
    MEMBER_NOT_IN_ALIAS = 0x561
    MEMBER_IN_ALIAS = 0x562
    NO_SUCH_MEMBER = 0x56B
    BUSY = 0x200E
    UNAVAILABLE = 0x200F
    GLOBAL_CATALOGUE_NOT_AVAILABLE = 0x2019
    REFERRAL = 0x202B
    NO_SUCH_OBJECT = 0x2030
    SERVER_DOWN = 0x203A
    NAME_EXISTS = 0x2071
    NO_SUCH_ATTRIBUTE_TYPE = 0x206F
    MISSING_REQUIRED_ATTRIBUTE = 0x207C
    SINGLE_VALUE_CONSTRAINT = 0x2081
    RANGE_CONSTRAINT = 0x2082
    OBJECT_NOT_FOUND = 0x208D
    INSUFFICIENT_RIGHTS = 0x2098
    SERVICE_PRINCIPAL_NOT_UNIQUE = 0x21C7
    USER_PRINCIPAL_NOT_UNIQUE = 0x21C8


@dataclass(frozen=True)
class PasswordPolicy:
    """What the domain asks of a password, as far as it tells; a fine-grained policy may ask for more.

    Attributes:
        min_length: In characters.
        complexity: Three of: capital letters, small letters, digits, signs, other letters; no part of the name.
        history: How many of the last passwords may not come again.
    """

    min_length: int
    complexity: bool
    history: int

    def __str__(self) -> str:
        wishes = [f"at least {self.min_length} characters"]
        if self.complexity:
            wishes.append("three kinds of characters and no part of the account's names")
        if self.history:
            wishes.append(f"none of the last {self.history}")
        return ", ".join(wishes)


@dataclass(frozen=True)
class Attempt:
    """What was being done, as far as it helps to say what went wrong.

    Attributes:
        doing: For an operator, without values: "create an account".
        kind: Of the object.
        anchor: Of the object, or "".
        container: Where it is or shall be, or None.
        attributes: Those that were sent.
        policy: The domain's, where a password was sent and the policy could be read.
    """

    doing: str
    kind: Kind = Kind.ACCOUNT
    anchor: str = ""
    container: str | None = None
    attributes: tuple[str, ...] = ()
    policy: PasswordPolicy | None = None


_SIGN_IN = {
    0x525: "there is no such user",
    0x52E: "the name or the password is wrong",
    0x530: "it may not sign in at this hour",
    0x531: "it may not sign in from this machine",
    0x532: "its password has expired",
    0x533: "its account is disabled",
    0x701: "its account has expired",
    0x773: "it has to change its password first",
    0x775: "its account is locked",
    0x80090346: "the domain controller asks for channel binding: use `authentication: simple` within TLS",
}
_UNIQUE = {
    Win.USER_EXISTS: "sAMAccountName",
    Win.GROUP_EXISTS: "sAMAccountName",
    Win.USER_PRINCIPAL_NOT_UNIQUE: "userPrincipalName",
    Win.SERVICE_PRINCIPAL_NOT_UNIQUE: "servicePrincipalName",
}
_DOWN = {Win.BUSY, Win.UNAVAILABLE, Win.SERVER_DOWN}
_REASONS = {
    Code.NO_SUCH_ATTRIBUTE: "the attribute is not there, or the directory does not know it",
    Code.UNDEFINED_ATTRIBUTE: "the directory does not know the attribute",
    Code.INAPPROPRIATE_MATCHING: "the attribute cannot be searched",
    Code.INVALID_SYNTAX: "the value does not fit the attribute: too long, or of another type",
    Code.CONSTRAINT_VIOLATION: "the value is against a rule of the directory for this attribute",
    Code.INVALID_DN: "this is no distinguished name",
    Code.NAMING_VIOLATION: "such an object cannot be in this container, or not by this name",
    Code.CLASS_VIOLATION: "the kind of object asks for an attribute that is missing, or does not take one",
    Code.NOT_ON_NON_LEAF: "there are objects below it",
    Code.NOT_ON_RDN: "its name is changed by renaming only",
    Code.ADMIN_LIMIT_EXCEEDED: "a limit of the directory is reached",
    Code.UNWILLING: "the directory refuses to",
    Code.OTHER: "the directory failed at it",
}
_WINDOWS_CODE = re.compile(r"\s*([0-9A-Fa-f]{8})\b")
_DATA = re.compile(r"\bdata ([0-9A-Fa-f]{1,8})\b")
_ATTRIBUTE = re.compile(r"Att [0-9a-f]+ \(([A-Za-z][\w-]*)|attribute '?([A-Za-z][\w-]*)'?")


def windows_code(text: str) -> int:
    """The Windows error code at the beginning of an answer's text; 0 if there is none."""
    found = _WINDOWS_CODE.match(text)
    return int(found[1], 16) if found else 0


def is_signed_out(text: str) -> bool:
    """Whether an answer says that the connection is nobody's any more, as after a Kerberos ticket has run out."""
    return windows_code(text) == Win.NOT_AUTHENTICATED


def is_passing(code: int, text: str) -> bool:
    """Whether an answer says that the server is busy or going down, whatever it was asked."""
    return isinstance(_later(code, windows_code(text)), Unavailable | Throttled)


def error_of(code: int, text: str, attempt: Attempt) -> ConnectorError:
    """What an answer that is not a success means; no value stands in it."""
    windows = windows_code(text)
    general = general_error(code, text, attempt)
    if general is not None:
        return general
    attribute = blamed(text, attempt.attributes)
    if windows == Win.PASSWORD_RESTRICTION or (windows == 0 and _is_password(code, attempt)):
        wish = f": it asks for {attempt.policy}" if attempt.policy else ""
        return Rejected(f"the domain finds the password too weak{wish}", "password")
    if windows in _UNIQUE:
        return AlreadyExists("another object has this name", _UNIQUE[Win(windows)])
    if code == Code.ALREADY_EXISTS:
        return AlreadyExists("another object has this name", attribute)
    if code == Code.NO_SUCH_OBJECT or windows in (Win.NO_SUCH_OBJECT, Win.OBJECT_NOT_FOUND):
        return NotFound(attempt.kind, attempt.anchor)
    reason = _REASONS.get(Code(code)) if code in Code._value2member_map_ else None
    number = f"{code}, {windows:08X}" if windows else str(code)
    return Rejected(f"could not {attempt.doing}: {reason or 'refused'} (result {number})", attribute)


def general_error(code: int, text: str, attempt: Attempt) -> ConnectorError | None:
    """What an answer means that is about the server or about us rather than about one object; None for others."""
    windows = windows_code(text)
    if code == Code.INVALID_CREDENTIALS:
        return sign_in_failed(text)
    if code == Code.INSUFFICIENT_RIGHTS or windows == Win.INSUFFICIENT_RIGHTS:
        where = f" in {attempt.container}" if attempt.container else ""
        return AuthenticationFailed(f"we have no right to {attempt.doing}{where}")
    if code in (Code.REFERRAL, Code.AFFECTS_MULTIPLE_SERVERS):
        return Rejected(f"could not {attempt.doing}: that belongs to another domain or domain controller")
    return _later(code, windows)


def _later(code: int, windows: int) -> ConnectorError | None:
    """What time or another way to connect cures; None for others."""
    if code in (Code.BUSY, Code.UNAVAILABLE) or windows in _DOWN:
        return Unavailable("the domain controller is busy or going down")
    if windows == Win.GLOBAL_CATALOGUE_NOT_AVAILABLE:
        return Transient("the domain controller reaches no global catalogue")
    if code == Code.TIME_LIMIT_EXCEEDED:
        return Throttled("the domain controller's time limit was exceeded")
    if code in (Code.STRONGER_AUTHENTICATION_REQUIRED, Code.CONFIDENTIALITY_REQUIRED):
        return AuthenticationFailed("the domain controller asks for encryption or signing that we do not use")
    return None


def sign_in_failed(text: str) -> AuthenticationFailed:
    """Why a bind was refused: result 49, whose text has the reason behind "data"."""
    data = _DATA.search(text)
    numbers = [int(data[1], 16) if data else 0, windows_code(text)]
    why = next((_SIGN_IN[number] for number in numbers if number in _SIGN_IN), "refused")
    return AuthenticationFailed(f"the domain controller does not let our user in: {why}")


def blamed(text: str, sent: tuple[str, ...]) -> str | None:
    """The attribute that a text blames, if we sent it; the one we sent if there is only one."""
    by_name = {name.lower(): name for name in sent}
    for found in _ATTRIBUTE.finditer(text):
        name = by_name.get((found[1] or found[2]).lower())
        if name is not None:
            return name
    return sent[0] if len(sent) == 1 else None


def _is_password(code: int, attempt: Attempt) -> bool:
    """Whether a refusal without a Windows code is about the password: nothing else was sent."""
    return code in (Code.CONSTRAINT_VIOLATION, Code.UNWILLING) and attempt.attributes == ("password",)
