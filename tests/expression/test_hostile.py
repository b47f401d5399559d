"""Texts that try to reach what the language does not name, or to cost more than they may: refused or bounded."""

import time

import pytest

from eadm_sync.errors import ConfigError
from eadm_sync.expression import Namespace, Origin, Scope, compile_condition, compile_template, record_scope

SCOPE = record_scope(["Name", "Code"])
HERE = Origin("hostile.yaml")

HOSTILE = [
    # attribute walks
    "row.__class__.__mro__[1].__subclasses__()",
    "row.Name.__class__",
    "row['__class__']",
    "row.Name['__class__']",
    "row._fields",
    "().__class__",
    "''.__class__.__base__",
    "row.Name | attr('__class__')",
    "self.__init__.__globals__",
    "cycler.__init__.__globals__.os",
    "lipsum.__globals__['os'].popen('id').read()",
    "request.application",
    "config.items()",
    # calls
    "open('/etc/passwd').read()",
    "__import__('os').system('id')",
    "row.Name.upper()",
    "range(10 ** 9)",
    "namespace(a=1).a",
    "dict(a=1)",
    "joiner()",
    # format strings
    "'{0.__class__}'.format(row)",
    "'%s' % row.Name",
    "'{0.__class__}' | format(row)",
    "row.Name | string",
    "row.Name | map(attribute='x')",
    "row.Name | pprint",
    # powers and repetitions
    "9 ** 9 ** 9",
    "'a' * 1000000000",
    "[1] * 1000000000",
    "1000000000000000000000",
    "1e400",
    "9" * 3999,
    "row.Name // 2",
    # other syntax
    "{'a': 1}",
    "row[0]",
    "row[1:2]",
    "row.Name[0]",
    "row.0",
    "row.Name if 1 else 2",
    "-row.Name",
    "+1",
    "row.Name is callable",
    "row.Name is sameas(row)",
    "not",
    "loop.index",
    "super()",
    "caller()",
    "ns.x",
    # nesting and length
    "(" * 500 + "row.Name" + ")" * 500,
    "not " * 900 + "row.Name is defined",
    "row.Name" + " | lower" * 300,
    "row.Name == 'a'" + " and row.Name == 'a'" * 2000,
    "row.Name ~ " * 400 + "row.Name",
    "1 if " * 300 + "1",
    "[" * 600 + "]" * 600,
    # characters
    "row.Name == '\x00'",
    "row.Name\r== 'a'",
    r"row.Name == '\N{BULLET}'",
    r"row.Name == '\x41'",
    "row．Name == 'a'",
    "ｒow.Name == 'a'",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_refused_at_once(text: str):
    """As a condition and within a template: refused in words, in no time, without running anything."""
    began = time.perf_counter()
    for compiler, written in ((compile_condition, text), (compile_template, "{{ " + text + " }}")):
        with pytest.raises(ConfigError):
            compiler(written, SCOPE, HERE)

    assert time.perf_counter() - began < 1


@pytest.mark.parametrize(
    "text",
    [
        "{% for x in row %}{{ x }}{% endfor %}",
        "{% set x = 1 %}",
        "{% include 'secrets' %}",
        "{% import 'os' as os %}",
        "{% raw %}{{ x }}{% endraw %}",
        "{# comment #}",
        "{{- row.Name -}}",
        "{{ row.Name",
        "{{ {{ row.Name }} }}",
        "{{ }}",
    ],
)
def test_statements_and_comments_are_refused(text: str):
    """A template holds text and expressions, nothing else."""
    with pytest.raises(ConfigError):
        compile_template(text, SCOPE, HERE)


def test_conditions_that_double_up_are_stopped():
    """Conditions that name each other twice would grow without end: the size with what they name is bounded."""
    namespace = Namespace()
    conditions = {"c0": compile_condition("row.Name == 'a'", SCOPE, HERE, namespace)}
    problem = ""
    for level in range(1, 64):
        scope = Scope(SCOPE.parameters, SCOPE.variables, conditions)
        text = f"c{level - 1} and not c{level - 1}"
        try:
            conditions[f"c{level}"] = compile_condition(text, scope, HERE, namespace)
        except ConfigError as error:
            problem = str(error)
            break

    assert "too large" in problem
    assert len(conditions) < 15


def test_long_chains_of_one_operator_are_no_nesting():
    """A hundred plain clauses are a long condition, not a hostile one."""
    condition = compile_condition(" or ".join(["row.Name == 'a'"] * 99), SCOPE, HERE)

    assert condition.test(("a", ""))
