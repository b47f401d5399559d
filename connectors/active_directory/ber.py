"""LDAP requests as bytes, and answers read from bytes (BER as RFC 4511 section 5.1 narrows it). Pure.

ldap3 encodes through pyasn1 at half a millisecond and more a request, which is what a domain controller needs to carry
it out. Only what a write needs is here: everything else is ldap3's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

_INTEGER, _OCTETS, _ENUMERATED, _SEQUENCE, _SET = 0x02, 0x04, 0x0A, 0x30, 0x31
_FALSE, _TRUE = b"\x01\x01\x00", b"\x01\x01\xff"
_ADD, _MODIFY, _DELETE, _MOVE, _SEARCH = 0x68, 0x66, 0x4A, 0x6C, 0x63
_ENTRY, _REFERENCE = 0x64, 0x73
_NEVER_DEREFERENCE = b"\x0a\x01\x00"
_SHORT_LENGTH = 0x80  # lengths below it are one byte


class Control(NamedTuple):
    """A control; the server refuses the request if it does not know it."""

    oid: str
    value: bytes | None = None


SHOW_DELETED = Control("1.2.840.113556.1.4.417")


class Scope(IntEnum):
    """How far a search looks, as RFC 4511 numbers it."""

    BASE = 0
    LEVEL = 1
    SUBTREE = 2


class How(IntEnum):
    """What a change does to an attribute's values, as RFC 4511 numbers it."""

    ADD = 0
    DELETE = 1
    REPLACE = 2


@dataclass(frozen=True, slots=True)
class Change:
    """One change within a modify; no values with DELETE or REPLACE: all there are go."""

    how: How
    attribute: str
    values: Sequence[bytes] = ()


@dataclass(frozen=True, slots=True)
class Add:
    """A new object."""

    dn: str
    attributes: Mapping[str, Sequence[bytes]]


@dataclass(frozen=True, slots=True)
class Modify:
    """Changes to one object: all of them or none."""

    dn: str
    changes: Sequence[Change]
    controls: tuple[Control, ...] = ()


@dataclass(frozen=True, slots=True)
class Move:
    """A new name for an object, in another container where `parent` is not None."""

    dn: str
    rdn: str
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """The end of an object that has none below it."""

    dn: str
    controls: tuple[Control, ...] = ()


@dataclass(frozen=True, slots=True)
class Search:
    """A search whose answer is small: it is not paged. `filter` is made by the functions below, never from text."""

    base: str
    filter: bytes
    attributes: Sequence[str]
    scope: Scope = Scope.SUBTREE
    controls: tuple[Control, ...] = ()


Request = Add | Modify | Move | Delete | Search


@dataclass(frozen=True, slots=True)
class Entry:
    """An object that a search found; attribute names are as the server spells them."""

    dn: str
    attributes: Mapping[str, Sequence[bytes]]


@dataclass(frozen=True, slots=True)
class Answer:
    """How a request ended.

    Attributes:
        code: Result code of RFC 4511 section 4.1.9.
        text: The server's diagnostic message: for the code in its first word, not for showing; it may hold names.
        entries: What a search found.
    """

    code: int
    text: str = ""
    entries: Sequence[Entry] = ()


# ---------------------------------------------------------------- writing


def encode(request: Request, message_id: int) -> bytes:
    """The request as one LDAP message."""
    controls: tuple[Control, ...] = getattr(request, "controls", ())
    wrapped = (_tlv(0xA0, *map(_control, controls)),) if controls else ()
    return _tlv(_SEQUENCE, _number(_INTEGER, message_id), _operation(request), *wrapped)


def _control(control: Control) -> bytes:
    value = () if control.value is None else (_tlv(_OCTETS, control.value),)
    return _tlv(_SEQUENCE, _text(control.oid), _TRUE, *value)


def _operation(request: Request) -> bytes:
    match request:
        case Add(dn, attributes):
            return _tlv(_ADD, _text(dn), _tlv(_SEQUENCE, *(_attribute(*pair) for pair in attributes.items())))
        case Modify(dn, changes):
            each = (
                _tlv(_SEQUENCE, _number(_ENUMERATED, one.how), _attribute(one.attribute, one.values)) for one in changes
            )
            return _tlv(_MODIFY, _text(dn), _tlv(_SEQUENCE, *each))
        case Move(dn, rdn, parent):
            above = () if parent is None else (_tlv(0x80, parent.encode()),)
            return _tlv(_MOVE, _text(dn), _text(rdn), _TRUE, *above)
        case Delete(dn):
            return _tlv(_DELETE, dn.encode())
        case Search(base, filter_, attributes, scope):
            limits = _number(_INTEGER, 0) * 2
            wanted = _tlv(_SEQUENCE, *map(_text, attributes))
            head = (_text(base), _number(_ENUMERATED, scope), _NEVER_DEREFERENCE, limits, _FALSE)
            return _tlv(_SEARCH, *head, filter_, wanted)


def equals(attribute: str, value: bytes | str) -> bytes:
    """A filter: the attribute has this value, by its own matching rule (names without case)."""
    return _tlv(0xA3, _text(attribute), _tlv(_OCTETS, value.encode() if isinstance(value, str) else value))


def any_of(filters: Iterable[bytes]) -> bytes:
    """A filter: at least one of these holds."""
    return _tlv(0xA1, *filters)


def all_of(filters: Iterable[bytes]) -> bytes:
    """A filter: every one of these holds."""
    return _tlv(0xA0, *filters)


def present(attribute: str) -> bytes:
    """A filter: the attribute has a value."""
    return _tlv(0x87, attribute.encode())


def _attribute(name: str, values: Sequence[bytes]) -> bytes:
    return _tlv(_SEQUENCE, _text(name), _tlv(_SET, *(_tlv(_OCTETS, value) for value in values)))


def _text(text: str) -> bytes:
    return _tlv(_OCTETS, text.encode())


def _number(tag: int, number: int) -> bytes:
    return _tlv(tag, number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True))


def _tlv(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    length = len(body)
    if length < _SHORT_LENGTH:
        return bytes((tag, length)) + body
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(size))) + size + body


# ---------------------------------------------------------------- reading


def message_end(data: bytes | bytearray, start: int) -> int | None:
    """Where the message that begins at `start` ends, or None while it is not all there."""
    if len(data) < start + 2:
        return None
    wide = data[start + 1] & 0x7F if data[start + 1] & 0x80 else 0
    if len(data) < start + 2 + wide:
        return None
    _, _, end = _header(data, start)
    return end if end <= len(data) else None


def decode(data: bytes) -> tuple[int, Answer | Entry | None]:
    """The id of a message and what it says; None for a reference to another server, which nobody follows here."""
    _, start, end = _header(data, 0)
    (_, id_from, id_to), (tag, body_from, body_to), *_ = _parts(data, start, end)
    message_id = int.from_bytes(data[id_from:id_to], "big", signed=True)
    if tag == _REFERENCE:
        return message_id, None
    first, second, *rest = _parts(data, body_from, body_to)
    if tag == _ENTRY:
        return message_id, Entry(data[first[1] : first[2]].decode(), dict(_values(data, second[1], second[2])))
    code = int.from_bytes(data[first[1] : first[2]], "big")
    text = data[rest[0][1] : rest[0][2]].decode(errors="replace").rstrip("\0")
    return message_id, Answer(code, text)


def _values(data: bytes, start: int, end: int) -> Iterator[tuple[str, list[bytes]]]:
    for _, pair_from, pair_to in _parts(data, start, end):
        (_, name_from, name_to), (_, set_from, set_to) = _parts(data, pair_from, pair_to)
        yield data[name_from:name_to].decode(), [data[a:b] for _, a, b in _parts(data, set_from, set_to)]


def _parts(data: bytes, start: int, end: int) -> list[tuple[int, int, int]]:
    """The elements between two places, each as tag, begin and end of its content."""
    parts = []
    while start < end:
        part = _header(data, start)
        parts.append(part)
        start = part[2]
    return parts


def _header(data: bytes | bytearray, start: int) -> tuple[int, int, int]:
    length = data[start + 1]
    begin = start + 2
    if length & 0x80:
        wide = length & 0x7F
        length = int.from_bytes(data[begin : begin + wide], "big")
        begin += wide
    return data[start], begin, begin + length
