"""Who may do what to an object, worked out of its security descriptor. Pure.

A domain controller tells whoever asks what he may write and create, but neither whether he may reset a password nor
whether he may delete. What it keeps for that is a list of entries, of which the first that is about somebody decides:
[MS-DTYP] 2.4.4, 2.4.6 and [MS-ADTS] 5.1.3.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID

DELETE, DELETE_CHILD, CONTROL_ACCESS = 0x1_0000, 0x2, 0x100
RESET_PASSWORD = UUID("00299570-246d-11d0-a768-00aa006e0529")
USER = UUID("bf967aba-0de6-11d0-a285-00aa003049e2")
GROUP = UUID("bf967a9c-0de6-11d0-a285-00aa003049e2")

_EVERYTHING = 0x1000_0000  # GENERIC_ALL
_CONTAINER_INHERIT, _INHERIT_ONLY = 0x2, 0x8
_ALLOWED, _DENIED, _ALLOWED_OBJECT, _DENIED_OBJECT = 0, 1, 5, 6  # others prove nothing: they log, or hold if …
_HAS_TYPE, _HAS_INHERITED_TYPE = 0x1, 0x2
_GUID_BYTES = 16


@dataclass(frozen=True, slots=True)
class Grant:
    """One entry of an object's list of who may do what.

    Attributes:
        allows: Or denies.
        flags: How it is inherited.
        mask: Rights.
        type: Class, attribute or extended right that it is about; None: all of them.
        inherited_type: Class of the objects that inherit it; None: all.
        sid: Whom it is about.
    """

    allows: bool
    flags: int
    mask: int
    type: UUID | None
    inherited_type: UUID | None
    sid: bytes


def grants(descriptor: bytes) -> list[Grant]:
    """The list in a security descriptor; everybody may do everything where it has none.

    Raises:
        ValueError: It is no security descriptor.
    """
    try:
        (start,) = struct.unpack_from("<I", descriptor, 16)
        if not start:
            return [Grant(allows=True, flags=0, mask=_EVERYTHING, type=None, inherited_type=None, sid=b"")]
        (count,) = struct.unpack_from("<H", descriptor, start + 4)
        return list(_grants(descriptor, start + 8, count))
    except struct.error as error:
        raise ValueError("no security descriptor") from error


def _grants(descriptor: bytes, place: int, count: int) -> Iterator[Grant]:
    for _ in range(count):
        kind, flags, size, mask = struct.unpack_from("<BBHI", descriptor, place)
        end, rest = place + size, place + 8
        type_ = inherited_type = None
        if kind in (_ALLOWED_OBJECT, _DENIED_OBJECT):
            (there,) = struct.unpack_from("<I", descriptor, rest)
            rest += 4
            type_, rest = _guid(descriptor, rest, there=bool(there & _HAS_TYPE))
            inherited_type, rest = _guid(descriptor, rest, there=bool(there & _HAS_INHERITED_TYPE))
        if kind in (_ALLOWED, _DENIED, _ALLOWED_OBJECT, _DENIED_OBJECT):
            allows = kind in (_ALLOWED, _ALLOWED_OBJECT)
            yield Grant(allows, flags, mask, type_, inherited_type, descriptor[rest:end])
        place = end


def _guid(descriptor: bytes, place: int, *, there: bool) -> tuple[UUID | None, int]:
    """A GUID that may be left out, and what is behind it."""
    if not there:
        return None, place
    octets = descriptor[place : place + _GUID_BYTES]
    if len(octets) < _GUID_BYTES:
        raise ValueError("no security descriptor")
    return UUID(bytes_le=octets), place + _GUID_BYTES


def passed_on(entries: Iterable[Grant], class_: UUID) -> list[Grant]:
    """What new objects of a class inherit from a container."""
    return [
        Grant(one.allows, one.flags & ~_INHERIT_ONLY, one.mask, one.type, one.inherited_type, one.sid)
        for one in entries
        if one.flags & _CONTAINER_INHERIT and one.inherited_type in (None, class_)
    ]


def may(entries: Iterable[Grant], token: Collection[bytes], right: int, type_: UUID | None = None) -> bool:
    """Whether somebody has a right to the object.

    Args:
        entries: Of the object, in order.
        token: SIDs of who asks, and of all groups it is in.
        right: One bit.
        type_: Class or extended right that it is about, or None.
    """
    for one in entries:
        about = not one.flags & _INHERIT_ONLY and one.type in (None, type_) and (not one.sid or one.sid in token)
        if about and one.mask & (right | _EVERYTHING):
            return one.allows
    return False
