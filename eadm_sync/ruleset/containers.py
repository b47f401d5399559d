"""Values in distinguished names: a comma in the name of a unit must not make another container of it."""

from __future__ import annotations

import re

from jinja2 import nodes

from eadm_sync.expression import Origin
from eadm_sync.expression.parsing import Braced, parse_template

_BEGUN = re.compile(r"(?:^|[,+])\s*[A-Za-z][A-Za-z0-9.-]*\s*=(?:[^,+\\]|\\.)*$", re.DOTALL)
"""Text that ends within the value of a name's part: "OU=" or "OU=Ansatte ", but not "OU=Ansatte,"."""

_HARMLESS = frozenset({"dn", "slug", "date"})
"""Filters behind which a text holds nothing that means something in a distinguished name."""

_ANY = "x"
"""Stands for a value, where what comes behind it is looked at."""


def unescaped(text: str) -> list[nodes.Expr]:
    """The expressions of a template that stand in the value of a name's part as they are ("OU={{ x }}").

    What the configuration says (`target.…`) is an administrator's own. RFC 4514, section 2.4.

    Raises:
        ConfigError: It is no template.
    """
    found: list[nodes.Expr] = []
    before = ""
    for part in parse_template(text, Origin("")):
        before = _behind(part.node, before, found) if isinstance(part, Braced) else before + part.text
    return found


def _behind(node: nodes.Expr, before: str, found: list[nodes.Expr]) -> str:
    """The text up to the end of an expression; of a choice, that of the first."""
    match node:
        case nodes.Const(value=constant):
            return f"{before}{constant}"
        case nodes.Concat(nodes=parts):
            for part in parts:
                before = _behind(part, before, found)
            return before
        case nodes.CondExpr(expr1=one, expr2=other):
            if other is not None:
                _behind(other, before, found)
            return _behind(one, before, found)
    if _BEGUN.search(before) and not _is_harmless(node):
        found.append(node)
    return before + _ANY


def _is_harmless(node: nodes.Expr) -> bool:
    match node:
        case nodes.Filter(name=name):
            return name in _HARMLESS
        case nodes.Getattr(node=nodes.Name(name=name)):
            return name == "target"
        case _:
            return False
