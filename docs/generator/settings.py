"""Reads a JSON Schema as sections of settings: the same schema that editors use, so both always say the same."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]

_WORDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}

_NONE: frozenset[str] = frozenset()

_TEMPLATE = frozenset(_WORDS.values())
"""What a template may be written as; text with expressions in it, or a constant."""

_SUFFIX_UNITS = {"_seconds": "seconds", "_ms": "milliseconds", "_days": "days", "_start": "days", "_fraction": "share"}


@dataclass(frozen=True)
class Setting:
    """One key that may stand in a file.

    Attributes:
        name: The key.
        type: What may stand behind it, in words.
        default: As it would be written in YAML; "required" where there is none.
        unit: What a number counts, or empty.
        meaning: One or more sentences.
    """

    name: str
    type: str
    default: str
    unit: str
    meaning: str


@dataclass(frozen=True)
class Section:
    """The keys of one mapping.

    Attributes:
        path: Where it stands: ("sources", "<name>", "files", "<name>"); empty for the file as a whole.
        title: The path as people write it.
        meaning: What the section is for.
        settings: Its keys, in order.
        type: The connector's type that its entry must have, or None where every entry has these keys.
    """

    path: tuple[str, ...]
    title: str
    meaning: str
    settings: tuple[Setting, ...]
    type: str | None = None


class Sections:
    """Walks a schema from the top; a definition that several places share is told where it is met first.

    Attributes:
        order: The sections found, parents before children.
    """

    def __init__(
        self, schema: Schema, units: Mapping[str, str], homes: Mapping[str, tuple[str, ...]] | None = None
    ) -> None:
        """Walks the schema.

        Args:
            schema: The whole, with its `$defs`.
            units: "<definition>.<key>" -> unit of every number whose name does not tell it.
            homes: Definition -> the path to tell it at, where that is not the first it is met at.
        """
        self._definitions: Schema = schema.get("$defs", {})
        self._units = units
        self._homes = homes or {}
        self._seen: set[str] = set()
        self.order: list[Section] = []
        self._add("", schema, ())

    def _add(
        self,
        definition: str,
        node: Schema,
        path: tuple[str, ...],
        type_: str | None = None,
        leave: frozenset[str] = _NONE,
    ) -> None:
        properties = {name: value for name, value in node.get("properties", {}).items() if name not in leave}
        required = node.get("required", ())
        settings = tuple(
            Setting(
                name,
                words := self._type(value),
                "required" if name in required else self._default(value),
                self._unit(definition, name, words),
                value.get("description", "") or self._referred(value).get("description", ""),
            )
            for name, value in properties.items()
        )
        self.order.append(Section(path, _title(path, type_), node.get("description", ""), settings, type_))
        for name, value in properties.items():
            for inner, steps in self._objects(value, (*path, name)):
                self._visit(inner, steps, type_)

    def _visit(self, definition: str, path: tuple[str, ...], type_: str | None) -> None:
        node = self._definitions[definition]
        home = self._homes.get(definition, path)
        elsewhere = home[0] != path[0] or definition.startswith("Partial")
        if definition in self._seen or elsewhere or "enum" in node:
            return
        self._seen.add(definition)
        if "allOf" in node:
            self._add_by_type(definition, node, home)
        else:
            self._add(definition, node, home, type_)

    def _add_by_type(self, definition: str, node: Schema, path: tuple[str, ...]) -> None:
        """What every connector's entry has, then what each has of its own."""
        names = [choice["then"]["$ref"].removeprefix("#/$defs/") for choice in node["allOf"]]
        nodes = [self._definitions[name] for name in names]
        shared = frozenset.intersection(*(frozenset(one["properties"]) for one in nodes)) & _OURS
        first = nodes[0]["properties"]
        common = {name: first[name] for name in first if name in shared}
        common["type"] = node["properties"]["type"]
        self._add(definition, {**node, "properties": common, "required": ["type"]}, path)
        for name, one in zip(names, nodes, strict=True):
            self._seen.add(name)
            self._add(name, one, path, one["properties"]["type"]["const"], shared)

    def _objects(self, node: Schema, path: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Definitions of mappings that a setting's value can be, each with its path."""
        if "$ref" in node:
            yield node["$ref"].removeprefix("#/$defs/"), path
        for part in (*node.get("anyOf", ()), *node.get("allOf", ())):
            yield from self._objects(part, path)
        if isinstance(node.get("items"), dict):
            yield from self._objects(node["items"], path)
        for inner in _values(node):
            yield from self._objects(inner, (*path, "<name>"))

    def _referred(self, node: Schema) -> Schema:
        """The definition that a value refers to, or nothing."""
        return next((self._definitions[name] for name, _ in self._objects(node, ())), {})

    # ------------------------------------------------------------ one setting

    def _type(self, node: Schema) -> str:
        """What may stand there, in words."""
        if "$ref" in node:
            referred = self._definitions[node["$ref"].removeprefix("#/$defs/")]
            return self._type(referred) if "enum" in referred else "settings"
        if parts := _alternatives(node):
            words = dict.fromkeys(self._type(part) for part in parts)
            return "template" if words.keys() == _TEMPLATE else " or ".join(words)
        if constants := node.get("enum") or [value for value in (node.get("const"),) if value is not None]:
            return " or ".join(f"`{value}`" for value in constants)
        return self._collection(node) or _plain(node)

    def _collection(self, node: Schema) -> str | None:
        """Words for a list or a mapping, None for a plain value."""
        if node.get("type") == "array":
            return f"list of {self._type(node['items'])}"
        if node.get("type") == "object":
            inner = next(_values(node), None)
            return f"{self._type(inner)}, by name" if inner else "settings"
        return None

    def _default(self, node: Schema) -> str:
        if any(True for _ in self._objects(node, ())) and node.get("default") is not None:
            return ""  # the section it refers to tells
        default = node.get("default")
        return f"`{json.dumps(default, ensure_ascii=False)}`"

    def _unit(self, definition: str, name: str, words: str) -> str:
        """The unit of a number.

        Raises:
            LookupError: Nobody has said it: add it to the units of this reference.
        """
        key = f"{definition.rpartition('.')[2]}.{name}"
        if key in self._units:
            return self._units[key]
        if "number" not in re.sub("`[^`]*`", "", words):  # a choice may be called `employee_number`
            return ""
        for suffix, unit in _SUFFIX_UNITS.items():
            if name.endswith(suffix):
                return unit
        raise LookupError(f"what does {key} count?")


_OURS = frozenset({"type", "map", "brake", "dates", "variables"})
"""Keys that every source's, or every target's, entry has."""


def _alternatives(node: Schema) -> list[Schema]:
    """What a value may be, but for null and for a reference from outside, which every value may be."""
    parts = [*node.get("anyOf", ()), *node.get("allOf", ())]
    return [part for part in parts if part.get("type") != "null" and r"\$\{" not in part.get("pattern", "")]


def _values(node: Schema) -> Iterator[Schema]:
    """What stands behind the freely chosen keys of a mapping."""
    if isinstance(node.get("additionalProperties"), dict):
        yield node["additionalProperties"]
    yield from node.get("patternProperties", {}).values()


def _plain(node: Schema) -> str:
    if isinstance(node["type"], list):
        return " or ".join(_WORDS[kind] for kind in node["type"])
    word = "path" if node.get("format") == "path" else _WORDS[node["type"]]
    low, high = node.get("minimum", node.get("exclusiveMinimum")), node.get("maximum")
    if low is not None and high is not None:
        return f"{word} from {low} to {high}"
    if "exclusiveMinimum" in node:
        return f"{word} above {low}"
    return f"{word} from {low}" if low is not None else word


def _title(path: tuple[str, ...], type_: str | None) -> str:
    title = ".".join(path)
    return f"{title}, type {type_}" if type_ else title


def keys_at(data: object, path: tuple[str, ...], type_: str | None = None) -> set[str]:
    """The keys that plain data has at a section's path; a placeholder stands for every key, a list for its items.

    Args:
        data: What a YAML file says.
        path: As in Section.
        type_: Only entries of this connector type count.
    """
    if isinstance(data, list):
        return {key for item in data for key in keys_at(item, path, type_)}
    if not isinstance(data, dict):
        return set()
    if not path:
        return set(data)
    step, rest = path[0], path[1:]
    if not step.startswith("<"):
        return keys_at(data.get(step), rest, type_)
    entries = [
        value for value in data.values() if type_ is None or not isinstance(value, dict) or value.get("type") == type_
    ]
    return {key for value in entries for key in keys_at(value, rest, None)}
