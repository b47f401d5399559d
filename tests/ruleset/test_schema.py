"""The JSON Schema for editors agrees with the models that read the files."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from eadm_sync.config.yaml import load_yaml_file
from eadm_sync.ruleset import ruleset_schema
from eadm_sync.ruleset.cases import cases_schema

RULESETS = sorted((Path(__file__).parents[2] / "rulesets").glob("*.yaml"))


@pytest.mark.parametrize("path", RULESETS, ids=lambda path: path.name)
def test_shipped_rulesets_fit_the_schema(path: Path):
    """What an editor says of our own files is: good."""
    jsonschema.Draft202012Validator(ruleset_schema()).validate(load_yaml_file(path).data)


@pytest.mark.parametrize(
    "data",
    [
        {},  # no name
        {"ruleset": "a", "acounts": []},
        {"ruleset": "a", "accounts": [{"rule": "r"}]},
        {"ruleset": "a", "groups": [{"rule": "r", "target": "t", "name": "n", "for_each": "x"}]},
        {"ruleset": "a", "lifecycle": {"grace_days": "7"}},
    ],
)
def test_schema_refuses_what_the_models_refuse(data: dict[str, Any]):
    """An editor underlines what loading would refuse."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(ruleset_schema()).validate(data)


@pytest.mark.parametrize("schema", [ruleset_schema(), cases_schema()], ids=lambda schema: schema["title"])
def test_every_key_is_described(schema: dict[str, Any]):
    """An editor shows what a key means, in rulesets and in their tests."""
    models = [schema, *schema["$defs"].values()]

    undescribed = [
        name for model in models for name, key in model.get("properties", {}).items() if not key.get("description")
    ]

    assert undescribed == []
