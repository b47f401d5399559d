"""The `fields` parameter: https://developers.google.com/workspace/admin/directory/v1/guides/performance#partial."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .errors import Refused, invalid_parameter

Mask = dict[str, "Mask"]
_TOKEN = re.compile(r"[A-Za-z_$*][\w$-]*|\*|[(),/]")


def parse(text: str) -> Mask:
    """Text like "a,b/c,d(e,f)" as nested names; an empty mask takes everything beneath.

    Raises:
        Refused: 400.
    """
    tokens = _TOKEN.findall(text)
    if "".join(tokens) != re.sub(r"\s", "", text) or not tokens:
        raise _bad(text)
    mask, rest = _list(tokens, text)
    if rest:
        raise _bad(text)
    return mask


def _list(tokens: list[str], text: str) -> tuple[Mask, list[str]]:
    mask: Mask = {}
    while True:
        tokens = _item(mask, tokens, text)
        if not tokens or tokens[0] != ",":
            return mask, tokens
        tokens = tokens[1:]


def _item(mask: Mask, tokens: list[str], text: str) -> list[str]:
    if not tokens or tokens[0] in "(),/":
        raise _bad(text)
    inner, tokens = mask.setdefault(tokens[0], {}), tokens[1:]
    if tokens[:1] == ["/"]:
        return _item(inner, tokens[1:], text)
    if tokens[:1] == ["("]:
        more, tokens = _list(tokens[1:], text)
        inner.update(more)
        if tokens[:1] != [")"]:
            raise _bad(text)
        return tokens[1:]
    return tokens


def check(mask: Mask, schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> None:
    """Refuses names that the answer's schema does not have.

    Raises:
        Refused: 400.
    """
    while "$ref" in schema or "items" in schema:
        schema = schemas[schema["$ref"]] if "$ref" in schema else schema["items"]
    known = schema.get("properties")
    for name, inner in mask.items():
        if name == "*" or known is None:
            continue
        if name not in known:
            raise _bad(name)
        check(inner, known[name], schemas)


def apply(mask: Mask, value: Any) -> Any:
    """What a mask leaves of a value."""
    if not mask:
        return value
    if isinstance(value, list):
        return [apply(mask, one) for one in value]
    if not isinstance(value, dict):
        return value
    kept = {name: apply(mask.get(name, mask.get("*", {})), one) for name, one in value.items() if _in(mask, name)}
    return {name: one for name, one in kept.items() if one != {} or value[name] == {}}


def _in(mask: Mask, name: str) -> bool:
    return name in mask or "*" in mask


def _bad(text: str) -> Refused:
    return invalid_parameter("fields", f"Invalid field selection {text}")
