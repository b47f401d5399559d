"""Checked expressions turned into functions: templates that render and conditions that test, and their trace."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec
from jinja2 import nodes
from msgspec.structs import replace

from eadm_sync.errors import ConfigError, Problem
from eadm_sync.expression.checking import Checker
from eadm_sync.expression.grammar import check_node
from eadm_sync.expression.origin import Origin
from eadm_sync.expression.parsing import Braced, Data, parse_expression, parse_template, token_starts
from eadm_sync.expression.scope import BOOL, LIST, TEXT, Scope
from eadm_sync.expression.typed import Namespace, Typed, combined, located

HIDDEN = "***"
"""Stands for a sensitive value in a trace."""

_SINGLE_BRACE = re.compile(r"(?<!\{)\{\s*([A-Za-z_]\w*)")
_SPLIT_WORDS = frozenset({"and", "or"})


class Template(msgspec.Struct, frozen=True):
    """Compiled text with expressions in it.

    Attributes:
        source: As it was written.
        constant: Its text where nothing in it varies, else None.
        fields: What it reads, as "person.given_name".
        sensitive: Whether what it renders must be hidden and encrypted.
        render: (*scope's parameters) -> text. Pure; never raises for values of the declared types.
    """

    source: str
    constant: str | None
    fields: frozenset[str]
    sensitive: bool
    render: Callable[..., str]


class Clause(msgspec.Struct, frozen=True):
    """One clause of a condition, as one evaluation saw it.

    Attributes:
        text: As it was written; for a named condition its name.
        truth: Whether it held.
        values: The fields it read with the values they had, sensitive ones hidden.
        clauses: The clauses of the condition it names.
    """

    text: str
    truth: bool
    values: tuple[tuple[str, object], ...]
    clauses: tuple[Clause, ...] = ()


@dataclass(frozen=True)
class Condition:
    """A compiled condition.

    Attributes:
        source: As it was written.
        constant: True or False where nothing in it varies, else None.
        fields: What it reads.
        sensitive: Whether it reads a sensitive field.
        typed: Its checked form, to be built into other code of the same namespace.
        scope: What it was compiled in.
        namespace: What its code can reach.
        parts: The conditions it is the `and` of, where it was written as a list.
    """

    source: str
    constant: bool | None
    fields: frozenset[str]
    sensitive: bool
    typed: Typed = field(repr=False)
    scope: Scope = field(repr=False)
    namespace: Namespace = field(repr=False)
    parts: tuple[Condition, ...] = field(default=(), repr=False)

    @cached_property
    def test(self) -> Callable[..., bool]:
        """(*scope's parameters) -> bool. Pure; never raises for values of the declared types.

        Compiled when first asked for: most conditions only ever run as a part of other code.
        """
        return to_function(self.typed.code, self.scope.parameters, self.namespace)

    def trace(self, *values: object) -> tuple[Clause, ...]:
        """What each clause says of these values, in the order of writing; every one is tried, none is skipped."""
        if self.parts or not self.source:
            return tuple(clause for part in self.parts for clause in part.trace(*values))
        return tuple(part(values) for part in self._tracers)

    @cached_property
    def _tracers(self) -> list[Callable[[tuple[object, ...]], Clause]]:
        """One a clause, compiled when a trace is first asked for."""
        return [self._tracer(text, node) for text, node in split_clauses(self.source)]

    def _tracer(self, text: str, node: nodes.Expr) -> Callable[[tuple[object, ...]], Clause]:
        named = self.scope.conditions.get(node.name) if isinstance(node, nodes.Name) else None
        typed = check_node(node, Checker.condition, self.scope, Origin(""), self.namespace)
        test = to_function(typed.code, self.scope.parameters, self.namespace)
        shown = [path for path, read in typed.reads.items() if not read.sensitive]
        values = ast.Tuple([typed.reads[path].code for path in shown], ast.Load())
        read = to_function(values, self.scope.parameters, self.namespace)
        hidden = tuple((path, HIDDEN) for path, seen in typed.reads.items() if seen.sensitive)

        def trace(arguments: tuple[object, ...]) -> Clause:
            seen = (*zip(shown, read(*arguments), strict=True), *hidden)
            within = named.trace(*arguments[: len(named.scope.parameters)]) if named else ()
            return Clause(text, test(*arguments), seen, within)

        return trace


def compile_template(text: str, scope: Scope, where: Origin, namespace: Namespace | None = None) -> Template:
    """Compiles text with expressions in double braces; text without any is a constant.

    Raises:
        ConfigError: With every problem found in the text.
    """
    namespace = namespace or Namespace()
    typed = check_template(text, scope, where, namespace)
    if typed.type is not TEXT:
        raise ConfigError((where.problem(0, "a list stands where one text is wanted", "add '| join(', ')'"),))
    constant = typed.constant if isinstance(typed.constant, str) else None
    render = to_function(typed.code, scope.parameters, namespace)
    return Template(text, constant, frozenset(typed.reads), typed.sensitive, render)


def compile_condition(text: str, scope: Scope, where: Origin, namespace: Namespace | None = None) -> Condition:
    """Compiles an expression that is true or false. Conditions that the scope names must share the namespace.

    Raises:
        ConfigError: With every problem found in the text.
    """
    namespace = namespace or Namespace()
    typed = check_condition(text, scope, where, namespace)
    constant = None if typed.reads else bool(to_function(typed.code, (), namespace)())
    return Condition(text, constant, frozenset(typed.reads), typed.sensitive, typed, scope, namespace)


def all_of(parts: Sequence[Condition], scope: Scope, namespace: Namespace) -> Condition:
    """The condition that holds while every part does; without parts it always holds."""
    if len(parts) == 1:
        return parts[0]
    code: ast.expr = ast.BoolOp(ast.And(), [part.typed.code for part in parts]) if parts else ast.Constant(value=True)
    typed = combined(code, BOOL, *(part.typed for part in parts))
    constants = {part.constant for part in parts}
    constant = False if False in constants else True if constants <= {True} else None
    source = " and ".join(f"({part.source})" for part in parts)
    fields = frozenset(typed.reads)
    return Condition(source, constant, fields, typed.sensitive, typed, scope, namespace, tuple(parts))


def check_condition(text: str, scope: Scope, where: Origin, namespace: Namespace) -> Typed:
    """The checked form of a condition, to be built into other code of the same namespace.

    Raises:
        ConfigError: With every problem found in the text.
    """
    if text.lstrip().startswith("{{"):
        raise ConfigError((where.problem(0, "a condition stands without braces", "leave out '{{' and '}}'", 2),))
    return check_node(parse_expression(text, where), Checker.condition, scope, where, namespace)


def check_template(text: str, scope: Scope, where: Origin, namespace: Namespace, *, typed: bool = False) -> Typed:
    """The checked form of a template: text, or a list where its whole text is one expression that gives a list.

    With `typed`, one expression that is the whole text keeps its type, and can be missing.

    Raises:
        ConfigError: With every problem found in the text.
    """
    parts = parse_template(text, where)
    _refuse_slips(parts, scope, where)
    if len(parts) == 1 and isinstance(only := parts[0], Braced):
        return check_node(only.node, Checker.check if typed else _text_or_list, scope, where, namespace)
    problems: list[Problem] = []
    pieces: list[ast.expr] = []
    checked: list[Typed] = []
    for part in parts:
        if isinstance(part, Data):
            pieces.append(ast.Constant(part.text))
            continue
        try:
            piece = check_node(part.node, Checker.text, scope, where, namespace)
        except ConfigError as error:
            problems += error.problems
        else:
            checked.append(piece)
            pieces.append(ast.FormattedValue(piece.code, -1))
    if problems:
        raise ConfigError(tuple(problems))
    return _joined(pieces, checked)


def _refuse_slips(parts: Sequence[Data | Braced], scope: Scope, where: Origin) -> None:
    """Constant text that was meant to be an expression would be given to everybody as it stands."""
    for part in parts:
        if not isinstance(part, Data):
            continue
        if "}}" in part.text:
            offset = part.offset + part.text.index("}}")
            hint = "open it with '{{'; for the braces themselves write {{ '}}' }}"
            raise ConfigError((where.problem(offset, "'}}' was never opened", hint, 2),))
        for found in _SINGLE_BRACE.finditer(part.text):
            if found[1] in scope.variables:
                message = f"'{found[0]}' is plain text: an expression stands between two braces"
                hint = f"write {{{{ {found[1]}… }}}}"
                raise ConfigError((where.problem(part.offset + found.start(), message, hint, len(found[0])),))
    if len(parts) == 1 and isinstance(only := parts[0], Data) and _reads(only.text.strip(), scope):
        hint = f"write {{{{ {only.text.strip()} }}}}, or {{{{ '{only.text.strip()}' }}}} for the text itself"
        raise ConfigError((where.problem(0, "this is plain text, the same for everybody", hint, len(only.text)),))


def _reads(text: str, scope: Scope) -> bool:
    """Whether a text would be a field or an identifier, were it an expression."""
    word, _, field_name = text.partition(".")
    variable = scope.variables.get(word)
    if variable is None:
        return False
    if not field_name:
        return variable.type is TEXT and text == word
    return field_name.partition(".")[0].partition(" ")[0] in variable.type.fields


def _joined(pieces: Sequence[ast.expr], checked: Sequence[Typed]) -> Typed:
    """The text made of constant and varying pieces."""
    if not checked:
        constant = "".join(str(piece.value) for piece in pieces if isinstance(piece, ast.Constant))
        return Typed(ast.Constant(constant), TEXT, constant=constant)
    reads = {path: read for typed in checked for path, read in typed.reads.items()}
    sensitive = any(typed.sensitive for typed in checked)
    size = sum(typed.size for typed in checked) + len(pieces)
    return Typed(ast.JoinedStr(list(pieces)), TEXT, reads=reads, sensitive=sensitive, size=size)


def _text_or_list(checker: Checker, node: nodes.Expr) -> Typed:
    typed = checker.check(node)
    if typed.type is not LIST:
        return checker.text(node)
    empty = ast.List([], ast.Load())
    code = ast.BoolOp(ast.Or(), [typed.code, empty]) if typed.nullable else typed.code
    return replace(typed, code=code, nullable=False)


def split_clauses(text: str) -> list[tuple[str, nodes.Expr]]:
    """The operands that a condition's outermost and/or put together, each with its text."""
    clauses = list(_leaves(parse_expression(text, Origin(""))))
    joints = token_starts(text, _SPLIT_WORDS)
    firsts = [first_offset(node) for node in clauses]
    texts: list[str] = []
    for position, first in enumerate(firsts):
        before = max((joint for joint in joints if joint < first), default=None)
        start = 0 if before is None else before + len("and" if text.startswith("and", before) else "or")
        end = len(text)
        if position + 1 < len(firsts):
            end = max(joint for joint in joints if joint < firsts[position + 1])
        texts.append(_balanced(" ".join(text[start:end].split())))
    return list(zip(texts, clauses, strict=True))


def _leaves(node: nodes.Expr) -> Iterator[nodes.Expr]:
    stack: list[nodes.Expr] = [node]
    while stack:
        current = stack.pop()
        if isinstance(current, nodes.And | nodes.Or):
            stack += [current.right, current.left]
        else:
            yield current


def first_offset(node: nodes.Node) -> int:
    """Where a node's text begins: the least offset in it, since a filter's node stands at the filter's name."""
    return min(part.lineno for part in [node, *node.find_all(nodes.Node)] if part.lineno is not None)


def _balanced(text: str) -> str:
    """A clause's text without the parentheses that belong to what it was cut out of."""
    while text.startswith("(") and text.count("(") > text.count(")"):
        text = text[1:].lstrip()
    while text.endswith(")") and text.count(")") > text.count("("):
        text = text[:-1].rstrip()
    return text


def to_function(code: ast.expr, parameters: Sequence[str], namespace: Namespace) -> Callable[..., Any]:
    """A function of the parameters that gives the code's value and reaches nothing but the namespace's objects."""
    arguments = ast.arguments([], [ast.arg(parameter) for parameter in parameters], None, [], [], None, [])
    tree = located(ast.Expression(ast.Lambda(arguments, code)))
    # The tree is built by us from an allow-list of nodes and its globals hold no builtins.
    made: Callable[..., Any] = eval(compile(tree, "<expression>", "eval"), namespace.objects)  # noqa: S307 - see above
    return made
