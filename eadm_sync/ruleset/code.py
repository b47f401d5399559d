"""Checked expressions put together to the functions of one rule, and the attribute values they give."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from eadm_sync.expression import Namespace, Typed
from eadm_sync.expression.scope import BOOL, DATE, LIST, NUMBER, TEXT, name
from eadm_sync.expression.typed import call, located, method, when_there
from eadm_sync.ruleset.scopes import identifier_local


def build_function(
    stem: str, parameters: Sequence[str], result: ast.expr, identifiers: Iterable[str], namespace: Namespace
) -> Callable[..., Any]:
    """A function of the parameters that asks for the identifiers it uses, each once, and then gives the result."""
    body: list[ast.stmt] = [_ask(identifier) for identifier in identifiers]
    body.append(ast.Return(result))
    arguments = ast.arguments([], [ast.arg(parameter) for parameter in parameters], None, [], [], None, [])
    function = ast.FunctionDef(name=stem, args=arguments, body=body, decorator_list=[], returns=None, type_comment=None)
    tree = located(ast.Module([function], []))
    # As in expression.programs: built from an allow-list, with no builtins in reach.
    exec(compile(tree, f"<{stem}>", "exec"), namespace.objects)  # noqa: S102 - see above
    made: Callable[..., Any] = namespace.objects.pop(stem)  # type: ignore[assignment]
    return made


def _ask(identifier: str) -> ast.stmt:
    """`identifier_x = identify('x', person, affiliation)`."""
    asked = ast.Call(name("identify"), [ast.Constant(identifier), name("person"), name("affiliation")], [])
    return ast.Assign([ast.Name(identifier_local(identifier), ast.Store())], asked)


def names_in(code: ast.expr) -> frozenset[str]:
    """Variables that code reads."""
    return frozenset(node.id for node in ast.walk(code) if isinstance(node, ast.Name))


def mapping(values: Mapping[str, ast.expr]) -> ast.expr:
    """Code of a dict."""
    return ast.Dict([ast.Constant(word) for word in values], list(values.values()))


def wrong_constant(value: object, kind: str | None) -> str | None:
    """What is wrong with a constant as a value of an attribute of this type (None: any), or None."""
    wanted = {"str": str, "bool": bool, "int": int, "list": list}.get(kind or "")
    if wanted is None or type(value) is wanted:
        return None
    return f"must be {_NAMES[kind or '']}"


def wrong_type(typed: Typed, kind: str | None) -> str | None:
    """What is wrong with an expression as a value of an attribute of this type, or None."""
    if kind == "bool" and typed.type is not BOOL:
        return f"must be true or false, this is {typed.type.name}"
    if kind == "int" and typed.type is not NUMBER:
        return f"must be a whole number, this is {typed.type.name}"
    if kind == "str" and typed.type is LIST:
        return "must be text, this is a list"
    return None if typed.type in {TEXT, LIST, BOOL, NUMBER, DATE} else f"must be text, this is {typed.type.name}"


_NAMES = {"str": "text", "bool": "true or false", "int": "a whole number", "list": "a list"}


def value_code(typed: Typed, kind: str | None, namespace: Namespace) -> ast.expr:
    """Code of an attribute's value; text that renders to nothing is None, a list is a sorted set."""
    if typed.type is LIST:
        return call(namespace.bind("as_set", as_set))(typed.code)
    if typed.type is BOOL and (kind == "bool" or isinstance(typed.constant, bool)):
        return typed.code
    if kind is None and isinstance(typed.constant, int):
        return typed.code
    if kind == "int" and typed.type is NUMBER:
        return when_there(typed, namespace, call(namespace.bind("whole", int)))
    text = text_code(typed, namespace)
    return call(namespace.bind("as_single", as_single))(text) if kind == "list" else text


def text_code(typed: Typed, namespace: Namespace) -> ast.expr:
    """Code of a text without blanks at its ends, None where it is empty."""
    if isinstance(typed.constant, str):
        return ast.Constant(typed.constant or None)
    code = typed.code
    if typed.type in {NUMBER, DATE, BOOL}:
        code = when_there(typed, namespace, call(namespace.bind("as_text", as_text)))
    elif isinstance(code, ast.JoinedStr) and _can_have_blank_ends(code):
        code = method("strip")(code)
    return ast.BoolOp(ast.Or(), [code, ast.Constant(None)])


def whole_text_code(typed: Typed, namespace: Namespace) -> ast.expr:
    """As `text_code`; None also where one of several expressions in it gives nothing."""
    code = text_code(typed, namespace)
    if not isinstance(typed.code, ast.JoinedStr):
        return code
    parts = [part.value for part in typed.code.values if isinstance(part, ast.FormattedValue)]
    return ast.BoolOp(
        ast.And(), [*(ast.IfExp(part, ast.Constant(value=True), ast.Constant(None)) for part in parts), code]
    )


def texts_around(code: ast.expr, local: str) -> tuple[str, str] | None:
    """What stands before and behind a local variable in a text that is made of nothing else but constants, or None."""
    pieces = code.values if isinstance(code, ast.JoinedStr) else [code]
    texts = [[""]]
    for piece in pieces:
        inner = piece.value if isinstance(piece, ast.FormattedValue) else piece
        if isinstance(inner, ast.BoolOp) and isinstance(inner.op, ast.Or):  # a name that is there is not empty
            inner = inner.values[0]
        if isinstance(inner, ast.Name) and inner.id == local:
            texts.append([""])
        elif isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            texts[-1].append(inner.value)
        else:
            return None
    before, *behind = map("".join, texts)
    if len(behind) != 1 or before != before.lstrip() or behind[0] != behind[0].rstrip():  # blank ends are cut away
        return None
    return before, behind[0]


def _can_have_blank_ends(code: ast.JoinedStr) -> bool:
    """Whether constant blanks can come to stand at an end, where the values beside them are missing."""
    return any(isinstance(part, ast.Constant) and str(part.value) != str(part.value).strip() for part in code.values)


def as_set(values: list[str] | None) -> list[str] | None:
    """A list as the sorted set of its texts, None where there are none."""
    return sorted({value for value in values if value}) or None if values else None


def as_single(text: str | None) -> list[str] | None:
    """The list of one text."""
    return [text] if text else None


def as_text(value: object) -> str:
    """A number, date, or true or false, as templates show it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


def is_never_empty(code: ast.expr) -> bool:
    """Whether a value, as `value_code` makes it, surely is a text with something in it, whoever it is made for."""
    if isinstance(code, ast.BoolOp):
        code = code.values[0]
    if isinstance(code, ast.Call) and isinstance(code.func, ast.Attribute):  # without blanks at its ends
        code = code.func.value
    pieces = code.values if isinstance(code, ast.JoinedStr) else [code]
    return any(isinstance(piece, ast.Constant) and bool(str(piece.value or "").strip()) for piece in pieces)
