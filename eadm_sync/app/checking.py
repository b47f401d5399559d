"""Is everything right? Configuration and rulesets first, all problems of all files; then every part by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import msgspec

from connectors.contract import HasSchema, Kind, Source
from connectors.errors import ConnectorError
from eadm_sync.app.context import Context, open_context
from eadm_sync.app.correlating import match_rules
from eadm_sync.app.disclosing import disclosed
from eadm_sync.app.sources import LeftSource, left_sources
from eadm_sync.clock import Clock
from eadm_sync.config.keys import read_keys
from eadm_sync.config.settings import Settings
from eadm_sync.config.yaml import load_yaml_file
from eadm_sync.errors import ConfigError, Problem, StateError
from eadm_sync.importing.mapping import compile_mapping
from eadm_sync.ruleset.files import structure_problems


class Part(msgspec.Struct, frozen=True):
    """One part of an installation after it was looked at.

    Attributes:
        kind: `configuration`, `rulesets`, `key file`, `state`, `correlation`, `source` or `target`.
        name: Its name, or the file.
        fault: What is wrong, or None.
        detail: What else there is to say, or "".
    """

    kind: str
    name: str
    fault: str | None = None
    detail: str = ""


class CheckReport(msgspec.Struct, frozen=True):
    """What was found.

    Attributes:
        problems: What is wrong in files that administrators write.
        parts: Every part that could be looked at, in order.
    """

    problems: tuple[Problem, ...]
    parts: tuple[Part, ...]

    @property
    def is_right(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems and all(part.fault is None for part in self.parts)


Look = Callable[[], str]
"""Looks at one part and says what there is to say; raises what is wrong with it."""


def check(config: Path, clock: Clock, *, offline: bool = False) -> CheckReport:
    """Looks at a whole installation; changes nothing.

    Args:
        config: The configuration file.
        clock: The time.
        offline: Whether to leave sources and targets alone; mappings are then not held against the sources' columns.
    """
    try:
        context = open_context(config, clock)
    except ConfigError as error:
        return _without_configuration(config, error.problems)
    problems: list[Problem] = []
    parts = [
        _part(kind, name, look, problems)
        for kind, name, look in (*_at_home(context, config), *(() if offline else _outside(context)))
    ]
    return CheckReport(tuple(problems), tuple(parts))


def _without_configuration(config: Path, problems: tuple[Problem, ...]) -> CheckReport:
    """The problems of a configuration that does not hold, and those that its rulesets have whatever it says."""
    parts = [Part("configuration", str(config), _many(len(problems), "problem"))]
    ruleset_problems = structure_problems(_ruleset_paths(config))
    if ruleset_problems:
        parts.append(Part("rulesets", "", _many(len(ruleset_problems), "problem")))
    return CheckReport((*problems, *ruleset_problems), tuple(parts))


def _ruleset_paths(config: Path) -> tuple[Path, ...]:
    """Where the rulesets of a configuration that does not hold stand, as far as it says so."""
    try:
        data = load_yaml_file(config).data
    except ConfigError:
        return ()
    named = data.get("rulesets", Settings.model_fields["rulesets"].default) if isinstance(data, dict) else ()
    paths = named if isinstance(named, (list, tuple)) else ()
    return tuple(path for one in paths if (path := config.parent / str(one)).exists())


def _at_home(context: Context, config: Path) -> Iterator[tuple[str, str, Look]]:
    settings = context.loaded.settings
    path_of_keys = context.loaded.path(settings.state.key_file)

    def rulesets() -> str:
        ruleset = context.ruleset
        rules = len(ruleset.accounts) + len(ruleset.groups) + len(ruleset.licences)
        clear = ", ".join(f"{one.target}.{one.attribute} ({one.file}:{one.line})" for one in disclosed(context))
        warning = f"; WARNING: national ids go in clear to where everybody can read them: {clear}" if clear else ""
        return f"{_many(rules, 'rule')} in {_many(len(ruleset.files), 'file')}{warning}"

    def key_file() -> str:
        return _many(len(read_keys(path_of_keys)), "key")

    def state() -> str:
        with context.reading() as database:
            return "" if database.exists else "not there yet: the first sync makes it"

    yield "configuration", str(config), str
    yield "rulesets", ", ".join(map(str, settings.rulesets)), rulesets
    yield "key file", str(path_of_keys), key_file
    yield "state", settings.state.url.partition(":")[0], state
    for name, target in settings.targets.items():
        if target.correlation is not None:
            yield "correlation", name, partial(_look_at_match_rules, context, name)
    for left in _left(context):
        yield "source", left.name, partial(_complain, left)


def _left(context: Context) -> tuple[LeftSource, ...]:
    """Sources that are configured no more; none where the state cannot be read, which is told of by itself."""
    try:
        return left_sources(context)
    except StateError:
        return ()


def _complain(left: LeftSource) -> str:
    believed = f"not configured any more, and {_many(left.people, 'record')} of it still believed"
    again = "configure it again under this name"
    if left.near:
        again = f"if it is what '{left.near[0]}' reads now, give that its former name again"
    raise StateError(
        f"{believed}: {again}, or, where the system is gone for good, end them with "
        f"'eadm-sync sources forget {left.name}'"
    )


def _look_at_match_rules(context: Context, name: str) -> str:
    return _many(len(match_rules(context, name)), "match rule")


def _outside(context: Context) -> Iterator[tuple[str, str, Look]]:
    for name, source in context.make_sources().items():
        yield "source", name, partial(_look_at_source, context, name, source)
    for name in context.loaded.settings.targets:
        yield "target", name, partial(_look_at_target, context, name)


def _look_at_source(context: Context, name: str, source: Source) -> str:
    """Opens a source and holds its mapping against the columns that it really has."""
    source.check()
    settings = context.loaded.settings.sources[name]
    compile_mapping(
        settings.map,
        settings.dates,
        source.tables,
        source.columns,
        lambda path: context.origin(("sources", name, "map", *path)),
    )
    return f"tables: {', '.join(source.tables)}"


def _look_at_target(context: Context, name: str) -> str:
    with context.make_target(name) as target:
        said = target.check() or ""
        if isinstance(target, HasSchema):
            _hold_against_schema(context, name, target)
        return said


def _hold_against_schema(context: Context, name: str, target: HasSchema) -> None:
    """Looks whether the target has every attribute that rules set; rules that do not hold are told of by themselves.

    Raises:
        ConfigError: Names every rule that sets one that it has not.
    """
    try:
        ruleset = context.ruleset
    except ConfigError:
        return
    problems: list[Problem] = []
    for kind, rules in ((Kind.ACCOUNT, ruleset.accounts), (Kind.GROUP, ruleset.groups)):
        own = [rule for rule in rules if rule.target == name]
        lacking = frozenset(target.lacks(kind, sorted({attribute for rule in own for attribute in rule.attributes})))
        problems += [
            Problem(rule.file, rule.line, 1, f"sets {attribute}, which target '{name}' does not have", place=rule.id)
            for rule in own
            for attribute in rule.attributes
            if attribute in lacking
        ]
    if problems:
        raise ConfigError(tuple(problems))


def _part(kind: str, name: str, look: Look, problems: list[Problem]) -> Part:
    try:
        return Part(kind, name, detail=look())
    except ConfigError as error:
        problems += sorted(error.problems, key=lambda problem: (problem.file, problem.line, problem.column))
        return Part(kind, name, _many(len(error.problems), "problem"))
    except (StateError, ConnectorError) as error:
        return Part(kind, name, str(error))


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
