"""Query options: what Graph takes in $filter, $select, $expand, $top and $skiptoken of directory objects.

https://learn.microsoft.com/graph/query-parameters and https://learn.microsoft.com/graph/aad-advanced-queries
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import Refused

Test = Callable[[Mapping[str, Any]], bool]
MOST_PER_PAGE = 999
_TOKEN = re.compile(r"\s*('(?:[^']|'')*'|[A-Za-z_][\w/.@-]*|[0-9][\w:.+-]*|[(),:])")
_KNOWN = {
    "$select", "$expand", "$filter", "$top", "$skiptoken", "$deltatoken", "$count", "$orderby", "$search", "$format",
    "@id",
}  # fmt: skip


NOT_PLAYED = {"$search", "$orderby"}
"""Refused rather than passed over: an answer that is not what was asked for would look like one that is."""


@dataclass(frozen=True)
class Options:
    """The query options of one request.

    Attributes:
        select: Names asked for; empty for the default ones.
        expand: Navigation property to the names asked of what it leads to.
        test: The filter, or None.
        top: Objects in a page, or None.
        after: Where the page begins: what `next_token` was given, or None.
        count: Whether `@odata.count` is asked for.
        advanced: The query needs `ConsistencyLevel: eventual` and `$count=true`.
        equal: Property and value where the filter is one equality; for a look into an index.
    """

    select: tuple[str, ...] = ()
    expand: Mapping[str, tuple[str, ...]] = ()  # type: ignore[assignment]
    test: Test | None = None
    top: int | None = None
    after: Any = None
    count: bool = False
    advanced: bool = False
    equal: tuple[str, Any] | None = None


def parse(query: Mapping[str, str]) -> Options:
    """The options of a request.

    Raises:
        Refused: 400 for an option that does not exist, or cannot be understood; 501 for one that is not played.
    """
    if not query:
        return Options(expand={})
    given = {("$" + name if not name.startswith(("$", "@")) else name).lower(): query[name] for name in query}
    for name in given:
        if name not in _KNOWN:
            raise Refused(400, "BadRequest", f"Unrecognized query option '{name}'.")
    for name in given.keys() & NOT_PLAYED:
        raise Refused(501, "NotImplemented", f"The local service does not play '{name}'.")
    parser = Parser(given["$filter"]) if "$filter" in given else None
    return Options(
        select=_names(given.get("$select", "")),
        expand=_expansions(given.get("$expand", "")),
        test=parser.whole() if parser else None,
        top=_top(given.get("$top")),
        after=read_token(given["$skiptoken"]) if "$skiptoken" in given else None,
        count=given.get("$count", "").lower() == "true",
        advanced=parser is not None and parser.advanced,
        equal=parser.equal if parser else None,
    )


def next_token(value: Any) -> str:
    """An opaque token that holds a value."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def read_token(token: str) -> Any:
    """What a token holds.

    Raises:
        Refused: 400: it is none of ours.
    """
    try:
        return json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except ValueError:
        raise Refused(400, "Directory_ExpiredPageToken", "The specified page token value is invalid.") from None


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _top(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdigit() or not 1 <= int(text) <= MOST_PER_PAGE:
        raise Refused(400, "Request_BadRequest", f"Invalid page size specified: '{text}'. Must be between 1 and 999.")
    return int(text)


def _expansions(text: str) -> dict[str, tuple[str, ...]]:
    found = {}
    for name, inner in re.findall(r"(\w+)(?:\(([^)]*)\))?", text):
        found[name] = _names(inner.partition("$select=")[2].partition(";")[0])
    return found


class Parser:
    """Reads a $filter. `advanced` tells whether it needs the advanced query capabilities."""

    def __init__(self, text: str) -> None:
        self.tokens = self._split(text)
        self.at = 0
        self.advanced = False
        self.equal: tuple[str, Any] | None = None
        self.comparisons = 0

    def whole(self) -> Test:
        """The test that the whole text stands for.

        Raises:
            Refused: 400: the text is no filter.
        """
        test = self._either()
        if self.at != len(self.tokens):
            raise self._wrong()
        if self.comparisons != 1:
            self.equal = None
        return test

    def _split(self, text: str) -> list[str]:
        tokens, at = [], 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            if match is None:
                raise self._wrong()
            tokens.append(match[1])
            at = match.end()
        return tokens

    def _wrong(self) -> Refused:
        return Refused(400, "Request_UnsupportedQuery", "Unsupported or invalid query filter clause specified.")

    def _next(self, expected: str | None = None) -> str:
        if self.at >= len(self.tokens) or (expected is not None and self.tokens[self.at].lower() != expected):
            raise self._wrong()
        self.at += 1
        return self.tokens[self.at - 1]

    def _is_next(self, word: str) -> bool:
        return self.at < len(self.tokens) and self.tokens[self.at].lower() == word

    def _either(self) -> Test:
        tests = [self._both()]
        while self._is_next("or"):
            self._next()
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else lambda data: any(test(data) for test in tests)

    def _both(self) -> Test:
        tests = [self._one()]
        while self._is_next("and"):
            self._next()
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda data: all(test(data) for test in tests)

    def _one(self) -> Test:
        if self._is_next("("):
            self._next()
            test = self._either()
            self._next(")")
            return test
        if self._is_next("not"):
            self._next()
            self.advanced, self.comparisons = True, 2
            test = self._one()
            return lambda data: not test(data)
        word = self._next()
        if word.lower() in {"startswith", "endswith"}:
            return self._affix(word.lower())
        if word.lower().endswith("/any"):
            return self._any(word[: -len("/any")])
        return self._comparison(word)

    def _affix(self, word: str) -> Test:
        self._next("(")
        name = self._next()
        self._next(",")
        part = str(self._value()).lower()
        self._next(")")
        self.advanced |= word == "endswith"
        self.comparisons += 2
        return lambda data: getattr(str(_reach(data, name) or "").lower(), word)(part)

    def _any(self, name: str) -> Test:
        self._next("(")
        variable = self._next()
        self._next(":")
        test = self._either()
        self._next(")")
        self.comparisons += 2
        return lambda data: any(
            test({variable: one, **(one if isinstance(one, dict) else {})}) for one in data.get(name) or ()
        )

    def _comparison(self, name: str) -> Test:
        self.comparisons += 1
        operator = self._next().lower()
        if operator == "in":
            self._next("(")
            values = [self._value()]
            while self._is_next(","):
                self._next()
                values.append(self._value())
            self._next(")")
            self.comparisons += 1
            return lambda data: any(_same(_reach(data, name), value) for value in values)
        value = self._value()
        if operator == "eq":
            self.equal = (name, value)
            return lambda data: _same(_reach(data, name), value)
        if operator == "ne":
            self.advanced = True
            return lambda data: not _same(_reach(data, name), value)
        if operator in {"ge", "le"}:
            sign = 1 if operator == "ge" else -1
            return lambda data: _compare(_reach(data, name), value) in {0, sign}
        raise self._wrong()

    def _value(self) -> Any:
        token = self._next()
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        return {"true": True, "false": False, "null": None}.get(token.lower(), token)


def _reach(data: Mapping[str, Any], path: str) -> Any:
    """The value at a path such as "l/skuId"; a lambda's own variable stands for the element itself."""
    found: Any = data
    for name in path.split("/"):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return one.lower() == other.lower()
    return bool(one == other)


def _compare(one: Any, other: Any) -> int:
    return (str(one) > str(other)) - (str(one) < str(other)) if one is not None else -2
