"""Values as Active Directory writes them, and back. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from connectors.active_directory.schema import Attribute, Syntax
from connectors.contract import Password, Value
from connectors.errors import Rejected

_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)  # a FILETIME counts tenths of microseconds from here
_NEVER = 0x7FFF_FFFF_FFFF_FFFF
_INTEGER_LIMIT = 2**31  # AD's syntax 2.5.5.9
_ACCOUNT_NAME_FORBIDDEN = re.compile(r'["/\\\[\]:;|=,+*?<>@\x00-\x1f]')  # [MS-SAMR] 3.1.1.6; @ by the user tools

SECURITY_ENABLED = -(2**31)
UNIVERSAL = "universal"
_SCOPES = {"global": 2, "domain_local": 4, UNIVERSAL: 8}

DISABLED, NORMAL_ACCOUNT = 0x2, 0x200
PASSWORD_NOT_REQUIRED = 0x20


def encode(attribute: Attribute, value: Value) -> list[bytes]:
    """The values to put in place of what there is; none where there shall be none.

    ACCOUNT, SCOPE and CATEGORY are not encoded here: they need more than the value.

    Raises:
        Rejected: Names the attribute; never holds the value.
    """
    if attribute.syntax is Syntax.DATE:
        return [str(_NEVER if value in (None, "") else _filetime(attribute, value)).encode()]
    if value is None:
        return []
    if type(value).__name__ != attribute.type:
        raise Rejected(f"shall be of type {attribute.type}", attribute.name)
    if isinstance(value, bool):
        return [b"TRUE" if value else b"FALSE"]
    if isinstance(value, int):
        if not -_INTEGER_LIMIT <= value < _INTEGER_LIMIT:
            raise Rejected("is an integer of more than 32 bits", attribute.name)
        return [str(value).encode()]
    texts = sorted(set(value)) if isinstance(value, list) else [value]
    return [_text(attribute, text) for text in texts if text]  # AD has no empty values


def decode(attribute: Attribute, raw: Sequence[bytes]) -> Value:
    """The value that an attribute has; None where it has none."""
    if not raw:
        return None
    if attribute.syntax is Syntax.LIST:
        return sorted({one.decode() for one in raw})
    text = raw[0].decode()
    match attribute.syntax:
        case Syntax.BOOLEAN:
            return text == "TRUE"
        case Syntax.INTEGER:
            return int(text)
        case Syntax.DATE:
            return _day(int(text))
        case _:
            return text


def _text(attribute: Attribute, text: object) -> bytes:
    if not isinstance(text, str):
        raise Rejected("shall list texts only", attribute.name)
    if attribute.max_length is not None and len(text.encode("utf-16-le", "surrogatepass")) > 2 * attribute.max_length:
        raise Rejected(f"is longer than {attribute.max_length} characters", attribute.name)
    if "\0" in text:
        raise Rejected("holds a character that ends a text", attribute.name)
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise Rejected("holds text that is not valid Unicode", attribute.name) from None


# ---------------------------------------------------------------- dates


def _filetime(attribute: Attribute, value: Value) -> int:
    """The end, in UTC, of the day that is the last; or the very moment where one is given with its zone."""
    try:
        moment = _moment(str(value))
    except (ValueError, OverflowError):
        wish = "shall be a day (YYYY-MM-DD) or a moment with its zone (YYYY-MM-DDThh:mm:ss+hh:mm)"
        raise Rejected(wish, attribute.name) from None
    if moment <= _EPOCH:
        raise Rejected("is before 1601", attribute.name)
    return (moment - _EPOCH) // timedelta(microseconds=1) * 10


def _moment(text: str) -> datetime:
    """Raises ValueError or OverflowError where the text is neither a day nor a moment with its zone."""
    if len(text) == len("2026-12-31"):
        return datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC) + timedelta(days=1)
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a moment without its zone")
    return moment.astimezone(UTC)


def _day(filetime: int) -> str | None:
    """A FILETIME as `_filetime` takes it: a midnight as the day it ends; None for never."""
    if filetime in (0, _NEVER):
        return None
    try:
        moment = _EPOCH + timedelta(microseconds=filetime // 10)
    except OverflowError:
        return None
    if moment.timetz() == datetime.min.time().replace(tzinfo=UTC):
        return (moment - timedelta(days=1)).date().isoformat()
    return moment.isoformat()


# ---------------------------------------------------------------- names, anchors, groups


def check_account_name(attribute: str, value: str) -> None:
    """Refuses what Windows would as a sAMAccountName, and Samba would not; and "$" at its end, as machines have it.

    Raises:
        Rejected: Names the attribute.
    """
    if _ACCOUNT_NAME_FORBIDDEN.search(value) or value != value.strip() or value.endswith((".", "$")) or not value:
        wish = 'must not hold "/\\[]:;|=,+*?<>@, begin or end with a space, or end with a full stop or a dollar sign'
        raise Rejected(wish, attribute)


def guid(anchor: str | None) -> UUID | None:
    """The objectGUID that an anchor is, or None where it cannot be one."""
    try:
        return UUID(anchor or "")
    except ValueError:
        return None


def anchor_of(octets: bytes) -> str:
    """The anchor of an object: its objectGUID as Windows writes it."""
    return str(UUID(bytes_le=octets))


def by_guid(anchor: UUID) -> str:
    """The distinguished name under which an object is found wherever it is ([MS-ADTS] 3.1.1.3.1.2.4)."""
    return f"<GUID={anchor}>"


def group_type(attributes: Mapping[str, Value], former: int = SECURITY_ENABLED | 2) -> int:
    """The `groupType` that `groupScope` and `groupCategory` ask for; what they do not say stays as it was.

    Raises:
        Rejected: One of them is no such word.
    """
    scope, category = attributes.get("groupScope"), attributes.get("groupCategory")
    kept_scope = next((bit for bit in _SCOPES.values() if former & bit), _SCOPES["global"])
    if scope is not None and scope not in _SCOPES:
        raise Rejected(f"shall be one of {', '.join(_SCOPES)}", "groupScope")
    if category not in (None, "security", "distribution"):
        raise Rejected("shall be security or distribution", "groupCategory")
    secure = former < 0 if category is None else category == "security"
    return (_SCOPES[str(scope)] if scope else kept_scope) | (SECURITY_ENABLED if secure else 0)


def scope_of(group_type_: int) -> str:
    """The scope that a `groupType` tells of."""
    return next((word for word, bit in _SCOPES.items() if group_type_ & bit), "global")


def group_words(group_type_: int) -> dict[str, Value]:
    """What `group_type` makes of them, as the two attributes."""
    return {"groupScope": scope_of(group_type_), "groupCategory": "security" if group_type_ < 0 else "distribution"}


# ---------------------------------------------------------------- passwords


def encode_password(password: Password) -> bytes:
    """The value of `unicodePwd` ([MS-ADTS] 3.1.1.3.1.5.1): in quotes, in UTF-16."""
    return f'"{password.value}"'.encode("utf-16-le")
