"""YAML scalars: what a plain one means, and where the characters of any stand in the file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

# At most 18 digits: longer ones are account numbers and the like, which are text.
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(\.[0-9]+(?:[eE][-+]?[0-9]{1,2})?)?")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
_TYPED_STARTS = frozenset("-0123456789tfn~")

_QUOTED_PIECE = re.compile(
    r"""\\(?:x..|u.{4}|U.{8}|\n[ \t]*|.)   # an escape; before a line break it joins the lines
      | [ \t]*\n[ \t\n]*                   # a fold
      | [ \t]+ | .""",
    re.VERBOSE | re.DOTALL,
)


def typed(value: str) -> Any:
    """A plain scalar's value; `eadm_sync.config.yaml` says what has a type."""
    if value[:1] not in _TYPED_STARTS and value:
        return value
    if value in _WORDS:
        return _WORDS[value]
    number = _NUMBER.fullmatch(value)
    if number is None:
        return value
    return float(value) if number[1] else int(value)


def scalar_indexes(text: str, node: yaml.ScalarNode) -> Iterator[int]:
    """For each character of a scalar's value, the index in `text` it comes from."""
    start, end = node.start_mark.index, node.end_mark.index
    if node.style == '"':
        return _double_quoted_indexes(text, start + 1, end - 1)
    if node.style == "'":
        return _aligned_indexes(node.value, text, start + 1, end - 1, doubled="'")
    if node.style in ("|", ">"):
        header_end = text.find("\n", start)
        return _aligned_indexes(node.value, text, header_end + 1 if header_end >= 0 else end, len(text))
    return _aligned_indexes(node.value, text, start, end)


def _aligned_indexes(value: str, text: str, start: int, end: int, doubled: str = "") -> Iterator[int]:
    """Walks value and text together. Folding and indentation touch blanks only, so all other characters match."""
    at = start
    for char in value:
        blank = char in " \t\n"
        if not blank:
            while at < end and text[at] in " \t\n":
                at += 1
        yield min(at, max(start, end - 1))
        if not blank or (at < end and text[at] == char):
            at += 2 if char == doubled else 1


def _double_quoted_indexes(text: str, start: int, end: int) -> Iterator[int]:
    for piece in _QUOTED_PIECE.finditer(text, start, end):
        found = piece[0]
        breaks = found.count("\n")
        if not breaks:
            yield from range(piece.start(), piece.start() + (1 if found[0] == "\\" else len(found)))
        elif found[0] != "\\":  # one break folds to a blank, n breaks to n - 1
            yield from (piece.start() for _ in range(max(1, breaks - 1)))
