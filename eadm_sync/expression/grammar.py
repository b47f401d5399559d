"""The language's grammar: every syntax node that is let through, and what is said of the others."""

from __future__ import annotations

from collections.abc import Callable

from jinja2 import nodes

from eadm_sync.errors import ConfigError
from eadm_sync.expression import applying, arithmetic, logic, reading
from eadm_sync.expression.checking import Checker, Grammar, Refused
from eadm_sync.expression.origin import Origin
from eadm_sync.expression.scope import Scope
from eadm_sync.expression.typed import Namespace, Typed

GRAMMAR = Grammar(
    allowed={
        nodes.Name: reading.name,
        nodes.Getattr: reading.getattr_,
        nodes.Getitem: reading.getitem,
        nodes.Const: reading.const,
        nodes.List: reading.list_,
        nodes.Tuple: reading.list_,
        nodes.And: logic.and_or,
        nodes.Or: logic.and_or,
        nodes.Not: logic.not_,
        nodes.CondExpr: logic.if_,
        nodes.Compare: logic.compare,
        nodes.Test: applying.test,
        nodes.Filter: applying.filter_,
        nodes.Concat: arithmetic.concat,
        nodes.Add: arithmetic.plus_minus,
        nodes.Sub: arithmetic.plus_minus,
        nodes.Neg: arithmetic.negative,
    },
    refused={
        nodes.Call: ("nothing can be called", "filters stand behind a '|'"),
        nodes.Mul: ("'*' is not part of the language", None),
        nodes.Pow: ("'**' is not part of the language", None),
        nodes.Div: ("'/' is not part of the language", None),
        nodes.FloorDiv: ("'//' is not part of the language", None),
        nodes.Mod: ("'%' is not part of the language", None),
        nodes.Pos: ("'+' stands between two values only", None),
        nodes.Dict: ("'{…}' is not part of the language", None),
        nodes.Slice: ("'[…:…]' is not part of the language", "use first(n) or last(n)"),
        nodes.NSRef: ("namespaces are not part of the language", None),
    },
)


def check_node(
    node: nodes.Expr, entry: Callable[[Checker, nodes.Expr], Typed], scope: Scope, origin: Origin, namespace: Namespace
) -> Typed:
    """The typed form of one expression, entered as text, as a condition, or as whatever it is.

    Raises:
        ConfigError: It is wrong.
    """
    checker = Checker(scope, origin, namespace, GRAMMAR)
    try:
        return entry(checker, node)
    except Refused:
        raise ConfigError(tuple(checker.problems)) from None
