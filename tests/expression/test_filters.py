"""Every filter and test: the example in its registry entry, its edges, and its bounds."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eadm_sync.errors import ConfigError
from eadm_sync.expression import FILTERS, TESTS, Origin, Scope, Variable, compile_condition, compile_template
from eadm_sync.expression.filters import MAX_TEXT
from eadm_sync.expression.scope import DATE, NUMBER, TEXT, parameter

SCOPE = Scope(
    ("text", "day", "number"),
    {
        "text": Variable(TEXT, parameter("text"), nullable=True),
        "day": Variable(DATE, parameter("day"), nullable=True),
        "number": Variable(NUMBER, parameter("number"), nullable=True),
    },
)


def render(template: str, text: str | None = None, day: date | None = None, number: float | None = None) -> str:
    """Compiles and renders at once."""
    return compile_template(template, SCOPE, Origin("t.yaml")).render(text, day, number)


@pytest.mark.parametrize(
    ("expression", "text", "shown"),
    [
        ("text | ascii", "Bjørnæs Åse", "Bjornaes Ase"),  # the Norwegian letters
        ("text | ascii", "Łukasz Müller", "Lukasz Muller"),  # other Latin ones
        ("text | ascii", "Ærlig", "Aerlig"),  # a capital stays one
        ("text | slug", "Nordli barne- og ungdomsskole!", "nordli-barne-og-ungdomsskole"),
        ("text | upper", "æøå", "ÆØÅ"),
        ("text | lower | title", "OLA NORDMANN", "Ola Nordmann"),
        ("text | trim", "  a b ", "a b"),
        ("text | replace('a', 'b')", "banan", "bbnbn"),
        ("text | first(3)", "ab", "ab"),  # shorter than asked for
        ("text | last(2)", "Hansen", "en"),
        ("text | split(',') | join('+')", " a, ,b ", "a+b"),  # blanks and empty parts go
        ("text | split | join", "a,b", "a,b"),  # both stand on the comma
        ("text | default('x')", "", "x"),  # empty is as missing
        ("text | dn", "SFO, Nordli", "SFO\\, Nordli"),
        ("text | dn", "#1 +a=b", "\\#1 \\+a\\=b"),
    ],
)
def test_text_filters(expression: str, text: str, shown: str):
    """Text filters do what the reference says."""
    assert render("{{ " + expression + " }}", text) == shown


@pytest.mark.parametrize("name", [name for name, known in FILTERS.items() if known.takes is TEXT])
def test_missing_passes_every_text_filter(name: str):
    """No text filter sees a missing value, whatever stands behind it."""
    arguments = {"replace": "('a', 'b')", "first": "(1)", "last": "(1)"}.get(name, "")
    tail = {"split": "| join", "number": ""}.get(name, "")

    assert render("{{ text | " + name + arguments + tail + " }}", None) == ""


def test_date_filter_writes_a_date_and_nothing_for_none():
    """A date is written by its pattern; a missing one is empty."""
    assert render("{{ day | date('%d.%m.%Y') }}", day=date(2026, 8, 7)) == "07.08.2026"
    assert render("{{ day | date('%d.%m.%Y') }}") == ""
    assert render("{{ day }}", day=date(2026, 8, 7)) == "2026-08-07"


@pytest.mark.parametrize(("text", "number"), [("10", "10"), ("0,5", "0.5"), ("x", ""), ("inf", ""), ("nan", "")])
def test_number_filter(text: str, number: str):
    """Text that is no finite number is missing."""
    assert render("{{ text | number }}", text) == number


@pytest.mark.parametrize(
    "expression",
    [
        "text | replace('', 'x')",  # would multiply every character
        "text | first(0)",
        "text | first('3')",
        "text | first(100000)",
        "text | first",
        "text | first(number)",  # not a constant
        "text | lower(1)",
        "text | date('%Y')",  # no date
        "day | date('%c')",  # the machine's language
        "day | date('100%')",
        "day | lower",
        "text | default(1)",
        "text | default",
        "text | join(',')",
        "text | nosuch",
        "text | lower(x=1)",
        "text | lower(*text)",
    ],
)
def test_wrong_use_of_a_filter_is_found_at_load(expression: str):
    """Arguments and types of filters are checked before anything runs."""
    with pytest.raises(ConfigError):
        compile_template("{{ " + expression + " }}", SCOPE, Origin("t.yaml"))


def test_replace_cannot_fill_the_memory():
    """Chained replacements are cut at the longest text there is."""
    chained = "text" + " | replace('a', 'aaaaaaaaaaaaaaaaaaaa')" * 12

    assert len(render("{{ " + chained + " }}", "a")) == MAX_TEXT


def test_fold_table_goes_before_the_built_in_one():
    """A ruleset can ask for another transliteration."""
    scope = Scope(SCOPE.parameters, SCOPE.variables, fold={"ø": "oe", "å": "aa"})
    template = compile_template("{{ text | ascii }}/{{ text | slug }}", scope, Origin("t.yaml"))

    assert template.render("Bjørg Åse å", None, None) == "Bjoerg Ase aa/bjoerg-ase-aa"


@given(st.text(max_size=60))
def test_slug_is_always_safe_in_a_name(text: str):
    """Whatever the text, a slug holds small letters, digits and single hyphens within."""
    slug = render("{{ text | slug }}", text)

    assert set(slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert "--" not in slug
    assert slug.strip("-") == slug


@pytest.mark.parametrize(
    ("condition", "text", "holds"),
    [
        ("text is startswith('Vikar')", "Vikarlærer", True),
        ("text is startswith('Vikar', 'Lær')", "Lærer", True),  # any of several
        ("text is startswith(['Vikar', 'Lær'])", "Lærer", True),
        ("text is endswith('lærer')", "Lærer", False),  # case counts
        ("text is not endswith('lærer')", "Lærer", True),
        ("text is startswith('a')", None, False),
        ("text is defined", "", False),
        ("text is defined", "x", True),
        ("text is not defined", None, True),
    ],
)
def test_tests(condition: str, text: str | None, holds: bool):
    """Tests hold as the reference says, and are false for what is missing."""
    assert compile_condition(condition, SCOPE, Origin("t.yaml")).test(text, None, None) is holds


def test_every_entry_is_documented():
    """The reference is generated from the registry, so every entry says what it does and shows it."""
    for name, entry in {**FILTERS, **TESTS}.items():
        assert entry.doc.endswith("."), name
        assert all(entry.example), name
