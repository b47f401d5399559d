"""And, or, not, if, and comparisons, in which a missing value is false."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from datetime import date

from jinja2 import nodes
from msgspec.structs import replace

from eadm_sync.expression.checking import Checker, close_match
from eadm_sync.expression.scope import BOOL, DATE, LIST, NUMBER, TEXT
from eadm_sync.expression.typed import Typed, combined, constant, is_not_none, walrus

_OPERATORS: Mapping[str, ast.cmpop] = {
    "eq": ast.Eq(),
    "ne": ast.NotEq(),
    "lt": ast.Lt(),
    "lteq": ast.LtE(),
    "gt": ast.Gt(),
    "gteq": ast.GtE(),
}


def and_or(checker: Checker, node: nodes.And | nodes.Or) -> Typed:
    """A chain of `and`, or of `or`."""
    operands = checker.each(*((checker.condition, operand) for operand in _flatten(node, type(node))))
    operator = ast.And() if isinstance(node, nodes.And) else ast.Or()
    return combined(ast.BoolOp(operator, [operand.code for operand in operands]), BOOL, *operands)


def not_(checker: Checker, node: nodes.Not) -> Typed:
    """`not …`, and the not of `is not`."""
    inner = checker.condition(node.node)
    return combined(ast.UnaryOp(ast.Not(), inner.code), BOOL, inner)


def if_(checker: Checker, node: nodes.CondExpr) -> Typed:
    """`a if condition else b`; missing where there is no else."""
    parts = [(checker.condition, node.test), (checker.check, node.expr1)]
    test, then, *rest = checker.each(*parts, *([(checker.check, node.expr2)] if node.expr2 else []))
    other = rest[0] if rest else replace(then, code=ast.Constant(None), nullable=True, reads={})
    if then.type is not other.type:
        raise checker.refused(node, f"both sides must be of one type: {then.type.name} or {other.type.name}")
    typed = combined(ast.IfExp(test.code, then.code, other.code), then.type, test, then, other)
    return replace(typed, nullable=then.nullable or other.nullable)


def compare(checker: Checker, node: nodes.Compare) -> Typed:
    """One comparison, or `in` and `not in`."""
    if len(node.ops) != 1:
        raise checker.refused(node, "one comparison at a time", "write 'a < b and b < c'")
    operand = node.ops[0]
    left, right = checker.each((checker.check, node.expr), (checker.check, operand.expr))
    if operand.op in {"in", "notin"}:
        return _contained(checker, node, operand.op, left, right)
    left, right = _as_date(checker, node.expr, left, right), _as_date(checker, operand.expr, right, left)
    if left.type is not right.type:
        hint = "add '| number'" if {left.type, right.type} == {TEXT, NUMBER} else None
        raise checker.refused(node, f"{left.type.name} cannot be compared with {right.type.name}", hint)
    if left.type.fields or left.type.row or left.type is LIST:
        raise checker.refused(node, f"{left.type.name} cannot be compared", "compare one of its fields")
    if operand.op not in {"eq", "ne"} and left.type not in {NUMBER, DATE}:
        raise checker.refused(node, f"{left.type.name} has no order", "add '| number'" if left.type is TEXT else None)
    for value, constants in ((left, right), (right, left)):
        _refuse_impossible(checker, node, value, constants)
    return _comparison(checker, _OPERATORS[operand.op], left, right)


def _as_date(checker: Checker, node: nodes.Expr, side: Typed, other: Typed) -> Typed:
    """A constant text beside a date is read as one."""
    if other.type is not DATE or not isinstance(side.constant, str):
        return side
    try:
        day = date.fromisoformat(side.constant)
    except ValueError:
        raise checker.refused(
            node, f"'{side.constant}' is not a date", "write 'YYYY-MM-DD'", len(side.constant) + 2
        ) from None
    return Typed(checker.namespace.bind("date", day), DATE, constant=day)


def _refuse_impossible(checker: Checker, node: nodes.Compare, value: Typed, constants: Typed) -> None:
    """A field of known values compared with another one is a slip of the pen, and would silently never hold."""
    texts = constants.constant if isinstance(constants.constant, tuple) else (constants.constant,)
    for text in texts:
        if value.values is not None and isinstance(text, str) and text not in value.values:
            hint = close_match(text, dict.fromkeys(value.values)) or f"there are {', '.join(sorted(value.values))}"
            raise checker.refused(node, f"{value.path} is never '{text}'", hint)


def _comparison(checker: Checker, operator: ast.cmpop, left: Typed, right: Typed) -> Typed:
    """A comparison that is false where a side is missing."""
    # None equals nothing that is there, so `==` needs a guard only where both sides can be missing.
    unguarded = isinstance(operator, ast.Eq) and not (left.nullable and right.nullable)
    guards: list[ast.expr] = []
    sides: list[ast.expr] = []
    for side in (left, right):
        if side.nullable and not unguarded:
            temporary = checker.namespace.temporary()
            guards.append(is_not_none(walrus(temporary, side.code)))
            sides.append(ast.Name(temporary, ast.Load()))
        else:
            sides.append(side.code)
    compared = ast.Compare(sides[0], [operator], [sides[1]])
    code = ast.BoolOp(ast.And(), [*guards, compared]) if guards else compared
    return combined(code, BOOL, left, right)


def _contained(checker: Checker, node: nodes.Compare, operator: str, left: Typed, right: Typed) -> Typed:
    if left.type is not TEXT or right.type not in {LIST, TEXT}:
        raise checker.refused(
            node, f"'in' looks for text in a list or in text, not for {left.type.name} in {right.type.name}"
        )
    if right.type is LIST:
        _refuse_impossible(checker, node, left, right)
    if isinstance(right.constant, tuple):
        right = replace(right, code=constant(frozenset(right.constant)))
    if right.constant in ("", ()):
        raise checker.refused(node, "nothing is in an empty list or text")
    return _comparison(checker, ast.In() if operator == "in" else ast.NotIn(), left, right)


def _flatten(node: nodes.Expr, kind: type[nodes.Expr]) -> Iterator[nodes.Expr]:
    """Operands of a chain of one operator, without recursing as deep as the chain is long."""
    stack = [node]
    while stack:
        current = stack.pop()
        if isinstance(current, kind) and isinstance(current, nodes.BinExpr):
            stack += [current.right, current.left]
        else:
            yield current
