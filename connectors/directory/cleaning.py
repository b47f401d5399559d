"""Whether a directory takes what is asked, and in which form it keeps it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast
from unicodedata import normalize

from connectors.contract import Operation, Value
from connectors.directory.settings import KindRules
from connectors.errors import Rejected

_INTEGER_LIMIT = 2**63  # beyond it neither SQLite nor LDAP servers keep an integer exactly
_TYPES: Mapping[str, type] = {"str": str, "bool": bool, "int": int, "list": list}
_KINDS = frozenset(_TYPES.values())


def fold(text: str) -> str:
    """The form in which two values are compared: without case, composed characters equal to decomposed ones."""
    if text.isascii():
        return text.lower()
    return normalize("NFC", normalize("NFC", text).casefold())


def folded_values(value: Value) -> Iterable[str]:
    """What a value is found by in an index: its text, or each text of its list. Empty text is not found."""
    if isinstance(value, str):
        return (fold(value),) if value else ()
    return {fold(item) for item in value if item} if isinstance(value, list) else ()


def equal(one: Value, other: Value) -> bool:
    """Whether two values are the same without case; lists compare as sets, and an empty one equals None."""
    if isinstance(one, str) and isinstance(other, str):
        return fold(one) == fold(other)
    if isinstance(one, list) and isinstance(other, list):
        return set(map(fold, one)) == set(map(fold, other))
    return (type(one) is type(other) and one == other) or (not one and not other and _lists_nothing(one, other))


def check_texts(operation: Operation, encoding: str) -> None:
    """Refuses an operation whose own fields cannot be stored.

    Raises:
        Rejected: A field holds half of a surrogate pair, or what `encoding` cannot express.
    """
    ids = (operation.id, operation.owner, operation.anchor, operation.account, operation.member)
    if not _encodable("".join(filter(None, ids))):
        raise Rejected("holds text that is not valid Unicode")
    for name in ("container", "role", "sku"):
        if not _encodable(getattr(operation, name) or "", encoding):
            raise Rejected(f"cannot be written in {encoding}", name)


def clean(attributes: Mapping[str, Value], rules: KindRules) -> dict[str, Value]:
    """The attributes as they are kept: lists sorted and distinct, an empty list as None.

    Raises:
        Rejected: Names the attribute that is unknown, of the wrong type, too long, or cannot be stored.
    """
    cleaned: dict[str, Value] = {}
    for name, value in attributes.items():
        check_name(name, rules)
        if value is not None:
            _check_type(name, value, rules)
            if isinstance(value, list):
                value = sorted(set(value)) or None  # noqa: PLW2901 - from here on the form it is kept in
            _check_texts(name, value, rules)
        if name in rules.required and value in (None, ""):
            raise Rejected("is required", name)
        cleaned[name] = value
    return cleaned


def check_complete(attributes: Mapping[str, Value], rules: KindRules) -> None:
    """Refuses a new object that lacks what it cannot be without.

    Raises:
        Rejected: Names the attribute.
    """
    for name in rules.required:
        if attributes.get(name) in (None, ""):
            raise Rejected("is required", name)


def check_name(name: str, rules: KindRules) -> None:
    """Refuses an attribute that there is not.

    Raises:
        Rejected: Names it.
    """
    if rules.types and name not in rules.types:
        raise Rejected("is no attribute of this directory", name)
    if not name or not _encodable(name, rules.encoding) or (rules.names and not rules.names.fullmatch(name)):
        raise Rejected("is not the name of an attribute", name)


def _check_type(name: str, value: Value, rules: KindRules) -> None:
    wanted = rules.types.get(name)
    kind = type(value)
    if kind not in _KINDS or (wanted and kind is not _TYPES[wanted]):
        raise Rejected(f"shall be of type {wanted or 'str, bool, int or list'}", name)
    if isinstance(value, list) and not all(isinstance(item, str) for item in value):
        raise Rejected("shall list texts only", name)
    if kind is int and not -_INTEGER_LIMIT <= cast(int, value) < _INTEGER_LIMIT:
        raise Rejected("is an integer of more than 64 bits", name)


def _check_texts(name: str, value: Value, rules: KindRules) -> None:
    limit = rules.max_lengths.get(name)
    for text in value if isinstance(value, list) else (value,):
        if isinstance(text, str):
            if limit is not None and len(text) > limit:
                raise Rejected(f"is longer than {limit} characters", name)
            if not _encodable(text, rules.encoding):
                raise Rejected(f"cannot be written in {rules.encoding}", name)


def _lists_nothing(one: Value, other: Value) -> bool:
    return all(value is None or isinstance(value, list) for value in (one, other))


def _encodable(text: str, encoding: str = "utf-8") -> bool:
    """Whether the text has a form in the encoding; half a surrogate pair has none in UTF-8."""
    if text.isascii():
        return True
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
