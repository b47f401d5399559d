"""What an expression can name: variables, their types, and how Python reads each field."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

Bind = Callable[[str, object], ast.expr]
"""Puts an object into the compiled code's namespace under a readable stem, and returns the name to read it by."""

Access = Callable[[ast.expr, Bind], ast.expr]
"""Python code that reads a field, from the code of what it is a field of."""


@dataclass(frozen=True, slots=True, eq=False)
class Type:
    """A type of the language. Types are compared by identity.

    Attributes:
        name: As an administrator reads it in a message ("text").
        fields: What can be read from a value of it; empty for plain values.
        row: For tables: the type of one row, got by `table['key']`.
        unit: Whether it is a node of the organisation tree, so that `is under(…)` applies.
    """

    name: str
    fields: dict[str, Field] = field(default_factory=dict)
    row: Type | None = None
    unit: bool = False


TEXT = Type("text")
NUMBER = Type("a number")
BOOL = Type("true or false")
DATE = Type("a date")
LIST = Type("a list")


class Field(msgspec.Struct, frozen=True):
    """One field of a type.

    Attributes:
        type: Type of its values.
        access: How Python reads it.
        nullable: Whether it can be missing.
        sensitive: Whether what is made of it must be hidden and encrypted.
        doc: One sentence for the reference.
        values: The texts it can hold, so that comparing it with another is a slip; None for any.
    """

    type: Type
    access: Access
    nullable: bool = True
    sensitive: bool = False
    doc: str = ""
    values: frozenset[str] | None = None


class Variable(msgspec.Struct, frozen=True):
    """A name that expressions can use.

    Attributes:
        type: Type of its value.
        access: How Python reads it (the first argument is unused).
        nullable: Whether it can be missing.
        path: How the field is called in traces, or None for the variable's own name.
    """

    type: Type
    access: Access
    nullable: bool = False
    path: str | None = None


class NamedCondition(Protocol):
    """A condition that other expressions can name: `programs.Condition`."""

    @property
    def typed(self) -> Any:
        """Its checked form, a `typed.Typed`."""
        ...

    @property
    def scope(self) -> Scope:
        """What it was compiled in; its parameters begin those of every scope that names it."""
        ...

    def trace(self, *values: object) -> tuple[Any, ...]:
        """Its clauses as these values make them, each a `programs.Clause`."""
        ...


class Scope(msgspec.Struct, frozen=True):
    """What one expression can name.

    Attributes:
        parameters: Names of the compiled function's parameters, in order.
        variables: By name.
        conditions: Named conditions, read as true or false.
        fold: Characters that the `ascii` and `slug` filters replace before anything else, over the built-in table.
    """

    parameters: tuple[str, ...]
    variables: Mapping[str, Variable]
    conditions: Mapping[str, NamedCondition] = {}
    fold: Mapping[str, str] = {}


def name(identifier: str) -> ast.expr:
    """Code that reads a Python variable."""
    return ast.Name(identifier, ast.Load())


def attribute(attr: str) -> Access:
    """Reads a Python attribute of that name."""
    return lambda base, _bind: ast.Attribute(base, attr, ast.Load())


def index(position: int) -> Access:
    """Reads a tuple's value at that position."""
    return lambda base, _bind: ast.Subscript(base, ast.Constant(position), ast.Load())


def key(word: str) -> Access:
    """Reads a dict's value, None where it has none."""
    return lambda base, _bind: ast.Call(ast.Attribute(base, "get", ast.Load()), [ast.Constant(word)], [])


def parameter(identifier: str) -> Access:
    """Reads a parameter of the compiled function, whatever it is a field of."""
    return lambda _base, _bind: name(identifier)


def computed(stem: str, function: Callable[[object], object]) -> Access:
    """Reads a field by calling a function with what it is a field of."""
    return lambda base, bind: ast.Call(bind(stem, function), [base], [])


def row_type(columns: Sequence[str], *, nullable: bool, type_name: str = "a row") -> Type:
    """A row of text columns, held as a tuple in that order; of equal column names the first counts."""
    fields: dict[str, Field] = {}
    for position, column in enumerate(columns):
        fields.setdefault(column, Field(TEXT, index(position), nullable=nullable))
    return Type(type_name, fields)


def record_scope(columns: Sequence[str], fold: Mapping[str, str] | None = None) -> Scope:
    """The scope of a source's mapping: one variable `row`, whose fields are the table's columns.

    Expressions compiled in it take one argument, the tuple of a record's values in the order of `columns`. Every
    value is text; an empty one is not defined, but compares as the empty text.
    """
    row = row_type(columns, nullable=False)
    return Scope(("row",), {"row": Variable(row, parameter("row"))}, fold=fold or {})
