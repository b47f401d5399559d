"""JSON Schema of the configuration file, for editors that complete and check while one types.

Draft 7, because the YAML language server that most editors use reports newer drafts as not fully supported
(github.com/redhat-developer/yaml-language-server/issues/1112). Draft 7 knows no `unevaluatedProperties`, so each
connector gets a definition of its own with our keys and its own side by side, chosen by `type`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pydantic import BaseModel

from connectors import registry
from connectors.contract import Connector
from eadm_sync.config.settings import NAME, Settings, SourceSettings, TargetSettings

Schema = dict[str, Any]

_ENTRIES = ("PeopleMap", "AffiliationsMap", "UnitsMap", "ClassGroupsMap", "ClassMembershipsMap")
_FROM_OUTSIDE = {"type": "string", "pattern": r"\$\{(env|file):[^{}]+\}"}


def config_schema(connectors: Callable[[str], Connector] = registry.load, types: Sequence[str] | None = None) -> Schema:
    """The schema of `config.yaml` with the settings of every connector that can be loaded.

    Args:
        connectors: Gives the connector of a type, or raises as `connectors.registry.load` does.
        types: The types there are; None for all that are installed. One whose driver is missing is left out.
    """
    schema = Settings.model_json_schema()
    definitions: Schema = schema["$defs"]
    definitions |= _partial_mapping(definitions)
    known = list(_loaded(connectors, registry.known_types() if types is None else types))
    sources = [connector for connector in known if connector.open_source is not None]
    targets = [connector for connector in known if connector.open_target is not None]
    definitions["SourceSettings"] = _by_type(definitions, SourceSettings, "source", sources)
    definitions["TargetSettings"] = _by_type(definitions, TargetSettings, "target", targets)
    for section in ("sources", "targets", "schedule"):
        schema["properties"][section]["propertyNames"] = {"pattern": f"^{NAME.pattern}$"}
    schema["properties"]["sources"]["minProperties"] = 1
    schema["required"] = [*schema["required"], "sources"]
    for unused in _unused(schema):
        del definitions[unused]
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "eadm-sync configuration",
        **{key: value for key, value in _for_editors(schema).items() if key != "title"},
    }


def _loaded(connectors: Callable[[str], Connector], types: Sequence[str]) -> Iterator[Connector]:
    for type_ in types:
        try:
            yield connectors(type_)
        except registry.ConnectorNotInstalled:
            continue


def _by_type(definitions: Schema, model: type[BaseModel], role: str, known: list[Connector]) -> Schema:
    """Adds a definition for each connector and gives the one that chooses among them by `type`."""
    own = definitions[model.__name__]
    choices = []
    for connector in known:
        name = f"{role}.{connector.type}"
        definitions[name] = _with_options(definitions, own, connector, name)
        choices.append(
            {
                "if": {"properties": {"type": {"const": connector.type}}, "required": ["type"]},
                "then": {"$ref": f"#/$defs/{name}"},
            }
        )
    types = {"enum": [connector.type for connector in known], "description": own["properties"]["type"]["description"]}
    return {
        "type": "object",
        "description": own["description"],
        "properties": {"type": types},
        "required": ["type"],
        "allOf": choices,
    }


def _with_options(definitions: Schema, own: Schema, connector: Connector, name: str) -> Schema:
    """A source or target of one type: our settings and the connector's."""
    options = connector.options.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}")
    definitions |= {f"{name}.{inner}": value for inner, value in options.pop("$defs", {}).items()}
    ours = {key: value for key, value in own["properties"].items() if key != "options"}
    required = ["type", *options.get("required", ())]
    if "map" in ours and connector.mapping is not None:
        ours["map"] = {**ours["map"], "$ref": "#/$defs/PartialMapSettings"}
    elif "map" in ours:
        required.append("map")
    return {
        "type": "object",
        "description": options.get("description", ""),
        "properties": {**ours, "type": {"const": connector.type}, **options.get("properties", {})},
        "required": required,
        "additionalProperties": False,
    }


def _partial_mapping(definitions: Schema) -> Schema:
    """The mapping for connectors that have a ready-made one: an entry may name only the fields that it changes."""
    out = {name: {**definitions[name], "required": []} for name in _ENTRIES}
    out["MapSettings"] = copy.deepcopy(definitions["MapSettings"])
    for part in out["MapSettings"]["properties"].values():
        single = part["anyOf"][0]
        single["$ref"] = single["$ref"].replace("#/$defs/", "#/$defs/Partial")
    return {f"Partial{name}": value for name, value in out.items()}


def _unused(schema: Schema) -> set[str]:
    """Definitions that nothing refers to."""
    used: set[str] = set()
    waiting: list[Any] = [{key: value for key, value in schema.items() if key != "$defs"}]
    while waiting:
        for name in set(_references(waiting.pop())) - used:
            used.add(name)
            waiting.append(schema["$defs"][name])
    return set(schema["$defs"]) - used


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"].removeprefix("#/$defs/")
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def _for_editors(node: Any) -> Any:
    """Numbers and truth values may come from outside as `${env:…}`, and a reference keeps its description.

    Draft 7 ignores what stands beside a `$ref`, so it is wrapped; generated titles only repeat the key.
    """
    if isinstance(node, list):
        return [_for_editors(item) for item in node]
    if not isinstance(node, dict):
        return node
    out = {key: _for_editors(value) for key, value in node.items() if not (key == "title" and isinstance(value, str))}
    if "$ref" in out and len(out) > 1:
        return {"allOf": [{"$ref": out.pop("$ref")}], **out}
    kind = out.get("type")  # in a map of properties: the schema of a property of that name
    if isinstance(kind, str) and kind in {"integer", "number", "boolean"}:
        told = {key: out.pop(key) for key in ("description", "default") if key in out}
        return {"anyOf": [out, _FROM_OUTSIDE], **told}
    return out
