"""What a new installation begins with."""

import csv
from pathlib import Path

import jsonschema

from connectors import registry
from connectors.contract import Record
from eadm_sync.config.loading import load_settings
from eadm_sync.config.schema import config_schema
from eadm_sync.config.starter import starter_files
from eadm_sync.config.yaml import load_yaml


def write(folder: Path) -> None:
    """Writes the starter files into a folder."""
    for name, text in starter_files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_the_starter_configuration_loads(tmp_path: Path) -> None:
    """`init` followed by `check` finds nothing wrong, with nothing set in the environment."""
    write(tmp_path)
    settings = load_settings(tmp_path / "config.yaml", environ={}).settings
    assert list(settings.sources) == ["hr"]
    assert list(settings.targets) == ["directory"]


def test_the_schema_takes_the_starter_configuration() -> None:
    """An editor underlines nothing in it."""
    schema = config_schema(types=("csv", "embedded"))
    data = load_yaml(starter_files()["config.yaml"], "config.yaml").data
    jsonschema.validate(data, schema, cls=jsonschema.Draft7Validator)


def test_the_starter_states_the_defaults_of_its_brakes(tmp_path: Path) -> None:
    """What the comment calls the defaults are the defaults."""
    write(tmp_path)
    path = tmp_path / "config.yaml"
    text = path.read_text(encoding="utf-8")
    stated = load_settings(path, environ={}).settings
    path.write_text(text[: text.index("brakes:")], encoding="utf-8")
    default = load_settings(path, environ={}).settings
    assert stated.import_brake("hr") == default.import_brake("hr")
    for kind, action in (("account", "disable"), ("account", "delete")):
        assert stated.limit("directory", kind, action) == default.limit("directory", kind, action)


def test_the_starter_data_has_every_column_that_is_mapped(tmp_path: Path) -> None:
    """The csv source reads the data, and each `row.<column>` of the mapping is one of its columns."""
    write(tmp_path)
    settings = load_settings(tmp_path / "config.yaml", environ={}).settings.sources["hr"]
    open_source = registry.load("csv").open_source
    assert open_source is not None
    source = open_source(settings.options, tmp_path)
    for part in (settings.map.people, settings.map.affiliations, settings.map.units):
        for entry in part:
            columns = {f"{{{{ row.{column} }}}}" for column in source.columns(entry.from_)}
            named = {text for text in entry.templates().values() if text.startswith("{{") and text.count("{{") == 1}
            assert named <= columns
    assert all(isinstance(row, Record) for row in source.read("people"))


def test_the_starter_data_hangs_together() -> None:
    """Every unit that a person, a unit or a manager refers to exists."""
    texts = starter_files()
    people = list(csv.DictReader(texts["data/people.csv"].splitlines(), delimiter=";"))
    units = list(csv.DictReader(texts["data/units.csv"].splitlines(), delimiter=";"))
    codes, numbers = {unit["Code"] for unit in units}, {person["Number"] for person in people}
    assert {person["Unit"] for person in people} <= codes
    assert {unit["Parent"] for unit in units} <= codes | {""}
    assert {unit["Manager"] for unit in units} <= numbers
