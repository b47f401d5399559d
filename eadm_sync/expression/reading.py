"""Names, fields, table look-ups and constants."""

from __future__ import annotations

import ast

from jinja2 import nodes

from eadm_sync.expression.checking import Checker, close_match
from eadm_sync.expression.scope import BOOL, LIST, NUMBER, TEXT, Field
from eadm_sync.expression.typed import Read, Typed, constant

MAX_NUMBER = 10**12
"""Largest number in a text."""


def name(checker: Checker, node: nodes.Name) -> Typed:
    """A variable, or a named condition."""
    if named := checker.scope.conditions.get(node.name):
        typed: Typed = named.typed
        return typed
    variable = checker.scope.variables.get(node.name)
    if variable is None:
        words = {**checker.scope.variables, **checker.scope.conditions}
        hint = close_match(node.name, words) or f"there are {', '.join(sorted(words))}"
        raise checker.refused(node, f"unknown name '{node.name}'", hint, len(node.name))
    code = variable.access(ast.Constant(None), checker.namespace.bind)
    plain = not (variable.type.fields or variable.type.row)
    reads = {node.name: Read(code, sensitive=False)} if plain else {}
    return Typed(code, variable.type, variable.nullable, reads, path=node.name)


def getattr_(checker: Checker, node: nodes.Getattr) -> Typed:
    """`base.field`."""
    return _field(checker, node, checker.check(node.node), node.attr)


def getitem(checker: Checker, node: nodes.Getitem) -> Typed:
    """`base['field']`, or `table[key]`: a key that is not in the table gives a row of missing values."""
    base = checker.check(node.node)
    if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str) and base.type.row is None:
        return _field(checker, node, base, node.arg.value)
    if base.type.row is None:
        raise checker.refused(node, f"{base.path or 'this'} is {base.type.name}: it takes no brackets")
    key = checker.check(node.arg)
    if key.type is not TEXT:
        raise checker.refused(node.arg, f"a table's key is text, this is {key.type.name}")
    empty = constant((None,) * len(base.type.row.fields))
    code = ast.Call(ast.Attribute(base.code, "get", ast.Load()), [key.code, empty], [])
    path = f"{base.path}[{key.path or '…'}]"
    return Typed(code, base.type.row, reads=key.reads, sensitive=key.sensitive, path=path, size=key.size + 3)


def _field(checker: Checker, node: nodes.Node, base: Typed, word: str) -> Typed:
    known: Field | None = base.type.fields.get(word)
    if known is None:
        if not base.type.fields:
            raise checker.refused(node, f"{base.path or 'this'} is {base.type.name}: it has no fields")
        hint = close_match(word, base.type.fields, f"{base.path}." if base.path else "")
        hint = hint or f"there are {', '.join(list(base.type.fields)[:20])}"
        raise checker.refused(node, f"unknown field '{base.path}.{word}'", hint, len(word), skip=1)
    code = known.access(base.code, checker.namespace.bind)
    path = f"{base.path}.{word}"
    sensitive = base.sensitive or known.sensitive
    plain = not (known.type.fields or known.type.row)
    reads = {**base.reads, **({path: Read(code, sensitive)} if plain else {})}
    return Typed(code, known.type, known.nullable, reads, sensitive, path=path, values=known.values, size=base.size + 1)


def const(checker: Checker, node: nodes.Const) -> Typed:
    """A text, number, true or false."""
    value = node.value
    if isinstance(value, bool):
        return Typed(ast.Constant(value), BOOL, constant=value)
    if isinstance(value, str):
        return Typed(ast.Constant(value), TEXT, constant=value)
    if isinstance(value, int | float):
        if abs(value) > MAX_NUMBER:
            raise checker.refused(node, "number too large")
        return Typed(ast.Constant(value), NUMBER, constant=value)
    raise checker.refused(node, "there is no 'none'", "write 'is defined' or 'is not defined'")


def list_(checker: Checker, node: nodes.List | nodes.Tuple) -> Typed:
    """A list of constant texts."""
    parts = [checker.check(item) for item in node.items]
    for item, part in zip(node.items, parts, strict=True):
        if not isinstance(part.constant, str):
            raise checker.refused(item, "a list holds constant texts only")
    values = [str(part.constant) for part in parts]
    code = ast.List([ast.Constant(value) for value in values], ast.Load())
    return Typed(code, LIST, constant=tuple(values), size=len(values) + 1)
