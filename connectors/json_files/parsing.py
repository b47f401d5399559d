"""From a file to JSON values, one after another, holding one at a time.

Documents are parsed with ijson, because a whole array of a million people takes gigabytes; JSON Lines with the
standard library, which alone tells of keys that occur twice and leaves numbers as they are written.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Any, NoReturn

import ijson

from connectors.errors import Unreadable
from connectors.textfiles import TextFile, TextPass


class MarkedObject(dict[str, Any]):
    """A JSON object that remembers a key which occurred twice."""

    duplicate: str | None = None

    def __setitem__(self, key: str, value: Any) -> None:
        if key in self:
            self.duplicate = key
        super().__setitem__(key, value)


class Flawed(Exception):
    """An object cannot become a row: `reason`, and the column at fault or None."""

    def __init__(self, reason: str, column: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.column = column


# ---------------------------------------------------------------- JSON Lines


def lines(file: TextFile) -> Generator[tuple[int, Any, bool], None, None]:
    """Line number, value (a Flawed where there is none), and whether the file seems cut off there."""
    text = TextPass(file)
    held: tuple[int, Any] | None = None  # broken: cut off, if no line follows
    number = 0
    with closing(text.lines()) as text_lines:
        for number, line in enumerate(text_lines, start=1):
            if not line.strip():
                continue
            if held is not None:
                yield *held, False
                held = None
            try:
                yield number, _DECODER.decode(line), False
            except (ValueError, RecursionError) as error:
                held = number, Flawed(f"is no JSON: {_described(error)}")
    if held is not None:
        yield *held, True
    elif text.cut:
        yield number + 1, Flawed("the file is cut off here"), True


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    marked = MarkedObject()
    for key, value in pairs:
        marked[key] = value
    return marked


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not in the standard")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=str, parse_int=str, parse_constant=_refuse_constant)


def _described(error: Exception) -> str:
    """What is wrong, without the text that it is wrong in."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} (column {error.colno})"
    return "nested too deep" if isinstance(error, RecursionError) else str(error)


# ---------------------------------------------------------------- JSON documents


def elements(file: TextFile, path: str) -> Generator[tuple[int, Any, bool], None, None]:
    """1-based number and value of each element of the array at a dotted path.

    Raises:
        Unreadable: The document is broken, or has no array there.
    """
    number = 0
    found = ijson.sendable_list()
    parser = ijson.items_coro(found, f"{path}.item" if path else "item", map_type=MarkedObject)
    with closing(TextPass(file).chunks()) as chunks:
        for chunk in chunks:
            _feed(file, parser.send, chunk.encode())
            for value in found:
                number += 1
                yield number, value, False
            del found[:]
    _feed(file, parser.close)
    if number == 0 and not _has_array(file, path):
        place = f"at '{path}'" if path else "at its top"
        raise Unreadable(f"has no array {place}: set `items`", file=file.name)


def _feed(file: TextFile, feed: Callable[..., object], *data: bytes) -> None:
    try:
        feed(*data)
    except (ijson.JSONError, ValueError):
        line, column = _place_of_error(file)
        reason = f"is no JSON, or cut off, at column {column}"
        raise Unreadable(reason, file=file.name, line=line) from None  # the parser's own text quotes the file


def _has_array(file: TextFile, path: str) -> bool:
    events = ijson.sendable_list()
    parser = ijson.parse_coro(events)
    with closing(TextPass(file).chunks()) as chunks:
        for chunk in chunks:
            parser.send(chunk.encode())
            if any(prefix == path and event == "start_array" for prefix, event, _ in events):
                return True
            del events[:]
    return False


def _place_of_error(file: TextFile) -> tuple[int, int]:
    """1-based line and column of the first character that the parser refuses, or of the end of the file.

    The parser does not tell, so it is run again: first to find the chunk, then character by character inside it.
    """
    failing = _first_refused(TextPass(file).chunks())
    line = column = 1
    before: list[str] = []

    def pieces() -> Iterator[str]:
        for number, chunk in enumerate(TextPass(file).chunks()):
            yield from chunk if number == failing else (chunk,)

    refused = _first_refused(pieces())
    for number, piece in enumerate(pieces()):
        if number == refused:
            break
        before = piece.split("\n")
        line += len(before) - 1
        column = len(before[-1]) + (column if len(before) == 1 else 1)
    return line, column


def _first_refused(pieces: Iterator[str]) -> int | None:
    """0-based number of the piece at which parsing fails; None where it fails only at the end."""
    events = ijson.sendable_list()
    parser = ijson.basic_parse_coro(events)
    for number, piece in enumerate(pieces):
        try:
            parser.send(piece.encode())
        except (ijson.JSONError, ValueError):
            return number
        del events[:]
    return None
