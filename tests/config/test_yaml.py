"""The YAML loader: what it reads as what, what it refuses, and where it says things stand."""

import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from eadm_sync.config.yaml import MAX_BYTES, Position, dotted, load_yaml, load_yaml_file
from eadm_sync.errors import ConfigError, Problem


def problems(text: str) -> tuple[Problem, ...]:
    """The problems that reading this text raises."""
    with pytest.raises(ConfigError) as caught:
        load_yaml(text, "f.yaml")
    return caught.value.problems


@pytest.mark.parametrize(
    ("written", "read"),
    [
        # words with a type
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        # words that YAML 1.1 gives a type, and people do not
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("off", "off"),
        ("True", "True"),
        ("NULL", "NULL"),
        ("y", "y"),
        # numbers
        ("0", 0),
        ("301", 301),
        ("-5", -5),
        ("0.05", 0.05),
        ("1.5e3", 1500.0),
        # what looks like a number to some readers
        ("0321", "0321"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("1:30:00", "1:30:00"),
        ("0x1F", "0x1F"),
        ("0o17", "0o17"),
        ("1e3", "1e3"),
        ("+4712345678", "+4712345678"),
        ("1.", "1."),
        (".5", ".5"),
        (".inf", ".inf"),
        ("01.5", "01.5"),
        ("1" * 19, "1" * 19),
        # dates and other words
        ("2026-08-17", "2026-08-17"),
        ("<<", "<<"),
        ("=", "="),
        # quotes always make text
        ("'301'", "301"),
        ('"true"', "true"),
        ("''", ""),
    ],
)
def test_only_plain_words_and_plain_numbers_have_a_type(written: str, read: object) -> None:
    """A scalar becomes something else than text only where no administrator could have meant text."""
    value = load_yaml(f"a: {written}", "f.yaml").data["a"]
    assert value == read
    assert type(value) is type(read)


def test_keys_are_text_as_written() -> None:
    """A table keyed by unit codes keeps its leading zeros and its kind."""
    assert load_yaml("0301: a\n301: b\ntrue: c\nno: d\n", "f.yaml").data == {
        "0301": "a",
        "301": "b",
        "true": "c",
        "no": "d",
    }


def test_an_empty_file_has_no_data() -> None:
    """An empty file is not an error here: the caller knows what must be in it."""
    document = load_yaml("# nothing\n", "f.yaml")
    assert document.data is None
    assert document.position(("a", 0)) == Position(1, 1)


def test_all_equal_keys_are_told_at_once() -> None:
    """Every second key of the same name is a problem that names the first, at any depth, also in flow style."""
    found = problems("a: 1\nb: {c: 1, c: 2}\na: 2\nd:\n  - e: 1\n    'e': 2\n")
    assert [(p.line, p.column, p.place) for p in found] == [(2, 11, "b.c"), (3, 1, "a"), (6, 5, "d[0].e")]
    assert "line 1" in found[1].message


@pytest.mark.parametrize(
    ("text", "line", "column", "says"),
    [
        # tags
        ("a: !!python/object/apply:os.system [ls]", 1, 4, "tag !!python"),
        ("a: !secret x", 1, 4, "tag !secret"),
        ("a: !!str 5", 1, 4, "tag !!str"),
        ("a: !<plain> 5", 1, 4, "tag plain"),
        ("!x a: 5", 1, 1, "tag !x"),
        # aliases
        ("a: &x 1\nb: *x", 2, 4, "alias *x"),
        ("a: &x [*x]", 1, 8, "alias *x"),
        # keys that are none
        ("a: {{ row.Name }}", 1, 5, "braces cannot be a key"),
        ("a: {[1]: 2}", 1, 5, "a list cannot be a key"),
        ("?\n: 5", 1, 2, "a key is missing"),
        # syntax
        ("a: b: c", 1, 5, "mapping values are not allowed"),
        ("a: 1\n\tb: 2", 2, 1, "tab"),
        ("a: @x", 1, 4, "cannot start any token"),
        ("a: 1\n---\nb: 2", 2, 1, "another document"),
        ('a: 1\nb: "x\nc: 2', 2, 4, "never closed"),
        ("a:\n  - b\n c: d", 3, 2, "expected key"),
        ("[" * 100_000, 1, 64, "64 levels"),
        ("a: &x 1\nb: *y", 2, 4, "undefined alias"),
        # characters nobody sees
        ("å: 1\nb: x\x01", 2, 5, "U+0001"),
        ("a: x\u2028b: 1", 1, 5, "U+2028"),
        ("a: \ud800", 1, 4, "U+D800"),
    ],
)
def test_what_is_refused_is_refused_where_it_stands(text: str, line: int, column: int, says: str) -> None:
    """Nothing that could surprise is read; the problem points at it and shows the line."""
    first = problems(text)[0]
    assert (first.line, first.column) == (line, column)
    assert says in first.message
    assert first.excerpt == text.split("\n")[line - 1]


def test_aliases_cannot_swell() -> None:
    """A file of nested aliases, the "billion laughs", is refused before anything is built from it."""
    bomb = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    started = time.perf_counter()
    assert len(problems(bomb)) == 29 * 9
    assert time.perf_counter() - started < 10


SAMPLE = """\
# a comment
sources:
  hr:
    type: csv
    files: {persons: data/p.csv}
    dates:
      - '%d.%m.%Y'
"""


@pytest.mark.parametrize(
    ("path", "key", "expected"),
    [
        # values
        (("sources", "hr", "type"), False, (4, 11)),
        (("sources", "hr", "files", "persons"), False, (5, 22)),
        (("sources", "hr", "dates", 0), False, (7, 9)),
        # keys
        (("sources", "hr", "type"), True, (4, 5)),
        (("sources", "hr", "files", "persons"), True, (5, 13)),
        # an item has no key of its own
        (("sources", "hr", "dates", 0), True, (7, 9)),
        # what is not there is reported where it is missed
        (("sources", "hr", "map", "people"), False, (4, 5)),
        (("sources", "hr", "dates", 7), False, (7, 7)),
        ((), False, (2, 1)),
    ],
)
def test_every_key_and_value_keeps_its_place(path: tuple[str | int, ...], key: bool, expected: tuple[int, int]) -> None:
    """A path leads to a line and a column."""
    at = load_yaml(SAMPLE, "f.yaml").position(path, key=key)
    assert (at.line, at.column) == expected


def test_windows_line_breaks_and_a_byte_order_mark_move_nothing() -> None:
    """A file saved by Notepad has the same values at the same places."""
    document = load_yaml("\ufeff" + SAMPLE.replace("\n", "\r\n"), "f.yaml")
    assert document.data == load_yaml(SAMPLE, "f.yaml").data
    assert document.position(("sources", "hr", "type")) == Position(4, 11)
    assert document.line_text(4) == "    type: csv"


def test_a_line_that_is_not_there_is_empty() -> None:
    """Asking for the line behind the end gives nothing rather than an error."""
    document = load_yaml("a: 1", "f.yaml")
    assert (document.line_text(1), document.line_text(0), document.line_text(2)) == ("a: 1", "", "")


@pytest.mark.parametrize(
    ("written", "needle"),
    [
        # plain, one line and folded over several
        ("v: one two THREE", "THREE"),
        ("v: one\n   two\n\n   THREE four", "THREE"),
        # single quotes, with doubled ones
        ("v: 'it''s '' THREE'", "THREE"),
        ("v: 'it''s\n\n  so  \n  THREE'", "THREE"),
        # double quotes, with escapes that are shorter or longer than what they mean
        (r'v: "a\tb\u00e5\U0001F600\x41 THREE"', "THREE"),
        ('v: "a\\\n    b  \n\n  c THREE"', "THREE"),
        # block scalars, with headers and deeper lines
        ("v: |\n  one\n  two THREE\n", "THREE"),
        ("v: |2-  # kept\n    one\n   THREE", "THREE"),
        ("v: >-\n  one\n  two\n\n    deeper THREE\n  four\n", "THREE"),
        ("v: >\n\n\n  THREE\n", "THREE"),
        # characters of more than one byte before it
        ("v: 'æøå 😀 THREE'", "THREE"),
    ],
)
def test_a_place_inside_text_is_found_in_every_way_of_writing_it(written: str, needle: str) -> None:
    """An error at an offset of an expression is shown at its own line and column, however the text is quoted."""
    document = load_yaml(written, "f.yaml")
    at = document.position_in(("v",), document.data["v"].index(needle))
    assert document.line_text(at.line)[at.column - 1 :].startswith(needle)


def test_a_place_behind_the_end_of_text_stands_behind_its_last_character() -> None:
    """An expression that breaks off is reported where it breaks off; a list at its beginning."""
    document = load_yaml("v: 'ab'\ne: ''\nl: [5]\n", "f.yaml")
    assert document.position_in(("v",), 2) == Position(1, 7)
    assert document.position_in(("v",), 99) == Position(1, 7)
    assert document.position_in(("e",), 0) == Position(2, 4)
    assert document.position_in(("l",), 3) == Position(3, 4)


LETTERS = st.text(alphabet="ab åæ😀'\"\\\n\t:#{}-|>%", max_size=60)


@given(LETTERS, st.sampled_from([None, "'", '"', "|", ">"]), st.integers(10, 40))
def test_every_visible_character_is_found_again(value: str, style: str | None, width: int) -> None:
    """Whatever style a value is written in, each of its characters is found where the file has it."""
    text = yaml.dump({"k": {"v": value}}, default_style=style, width=width, allow_unicode=True)
    document = load_yaml(text, "f.yaml")
    read = document.data["k"]["v"]
    assert read == value
    for offset, char in enumerate(value):
        at = document.position_in(("k", "v"), offset)
        shown = document.line_text(at.line)[at.column - 1 :]
        if char not in " \n\t":
            assert shown.startswith((char, "\\"))


TREES = st.recursive(
    st.one_of(st.text(), st.booleans(), st.none(), st.integers(-999, 10**9)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1), inner, max_size=4),
    max_leaves=12,
)


@given(TREES)
def test_what_yaml_writes_is_read_back(tree: object) -> None:
    """Text that PyYAML takes care to quote comes back as it was."""
    assert load_yaml(yaml.safe_dump(tree, allow_unicode=False), "f.yaml").data == tree


@given(st.text())
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    """No input ends in anything but a document or problems that name a line."""
    found: tuple[Problem, ...] = ()
    try:
        load_yaml(text, "f.yaml")
    except ConfigError as error:
        found = error.problems
        assert found
    assert all(problem.line >= 1 and problem.column >= 1 for problem in found)


def test_a_problem_carries_all_that_a_shell_needs_to_show_it() -> None:
    """Place, line, width of the word at fault and hint are facts, not prose."""
    document = load_yaml("sources:\n  hr: {type: cvs}\n", "f.yaml")
    assert document.problem(("sources", "hr", "type"), "no such type", hint="did you mean 'csv'?") == Problem(
        "f.yaml", 2, 14, "no such type", "did you mean 'csv'?", "sources.hr.type", "  hr: {type: cvs}", 3
    )
    assert document.problem(("sources", "hr", "type"), "x", key=True).width == 4
    assert document.problem(("sources", "hr", "type"), "x", secret=True).excerpt is None
    inside = document.problem(("sources", "hr", "type"), "x", offset=1)
    assert (inside.column, inside.width) == (15, 1)


def test_a_path_is_written_as_people_write_it() -> None:
    """Items by number in brackets, keys with dots."""
    assert dotted(("accounts", 2, "when")) == "accounts[2].when"
    assert dotted(()) == ""


def test_a_file_that_cannot_be_read_is_a_problem_of_the_file(tmp_path: Path) -> None:
    """A missing, wrongly encoded or giant file is told like any other mistake."""
    latin, giant = tmp_path / "latin.yaml", tmp_path / "giant.yaml"
    latin.write_bytes("a: 1\nb: blåbær".encode("latin-1"))
    with giant.open("wb") as handle:
        handle.truncate(MAX_BYTES + 1)
    for path, line, says in (
        (tmp_path / "none.yaml", 0, "No such file"),
        (latin, 2, "not UTF-8"),
        (giant, 0, "larger than"),
    ):
        with pytest.raises(ConfigError) as caught:
            load_yaml_file(path, shown="shown.yaml")
        assert caught.value.problems[0].file == "shown.yaml"
        assert caught.value.problems[0].line == line
        assert says in caught.value.problems[0].message


def test_a_file_is_read_as_its_text(tmp_path: Path) -> None:
    """A byte-order mark on disk is skipped."""
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: \xc3\xa5")
    assert load_yaml_file(path).data == {"a": "å"}
