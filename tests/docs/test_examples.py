"""Every example that the documentation shows works, and every file that ships loads with the real connectors."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from docs.generator import ruleset
from docs.generator.pages import DOCS
from eadm_sync.app.context import open_context
from eadm_sync.app.ruleset_tests import run_cases
from eadm_sync.clock import SystemClock
from eadm_sync.config.keys import write_key_file
from eadm_sync.config.loading import load_settings
from eadm_sync.config.schema import config_schema
from eadm_sync.config.starter import starter_files
from eadm_sync.config.yaml import load_yaml, load_yaml_file
from eadm_sync.errors import ConfigError
from eadm_sync.expression import (
    FILTERS,
    TESTS,
    Namespace,
    Origin,
    check_template,
    compile_condition,
    compile_template,
    record_scope,
)
from eadm_sync.expression.filters import DEFAULT_DOC
from eadm_sync.ruleset import load_ruleset
from eadm_sync.ruleset.schema import ruleset_schema

ROOT = DOCS.parent
HERE = Origin("example")
JOBS = "title;field;licence\nRektor;Oppvekst;office\n"
WORDS = "".join(f"ord{one}{two}\n" for one in "abcdefghijk" for two in "abcdefghijk")
ENVIRON = dict.fromkeys(
    ("AD_PASSWORD", "DB_PASSWORD", "ENTRA_SECRET", "ENTRA_CERTIFICATE_PASSWORD", "GRAPH_SECRET"), "x"
)
REST: dict[str, Any] = {
    "organisation": {"name": "Eksempel kommune"},
    "sources": {"school": {"type": "oneroster", "path": "school"}},
    "targets": {"directory": {"type": "embedded", "path": "directory.db"}},
}
"""What makes a part of a configuration whole."""
CONFIG = jsonschema.Draft7Validator(config_schema())
RULESET = jsonschema.Draft202012Validator(ruleset_schema())
"""The editors' schemas, each read once."""


def blocks(page: Path, language: str) -> Iterator[str]:
    """Code blocks of a page in one language."""
    yield from re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def config_examples() -> Iterator[Any]:
    """Every YAML block of every page that is a part of a configuration, or a whole one."""
    for page in sorted(DOCS.rglob("*.md")):
        for number, text in enumerate(blocks(page, "yaml")):
            own_files = "${file:/" in text  # of the machine that it is about
            if not own_files and re.search(
                r"^(organisation|sources|targets|state|brakes|logging):", text, re.MULTILINE
            ):
                yield pytest.param(text, id=f"{page.name}-{number}")


def ruleset_examples() -> Iterator[Any]:
    """Every YAML block of every page that is a ruleset."""
    for page in sorted(DOCS.glob("*.md")):
        for number, text in enumerate(blocks(page, "yaml")):
            if re.search(r"^ruleset:", text, re.MULTILINE) and not page.name.startswith("sources-"):
                yield pytest.param(text, id=f"{page.name}-{number}")


def whole(folder: Path, text: str) -> Path:
    """A configuration file in which one part is the example."""
    given = yaml.safe_load(text)
    for name in given.get("rulesets", ["rulesets"]):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("") if path.suffix else path.mkdir()
    rest = {key: value for key, value in REST.items() if key not in given}
    file = folder / "config.yaml"
    file.write_text(text + (yaml.safe_dump(rest) if rest else ""), encoding="utf-8")
    return file


@pytest.mark.parametrize("text", list(config_examples()))
def test_configuration_examples_load(tmp_path: Path, text: str):
    """Each part of a configuration that a page shows is one, by the loader and by the editors' schema."""
    file = whole(tmp_path, text)

    load_settings(file, environ=ENVIRON)
    CONFIG.validate(load_yaml_file(file).data)


@pytest.mark.parametrize("text", list(config_examples()))
def test_mappings_of_examples_compile(tmp_path: Path, text: str):
    """Every template and condition of a mapping that a page shows is one; columns are what it names."""
    settings = load_settings(whole(tmp_path, text), environ=ENVIRON).settings
    for source in settings.sources.values():
        for part in (source.map.people, source.map.affiliations, source.map.units, source.map.class_groups):
            for entry in part:
                texts = [*entry.templates().values(), entry.where or ""]
                columns = [a or b for one in texts for a, b in re.findall(r"row(?:\.(\w+)|\['([^']+)'\])", one)]
                scope = record_scope(sorted(set(columns)))
                for template in entry.templates().values():
                    compile_template(template, scope, HERE)
                if entry.where:
                    compile_condition(entry.where, scope, HERE)


@pytest.mark.parametrize("text", list(ruleset_examples()))
def test_ruleset_examples_compile(tmp_path: Path, text: str):
    """Each ruleset that a page shows is one, by the compiler and by the editors' schema."""
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "jobs.csv").write_text(JOBS, encoding="utf-8")
    (tmp_path / "tables" / "words.txt").write_text(WORDS, encoding="utf-8")
    (tmp_path / "example.yaml").write_text(text, encoding="utf-8")

    load_ruleset([tmp_path / "example.yaml"], ruleset.VOCABULARY)
    RULESET.validate(load_yaml(text, "example.yaml").data)


def compiles(expression: str) -> bool:
    """Whether a text is a condition or a template somewhere in a ruleset."""
    for scope in ruleset.scopes().values():
        try:
            if "{{" in expression:
                compile_template(expression, scope, HERE)
            else:
                compile_condition(expression, scope, HERE)
        except ConfigError:
            continue
        return True
    return False


@pytest.mark.parametrize(("field", "expression"), list(ruleset.field_examples().items()))
def test_field_examples_compile(field: str, expression: str):
    """The example of each field compiles, and is about that field."""
    assert compiles(expression)
    assert field in expression


def test_every_field_has_one_example():
    """No field goes without an example, and none is left over."""
    readable = [one.path for fields in ruleset.readables().values() for one in fields]
    loose = [one.path for one in ruleset.LOOSE]

    assert sorted(ruleset.field_examples()) == sorted([*readable, *loose])


@pytest.mark.parametrize("operator", ruleset.operator_examples(), ids=lambda operator: operator["example"])
def test_operator_examples_compile(operator: dict[str, str]):
    """The example of each operator is part of the language, and is explained."""
    assert compiles(operator["example"])
    assert operator["meaning"]


@pytest.mark.parametrize(
    "expression",
    [
        *(known.example[0] for known in FILTERS.values()),
        *(known.example[0] for known in TESTS.values()),
        DEFAULT_DOC[1][0],
    ],
)
def test_filter_and_test_examples_compile(expression: str):
    """The example of each filter and test is part of the language."""
    scope = ruleset.scopes()["class"]
    if compiles(expression):
        return
    check_template("{{ " + expression + " }}", scope, HERE, Namespace(), typed=True)


def test_the_reference_warns_of_missing_values():
    """`!=` does not hold where the value is missing, and the condition that the reference advises does."""
    [advised] = [text for text in blocks(DOCS / "ruleset-reference.md", "yaml") if text.startswith("when: ")]

    naive = compile_condition("jobs['nobody'].title != 'Vikar'", ruleset.scopes()["condition"], HERE)
    right = compile_condition(
        advised.removeprefix("when: ").strip().replace("affiliation.title", "jobs['nobody'].title"),
        ruleset.scopes()["condition"],
        HERE,
    )

    assert naive.test(None, None, None, None, None) is False
    assert right.test(None, None, None, None, None) is True


@pytest.mark.parametrize("folder", [".", "examples/helloid", "examples/lifecycle", "examples/oneroster"])
def test_shipped_configurations_load(folder: str):
    """Each configuration that ships loads with the real connectors, and its rules compile."""
    name = "config.example.yaml" if folder == "." else "config.yaml"

    context = open_context(ROOT / folder / name, SystemClock())

    assert context.ruleset.accounts
    data = load_yaml_file(ROOT / folder / name).data
    CONFIG.validate(data)


def test_the_example_of_the_lifecycle_passes_its_tests():
    """Each leave code, grace and the end: what the ruleset's own tests say is what it does."""
    folder = ROOT / "examples" / "lifecycle"

    results = list(run_cases(open_context(folder / "config.yaml", SystemClock()), [folder / "rulesets" / "tests"]))

    assert len(results) >= 6
    assert [result.case for result in results if not result.passed] == []


def test_starter_files_load(tmp_path: Path):
    """What `init` writes loads with the real connectors, and its rules compile."""
    for place, text in starter_files().items():
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(text, encoding="utf-8")
    write_key_file(tmp_path / "var" / "eadm-sync.key")

    context = open_context(tmp_path / "config.yaml", SystemClock())

    assert context.ruleset.accounts
    for source in context.make_sources().values():
        source.check()


def shipped_rulesets() -> list[Path]:
    """Every ruleset file that ships."""
    folders = [ROOT / "rulesets", *(path for path in (ROOT / "examples").glob("*/rulesets") if path.is_dir())]
    return sorted(path for folder in folders for path in folder.glob("*.yaml"))


@pytest.mark.parametrize("path", shipped_rulesets(), ids=lambda path: str(path.relative_to(ROOT)))
def test_shipped_rulesets_fit_their_schema(path: Path):
    """An editor underlines nothing in a ruleset that ships."""
    RULESET.validate(load_yaml_file(path).data)


def test_documented_configurations_are_the_examples():
    """What docs/sources-*.md show is what stands in examples/."""
    for name in ("helloid", "oneroster"):
        page = (DOCS / f"sources-{name}.md").read_text(encoding="utf-8")
        files = sorted((ROOT / "examples" / name).rglob("*.yaml"))
        assert files
        for file in files:
            assert file.read_text(encoding="utf-8").strip() in page, file
