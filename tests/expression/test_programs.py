"""Templates and conditions as mappings and rules use them: values, missing values, traces, and where problems stand."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eadm_sync.errors import ConfigError, Problem
from eadm_sync.expression import (
    Condition,
    Field,
    Namespace,
    Origin,
    Scope,
    Type,
    Variable,
    all_of,
    compile_condition,
    compile_template,
    record_scope,
)
from eadm_sync.expression.scope import BOOL, DATE, LIST, NUMBER, TEXT, key, parameter

HERE = Origin("t.yaml")
ROW = record_scope(["FirstName", "Ansatt nr", "Blocked"])
THING = Type(
    "a thing",
    {
        "name": Field(TEXT, key("name")),
        "kind": Field(TEXT, key("kind"), values=frozenset({"employee", "pupil"})),
        "size": Field(NUMBER, key("size")),
        "day": Field(DATE, key("day")),
        "flag": Field(BOOL, key("flag")),
        "parts": Field(LIST, key("parts")),
        "secret": Field(TEXT, key("secret"), sensitive=True),
    },
)
SCOPE = Scope(("x",), {"x": Variable(THING, parameter("x"))})


def holds(text: str, **values: object) -> bool:
    """Compiles and tests at once."""
    return compile_condition(text, SCOPE, HERE).test(values)


def problems(text: str, scope: Scope = SCOPE) -> tuple[Problem, ...]:
    """What is wrong with a condition."""
    with pytest.raises(ConfigError) as caught:
        compile_condition(text, scope, HERE)
    return caught.value.problems


def test_row_template_reads_columns_by_name_and_by_brackets():
    """Column names that are no words stand in brackets."""
    template = compile_template("{{ row.FirstName | lower }}-{{ row['Ansatt nr'] }}", ROW, HERE)

    assert template.render(("Åse", "12", "")) == "åse-12"
    assert template.fields == {"row.FirstName", "row.Ansatt nr"}


def test_unknown_column_names_the_nearest():
    """A column that is not there is a problem at its place, with the nearest one as a hint."""
    (problem,) = problems("row.Blockd == 'TRUE'", ROW)

    assert str(problem) == "t.yaml:1:5: unknown field 'row.Blockd' (did you mean 'row.Blocked'?)"
    assert problem.width == len("Blockd")


def test_every_wrong_expression_of_a_template_is_told():
    """One wrong expression hides no other."""
    with pytest.raises(ConfigError) as caught:
        compile_template("{{ row.A }} and {{ row.B }}", ROW, HERE)

    assert [problem.column for problem in caught.value.problems] == [8, 24]


@pytest.mark.parametrize("text", ["", "plain", "a { b } c", 'Ola\'s "x"', "æøå", "100 %"])
def test_text_without_braces_is_constant(text: str):
    """What has no expression in it comes out as it stands."""
    template = compile_template(text, ROW, HERE)

    assert template.constant == template.render(()) == text
    assert not template.fields


def test_empty_cell_is_not_defined_but_compares():
    """In a record every value is text: an empty one equals the empty text, and is not defined."""
    condition = compile_condition("row.Blocked != 'TRUE' and row.Blocked is not defined", ROW, HERE)

    assert condition.test(("", "", ""))


@pytest.mark.parametrize(
    "condition",
    [
        "x.name == 'a'",
        "x.name != 'a'",
        "x.name in ['a']",
        "x.name not in ['a']",
        "'a' in x.name",
        "'a' in x.parts",
        "'a' not in x.parts",
        "x.size > 1",
        "x.size <= 1",
        "x.size + 1 > 0",
        "x.day > '2020-01-01'",
        "x.day + 3 > '2020-01-01'",
        "x.day - x.day == 0",
        "x.name == x.kind",
        "x.flag",
        "x.flag == false",
        "x.name is defined",
        "x.name | lower != 'a'",
    ],
)
def test_missing_value_is_false_in_every_comparison(condition: str):
    """Nothing that is missing earns anybody anything."""
    assert holds(condition) is False


@pytest.mark.parametrize(
    ("condition", "values", "result"),
    [
        ("x.size >= 0.5", {"size": 0.5}, True),
        ("x.size == 0", {"size": 0}, True),  # nought is a value
        ("x.size is defined", {"size": 0}, True),
        ("x.size - 0.5 > 0", {"size": 0.4}, False),
        ("x.day < '2026-01-01'", {"day": date(2025, 12, 31)}, True),
        ("x.day + 1 == '2026-01-01'", {"day": date(2025, 12, 31)}, True),
        ("x.day - 1 == '2026-01-01'", {"day": date(2026, 1, 2)}, True),
        ("x.day + 3000000 > '2026-01-01'", {"day": date(2026, 1, 2)}, False),  # past the calendar: missing
        ("x.name in ['a', 'b']", {"name": "b"}, True),
        ("x.name not in ['a', 'b']", {"name": "c"}, True),
        ("'lærer' in x.name", {"name": "faglærer"}, True),
        ("'5A' in x.parts", {"parts": ["5A", "6B"]}, True),
        ("not x.flag", {}, True),  # not of a missing flag
        ("x.flag and x.name == 'a' or x.size == 1", {"size": 1}, True),  # `and` binds closer
        ("(x.name if x.flag else x.kind) == 'pupil'", {"kind": "pupil"}, True),
        ("x.name ~ x.size == 'a1'", {"name": "a", "size": 1.0}, True),
    ],
)
def test_conditions(condition: str, values: dict[str, object], result: bool):
    """Conditions mean what they say."""
    assert holds(condition, **values) is result


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x.name = 'a'", "unexpected '='"),  # Jinja2 alone would read this as `x.name`
        ("x.flag x.flag", "unexpected 'x'"),
        ("x.name", "this is text, not true or false"),
        ("x.name and x.flag", "this is text, not true or false"),
        ("x.name == 5", "text cannot be compared with a number"),
        ("x.name > 'a'", "text has no order"),
        ("x.size == '5'", "a number cannot be compared with text"),
        ("x.day > '2026-02-30'", "is not a date"),
        ("x.kind == 'employe'", "x.kind is never 'employe'"),
        ("x.kind in ['pupil', 'techer']", "x.kind is never 'techer'"),
        ("x.size in [1]", "constant texts only"),
        ("x.name == none", "there is no 'none'"),
        ("1 < x.size < 5", "one comparison at a time"),
        ("x == x", "a thing cannot be compared"),
        ("y.name == 'a'", "unknown name 'y'"),
        ("x.name.first == 'a'", "it has no fields"),
        ("x is under('1')", "'is under' takes a unit"),
        ("x.name is big", "unknown test 'big'"),
        ("x.name + 'a' == 'b'", "'+' does not take"),
        ("{{ x.flag }}", "stands without braces"),
        ("x.flag }}", "unexpected '}}'"),
        ("x.flag && x.flag", "unexpected char"),
        ("", "ends too early"),
        ("x.flag and", "ends too early"),
        ("(x.flag", "ends too early"),
    ],
)
def test_wrong_conditions_are_refused(text: str, says: str):
    """What cannot be meant is a problem at load, in words."""
    assert says in str(problems(text)[0])


def test_sensitive_field_taints_what_it_goes_into():
    """Whatever is made of a sensitive field must be hidden."""
    assert compile_template("a {{ x.secret | first(6) }}", SCOPE, HERE).sensitive
    assert not compile_template("a {{ x.name }}", SCOPE, HERE).sensitive


def test_trace_tells_each_clause_with_its_values():
    """Every clause is tried, also behind one that decided already."""
    condition = compile_condition("x.name == 'a' and (x.size > 1 or  x.flag) and not (x.day is defined)", SCOPE, HERE)

    clauses = condition.trace({"name": "b", "size": 2})

    assert [(clause.text, clause.truth) for clause in clauses] == [
        ("x.name == 'a'", False),
        ("x.size > 1", True),
        ("x.flag", False),
        ("not (x.day is defined)", True),
    ]
    assert clauses[0].values == (("x.name", "b"),)


def test_trace_hides_sensitive_values():
    """An explanation is read by more people than a national id."""
    (clause,) = compile_condition("x.secret == '123'", SCOPE, HERE).trace({"secret": "123"})

    assert clause.values == (("x.secret", "***"),)
    assert clause.truth


def named_scope() -> tuple[Scope, Namespace, Condition]:
    """A scope with the condition `big`, the namespace it was compiled in, and the condition."""
    namespace = Namespace()
    big = compile_condition("x.size > 1 and x.flag", SCOPE, HERE, namespace)
    return Scope(SCOPE.parameters, SCOPE.variables, {"big": big}), namespace, big


def test_named_condition_is_traced_into():
    """The clauses of a named condition stand within its clause."""
    scope, namespace, _ = named_scope()
    condition = compile_condition("big or x.name == 'a'", scope, HERE, namespace)

    first, second = condition.trace({"size": 5})

    assert (first.text, first.truth, second.truth) == ("big", False, False)
    assert [(clause.text, clause.truth) for clause in first.clauses] == [("x.size > 1", True), ("x.flag", False)]


def test_all_of_holds_while_every_part_does():
    """A list of conditions is their `and`, traced part by part; an empty list always holds."""
    _, namespace, big = named_scope()
    named = compile_condition("x.name == 'a'", SCOPE, HERE, namespace)
    both = all_of([big, named], SCOPE, namespace)

    assert both.test({"size": 2, "flag": True, "name": "a"})
    assert not both.test({"size": 2, "flag": True})
    assert [clause.text for clause in both.trace({})] == ["x.size > 1", "x.flag", "x.name == 'a'"]
    assert all_of([], SCOPE, namespace).test({}) is True
    assert all_of([], SCOPE, namespace).trace({}) == ()


def test_compiled_code_reaches_no_builtins():
    """Code has its own globals, and no builtins in them."""
    template = compile_template("{{ x.name | ascii }}", SCOPE, HERE)

    assert template.render.__globals__["__builtins__"] == {}  # type: ignore[attr-defined]


VALUES = st.fixed_dictionaries(
    {},
    optional={
        "name": st.text(max_size=20),
        "kind": st.sampled_from(["employee", "pupil"]),
        "size": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**9), 10**9),
        "day": st.dates(),
        "flag": st.booleans(),
        "parts": st.lists(st.text(max_size=5), max_size=4),
        "secret": st.text(max_size=11),
    },
)
ATOMS = st.sampled_from(
    ["x.flag", "x.name == 'a'", "x.size < 3", "x.day + 5 > '2026-01-01'", "'a' in x.parts", "x.name | slug != 'b'"]
)
CONDITIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        inner.map(lambda text: f"not ({text})"),
        st.tuples(inner, inner).map(" and ".join),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}) or ({pair[1]})"),
    ),
    max_leaves=8,
)


@given(CONDITIONS, VALUES)
def test_no_condition_ever_raises(text: str, values: dict[str, object]):
    """Whatever is missing, a condition gives true or false, and its trace agrees with the clauses' own truth."""
    condition = compile_condition(text, SCOPE, HERE)

    assert condition.test(values) in {True, False}
    for clause in condition.trace(values):
        assert compile_condition(clause.text, SCOPE, HERE).test(values) is clause.truth


@given(VALUES)
def test_no_template_ever_raises(values: dict[str, object]):
    """A template always gives text."""
    text = (
        "{{ x.name | first(2) }} {{ x.size }}{{ x.day }}{{ x.flag }}{{ x.parts | join }}{{ x.day + 9 }}{{ x.secret }}"
    )

    assert isinstance(compile_template(text, SCOPE, HERE).render(values), str)


@given(st.text(max_size=40))
def test_any_text_is_compiled_or_refused_in_words(text: str):
    """No text makes the compiler fail otherwise than with problems."""
    for compiler in (compile_condition, compile_template):
        try:
            compiler(text, SCOPE, HERE)
        except ConfigError as error:
            assert error.problems  # noqa: PT017 - either outcome is good, but a refusal says why


WORDS = "x . name size | lower first ( ) 3 'a' == < in [ ] , not and or is defined {{ }} ~ + - if else"


@given(st.lists(st.sampled_from(WORDS.split()), max_size=25).map(" ".join))
def test_any_row_of_tokens_is_compiled_or_refused_in_words(text: str):
    """As above, with texts that come closer to the language."""
    test_any_text_is_compiled_or_refused_in_words.hypothesis.inner_test(text)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "offset", "hint"),
    [
        ("{{ x.name === 'b' }}", 12, "write '=='"),
        ("{{ x.name = 'b' }}", 10, "did you mean '=='?"),
        ("{{ x.name <> 'b' }}", 11, "write '!='"),
        ("{{ x.name && x.flag }}", 10, "write 'and'"),
        ("{{ x.flag || x.flag }}", 11, "write 'or'"),
        ("{{ !x.flag }}", 3, "write 'not'"),
        ("{{ “abc” }}", 3, "quotation marks are straight here: ' or \""),
        ("{{ x.name }", 10, "an expression ends with '}}'"),
        ("{{{ x.name }}}", 11, "an expression stands between two braces: {{ … }}"),
    ],
)
def test_other_languages_habits_get_a_hint(text: str, offset: int, hint: str):
    """Who writes as in another language, or as a word processor does, is told how it is written here."""
    with pytest.raises(ConfigError) as caught:
        compile_template(text, SCOPE, HERE)

    (problem,) = caught.value.problems
    assert (problem.column, problem.hint) == (offset + 1, hint)


WITH_NAME = Scope(("x",), {**SCOPE.variables, "username": Variable(TEXT, parameter("x"))})


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("x.name", 1),  # no braces at all
        ("x.name | lower", 1),
        ("username", 1),
        ("OU={x.name},DC=x", 4),  # one brace
        ("${ x.name }", 2),  # as a shell has it
        ("{username}", 1),
        ("x.name }}", 8),
        ("{{ x.name }} and x.name }}", 25),
    ],
)
def test_text_that_was_meant_to_be_an_expression_is_refused(text: str, column: int):
    """As plain text it would be given to everybody, in place of their own value."""
    with pytest.raises(ConfigError) as caught:
        compile_template(text, WITH_NAME, HERE)

    assert [problem.column for problem in caught.value.problems] == [column]
    assert caught.value.problems[0].hint


@pytest.mark.parametrize(
    ("text", "renders"),
    [
        ("x", "x"),  # a word of the language is a word of people's too
        ("x.nothing", "x.nothing"),  # no field is called so
        ("name@x.no", "name@x.no"),
        ("{6B29FC40-CA47-1067-B31D}", "{6B29FC40-CA47-1067-B31D}"),
        ("{{ 'username' }}", "username"),
        ("{{ '}}' }}", "}}"),
    ],
)
def test_plain_text_stays_what_it_is(text: str, renders: str):
    """Braces and dots of other kinds are let through, and anything can be said in quotation marks."""
    assert compile_template(text, WITH_NAME, HERE).render({}) == renders


@pytest.mark.parametrize(
    "text",
    [
        "x.name | number >= 8",
        "x.name | replace('a', '') | number >= 8",
        "x.name | split(',') | join('') in ['b']",
        "(x.name | replace('a', ',') | split(',') | join('')) in x.name",
        "(x.name | replace('a', '') | number) == 0",
    ],
)
@pytest.mark.parametrize("name", ["", "a", ",", None])
def test_what_is_left_of_an_empty_text_is_missing(text: str, name: str | None):
    """An empty text is no number and no list of parts: comparing it is false, and raises nothing."""
    assert not holds(text, name=name)


@pytest.mark.parametrize("size", [float("inf"), float("nan"), 1e308])
def test_numbers_beyond_all_bounds_are_shown_all_the_same(size: float):
    """No number that a source has stops a run."""
    assert compile_template("{{ x.size + x.size }}", SCOPE, HERE).render({"size": size}) in {"inf", "nan"}
