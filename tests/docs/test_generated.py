"""The generated pages are what the code says now, and leave nothing out."""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import typer

from docs.generator import commands, configuration, ruleset
from docs.generator.pages import DOCS, pages
from docs.generator.settings import Section, keys_at
from eadm_sync.cli.program import program
from eadm_sync.config import yaml
from eadm_sync.config.yaml import load_yaml, load_yaml_file
from eadm_sync.expression import FILTERS, TESTS, checking, filters, parsing
from eadm_sync.expression.filters import DEFAULT_DOC
from eadm_sync.ruleset.schema import ruleset_schema


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    """What the generator makes."""
    return pages()


@pytest.mark.parametrize(
    "name",
    [
        "schema/config.schema.json",
        "schema/ruleset.schema.json",
        "schema/cases.schema.json",
        "configuration.md",
        "ruleset-reference.md",
        "lifecycle.md",
        "commands.md",
    ],
)
def test_generated_files_are_up_to_date(made: dict[str, str], name: str):
    """What stands in docs/ is what `make docs` would write."""
    assert (DOCS / name).read_text(encoding="utf-8") == made[name], "run: make docs"


def test_no_generated_file_goes_untested(made: dict[str, str]):
    """Every page of the generator is there, and every schema is one of its pages."""
    assert all((DOCS / name).exists() for name in made)
    assert {f"schema/{path.name}" for path in (DOCS / "schema").iterdir()} <= made.keys()


@pytest.mark.parametrize("name", ["config", "ruleset"])
def test_schemas_are_schemas(made: dict[str, str], name: str):
    """Each is valid in the draft that it names."""
    schema = json.loads(made[f"schema/{name}.schema.json"])
    jsonschema.validators.validator_for(schema).check_schema(schema)


@pytest.mark.parametrize("section", configuration.sections(), ids=lambda section: section.title)
def test_every_setting_has_an_example(section: Section):
    """Each setting stands in an example of the page or in config.example.yaml, at its own place."""
    texts = {f"{title}.yaml": text for title, text in configuration.examples().items()}
    shown = [load_yaml(text, name).data for name, text in texts.items()]
    shown.append(load_yaml_file(DOCS.parent / "config.example.yaml").data)

    found = {key for data in shown for key in keys_at(data, section.path, section.type)}

    assert {setting.name for setting in section.settings} <= found


@pytest.mark.parametrize("section", configuration.sections(), ids=lambda section: section.title)
def test_every_setting_is_explained(section: Section):
    """Each setting has a meaning, and each number a unit."""
    for setting in section.settings:
        assert setting.meaning or setting.name == "type", setting.name
        assert setting.unit or "number" not in setting.type.split("`")[0], setting.name


@pytest.mark.parametrize("section", ruleset.sections(), ids=lambda section: section.title)
def test_every_ruleset_key_has_an_example(section: Section):
    """Each key stands in the example of its section."""
    shown = load_yaml(ruleset.examples()[section.title], "example.yaml").data

    assert {setting.name for setting in section.settings} <= keys_at(shown, section.path)


def test_examples_of_unknown_sections_are_noticed():
    """No example is left over after a section was renamed."""
    assert configuration.examples().keys() <= {section.title for section in configuration.sections()}
    assert ruleset.examples().keys() == {section.title for section in ruleset.sections()}


def offered(command: Any = None, prefix: str = "") -> Iterator[tuple[str, list[str]]]:
    """What the program itself offers: each command's whole name with its options, as its `--help` tells them."""
    command = command or typer.main.get_command(program)
    for word, inner in getattr(command, "commands", {}).items():
        context = inner.make_context(word, [], resilient_parsing=True)
        yield f"{prefix}{word}", re.findall(r"(?<=[ \n])--[a-z-]+", inner.get_help(context).partition("\nOptions:")[2])
        yield from offered(inner, f"{prefix}{word} ")


@pytest.fixture(scope="module")
def known() -> dict[str, list[str]]:
    """All commands with their options."""
    return dict(offered())


def test_every_command_and_option_is_documented(made: dict[str, str], known: dict[str, list[str]]):
    """Each command of the program has a section that names its arguments and options."""
    page = made["commands.md"]
    for name, options in known.items():
        _, found, after = page.partition(f"# `{name}`\n")
        assert found, name
        section = after.partition("\n## ")[0].partition("\n### ")[0]
        for option in set(options) - {"--help"}:
            assert re.search(rf"[`, ]{option}[`, ]", section), (name, option)


def test_every_command_says_how_it_ends():
    """Each command's help names its exit codes and gives an example."""
    for command in commands.commands():
        if command.parameters is not None:
            assert "Exit codes: " in command.help, command.name
            assert f"eadm-sync {command.name}" in command.help, command.name


def test_there_are_commands():
    """The walk through the program finds the main job; a change of Typer would not go unnoticed."""
    names = {command.name for command in commands.commands()}

    assert {"init", "check", "plan", "sync", "apply", "explain", "why-not", "queue list"} <= names


def mentioned() -> list[tuple[str, str]]:
    """Every call of the program that a page written by hand shows, with the page's name."""
    written = [DOCS.parent / "README.md", DOCS.parent / "examples" / "README.md", *sorted(DOCS.rglob("*.md"))]
    texts = {page.name: page.read_text(encoding="utf-8") for page in written if page.name != "commands.md"}
    return [
        (name, call.strip())
        for name, text in texts.items()
        for call in re.findall(r"(?:`|\$ )eadm-sync ([a-z][^`\n#]*)", text)
    ]


@pytest.mark.parametrize(("page", "call"), mentioned())
def test_mentioned_commands_exist(known: dict[str, list[str]], page: str, call: str):
    """Whatever a page tells the reader to type is a command, with options that it has."""
    words = call.split()
    name = next((name for name in (" ".join(words[:2]), words[0]) if name in known), None)

    assert name is not None, f"{page}: eadm-sync {call}"
    assert set(re.findall(r"(?<= )--[a-z-]+", call)) <= set(known[name]), f"{page}: eadm-sync {call}"


def test_the_reference_names_every_key_filter_and_test(made: dict[str, str]):
    """Whatever the code has stands in the page, by its own name, and with an example behind filters and tests."""
    page = made["ruleset-reference.md"]
    schema = ruleset_schema()
    keys = {key for model in (schema, *schema["$defs"].values()) for key in model["properties"]}
    words = {**FILTERS, **TESTS, "default": DEFAULT_DOC}

    assert {key for key in keys if f"| `{key}` |" not in page} == set()
    row = r"^\| `(?:is )?{}[`(].*\| .*`.*{}"
    assert {word for word in words if not re.search(row.format(word, word), page, re.MULTILINE)} == set()


def test_the_reference_tells_the_limits_that_there_are(made: dict[str, str]):
    """The numbers are the code's."""
    _, _, limits = made["ruleset-reference.md"].partition("### Limits\n")
    told = {int(number) for number in re.findall(r"\d+", limits.partition("###")[0])}

    assert told == {
        parsing.MAX_LENGTH,
        parsing.MAX_TOKENS,
        checking.MAX_DEPTH,
        filters.MAX_TEXT,
        filters.MAX_CUT,
        yaml.MAX_BYTES // 2**20,
        yaml.MAX_DEPTH,
    }
