"""Texts that try to reach what the language does not name, or to cost more than they may: refused or bounded."""

import time

import pytest

from eadm_sync.errors import ConfigError
from eadm_sync.expression import Namespace, Origin, Scope, compile_condition, compile_template, record_scope
from eadm_sync.expression.filters import MAX_TEXT

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
    "row.Nаme == 'a'",  # a Cyrillic a
    "row\u200b.Name == 'a'",
    "row.Name == “a”",
    # trailing tokens
    "row.Name = 'a'",
    "row.Name == 'a' row.Code",
    "row.Name == 'a';",
    "row.Name == 'a' # comment",
    "row.Name, row.Code",
    # what other engines would run
    "${row.Name}",
    "<%= row.Name %>",
    "row.Name | safe",
    "row.Name | tojson",
    "row.Name | default(value='a')",
    "row.Name | first(n=3)",
    "row.Name | first(*[3])",
    "row.Name | first(10 ** 9)",
    "row.Name | first(1000000000)",
    "row.Name | first(0)",
    "row.Name | first(-1)",
    "row.Name | first(row.Code)",
    "row.Name | first('3')",
    "row.Name | replace('', 'a')",
    "row.Name | replace(row.Code, 'a')",
    "row.Name | split('')",
    "row.Name is startswith('')",
    "row.Name is matching('(a+)+$')",
    "row.Name | regex_replace('(a+)+$', '')",
    "row.Name ~= '(a+)+$'",
    "ｒow.Name == 'a'",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_refused_at_once(text: str):
    """As a condition and within a template: refused in words, in no time, without running anything."""
    began = time.perf_counter()
    for compiler, written in ((compile_condition, text), (compile_template, "{{ " + text + " }}")):
        with pytest.raises(ConfigError):
            compiler(written, SCOPE, HERE)

    assert time.perf_counter() - began < 10


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


@pytest.mark.parametrize(
    "filters",
    [
        ("| replace('a', '" + "a" * 900 + "')") * 3,
        "| dn" * 38,
        ("| split('a') | join('" + "a" * 100 + "')") * 15,
        "| ascii" * 38,
        "| upper | lower" * 19,
    ],
    ids=["replace", "dn", "join", "ascii", "upper"],
)
@pytest.mark.parametrize("value", ["a,a" * 1000, "\\" * 4000, "\ufdfa" * 4000, "ΐ" * 4000, "\0" * 4000])
def test_filters_upon_filters_do_not_grow_without_end(filters: str, value: str):
    """Whatever a filter multiplies, it does so once: what goes on to the next is cut."""
    template = compile_template("{{ row.Name " + filters + " }}", SCOPE, HERE)
    began = time.perf_counter()

    rendered = template.render((value, ""))

    assert len(rendered) <= 3 * MAX_TEXT
    assert time.perf_counter() - began < 10


def test_an_unclosed_expression_is_pointed_at():
    """The place is where it opens, not where the text ends."""
    with pytest.raises(ConfigError) as caught:
        compile_template("a {{ row.Name", SCOPE, HERE)

    assert (caught.value.problems[0].column, caught.value.problems[0].width) == (3, 2)
