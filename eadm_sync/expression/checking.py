"""The checker: walks syntax nodes by the grammar's allow-list, and collects what is wrong with them."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from math import isfinite

import msgspec
from jinja2 import nodes
from msgspec.structs import replace

from eadm_sync.errors import Problem
from eadm_sync.expression.origin import Origin
from eadm_sync.expression.scope import BOOL, DATE, LIST, NUMBER, TEXT, Scope
from eadm_sync.expression.typed import Namespace, Typed, call, method, or_text, truth, when_there

MAX_DEPTH = 40
"""Deepest nesting; Python's own compiler gives up at some hundred levels."""

MAX_SIZE = 2000
"""Most code nodes of one expression with the conditions it names, so that conditions cannot double up without end."""


class Grammar(msgspec.Struct, frozen=True):
    """Which nodes there are.

    Attributes:
        allowed: Node type -> what checks it: (checker, node) -> Typed.
        refused: Node type -> message and hint, for those worth more than "not part of the language".
    """

    allowed: Mapping[type[nodes.Node], Callable[..., Typed]]
    refused: Mapping[type[nodes.Node], tuple[str, str | None]]


class Refused(Exception):
    """A node is wrong; its problem has been written down."""


class Checker:
    """Checks and compiles the nodes of one text. Problems are collected; one faulty part hides no other."""

    def __init__(self, scope: Scope, origin: Origin, namespace: Namespace, grammar: Grammar) -> None:
        self.scope = scope
        self.origin = origin
        self.namespace = namespace
        self._grammar = grammar
        self.problems: list[Problem] = []
        self._depth = 0

    def check(self, node: nodes.Expr) -> Typed:
        """The typed form of a node.

        Raises:
            Refused: It is wrong; the problem is in `problems`.
        """
        rule = self._grammar.allowed.get(type(node))
        if rule is None:
            unknown = f"'{type(node).__name__.lower()}' is not part of the language"
            raise self.refused(node, *self._grammar.refused.get(type(node), (unknown, None)))
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self.refused(node, "nested too deeply", "name a part of it under 'conditions'")
        try:
            typed = rule(self, node)
        finally:
            self._depth -= 1
        if typed.size > MAX_SIZE:
            raise self.refused(node, "too large, with the conditions it names")
        return typed

    def each(self, *checks: tuple[Callable[[nodes.Expr], Typed], nodes.Expr]) -> list[Typed]:
        """Several parts of one node; what is wrong with one hides nothing of the others.

        Raises:
            Refused: One of them is wrong.
        """
        found: list[Typed] = []
        for check, node in checks:
            with contextlib.suppress(Refused):
                found.append(check(node))
        if len(found) < len(checks):
            raise Refused
        return found

    def condition(self, node: nodes.Expr) -> Typed:
        """As `check`, for what must be true or false."""
        typed = self.check(node)
        if typed.type is not BOOL:
            hint = "add 'is defined'" if typed.path else None
            raise self.refused(node, f"this is {typed.type.name}, not true or false", hint)
        return replace(typed, code=truth(typed.code), nullable=False) if typed.nullable else typed

    def text(self, node: nodes.Expr) -> Typed:
        """As `check`, turned to text that is never missing, as a template shows it."""
        typed = self.check(node)
        if typed.type is TEXT:
            return replace(typed, code=or_text(typed.code, "") if typed.nullable else typed.code, nullable=False)
        if typed.type is LIST:
            raise self.refused(node, "a list cannot be shown as text", "add '| join(', ')'")
        if typed.type not in {NUMBER, DATE, BOOL}:
            near = ", ".join(list(typed.type.fields)[:4])
            hint = f"it has the fields {near}, …" if near else None
            raise self.refused(node, f"{typed.path or 'this'} is {typed.type.name}, not text", hint)
        shower = {NUMBER: call(self.namespace.bind("number_text", _number_text)), DATE: method("isoformat")}.get(
            typed.type
        )
        if shower is None:
            shower = _yes_no
        code = when_there(typed, self.namespace, shower)
        return replace(
            typed, code=or_text(code, "") if typed.nullable else code, type=TEXT, nullable=False, size=typed.size + 1
        )

    def refused(
        self, node: nodes.Node, message: str, hint: str | None = None, width: int = 1, *, skip: int = 0
    ) -> Refused:
        """Writes a problem down, `skip` characters behind where the node stands, and gives the exception to raise."""
        self.problems.append(self.origin.problem(node.lineno + skip, message, hint, width))
        return Refused()


def close_match(word: str, words: Mapping[str, object], prefix: str = "") -> str | None:
    """A hint at the nearest of the words there are, or None when none is near."""
    near = get_close_matches(word, list(words), n=1)
    return f"did you mean '{prefix}{near[0]}'?" if near else None


def _number_text(value: float) -> str:
    """A number as people write it: 80, not 80.0."""
    return str(int(value)) if isfinite(value) and value == int(value) else str(value)


def _yes_no(code: ast.expr) -> ast.expr:
    return ast.IfExp(code, ast.Constant("true"), ast.Constant("false"))
