"""Distinguished names (RFC 4514), put together, taken apart and compared. Pure."""

from __future__ import annotations

import re

from connectors.errors import Rejected

_PART = r"[A-Za-z]+=[^,+\"\\<>;=#\0 ]+(?: +[^,+\"\\<>;=\0 ]+)*"  # neither escapes nor blanks at the ends
_PLAIN = re.compile(f"{_PART}(?:,{_PART})*")
_ESCAPE = r"\\[0-9A-Fa-f]{2}|\\[ ,+\"\\<>;=#]"
_A_PART = re.compile(  # neither "#04…", which is BER in hexadecimal, nor blanks around a value that no backslash keeps
    rf" *([A-Za-z][A-Za-z0-9-]*) *= *(?!#)((?:{_ESCAPE}|[^,+\"\\<>;\0 ]| +(?![ ,]|$))+) *(?:,(?=.)|$)", re.DOTALL
)
_SPECIAL = re.compile(r'[,+"\\<>;=]')


def join(attribute: str, value: str, container: str) -> str:
    """The DN of an object in a container: attribute "CN" or "OU", value as it shall be read."""
    return f"{attribute}={escape(value)},{container}"


def escape(value: str) -> str:
    """A value as it stands within a DN."""
    escaped = _SPECIAL.sub(r"\\\g<0>", value).replace("\0", r"\00")
    if escaped.endswith(" "):
        escaped = f"{escaped[:-1]}\\ "
    return f"\\{escaped}" if escaped.startswith((" ", "#")) else escaped


def parts(dn: str) -> list[tuple[str, str]]:
    """Attribute and unescaped value of each part, the object's own first.

    ldap3 has a parser of its own; it refuses what domain controllers write, such as a # within a name.

    Raises:
        Rejected: It is no DN, or has several values in one part, or one in hexadecimal or in quotes.
    """
    found, place = [], 0
    while place < len(dn) or (place and dn[place - 1 : place] == ","):
        part = _A_PART.match(dn, place)
        if part is None:
            raise Rejected("a container has to be a distinguished name (OU=Ansatte,DC=eksempel,DC=no)", "container")
        found.append((part[1], _unescape(part[2])))
        place = part.end()
    return found


def parent(dn: str) -> str:
    """The DN of the container an object is in; "" above the topmost."""
    start = 0
    while (comma := dn.find(",", start)) >= 0:
        before = dn[:comma]
        if (len(before) - len(before.rstrip("\\"))) % 2 == 0:
            return dn[comma + 1 :]
        start = comma + 1
    return ""


def own_name(dn: str) -> str:
    """The value of an object's own part, unescaped."""
    return parts(dn)[0][1]


def canonical(dn: str) -> str:
    """The same for two DNs if and only if they name the same object, however they are written.

    Raises:
        Rejected: It is no DN.
    """
    if _PLAIN.fullmatch(dn):  # nothing to unescape: ten times as fast, and reads ask for every object
        return dn.casefold()
    return ",".join(f"{attribute.casefold()}={escape(value.casefold())}" for attribute, value in parts(dn))


def written(dn: str) -> str:
    """The DN as it is sent: without blanks around its parts, which domain controllers refuse.

    Raises:
        Rejected: It is no DN.
    """
    return ",".join(f"{attribute}={escape(value)}" for attribute, value in parts(dn))


def signs_in_as(principal: str, base_dn: str) -> str | None:
    """Whom a domain takes a principal name for that nobody has: a sAMAccountName, case-folded; None: nobody of its own.

    Every account has its sAMAccountName at the domain's name as a second principal name, which stands in no attribute.
    """
    name, _, suffix = principal.casefold().partition("@")
    labels = [value.casefold() for _, value in parts(base_dn)]
    return name if suffix in ("", labels[0], ".".join(labels)) else None


def is_within(dn: str, container: str) -> bool:
    """Whether an object is a container, or anywhere below it."""
    inner, outer = canonical(dn), canonical(container)
    return inner == outer or inner.endswith(f",{outer}")


def _unescape(value: str) -> str:
    """A value out of a DN as it is read: backslashes before a character, or before its bytes as hexadecimal digits."""
    if "\\" not in value:
        return value
    out, place = bytearray(), 0
    while place < len(value):
        if value[place] != "\\":
            out += value[place].encode()
            place += 1
        elif _is_hex(value[place + 1 : place + 3]):
            out.append(int(value[place + 1 : place + 3], 16))
            place += 3
        else:
            out += value[place + 1 : place + 2].encode()
            place += 2
    return out.decode(errors="replace")


def _is_hex(text: str) -> bool:
    return len(text) == 2 and all(character in "0123456789abcdefABCDEF" for character in text)  # noqa: PLR2004 - a byte
