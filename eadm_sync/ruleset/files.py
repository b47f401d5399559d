"""Ruleset files found and read; of one whose structure is wrong, what is well formed in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import msgspec
from pydantic import ValidationError

from eadm_sync.config.problems import ProblemCollector
from eadm_sync.config.yaml import Document, load_yaml_file
from eadm_sync.errors import ConfigError, Problem
from eadm_sync.ruleset.document import RESERVED, RulesetFile

_SECTIONS = frozenset({"conditions", "tables", "identifiers", "passwords", "accounts", "groups", "licences"})


class ReadFile(msgspec.Struct, frozen=True):
    """One file that reads as a ruleset file.

    Attributes:
        path: Where it is.
        document: Its values with their places.
        content: What it says; of a file with a wrong structure, what is well formed in it.
        positions: Where rules of such a file stand in their section, if not in their own order.
        excused: Names of its conditions that are left out.
        unmade: Names of its identifiers that are left out.
        lacks_groups: Whether group rules are left out.
    """

    path: Path
    document: Document
    content: RulesetFile
    positions: Mapping[str, Sequence[int]]
    excused: frozenset[str] = frozenset()
    unmade: frozenset[str] = frozenset()
    lacks_groups: bool = False


def structure_problems(paths: Sequence[Path]) -> tuple[Problem, ...]:
    """What is wrong with ruleset files whatever the configuration says: syntax, keys, kinds of values."""
    problems: list[Problem] = []
    for path in ruleset_files(paths, problems):
        read_file(path, problems)
    return in_order(problems)


def in_order(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """Problems file by file, each from top to bottom, and each once."""
    files = {name: place for place, name in enumerate(dict.fromkeys(problem.file for problem in problems))}
    unique = dict.fromkeys(problems)
    return tuple(sorted(unique, key=lambda problem: (files[problem.file], problem.line, problem.column)))


def ruleset_files(paths: Sequence[Path], problems: list[Problem]) -> Iterator[Path]:
    """The files in order; a folder's by name."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        found = sorted(file for file in path.iterdir() if file.suffix in {".yaml", ".yml"} and file.is_file())
        if not found:
            problems.append(Problem(shown(path), 0, 0, "the folder holds no ruleset", "rulesets are *.yaml files"))
        yield from found


def shown(path: Path) -> str:
    """A path as the administrator would type it: relative to where they stand, if below."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def read_file(path: Path, problems: list[Problem]) -> ReadFile | None:
    """One file; what is wrong with its structure is left out, so that the rest is checked all the same."""
    try:
        document = load_yaml_file(path, shown(path))
    except ConfigError as error:
        problems += error.problems
        return None
    try:
        return ReadFile(path, document, RulesetFile.model_validate(document.data), {})
    except ValidationError as error:
        collector = ProblemCollector(document)
        collector.add_invalid(error, RulesetFile, document.data)
        problems += sorted(collector.problems, key=lambda problem: (problem.line, problem.column))
        return _rest(path, document, error)


def _rest(path: Path, document: Document, error: ValidationError) -> ReadFile | None:
    """The part of a file that is well formed, for finding what else is wrong; None where nothing is left."""
    if not isinstance(document.data, dict):
        return None
    data: dict[str, Any] = deepcopy(document.data)
    left_out: dict[str, set[int | str]] = {}
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        section, *steps = fault["loc"]
        if fault["type"] == "extra_forbidden" and steps:
            _drop(data, fault["loc"])
        elif steps and section in _SECTIONS:
            left_out.setdefault(str(section), set()).add(steps[0])
        else:
            data.pop(str(section), None)
    positions: dict[str, list[int]] = {}
    for section, dropped in left_out.items():
        given = data[section]
        if isinstance(given, dict):
            data[section] = {word: entry for word, entry in given.items() if word not in dropped}
        else:
            positions[section] = [number for number in range(len(given)) if number not in dropped]
            data[section] = [given[number] for number in positions[section]]
    data.setdefault("ruleset", "unnamed")
    try:
        content = RulesetFile.model_validate(data)
    except ValidationError:
        return None
    excused, unmade = (
        frozenset(word for word in left_out.get(section, ()) if isinstance(word, str)) - RESERVED  # these mean the same
        for section in ("conditions", "identifiers")
    )
    given = document.data.get("groups", [])
    lacks_groups = not isinstance(given, list) or len(content.groups) < len(given)
    return ReadFile(path, document, content, positions, excused, unmade, lacks_groups)


def _drop(data: Any, loc: Sequence[int | str]) -> None:
    """Removes the key at the end of a path; what holds it can be gone already, for a fault of its own."""
    for step in loc[:-1]:
        if isinstance(data, dict) and step not in data:
            return
        data = data[step]
    data.pop(loc[-1], None)
