"""The expression language of rulesets and mappings: Jinja syntax, typed, compiled to closed Python code.

Jinja2's own parser reads the text (`parsing`). `grammar` is the allow-list of nodes, each with the function that checks
its fields and types and builds Python code from it. `programs` turns that into functions. Nothing that the allow-list
does not name can be reached: no calls but the listed filters and tests, no attributes but the declared fields, no
loops, no builtins.

A missing value compares as false, renders as the empty string and never raises.
"""

from eadm_sync.expression.filters import FILTERS, TESTS, Filter, Test
from eadm_sync.expression.origin import Origin
from eadm_sync.expression.parsing import constants_of, names_of
from eadm_sync.expression.programs import (
    Clause,
    Condition,
    Template,
    all_of,
    check_condition,
    check_template,
    compile_condition,
    compile_template,
    to_function,
)
from eadm_sync.expression.scope import Field, Scope, Type, Variable, record_scope
from eadm_sync.expression.typed import Namespace, Typed

__all__ = [
    "FILTERS",
    "TESTS",
    "Clause",
    "Condition",
    "Field",
    "Filter",
    "Namespace",
    "Origin",
    "Scope",
    "Template",
    "Test",
    "Type",
    "Typed",
    "Variable",
    "all_of",
    "check_condition",
    "check_template",
    "compile_condition",
    "compile_template",
    "constants_of",
    "names_of",
    "record_scope",
    "to_function",
]
