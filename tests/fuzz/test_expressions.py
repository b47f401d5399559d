"""Invented expressions of the right types: our compiled code and Jinja2's own sandbox give the same.

Jinja2 is told the language's own rules where they differ on purpose: a missing value is empty text, compares as false
and goes through filters untouched. Filters and tests are written down here once more, as plainly as can be.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jinja2 import ChainableUndefined, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from eadm_sync.errors import ConfigError
from eadm_sync.expression import Field, Origin, Scope, Type, Variable, compile_condition, compile_template
from eadm_sync.expression.filters import MAX_TEXT
from eadm_sync.expression.scope import BOOL, DATE, LIST, NUMBER, TEXT, key, parameter

HERE = Origin("fuzz.yaml")
THING = Type(
    "a thing",
    {
        **{word: Field(TEXT, key(word)) for word in ("name", "title", "code")},
        **{word: Field(NUMBER, key(word)) for word in ("size", "level")},
        **{word: Field(DATE, key(word)) for word in ("start", "end")},
        "flag": Field(BOOL, key("flag")),
        "parts": Field(LIST, key("parts")),
    },
)
SCOPE = Scope(("thing",), {"thing": Variable(THING, parameter("thing"))})
LASTING: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "phases": (Phase.generate,),  # what is found is shown as it is: making it small takes longer than finding it
}

TEXTS = st.sampled_from(
    [
        "",
        "a",
        "b",
        "ab",
        "Kari",
        "kari",
        " Åse Marie ",
        "ǅ",
        "ß",
        "İ",
        "12",
        "1,5",
        "-3",
        "x" * 300,
        "a,b, c",
        "ﬁ",
        "{{",
        "e\u0301",
    ]
)
DAYS = st.sampled_from([date(2026, 8, 17), date(2024, 2, 29), date(1, 1, 1), date(9999, 12, 31)])
NUMBERS = st.sampled_from([0, 1, 2, 0.5, 80.0, -3, 1e12])
THINGS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("name", "title", "code"), TEXTS),
        **dict.fromkeys(("size", "level"), NUMBERS),
        **dict.fromkeys(("start", "end"), DAYS),
        "flag": st.booleans(),
        "parts": st.lists(TEXTS, min_size=1, max_size=3),
    },
)


# ---------------------------------------------------------------- expressions, by the type of what they give


def texts(inner: st.SearchStrategy[str], truths: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Texts made of texts."""
    plain = st.sampled_from(["lower", "upper", "title", "trim", "slug", "ascii"])
    number = st.integers(1, 12)
    return st.one_of(
        st.builds("({} | {})".format, inner, plain),
        st.builds("({} | first({}))".format, inner, number),
        st.builds("({} | last({}))".format, inner, number),
        st.builds("({} | replace({}, {}))".format, inner, LITERALS, LITERALS),
        st.builds("({} | default({}))".format, inner, inner),
        st.builds("({} | split({}) | join({}))".format, inner, LITERALS, LITERALS),
        st.builds("({} ~ {})".format, inner, inner),
        st.builds("{} ~ {} | upper".format, inner, inner),
        st.builds("({} if {} else {})".format, inner, truths, inner),
        st.builds("({} if {})".format, inner, truths),
    )


LITERALS = st.sampled_from(["a", "b", "Kari", " ", ",", "x", "e\u0301", "ß"]).map(repr)
FIELDS = st.sampled_from(["thing.name", "thing.title", "thing['code']"])
PLAIN_TEXT = LITERALS | FIELDS | st.just("(thing.parts | join('-'))") | st.just("(thing.start | date('%Y-%m-%d %j'))")
NUMBER_TEXT = st.one_of(
    st.sampled_from(["thing.size", "thing.level", "0", "1", "0.5", "80", "-3"]),
    st.builds("({} | number)".format, FIELDS),
    st.sampled_from(["(thing.end - thing.start)", "(thing.size + 2)", "(thing.size - thing.level + 1)"]),
)
DAY_TEXT = st.sampled_from(["thing.start", "thing.end", "(thing.start + 30)", "(thing.end - thing.level)"])
ORDER = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
PLAIN_TRUTH = st.one_of(
    st.builds("{} {} {}".format, NUMBER_TEXT, ORDER, NUMBER_TEXT),
    st.builds("{} {} {}".format, DAY_TEXT, ORDER, DAY_TEXT | st.just("'2026-08-17'")),
    st.builds("{} {} {}".format, FIELDS, st.sampled_from(["==", "!="]), PLAIN_TEXT),
    st.builds("{} in [{}, {}]".format, FIELDS, LITERALS, LITERALS),
    st.builds("{} in thing.parts".format, FIELDS),
    # Python's `not in` is no method of the missing value, so Jinja2 cannot be told that it is false as well.
    st.builds("({0} is defined and {0} not in [{1}, {2}])".format, FIELDS, LITERALS, LITERALS),
    st.builds("{} in {}".format, LITERALS, FIELDS),
    st.builds(
        "{} {} {}".format,
        FIELDS | DAY_TEXT | st.sampled_from(["thing.size", "thing.flag", "thing.parts"]),
        st.sampled_from(["is", "is not"]),
        st.just("defined"),
    ),
    st.builds("{} is {}({}, {})".format, FIELDS, st.sampled_from(["startswith", "endswith"]), LITERALS, LITERALS),
    st.sampled_from(["thing.flag", "true", "false"]),
)
TRUTH = st.recursive(
    PLAIN_TRUTH,
    lambda inner: st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("{} and {} or {}".format, inner, inner, inner),
        st.builds("not {}".format, inner),
        st.builds("(not ({}))".format, inner),
    ),
    max_leaves=6,
)
TEXT_EXPRESSION = st.recursive(PLAIN_TEXT, lambda inner: texts(inner, TRUTH), max_leaves=6)
SHOWN = TEXT_EXPRESSION | NUMBER_TEXT | DAY_TEXT | TRUTH.map("'yes' if {} else 'no'".format)
TEMPLATE = st.lists(
    st.sampled_from(["-", " ", "}", "ÆØÅ\n"]) | SHOWN.map("{{{{ {} }}}}".format), min_size=1, max_size=4
)


# ---------------------------------------------------------------- the other implementation


class Missing(ChainableUndefined):
    """What is not there, as the language has it: false, in whatever comparison."""

    def _never(self, _other: object) -> bool:
        return False

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _never  # type: ignore[assignment]
    __hash__ = ChainableUndefined.__hash__

    def __add__(self, _other: object) -> Missing:
        return self

    __sub__ = __radd__ = __rsub__ = __add__


MISSING = Missing()


def _compared(operator: Callable[[str, str], bool]) -> Callable[[date, object], bool]:
    """Dates compare as their texts do, and so with texts."""

    def compared(day: date, other: object) -> bool:
        return not isinstance(other, Missing) and operator(day.isoformat(), str(other))

    return compared


class Day(date):
    """A date to which days can be added, beyond the calendar's end too, and which compares with its text."""

    __eq__ = _compared(operator.eq)  # type: ignore[assignment]
    __ne__ = _compared(operator.ne)  # type: ignore[assignment]
    __lt__, __le__ = _compared(operator.lt), _compared(operator.le)
    __gt__, __ge__ = _compared(operator.gt), _compared(operator.ge)
    __hash__ = date.__hash__

    def __add__(self, days: Any) -> Any:
        try:
            return (
                MISSING if isinstance(days, Missing) else _day(date(self.year, self.month, self.day) + timedelta(days))
            )
        except OverflowError:
            return MISSING

    def __sub__(self, other: Any) -> Any:
        if isinstance(other, date):
            return self.toordinal() - other.toordinal()
        return self + -other if not isinstance(other, Missing) else MISSING


def _day(value: date) -> Day:
    return Day(value.year, value.month, value.day)


def _kept(function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that lets a missing value through."""
    return lambda value, *arguments: MISSING if isinstance(value, Undefined) else function(value, *arguments)


def _number(text: str) -> Any:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return MISSING


def _shown(value: Any) -> str:
    if isinstance(value, Undefined) or value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(int(value)) if value == int(value) else str(value)
    return value.isoformat() if isinstance(value, date) else str(value)


def _environment() -> ImmutableSandboxedEnvironment:
    from anyascii import anyascii  # noqa: PLC0415 - as the language's own filter

    def ascii_(text: str) -> str:
        for letter, plain in (("æ", "ae"), ("ø", "o"), ("å", "a"), ("Æ", "Ae"), ("Ø", "O"), ("Å", "A")):
            text = text.replace(letter, plain)
        return anyascii(text)

    def slug(text: str) -> str:
        return "-".join(
            "".join(c if c in "abcdefghijklmnopqrstuvwxyz0123456789" else " " for c in ascii_(text).lower()).split()
        )

    environment = ImmutableSandboxedEnvironment(
        undefined=Missing, finalize=_shown, autoescape=False, keep_trailing_newline=True
    )
    environment.filters = {
        "lower": _kept(str.lower),
        "upper": _kept(str.upper),
        "title": _kept(str.title),
        "trim": _kept(str.strip),
        "ascii": _kept(ascii_),
        "slug": _kept(slug),
        "first": _kept(lambda text, n: text[:n]),
        "last": _kept(lambda text, n: text[max(len(text) - n, 0) :]),
        "replace": _kept(lambda text, old, new: text.replace(old, new)[:MAX_TEXT]),
        "split": _kept(lambda text, mark: [part.strip() for part in text.split(mark) if part.strip()]),
        "join": _kept(lambda parts, mark: mark.join(parts)[:MAX_TEXT]),
        "date": _kept(date.strftime),
        "number": _kept(_number),
        "default": lambda value, other: other if isinstance(value, Undefined) or value == "" else value,
    }
    environment.tests = {
        "defined": lambda value: not isinstance(value, Undefined) and value not in ("", []),
        "startswith": lambda value, *heads: (
            not isinstance(value, Undefined) and any(value.startswith(one) for one in heads)
        ),
        "endswith": lambda value, *tails: (
            not isinstance(value, Undefined) and any(value.endswith(one) for one in tails)
        ),
    }
    return environment


ENVIRONMENT = _environment()

LIMITS = ("too long", "too large", "nested too deeply", "longer than", "was never opened")
"""What may be said against an expression of the right types: too much of it, or braces without a beginning."""


def _compiled(make: Callable[[], Any]) -> Any:
    try:
        return make()
    except ConfigError as error:
        other = [one for one in error.problems if not any(limit in one.message for limit in LIMITS)]
    assert other == []
    return None


def _days(thing: dict[str, Any]) -> dict[str, Any]:
    return {word: _day(value) if isinstance(value, date) else value for word, value in thing.items()}


def test_templates_give_what_jinja_gives(examples: int):
    """Texts, numbers, dates and choices between them, with any of the values missing."""

    @settings(max_examples=examples * 5, **LASTING)
    @given(TEMPLATE.map("".join), THINGS)
    def check(text: str, thing: dict[str, Any]) -> None:
        template = _compiled(lambda: compile_template(text, SCOPE, HERE))
        if template is not None:
            assert template.render(thing) == ENVIRONMENT.from_string(text).render(thing=_days(thing))

    check()


def test_conditions_hold_where_jinja_s_do(examples: int):
    """Comparisons, tests, and what and, or and not make of them."""

    @settings(max_examples=examples * 5, **LASTING)
    @given(TRUTH, THINGS)
    def check(text: str, thing: dict[str, Any]) -> None:
        condition = _compiled(lambda: compile_condition(text, SCOPE, HERE))
        if condition is not None:
            expected = ENVIRONMENT.compile_expression(text, undefined_to_none=False)(thing=_days(thing))
            assert condition.test(thing) is bool(expected)

    check()
