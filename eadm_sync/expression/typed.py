"""What checking gives: typed Python code, the namespace it reaches, and the few shapes of code it is built from."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from itertools import count
from typing import Final, TypeVar

import msgspec

from eadm_sync.expression.scope import LIST, TEXT, Type

NOT_CONSTANT: Final = object()
"""Marks a value that is not known before the code runs."""


class Read(msgspec.Struct, frozen=True):
    """One field an expression reads: the code that gives its value, and whether the value must be hidden."""

    code: ast.expr
    sensitive: bool


class Typed(msgspec.Struct, frozen=True):
    """A checked expression.

    Attributes:
        code: Python code of its value.
        type: Type of its value.
        nullable: Whether the value can be missing (None). Structs never are: an empty one stands in.
        reads: Fields by path ("person.given_name").
        sensitive: Whether a sensitive field went into it.
        constant: Its value where it is known at load, else NOT_CONSTANT.
        path: What it is called where it is a plain field, else "".
        values: As `scope.Field.values`, while it is a plain field.
        size: Number of code nodes, named conditions included.
    """

    code: ast.expr
    type: Type
    nullable: bool = False
    reads: Mapping[str, Read] = {}
    sensitive: bool = False
    constant: object = NOT_CONSTANT
    path: str = ""
    values: frozenset[str] | None = None
    size: int = 1


class Namespace:
    """The objects that compiled code can reach, and fresh names for it.

    Expressions that end in one function share one.
    """

    def __init__(self) -> None:
        self.objects: dict[str, object] = {"__builtins__": {}}
        self._names: dict[tuple[str, int], str] = {}
        self._numbers = count()

    def bind(self, stem: str, value: object) -> ast.expr:
        """Puts an object in, once, and gives the code that reads it."""
        key = (stem, id(value))
        if key not in self._names:
            name = f"{stem}_{next(self._numbers)}"
            self._names[key] = name
            self.objects[name] = value
        return ast.Name(self._names[key], ast.Load())

    def temporary(self) -> str:
        """A variable name that nothing else uses."""
        return f"t{next(self._numbers)}"


def combined(code: ast.expr, gives: Type, *parts: Typed) -> Typed:
    """An expression made of others: it reads what they read and is as sensitive as the most sensitive of them."""
    reads = {path: read for part in parts for path, read in part.reads.items()}
    sensitive = any(part.sensitive for part in parts)
    return Typed(code, gives, reads=reads, sensitive=sensitive, size=sum(part.size for part in parts) + 1)


def constant(value: str | float | tuple[str | None, ...] | frozenset[str] | None) -> ast.expr:
    """Code of a constant; Python's compiler takes tuples and frozensets of them too."""
    return ast.Constant(value)  # type: ignore[arg-type]  # typeshed names the source language's constants only


def when_there(
    value: Typed, namespace: Namespace, make: Callable[[ast.expr], ast.expr], gives: Type | None = None
) -> ast.expr:
    """Code applied to a value that is there; a missing one stays missing.

    Where the code gives another type than it takes, `gives` says which: an empty text is no number, and missing then.
    """
    if not value.nullable:
        return make(value.code)
    temporary = namespace.temporary()
    there = walrus(temporary, value.code)
    made = make(ast.Name(temporary, ast.Load()))
    if value.type in {TEXT, LIST}:
        same = gives is None or gives is value.type
        return ast.BoolOp(ast.And(), [there, made]) if same else ast.IfExp(there, made, ast.Constant(None))
    return ast.IfExp(is_not_none(there), made, ast.Constant(None))


def call(reader: ast.expr, *arguments: ast.expr) -> Callable[[ast.expr], ast.expr]:
    """Maker of a call with a value and constant arguments."""
    return lambda base: ast.Call(reader, [base, *arguments], [])


def method(name: str, *arguments: ast.expr) -> Callable[[ast.expr], ast.expr]:
    """Maker of a call of one of a value's own methods."""
    return lambda base: ast.Call(ast.Attribute(base, name, ast.Load()), list(arguments), [])


def walrus(variable: str, code: ast.expr) -> ast.expr:
    """`(variable := code)`."""
    return ast.NamedExpr(ast.Name(variable, ast.Store()), code)


def is_not_none(code: ast.expr) -> ast.expr:
    """`code is not None`."""
    return ast.Compare(code, [ast.IsNot()], [ast.Constant(None)])


def truth(code: ast.expr) -> ast.expr:
    """`not not code`."""
    return ast.UnaryOp(ast.Not(), ast.UnaryOp(ast.Not(), code))


def or_text(code: ast.expr, other: str) -> ast.expr:
    """`code or other`."""
    return ast.BoolOp(ast.Or(), [code, ast.Constant(other)])


_Tree = TypeVar("_Tree", bound=ast.AST)


def located(tree: _Tree) -> _Tree:
    """The tree, each node with the line and column that Python's compiler wants.

    As `ast.fix_missing_locations`, in a fifth of the time: all nodes are ours and stand nowhere. What was located
    before, as part of another function, is not walked again.
    """
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        values = node.__dict__
        if "lineno" in values:
            continue
        for value in tuple(values.values()):
            if isinstance(value, ast.AST):
                waiting.append(value)
            elif isinstance(value, list):
                waiting += [part for part in value if isinstance(part, ast.AST)]
        values["lineno"], values["col_offset"] = 1, 0
    return tree
