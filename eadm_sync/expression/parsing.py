"""Text to Jinja2 syntax nodes, with every node's `lineno` holding its character offset in the text.

Jinja2's lexer hands out raw tokens whose lengths add up to the text, and its parser copies a token's `lineno` into
the nodes; so feeding offsets in place of line numbers gives exact positions without a parser of our own. Whitespace
control, statements and comments are refused because a value has no use for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import msgspec
from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.lexer import TokenStream
from jinja2.parser import Parser

from eadm_sync.errors import ConfigError
from eadm_sync.expression.origin import Origin

MAX_LENGTH = 4000
"""Longest text of one expression or template, in characters: some forty lines."""

MAX_TOKENS = 1000
"""Most tokens in one text, blanks included; bounds the parser's and the compiler's work."""

_MEMO_SIZE = 4096
"""Texts whose syntax is remembered: rules repeat each other, and a daemon reads the same files again."""

_NOWHERE = Origin("")

_RawToken = tuple[int, str, str]

_LEXER = Environment(keep_trailing_newline=True, autoescape=True).lexer  # never renders: only its lexer is used
_PARSER_HOME = Environment(autoescape=True)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_BAD_ESCAPE = re.compile(r"\\(?![\\'\"nt])")
_OPERATORS = re.compile(r"[=<>|]+|\}")
_EXPRESSION_TOKENS = frozenset({"whitespace", "name", "integer", "float", "string", "operator"})
_CHARACTER_HINTS = {
    "&": "write 'and'",
    "!": "write 'not'",
    "}": "an expression ends with '}}'",
    **dict.fromkeys("“”„«»‘’´`", "quotation marks are straight here: ' or \""),
}
"""What is meant by a character that is no part of the language."""

_OTHERS_WORDS = {
    "===": "write '=='",
    "=": "did you mean '=='?",
    "<>": "write '!='",
    "||": "write 'or'",
    "}": "an expression stands between two braces: {{ … }}",
}
"""What is meant by tokens of other languages that the parser stops at."""

_REFUSED_TOKENS = {
    "block_begin": "statements are not part of the language",
    "comment_begin": "comments are YAML's own: put a # behind the value",
    "raw_begin": "statements are not part of the language",
}


class Data(msgspec.Struct, frozen=True):
    """Constant text of a template, and its offset in it."""

    text: str
    offset: int = 0


class Braced(msgspec.Struct, frozen=True):
    """The expression between one pair of braces."""

    node: nodes.Expr


def parse_expression(text: str, origin: Origin) -> nodes.Expr:
    """Reads one expression, to its end.

    Raises:
        ConfigError: It is not one; a token is left over; it is too long.
    """
    try:
        return _expression(text)
    except ConfigError:
        return _parse(list(_tokens(text, "variable", origin)), len(text), origin)  # again, for the problem's place


@lru_cache(maxsize=_MEMO_SIZE)
def _expression(text: str) -> nodes.Expr:
    return _parse(list(_tokens(text, "variable", _NOWHERE)), len(text), _NOWHERE)


def parse_template(text: str, origin: Origin) -> tuple[Data | Braced, ...]:
    """Reads text with expressions in double braces.

    Raises:
        ConfigError: An expression in it is not one, or a brace is never closed.
    """
    if "{" not in text:
        return (Data(text),)
    try:
        return _template(text)
    except ConfigError:
        return _parts(text, origin)  # again, for the problem's place


@lru_cache(maxsize=_MEMO_SIZE)
def _template(text: str) -> tuple[Data | Braced, ...]:
    return _parts(text, _NOWHERE)


def _parts(text: str, origin: Origin) -> tuple[Data | Braced, ...]:
    parts: list[Data | Braced] = []
    braced: list[_RawToken] | None = None
    opened = 0
    for token in _tokens(text, None, origin):
        offset, kind, value = token
        if kind == "variable_begin":
            braced, opened = [], offset
        elif kind == "variable_end" and braced is not None:
            parts.append(Braced(_parse(braced, offset, origin)))
            braced = None
        elif braced is not None:
            braced.append(token)
        else:
            parts.append(Data(value, offset))
    if braced is not None:
        raise ConfigError((origin.problem(opened, "'{{' is never closed", "close it with '}}'", 2),))
    return tuple(parts)


def names_of(text: str) -> frozenset[str]:
    """Every name that an expression reads; none where it is no expression."""
    try:
        node = parse_expression(text, Origin(""))
    except ConfigError:
        return frozenset()
    names = {part.name for part in node.find_all(nodes.Name)}
    return frozenset(names | {node.name} if isinstance(node, nodes.Name) else names)


def constants_of(text: str) -> frozenset[str] | None:
    """Every text that a template can give, where it only chooses between constants; None where more goes into it.

    A choice without `else` may give nothing besides. None as well where it is no template.
    """
    try:
        parts = [part for part in parse_template(text, Origin("")) if isinstance(part, Braced) or part.text.strip()]
    except ConfigError:
        return None
    match parts:
        case [Data(text=constant)]:
            return frozenset({constant.strip()})
        case [Braced(node=node)]:
            return _chosen(node)
        case _:
            return None


def _chosen(node: nodes.Expr | None) -> frozenset[str] | None:
    """The constants that nested choices choose between."""
    match node:
        case None:
            return frozenset()
        case nodes.Const(value=str(constant)):
            return frozenset({constant.strip()})
        case nodes.CondExpr(expr1=one, expr2=other):
            chosen, otherwise = _chosen(one), _chosen(other)
            return None if chosen is None or otherwise is None else chosen | otherwise
        case _:
            return None


def token_starts(text: str, words: frozenset[str]) -> list[int]:
    """Offsets of the name tokens that are one of the words, in an expression that parses."""
    return [
        offset for offset, kind, value in _tokens(text, "variable", Origin("")) if kind == "name" and value in words
    ]


def _tokens(text: str, state: str | None, origin: Origin) -> Iterator[_RawToken]:
    """Raw tokens as (offset, type, text), refusing whatever has no place in a value."""
    _refuse_text(text, origin)
    offset = count = 0
    try:
        for _line, kind, value in _LEXER.tokeniter(text, None, None, state):
            count += 1
            if count > MAX_TOKENS:
                raise ConfigError(
                    (origin.problem(offset, "the expression is too long", "name a part of it under 'conditions'"),)
                )
            _refuse_token(offset, kind, value, state, origin)
            yield offset, kind, value
            offset += len(value)
    except TemplateSyntaxError as error:
        hint = _CHARACTER_HINTS.get(text[offset : offset + 1])
        raise ConfigError((origin.problem(offset, _plain(error), hint),)) from error


def _refuse_text(text: str, origin: Origin) -> None:
    if len(text) > MAX_LENGTH:
        raise ConfigError((origin.problem(0, f"longer than {MAX_LENGTH} characters"),))
    if control := _CONTROL.search(text):
        raise ConfigError((origin.problem(control.start(), "control character"),))


def _refuse_token(offset: int, kind: str, value: str, state: str | None, origin: Origin) -> None:
    if kind in _REFUSED_TOKENS:
        raise ConfigError((origin.problem(offset, f"'{value.strip()}': {_REFUSED_TOKENS[kind]}", width=2),))
    if kind in {"variable_begin", "variable_end"} and value.strip() not in {"{{", "}}"}:
        hint = "text around an expression is kept as it stands"
        raise ConfigError((origin.problem(offset, f"'{value.strip()}' is not part of the language", hint, 3),))
    if state and kind not in _EXPRESSION_TOKENS:
        message = f"unexpected '{value.strip()[:20]}'"
        raise ConfigError((origin.problem(offset, message, "a condition stands without braces"),))
    if kind == "string" and (escape := _BAD_ESCAPE.search(value)):
        hint = r"there are \\ \' \" \n \t"
        raise ConfigError((origin.problem(offset + escape.start(), "unknown escape in text", hint, 2),))


def _parse(tokens: list[_RawToken], end: int, origin: Origin) -> nodes.Expr:
    """Parses one expression out of its raw tokens; `end` is the offset behind them."""
    parser = Parser(_PARSER_HOME, "", None, None)
    try:
        parser.stream = TokenStream(_LEXER.wrap(iter(tokens)), None, None)
        node = parser.parse_expression()
    except TemplateSyntaxError as error:
        offset = end if parser.stream.eos else error.lineno
        if "end of template" in str(error.message):
            raise ConfigError((origin.problem(end, "the expression ends too early"),)) from error
        raise ConfigError((origin.problem(offset, _plain(error), _hint_at(tokens, offset)),)) from error
    except (RecursionError, ValueError) as error:
        raise ConfigError(
            (origin.problem(0, "the expression is nested too deeply or holds too long a number"),)
        ) from error
    if not parser.stream.eos:
        left = parser.stream.current
        value = next((text for offset, _, text in tokens if offset == left.lineno), str(left.value))
        hint = _hint_at(tokens, left.lineno)
        raise ConfigError((origin.problem(left.lineno, f"unexpected '{value}'", hint, len(value)),))
    return node


def _hint_at(tokens: list[_RawToken], offset: int) -> str | None:
    """What is meant by the operators, not those of this language, that stand at an offset."""
    text = "".join(value for _, _, value in tokens)
    place = offset - (tokens[0][0] if tokens else 0)
    runs = (found for found in _OPERATORS.finditer(text) if found.start() <= place < found.end())
    return next((_OTHERS_WORDS.get(found[0]) for found in runs), None)


def _plain(error: TemplateSyntaxError) -> str:
    """Jinja2's message without the position it does not know: offsets stand where it expects line numbers."""
    message = re.sub(r" at \d+$", "", str(error.message or "not an expression"))
    return message[:1].lower() + message[1:].removesuffix(".")
