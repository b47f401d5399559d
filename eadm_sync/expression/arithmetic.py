"""Texts put together, numbers and dates added and subtracted; nothing else can be computed."""

from __future__ import annotations

import ast
from collections.abc import Callable
from datetime import date, timedelta

from jinja2 import nodes
from msgspec.structs import replace

from eadm_sync.expression.checking import Checker
from eadm_sync.expression.scope import DATE, NUMBER, TEXT, Type
from eadm_sync.expression.typed import Typed, combined, is_not_none, walrus


def _shift(day: date, days: float) -> date | None:
    """A date some days later; missing where the calendar ends."""
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return None


def _days(later: date, earlier: date) -> int:
    return (later - earlier).days


def concat(checker: Checker, node: nodes.Concat) -> Typed:
    """`a ~ b`: both as text."""
    parts = checker.each(*((checker.text, part) for part in node.nodes))
    code = ast.JoinedStr([ast.FormattedValue(part.code, -1) for part in parts])
    return combined(code, TEXT, *parts)


def plus_minus(checker: Checker, node: nodes.Add | nodes.Sub) -> Typed:
    """Numbers added or subtracted, days added to a date, or the days between two dates."""
    left, right = checker.each((checker.check, node.left), (checker.check, node.right))
    minus = isinstance(node, nodes.Sub)
    if left.type is NUMBER and right.type is NUMBER:
        operator: ast.operator = ast.Sub() if minus else ast.Add()
        return _lifted(checker, NUMBER, left, right, lambda a, b: ast.BinOp(a, operator, b))
    if left.type is DATE and right.type is NUMBER:
        signed = (lambda b: ast.UnaryOp(ast.USub(), b)) if minus else (lambda b: b)
        shift = checker.namespace.bind("shift", _shift)
        typed = _lifted(checker, DATE, left, right, lambda a, b: ast.Call(shift, [a, signed(b)], []))
        return replace(typed, nullable=True)
    if minus and left.type is DATE and right.type is DATE:
        days = checker.namespace.bind("days", _days)
        return _lifted(checker, NUMBER, left, right, lambda a, b: ast.Call(days, [a, b], []))
    hint = "put texts together with '~'" if TEXT in {left.type, right.type} else None
    sign = "-" if minus else "+"
    raise checker.refused(node, f"'{sign}' does not take {left.type.name} and {right.type.name}", hint)


def negative(checker: Checker, node: nodes.Neg) -> Typed:
    """A number below nought."""
    inner = checker.check(node.node)
    if inner.type is not NUMBER or not isinstance(inner.constant, int | float):
        raise checker.refused(node, "'-' stands before a number only")
    return replace(inner, code=ast.Constant(-inner.constant), constant=-inner.constant)


def _lifted(
    checker: Checker, gives: Type, left: Typed, right: Typed, make: Callable[[ast.expr, ast.expr], ast.expr]
) -> Typed:
    """An operation that is missing where a side is."""
    guards: list[ast.expr] = []
    sides: list[ast.expr] = []
    for side in (left, right):
        temporary = checker.namespace.temporary()
        if side.nullable:
            guards.append(is_not_none(walrus(temporary, side.code)))
        sides.append(ast.Name(temporary, ast.Load()) if side.nullable else side.code)
    made = make(*sides)
    test = guards[0] if len(guards) == 1 else ast.BoolOp(ast.And(), guards) if guards else None
    code = ast.IfExp(test, made, ast.Constant(None)) if test else made
    return replace(combined(code, gives, left, right), nullable=bool(guards))
