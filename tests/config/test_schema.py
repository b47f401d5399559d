"""The JSON Schema of the configuration: editors accept what the loader accepts, and refuse slips."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import BaseModel, ConfigDict, Field

from connectors.contract import Connector
from connectors.registry import ConnectorNotInstalled
from eadm_sync.config.loading import load_settings
from eadm_sync.config.schema import config_schema
from eadm_sync.config.yaml import load_yaml
from eadm_sync.errors import ConfigError


class Table(BaseModel):
    """One table."""

    model_config = ConfigDict(extra="forbid")
    path: str = Field(description="The file.")


class SourceOptions(BaseModel):
    """Settings of the invented sources."""

    model_config = ConfigDict(extra="forbid")
    files: dict[str, str | Table] = Field(description="Tables by name.")


class TargetOptions(BaseModel):
    """Settings of the invented target."""

    model_config = ConfigDict(extra="forbid")
    port: int = Field(636, ge=1, description="TCP port.")


def _open(_options: Any, _base: Path) -> Any:
    raise AssertionError("a schema opens nothing")


CONNECTORS = {
    "table": Connector("table", SourceOptions, open_source=_open),
    "school": Connector("school", SourceOptions, open_source=_open, mapping="people: {from: u, key: x}"),
    "directory": Connector("directory", TargetOptions, open_target=_open),
}


def connectors(type_: str) -> Connector:
    """The connectors of these tests, one of them without its driver."""
    if type_ == "cloud":
        raise ConnectorNotInstalled(type_, "cloudlib")
    return CONNECTORS[type_]


SCHEMA = config_schema(connectors, types=(*CONNECTORS, "cloud"))

HEAD = "organisation: {name: x}\n"
MAP = "map: {people: {from: a, key: b}}"
HR = f"{HEAD}sources: {{hr: {{type: table, files: {{a: a.csv}}, {MAP}}}}}\n"


def test_the_schema_is_a_schema() -> None:
    """It is valid in the draft that it names, and every reference in it leads somewhere."""
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    text = str(SCHEMA)
    assert "cloud" not in text
    for name in SCHEMA["$defs"]:
        assert f"#/$defs/{name}'" in text, f"{name} is not used"


def test_every_setting_has_a_description() -> None:
    """What an editor shows when the pointer rests on a key."""
    for name, definition in {"(top)": SCHEMA, **SCHEMA["$defs"]}.items():
        for key, value in definition.get("properties", {}).items():
            reference = value.get("allOf", [value])[0].get("$ref")
            told = value
            if reference and "description" not in value:
                told = SCHEMA["$defs"][reference.removeprefix("#/$defs/")]
            assert told.get("description") or "const" in told, f"{name}.{key}"


@pytest.mark.parametrize(
    "text",
    [
        HR,
        # every section
        HR + "state: {url: 'sqlite:///a.db', key_file: k}\nrulesets: [rulesets]\nlinks: [national_id, email]\n",
        HR
        + "brakes: {imports: {max_vanished: null}, targets: {account: {delete: {max: 5}}}}\nlogging: {level: debug}\n",
        # a connector's own settings, also from outside
        HR + "targets: {ad: {type: directory, port: 636, variables: {a: b}}}\n",
        HR + "targets: {ad: {type: directory, port: '${env:PORT}'}}\n",
        HR.replace("a: a.csv", "a: {path: a.csv}"),
        # mappings: one entry or several, constants, ready-made ones changed in part
        HR.replace("{from: a, key: b}", "[{from: a, key: b, extra: {n: 1}}, {from: c, key: d, where: 'row.x'}]"),
        HEAD + "sources: {s: {type: school, files: {}}}\n",
        HEAD + "sources: {s: {type: school, files: {}, map: {people: {national_id: x}, units: []}}}\n",
    ],
)
def test_what_the_loader_takes_the_schema_takes(tmp_path: Path, text: str) -> None:
    """No editor underlines a good configuration."""
    (tmp_path / "rulesets").mkdir()
    (tmp_path / "config.yaml").write_text(text)
    load_settings(tmp_path / "config.yaml", environ={"PORT": "1"}, connectors=connectors)
    jsonschema.validate(load_yaml(text, "f").data, SCHEMA, cls=jsonschema.Draft7Validator)


@pytest.mark.parametrize(
    "text",
    [
        HEAD,
        HEAD + "sources: {}\n",
        # unknown keys: ours, a connector's, a mapping's
        HR + "organization: {}\n",
        HR.replace("files:", "file: x, files:"),
        HR.replace("key: b", "key: b, given: c"),
        HR + "brakes: {targets: {account: {remove: {}}}}\n",
        # the connector's own key in a source of another type
        HR + "targets: {ad: {type: directory, files: {}}}\n",
        # missing keys
        HR.replace(", " + MAP, ""),
        HR.replace("files: {a: a.csv}, ", ""),
        HR.replace("type: table, ", ""),
        HR.replace("from: a, ", ""),
        # wrong values
        HR.replace("type: table", "type: directory"),
        HR.replace("{hr:", "{HR:"),
        HR + "targets: {ad: {type: directory, port: many}}\n",
        HR + "targets: {ad: {type: directory, port: 0}}\n",
        HR + "links: [mobile]\n",
        HR + "brakes: {imports: {max_vanished_fraction: 5}}\n",
    ],
)
def test_what_the_loader_refuses_the_schema_refuses(tmp_path: Path, text: str) -> None:
    """A slip is underlined while it is typed."""
    (tmp_path / "rulesets").mkdir()
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ConfigError):
        load_settings(tmp_path / "config.yaml", environ={}, connectors=connectors)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(load_yaml(text, "f").data, SCHEMA, cls=jsonschema.Draft7Validator)
