"""LDAP requests as bytes (BER as RFC 4511 section 5.1 narrows it), and answers read from bytes. Pure.

Requests are encoded here because ldap3 does so through pyasn1, at 0.5 ms for a creation, 0.3 ms for a change and 8 ms
for a search of a hundred names, against 0.02, 0.01 and 0.02 ms. With its encoder the connector, which looks before it
writes, created 0.78 to 0.81 times as many accounts as bare asynchronous ldap3, and 1.05 to 1.12 times as many with this
one; 0.85 is asked for (`python -m benchmarks.active_directory`). Answers are taken apart by ldap3's own fast decoder.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from ldap3.strategy.base import BaseStrategy
from ldap3.utils.asn1 import decode_message_fast

_INTEGER, _OCTETS, _ENUMERATED, _SEQUENCE, _SET = 0x02, 0x04, 0x0A, 0x30, 0x31
_FALSE, _TRUE = b"\x01\x01\x00", b"\x01\x01\xff"
_ADD, _MODIFY, _DELETE, _MOVE, _SEARCH = 0x68, 0x66, 0x4A, 0x6C, 0x63
_ENTRY, _REFERENCE = 4, 19  # as ldap3 numbers what an answer says
_LONGEST_HEAD = 16
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

    def first(self, name: str) -> bytes:
        """An attribute's value, or the first of several; nothing where it has none."""
        return next(iter(self.attributes.get(name, ())), b"")

    def text(self, name: str) -> str:
        """Likewise, as text."""
        return self.first(name).decode(errors="replace")


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
    size: int = BaseStrategy.compute_ldap_message_size(data[start : start + _LONGEST_HEAD])
    return start + size if 0 < size <= len(data) - start else None


def decode(data: bytes) -> tuple[int, Answer | Entry | None]:
    """The id of a message and what it says; None for a reference to another server, which nobody follows here."""
    message = decode_message_fast(data)
    message_id, parts = message["messageID"], message["payload"]  # each part has its content behind its tag
    if message["protocolOp"] == _REFERENCE:
        return message_id, None
    if message["protocolOp"] == _ENTRY:
        attributes = {name[3].decode(): [value[3] for value in values[3]] for *_, (name, values) in parts[1][3]}
        return message_id, Entry(parts[0][3].decode(), attributes)
    return message_id, Answer(int(parts[0][3]), parts[2][3].decode(errors="replace").rstrip("\0"))
