"""Real rulesets and their tests, bent at random: each loads, or is refused at a place within the file."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from eadm_sync.app.context import open_context
from eadm_sync.clock import FixedClock
from eadm_sync.desired import candidates, evaluate
from eadm_sync.errors import ConfigError, Problem
from eadm_sync.model import Affiliation, Person
from eadm_sync.ruleset import Organisation, Ruleset, Vocabulary, load_ruleset
from eadm_sync.ruleset.cases_loading import load_cases

ROOT = Path(__file__).parents[2]
RULES = sorted((ROOT / "rulesets").glob("*.yaml"))
CASES = sorted((ROOT / "rulesets" / "tests").glob("*.yaml"))
TODAY = date(2026, 8, 17)

SLOWEST = 5
"""Seconds that the worst input may take, with room for a busy machine; a good one takes a fiftieth of one."""

WORDS = [
    *("{{", "}}", "{%", "%}", "{#", "#}", "{{-", "-}}", "(", ")", "[", "]", "'", '"', "|", "~", ".", ",", ":", "-"),
    *("and", "or", "not", "in", "is", "if", "else", "==", "!=", "=", "<", "*", "**", "//", "%", "+", "&a", "*a", "<<"),
    *("defined", "under", "first", "last", "replace", "split", "join", "date", "number", "default", "dn", "slug"),
    *("person", "affiliation", "unit", "class_group", "target", "username", "n", "working", "manages", "jobs"),
    *("given_name", "start", "fraction", "manager", "parent", "path", "extra", "national_id", "__class__", "format"),
    *("0", "1", "-1", "256", "1000000000", "9" * 400, "1e400", "0x10", "true", "null", "none", "~", "''", "2026-13-40"),
    *(
        "!!python/object/apply:os.system [id]",
        "\u00a0",
        "\u200b",
        "\ufeff",
        "\x00",
        "\t",
        "\r",
        "æ",
        "е",
        "😀",
        "\\x41",
    ),
]
"""What is put in: the language's own words, YAML's marks, and what has broken other readers."""

VALUES: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([None, True, False, 0, -1, 10**30, 1.5, float("nan"), "", [], {}, [[]], {"a": {"b": []}}]),
    st.sampled_from(WORDS),
    st.text(max_size=20),
).map(deepcopy)  # one list in two inputs would make the second depend on the first
"""What takes the place of a value."""

LASTING: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "phases": (Phase.generate,),  # what is found is shown as it is: making it small takes longer than finding it
}


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    """That of the example configuration."""
    return open_context(ROOT / "config.example.yaml", FixedClock(datetime(2026, 8, 17, tzinfo=UTC))).vocabulary


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example's rules to overwrite."""
    return Path(shutil.copytree(ROOT / "rulesets", tmp_path_factory.mktemp("fuzz") / "rulesets"))


@pytest.fixture(scope="session")
def ruleset(vocabulary: Vocabulary) -> Ruleset:
    """The example's rules."""
    return load_ruleset([ROOT / "rulesets"], vocabulary)


@st.composite
def bent_characters(draw: st.DrawFn, text: str) -> str:
    """A text with spans taken out, doubled, moved, or something put between."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 60)))
        middle = draw(st.sampled_from(["", text[start:end] * 2, *WORDS]) | st.text(max_size=5))
        text = text[:start] + middle + text[end:]
    return text


@st.composite
def spliced_tokens(draw: st.DrawFn, text: str) -> str:
    """A text whose words and marks are exchanged for others, its own or foreign ones."""
    tokens = re.findall(r"\w+|\s+|[^\w\s]", text)
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, len(tokens) - 1))
        other = draw(st.sampled_from(WORDS) | st.sampled_from(tokens))
        tokens[place] = draw(st.sampled_from([other, tokens[place] + " " + other, ""]))
    return "".join(tokens)


@st.composite
def bent_structure(draw: st.DrawFn, text: str) -> str:
    """A file whose keys and values are exchanged, left out, doubled, or wrapped."""
    data: Any = yaml.safe_load(text)
    for _ in range(draw(st.integers(1, 4))):
        holder, step = draw(st.sampled_from(_places(data) or [({}, "ruleset")]))
        match draw(st.sampled_from(["value", "delete", "rename", "wrap", "borrow"])):
            case "value":
                holder[step] = draw(VALUES)
            case "delete":
                holder.pop(step, None) if isinstance(holder, dict) else holder.pop(step)
            case "rename" if isinstance(holder, dict):
                holder[draw(st.sampled_from(WORDS))] = holder.pop(step, None)
            case "borrow":
                other, where = draw(st.sampled_from(_places(data) or [([None], 0)]))
                holder[step] = yaml.safe_load(yaml.safe_dump(other[where]))
            case _:
                holder[step] = [holder[step]] if step in _steps(holder) else {}
    return yaml.safe_dump(data, allow_unicode=True, sort_keys=False)


def _steps(holder: Any) -> list[Any]:
    return list(holder) if isinstance(holder, dict) else list(range(len(holder)))


def _places(data: Any) -> list[tuple[Any, Any]]:
    """Every mapping and list with each of its steps."""
    found: list[tuple[Any, Any]] = []
    waiting = [data]
    while waiting:
        holder = waiting.pop()
        if isinstance(holder, dict | list):
            found += [(holder, step) for step in _steps(holder)]
            waiting += [holder[step] for step in _steps(holder)]
    return found


BENDING = [bent_characters, spliced_tokens, bent_structure]


def _refused(load: Callable[[], object]) -> tuple[Problem, ...]:
    """What is wrong by loading; nothing else may come of it, and soon."""
    began = time.perf_counter()
    try:
        load()
        problems: tuple[Problem, ...] = ()
    except ConfigError as error:
        problems = error.problems
        assert problems
    assert time.perf_counter() - began < SLOWEST
    return problems


def _assert_placed(problems: tuple[Problem, ...], name: str, text: str) -> None:
    """Each problem of the file says something, at a place that an editor can go to."""
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for problem in problems:
        assert problem.message
        assert {"rulesets", "tests"} & set(Path(problem.file).parts)  # a bent name of a table may be any below
        if Path(problem.file).name != name or problem.line == 0:
            continue
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
        assert problem.width >= 1


@pytest.mark.parametrize("bend", BENDING, ids=lambda bend: bend.__name__)
def test_a_bent_ruleset_loads_or_is_refused_at_its_place(
    bend: Callable[[str], st.SearchStrategy[str]], folder: Path, vocabulary: Vocabulary, examples: int
):
    """Nothing but a ConfigError comes of it, in bounded time; and rules that load can be evaluated."""

    @settings(max_examples=examples, **LASTING)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        original = data.draw(st.sampled_from(RULES))
        text = data.draw(bend(original.read_text(encoding="utf-8")))
        path = folder / original.name
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            loaded: list[Ruleset] = []
            problems = _refused(lambda: loaded.append(load_ruleset([folder], vocabulary)))
            _assert_placed(problems, path.name, text)
            if loaded:
                _evaluate(loaded[0])
        finally:
            shutil.copy(original, path)

    check()


@pytest.mark.parametrize("bend", BENDING, ids=lambda bend: bend.__name__)
def test_bent_tests_of_rulesets_are_refused_at_their_place(
    bend: Callable[[str], st.SearchStrategy[str]],
    tmp_path: Path,
    ruleset: Ruleset,
    vocabulary: Vocabulary,
    examples: int,
):
    """As the rules themselves."""
    folder = Path(shutil.copytree(CASES[0].parent, tmp_path / "tests"))

    @settings(max_examples=examples, **LASTING)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        original = data.draw(st.sampled_from(CASES))
        text = data.draw(bend(original.read_text(encoding="utf-8")))
        path = folder / original.name
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            _assert_placed(_refused(lambda: load_cases([path], ruleset, vocabulary)), path.name, text)
        finally:
            shutil.copy(original, path)

    check()


@pytest.mark.parametrize("name", ["employees.yaml", "common.yaml", "tables/jobs.csv"])
def test_bytes_of_any_kind_are_refused_in_words(name: str, folder: Path, vocabulary: Vocabulary, examples: int):
    """Other encodings, cut characters and noise between."""
    original = ROOT / "rulesets" / name

    @settings(max_examples=examples // 2, **LASTING)
    @given(st.binary(max_size=8), st.integers(0, 3000), st.sampled_from(["utf-8", "latin-1", "utf-16", "utf-8-sig"]))
    def check(noise: bytes, at: int, encoding: str) -> None:
        raw = original.read_text(encoding="utf-8").encode(encoding, "replace")
        (folder / name).write_bytes(raw[:at] + noise + raw[at:])
        try:
            _refused(lambda: load_ruleset([folder], vocabulary))
        finally:
            shutil.copy(original, folder / name)

    check()


PEOPLE = [
    Person("p:1", "Kari", "Hansen", affiliations=(Affiliation("a", "hr", "employee", "1301", primary=True),)),
    Person("p:2", "", "", affiliations=(Affiliation("a", "hr", "pupil"),)),
    Person(
        "p:3",
        "Åse " * 400,
        "\U0001f600",
        birth_date=date(1, 1, 1),
        affiliations=(Affiliation("a", "", "external", "x", "y" * 5000, 1e308, date(1, 1, 1), date(9999, 12, 31)),),
    ),
]
"""Somebody ordinary, somebody of whom nothing is known, and somebody at every edge."""


def _evaluate(ruleset: Ruleset) -> None:
    """Whatever loads never raises for a person."""
    organisation = Organisation([], [], {})
    for person in PEOPLE:
        for identifier in ruleset.identifiers.values():
            next(candidates(identifier, person, person.affiliations[0], organisation), None)
        evaluate(ruleset, person, person.affiliations, organisation, lambda *_: "name", lambda _: "sealed", TODAY)
