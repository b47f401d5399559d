"""From `config.yaml` to `Settings`: every problem at once, at its place."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from pydantic import BaseModel, ValidationError

from connectors import registry
from connectors.contract import Connector
from eadm_sync.config.problems import ProblemCollector, did_you_mean
from eadm_sync.config.schedule import RELOAD, JobSettings, job_faults
from eadm_sync.config.secrets import clear_texts, interpolate
from eadm_sync.config.settings import NAME, RESERVED, Settings, SourceSettings, TargetSettings
from eadm_sync.config.yaml import Document, load_yaml, load_yaml_file
from eadm_sync.errors import ConfigError

Model = TypeVar("Model", bound=BaseModel)

OWN_KEYS: Mapping[type[BaseModel], frozenset[str]] = {
    model: frozenset(model.model_fields) - {"options"} for model in (SourceSettings, TargetSettings)
}
"""Keys of a source or target that are ours; all others are its connector's."""


class Loaded(msgspec.Struct, frozen=True):
    """A configuration file that was read.

    Attributes:
        settings: What it says.
        document: The file, to find places in.
        base_dir: Its folder, which relative paths are relative to.
    """

    settings: Settings
    document: Document
    base_dir: Path

    def path(self, path: Path) -> Path:
        """A configured path as one that can be opened."""
        return self.base_dir / path


def load_settings(
    path: Path,
    *,
    environ: Mapping[str, str] | None = None,
    connectors: Callable[[str], Connector] = registry.load,
) -> Loaded:
    """Reads and validates a configuration file.

    Args:
        path: The file.
        environ: What `${env:…}` reads; None for the environment of the process.
        connectors: Gives the connector of a type, or raises as `connectors.registry.load` does.

    Raises:
        ConfigError: Something is wrong with it; every problem there is.
    """
    document = load_yaml_file(path)
    base_dir = path.parent
    outside = interpolate(document, os.environ if environ is None else environ, base_dir)
    collector = ProblemCollector(document, outside.secrets, outside.failed)
    collector.problems.extend((*outside.problems, *clear_texts(document)))
    if not isinstance(outside.data, dict):
        collector.add((), "a configuration is a mapping of settings", hint="start with 'organisation:'")
        raise ConfigError(tuple(collector.problems))
    settings = _Loader(collector, connectors, base_dir).settings(outside.data)
    collector.raise_if_any()
    assert settings is not None  # noqa: S101 - no problems, so everything was valid
    return Loaded(settings, document, base_dir)


class _Loader:
    """Validates the parts of one file, noting what is wrong."""

    def __init__(self, collector: ProblemCollector, connectors: Callable[[str], Connector], base_dir: Path) -> None:
        self.collector = collector
        self.connectors = connectors
        self.base_dir = base_dir

    def settings(self, data: dict[str, Any]) -> Settings | None:
        """The whole, or None after noting problems."""
        rest = {key: value for key, value in data.items() if key not in {"sources", "targets"}}
        settings = self._valid(Settings, rest, ())
        sources = self._section(data, "sources", self._source)
        targets = self._section(data, "targets", self._target)
        if not data.get("sources"):
            self.collector.add(("sources",), "there must be at least one source", key=True)
        for name in sources.keys() & targets.keys():
            hint = "brakes and errors name them; call one of them otherwise"
            self.collector.add(("targets", name), f"'{name}' is the name of a source, too", hint=hint, key=True)
        if settings is None:
            return None
        self._rulesets_exist(settings)
        self._jobs_fit(settings.schedule, targets)
        return settings.model_copy(update={"sources": sources, "targets": targets})

    def _section(
        self, data: dict[str, Any], section: str, read: Callable[[str, dict[str, Any]], Model | None]
    ) -> dict[str, Model]:
        """All named sources or targets; those that are wrong are left out."""
        entries = data.get(section)
        if entries is None:
            return {}
        if not isinstance(entries, dict):
            self.collector.add((section,), "must be a mapping (`key: value`), by name")
            return {}
        out = {}
        for name, entry in entries.items():
            if not NAME.fullmatch(name):
                hint = "lower-case letters a-z, digits, '_' and '-', beginning with a letter"
                self.collector.add((section, name), f"'{name}' cannot be a name", hint=hint, key=True)
            if name in RESERVED:
                hint = "call it otherwise: people are named '<source>:<key>', and groups 'group:<key>'"
                self.collector.add((section, name), f"'{name}' is a word of the program", hint=hint, key=True)
            if not isinstance(entry, dict):
                self.collector.add((section, name), "must be a mapping (`key: value`)", key=True)
                continue
            valid = read(name, entry)
            if valid is not None:
                out[name] = valid
        return out

    def _source(self, name: str, entry: dict[str, Any]) -> SourceSettings | None:
        path = ("sources", name)
        connector = self._connector(path, entry)
        if connector is not None and connector.open_source is None:
            self.collector.add((*path, "type"), f"'{connector.type}' is a target, not a source")
        elif connector is not None:
            entry = self._with_mapping(path, entry, connector)
        return self._entry(SourceSettings, path, entry, connector)

    def _target(self, name: str, entry: dict[str, Any]) -> TargetSettings | None:
        path = ("targets", name)
        connector = self._connector(path, entry)
        if connector is not None and connector.open_target is None:
            self.collector.add((*path, "type"), f"'{connector.type}' is a source, not a target")
        return self._entry(TargetSettings, path, entry, connector)

    def _connector(self, path: tuple[str, ...], entry: dict[str, Any]) -> Connector | None:
        type_ = entry.get("type")
        if not isinstance(type_, str):
            return None  # the model says so
        try:
            return self.connectors(type_)
        except registry.UnknownConnector as error:
            hint = did_you_mean(type_, error.known)
            self.collector.add((*path, "type"), f"there is no connector '{type_}'", hint=hint)
        except registry.ConnectorNotInstalled as error:
            message = f"the connector '{type_}' needs the package '{error.missing}'"
            self.collector.add((*path, "type"), message, hint=f"pip install 'eadm-sync[{type_}]'")
        return None

    def _entry(
        self, model: type[Model], path: tuple[str, ...], entry: dict[str, Any], connector: Connector | None
    ) -> Model | None:
        """A source or target with its connector's options, or None after noting problems."""
        own_keys = OWN_KEYS[model]
        own = {key: value for key, value in entry.items() if key in own_keys}
        settings = self._valid(model, own, path)
        if connector is None:
            return None
        others = {key: value for key, value in entry.items() if key not in own_keys}
        options = self._valid(connector.options, others, path, own_keys)
        if settings is None or options is None:
            return None
        return settings.model_copy(update={"options": options})

    def _with_mapping(self, path: tuple[str, ...], entry: dict[str, Any], connector: Connector) -> dict[str, Any]:
        """The entry with the connector's ready-made mapping, where it has one, under its own.

        A part that is one entry in both is merged field by field, so that one field can be added; any other part of
        its own stands in place of the ready-made one.
        """
        own = entry.get("map")
        if connector.mapping is None:
            if not own:
                hint = "it says which column is which field, beginning with `people:`"
                self.collector.add((*path, "map"), "the setting 'map' is missing or empty", hint=hint, key=True)
                return {key: value for key, value in entry.items() if key != "map"}
            return entry
        merged = dict(load_yaml(connector.mapping, f"mapping of {connector.type}").data)
        if own is not None and not isinstance(own, dict):
            return entry  # the model says so
        for part, value in (own or {}).items():
            base = merged.get(part)
            merged[part] = {**base, **value} if isinstance(base, dict) and isinstance(value, dict) else value
        return {**entry, "map": merged}

    def _rulesets_exist(self, settings: Settings) -> None:
        for index, ruleset in enumerate(settings.rulesets):
            if not (self.base_dir / ruleset).exists():
                self.collector.add(("rulesets", index), f"there is no file or folder '{ruleset}'")

    def _jobs_fit(self, jobs: Mapping[str, JobSettings], targets: Mapping[str, TargetSettings]) -> None:
        for name in jobs:
            if not NAME.fullmatch(name):
                hint = "lower-case letters a-z, digits, '_' and '-', beginning with a letter"
                self.collector.add(("schedule", name), f"'{name}' cannot be a name", hint=hint, key=True)
            if name == RELOAD:
                hint = f"call it otherwise: 'eadm-sync trigger {RELOAD}' has the daemon read its configuration again"
                self.collector.add(("schedule", name), f"'{name}' is a word of the program", hint=hint, key=True)
        for name, key, word, message, known in job_faults(jobs, targets):
            self.collector.add(("schedule", name, key), message, hint=did_you_mean(word, known))

    def _valid(
        self, model: type[Model], data: Any, path: tuple[str, ...], also_known: Iterable[str] = ()
    ) -> Model | None:
        try:
            return model.model_validate(data)
        except ValidationError as error:
            known = ("sources", "targets") if not path else also_known
            self.collector.add_invalid(error, model, data, path, known)
            return None
