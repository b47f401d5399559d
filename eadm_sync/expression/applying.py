"""Filters and tests: arguments checked, and the code that applies them."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Callable

from jinja2 import nodes
from msgspec.structs import replace

from eadm_sync.expression.checking import Checker, Refused, close_match
from eadm_sync.expression.filters import FILTERS, TESTS, Filter
from eadm_sync.expression.scope import BOOL, DATE, LIST, NUMBER, TEXT
from eadm_sync.expression.typed import (
    NOT_CONSTANT,
    Read,
    Typed,
    call,
    combined,
    constant,
    is_not_none,
    method,
    truth,
    walrus,
    when_there,
)


def test(checker: Checker, node: nodes.Test) -> Typed:
    """A test: `value is name(arguments)`."""
    known = TESTS.get(node.name)
    if known is None:
        hint = close_match(node.name, TESTS) or f"there are {', '.join(TESTS)}"
        raise checker.refused(node, f"unknown test '{node.name}'", hint, len(f"is {node.name}"))
    value = checker.check(node.node)
    arguments = _texts(checker, node, *known.arguments)
    if known.takes and value.type is not known.takes:
        raise checker.refused(node, f"'is {node.name}' takes {known.takes.name}, this is {value.type.name}")
    if node.name == "under":
        return _under(checker, node, value, arguments)
    if node.name == "defined":
        return _defined(checker, value)
    code = when_there(value, checker.namespace, method(node.name, constant(arguments)))
    return combined(truth(code) if value.nullable else code, BOOL, value)


def _defined(checker: Checker, value: Typed) -> Typed:
    if value.type.unit:
        value = _unit_code(checker, value)
    whole = value.type in {NUMBER, BOOL, DATE}
    return combined(is_not_none(value.code) if whole else truth(value.code), BOOL, value)


def _unit_code(checker: Checker, unit: Typed) -> Typed:
    code = unit.type.fields["code"].access(unit.code, checker.namespace.bind)
    path = f"{unit.path}.code"
    return Typed(code, TEXT, nullable=True, reads={path: Read(code, sensitive=False)}, path=path, size=unit.size + 1)


def _under(checker: Checker, node: nodes.Test, value: Typed, codes: tuple[str, ...]) -> Typed:
    if not value.type.unit:
        raise checker.refused(
            node, f"'is under' takes a unit, this is {value.type.name}", "write 'affiliation.unit is under(…)'"
        )
    path = value.type.fields["codes"].access(value.code, checker.namespace.bind)
    found: list[ast.expr] = [ast.Compare(ast.Constant(code), [ast.In()], [path]) for code in codes]
    test = found[0] if len(found) == 1 else ast.BoolOp(ast.Or(), found)
    typed = combined(test, BOOL, _unit_code(checker, value))
    return replace(typed, size=typed.size + len(codes))


def _texts(checker: Checker, node: nodes.Test, fewest: int, most: int) -> tuple[str, ...]:
    """Arguments of a test: constant texts, or one list of them."""
    if node.kwargs or node.dyn_args or node.dyn_kwargs:
        raise checker.refused(node, f"'is {node.name}' takes plain texts only")
    checked = [checker.check(argument) for argument in node.args]
    values: list[str] = []
    for argument, typed in zip(node.args, checked, strict=True):
        if isinstance(typed.constant, tuple):
            values.extend(typed.constant)
        elif isinstance(typed.constant, str):
            values.append(typed.constant)
        else:
            raise checker.refused(argument, f"'is {node.name}' takes constant texts", "put quotation marks round it")
    if not fewest <= len(values) <= most or "" in values:
        raise checker.refused(
            node, f"'is {node.name}' takes {fewest} to {most} texts that are not empty" if most else "no arguments"
        )
    return tuple(values)


def filter_(checker: Checker, node: nodes.Filter) -> Typed:
    """`value | filter(arguments)`."""
    if node.node is None or node.dyn_args or node.dyn_kwargs or node.kwargs:
        raise checker.refused(node, f"'{node.name}' takes plain arguments only")
    if node.name == "default":
        return _default(checker, node, checker.check(node.node))
    known = FILTERS.get(node.name)
    if known is None:
        with contextlib.suppress(Refused):
            checker.check(node.node)  # what it stands behind can be wrong as well
        words = {**FILTERS, "default": None}
        hint = close_match(node.name, words) or f"there are {', '.join(sorted(words))}"
        raise checker.refused(node, f"unknown filter '{node.name}'", hint, len(node.name))
    value = checker.check(node.node)
    if value.type is not known.takes:
        raise checker.refused(
            node,
            f"'{node.name}' takes {known.takes.name}, this is {value.type.name}",
            f"as in {known.example[0]}",
            len(node.name),
        )
    arguments = _arguments(checker, node, known)
    applied = _apply(checker, node.name, known, arguments)
    typed = combined(when_there(value, checker.namespace, applied, known.gives), known.gives, value)
    return replace(typed, nullable=value.nullable or known.nullable)


def _apply(checker: Checker, name: str, known: Filter, arguments: list[ast.expr]) -> Callable[[ast.expr], ast.expr]:
    if known.method:
        return method(known.method)
    function = known.function(checker.scope.fold) if known.folding else known.function
    return call(checker.namespace.bind(name, function), *arguments)


def _arguments(checker: Checker, node: nodes.Filter, known: Filter) -> list[ast.expr]:
    example = f"as in {known.example[0]}"
    if len(node.args) > len(known.parameters):
        most = len(known.parameters)
        takes = f"takes {most} argument{'s' if most > 1 else ''}, not {len(node.args)}" if most else "takes no argument"
        raise checker.refused(node, f"'{node.name}' {takes}", example, len(node.name))
    codes: list[ast.expr] = []
    for position, parameter in enumerate(known.parameters):
        if position >= len(node.args):
            if parameter.default is None:
                raise checker.refused(
                    node, f"'{node.name}' needs its argument '{parameter.name}'", example, len(node.name)
                )
            codes.append(ast.Constant(parameter.default))
            continue
        argument = checker.check(node.args[position])
        wrong = "must be a constant" if argument.constant is NOT_CONSTANT else parameter.check(argument.constant)
        if argument.type is not parameter.type:
            wrong = f"must be {parameter.type.name}"
        if wrong:
            raise checker.refused(node.args[position], f"'{parameter.name}' of '{node.name}' {wrong}", example)
        codes.append(argument.code)
    return codes


def _default(checker: Checker, node: nodes.Filter, value: Typed) -> Typed:
    if len(node.args) != 1:
        raise checker.refused(node, "'default' takes one argument", "write default('text')", len(node.name))
    other = checker.check(node.args[0])
    if other.type is not value.type or value.type.fields:
        raise checker.refused(node.args[0], f"'default' of {value.type.name} must be {value.type.name} too")
    if value.type in {TEXT, LIST}:
        code: ast.expr = ast.BoolOp(ast.Or(), [value.code, other.code])
    else:
        temporary = checker.namespace.temporary()
        code = ast.IfExp(is_not_none(walrus(temporary, value.code)), ast.Name(temporary, ast.Load()), other.code)
    return replace(combined(code, value.type, value, other), nullable=other.nullable)
