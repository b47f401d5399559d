"""What is wrong with a configuration, in an administrator's words, at its place, and never with a secret value."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, get_args

import msgspec
from pydantic import BaseModel, SecretBytes, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from eadm_sync.config.yaml import Document, Path
from eadm_sync.errors import ConfigError, Problem

_MUST_BE = {
    "string_type": "text",
    "path_type": "the name of a file or folder",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number that is not as large",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "dict_type": "a mapping (`key: value`)",
    "mapping_type": "a mapping (`key: value`)",
    "model_type": "a mapping (`key: value`)",
    "model_attributes_type": "a mapping (`key: value`)",
}
"""Pydantic's error types for a value of the wrong kind."""

_SHORTER = (
    ("Value error, ", ""),
    ("Assertion failed, ", ""),
    ("Input should be ", "must be "),
    ("Input should ", "must "),
    ("String should ", "must "),
    ("Tuple should ", "must "),
    ("List should ", "must "),
    ("Dictionary should ", "must "),
    (" after validation", ""),
)
_PATTERNS = {
    "^[a-z][a-z0-9_]*$": "must begin with a small letter, and hold small letters, digits and _ only",
    "^[a-z0-9][a-z0-9_-]*$": "must hold small letters, digits, - and _ only",
}
"""What the patterns of names mean."""

_URL_PASSWORD = re.compile(r"://[^/\s]*@")
_MOST_LISTED = 12  # more known words than this are no help in one line
_SHORTEST_SCRUBBED = 4  # a shorter secret is only hidden in problems of its own value: it may be part of any word


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A hint for a word that is not known: the nearest known one, or all of them where they are few, or None."""
    words = list(dict.fromkeys(known))
    lowered = {other.lower(): other for other in words}
    near = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)
    if near:
        return f"did you mean '{lowered[near[0]]}'?"
    if words and len(words) <= _MOST_LISTED:
        return f"known here: {', '.join(words)}"
    return None


class ProblemCollector:
    """Collects the problems of one file, so that all of them are told at once.

    Args:
        document: The file.
        secrets: Values that came from outside, by path; no problem shows one.
        muted: Paths whose problems are told already: validating them would only say so again.
    """

    def __init__(
        self,
        document: Document,
        secrets: Mapping[Path, tuple[str, ...]] | None = None,
        muted: Collection[Path] = frozenset(),
    ) -> None:
        self.document = document
        self.problems: list[Problem] = []
        self._secrets = secrets or {}
        self._muted = muted

    def add(self, path: Path, message: str, *, hint: str | None = None, key: bool = False) -> None:
        """Notes a problem at a value, or with `key` at the key before it."""
        self.problems.append(self.document.problem(path, self._scrubbed(message, path), hint=hint, key=key))

    def add_invalid(
        self,
        error: ValidationError,
        model: type[BaseModel],
        data: Any,
        prefix: Path = (),
        also_known: Iterable[str] = (),
    ) -> None:
        """Notes everything that Pydantic found wrong.

        Args:
            error: What validating `data` as `model` raised.
            model: The model.
            data: The data as it was validated.
            prefix: Where `data` stands in the file.
            also_known: Keys that are good at the top of `data` though the model does not know them.
        """
        for fault in _merged(_faults(error, data)):
            path = (*prefix, *fault.path)
            if path in self._muted:
                continue
            models, field = _schema_at(model, fault.path)
            secret = _is_secret(field)
            hidden = (str(fault.value),) if secret and isinstance(fault.value, (str, int)) else ()
            known = [*_keys(models), *(also_known if len(fault.path) == 1 else ())]
            self.problems.append(
                self.document.problem(
                    path,
                    self._scrubbed(_message(fault), path, hidden),
                    hint=None if path in self._secrets or secret else _hint(fault, known, field),
                    key=fault.at_key,
                    secret=secret,
                )
            )

    def raise_if_any(self) -> None:
        """Ends the collecting.

        Raises:
            ConfigError: There is a problem; all of them, in file order.
        """
        if self.problems:
            unique = dict.fromkeys(self.problems)
            raise ConfigError(tuple(sorted(unique, key=lambda problem: (problem.line, problem.column))))

    def _scrubbed(self, message: str, path: Path, hidden: tuple[str, ...] = ()) -> str:
        """The message without any secret that a validator may have quoted."""
        for place, values in self._secrets.items():
            own = place[: len(path)] == path
            hidden += tuple(value for value in values if own or len(value) >= _SHORTEST_SCRUBBED)
        for value in sorted(hidden, key=len, reverse=True):
            for written in (value, repr(value)[1:-1]):
                message = message.replace(written, "***") if written else message
        return _URL_PASSWORD.sub("://***@", message)


class _Fault(msgspec.Struct, frozen=True):
    """One of Pydantic's errors, at its path in the data as it stands in the file.

    Attributes:
        path: Where, relative to the validated data.
        kind: Pydantic's error type.
        says: Pydantic's message.
        value: What stands there; None where nothing does.
        at_key: The key is at fault rather than the value; for a missing setting, the key above it.
        branch: The error is of one branch of a union.
    """

    path: Path
    kind: str
    says: str
    value: Any
    at_key: bool = False
    branch: bool = False


def _faults(error: ValidationError, data: Any) -> Iterator[_Fault]:
    for details in error.errors(include_url=False, include_context=False):
        loc, kind = details["loc"], details["type"]
        path: list[str | int] = []
        current, branch = data, False
        for position, step in enumerate(loc):
            if isinstance(current, dict) and step in current:
                path.append(step)
                current = current[str(step)]
            elif isinstance(current, list) and isinstance(step, int) and step < len(current):
                path.append(step)
                current = current[step]
            elif kind == "missing" and position == len(loc) - 1:
                path.append(step)
                current = None
            else:  # a branch of a union, or the number of an entry that stands for a list of one
                branch = branch or isinstance(step, str)
        at_key = kind in {"extra_forbidden", "missing"} or loc[-1:] == ("[key]",)
        yield _Fault(tuple(path), kind, details["msg"], current, at_key, branch)


def _merged(faults: Iterator[_Fault]) -> Iterator[_Fault]:
    """One fault for each value where every branch of a union had its say."""
    every = list(faults)
    for fault in every:
        if not (fault.branch and fault.kind in _MUST_BE):
            yield fault
            continue
        rivals = [other for other in every if other is not fault and other.branch]
        if any(other.path[: len(fault.path)] == fault.path and other.kind not in _MUST_BE for other in rivals):
            continue  # the value fits another branch better, and that branch says what is wrong
        if any(len(other.path) > len(fault.path) and other.path[: len(fault.path)] == fault.path for other in rivals):
            continue
        alike = [other for other in every if other.path == fault.path and other.kind in _MUST_BE]
        if alike[0] is fault:
            words = dict.fromkeys(_MUST_BE[other.kind] for other in alike)
            yield _Fault(fault.path, "branches", f"must be {' or '.join(words)}", fault.value)


def _message(fault: _Fault) -> str:
    if fault.kind == "extra_forbidden":
        return f"unknown setting '{fault.path[-1]}'"
    if fault.kind == "missing":
        return f"the setting '{fault.path[-1]}' is missing"
    if fault.kind in _MUST_BE:
        empty = "is empty, and " if fault.value is None else ""
        return f"{empty}must be {_MUST_BE[fault.kind]}"
    if fault.kind == "too_short":
        return "must not be empty"
    if fault.kind == "string_pattern_mismatch":
        pattern = fault.says.partition("pattern ")[2].strip("'")
        if pattern in _PATTERNS:
            return _PATTERNS[pattern]
    says = fault.says
    for long, short in _SHORTER:
        says = says.replace(long, short)
    return says[:1].lower() + says[1:]


def _hint(fault: _Fault, known: list[str], field: FieldInfo | None) -> str | None:
    if fault.kind == "extra_forbidden":
        return did_you_mean(str(fault.path[-1]), known)
    if fault.kind in {"missing", "string_pattern_mismatch"}:
        return field.description if field is not None else None
    if fault.kind == "string_type" and isinstance(fault.value, (bool, int, float)):
        return "put quotes around it"
    if fault.kind in {"literal_error", "enum"} and isinstance(fault.value, str):
        words = fault.says.split("'")[1::2]
        near = difflib.get_close_matches(fault.value.lower(), words, n=1)
        return f"did you mean '{near[0]}'?" if near else None
    return None


# ---------------------------------------------------------------- what the models say of a place


def _schema_at(model: type[BaseModel], path: Path) -> tuple[set[type[BaseModel]], FieldInfo | None]:
    """The models that the container of a value may be of, and the field the value belongs to (None at the top)."""
    models, inner, field = {model}, {model}, None
    for step in path:
        models = inner
        found = next(
            (info for one in models for name, info in one.model_fields.items() if step in _names(name, info)), None
        )
        if found is not None:
            field, inner = found, set(_models_in(found.annotation))
    return models, field


def _names(name: str, field: FieldInfo) -> tuple[str, ...]:
    return (field.alias,) if field.alias else (name,)


def _keys(models: Iterable[type[BaseModel]]) -> list[str]:
    """Keys that a mapping of one of these models may have."""
    return [_names(name, field)[0] for model in models for name, field in model.model_fields.items()]


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def _is_secret(field: FieldInfo | None) -> bool:
    return field is not None and _holds_secret(field.annotation)


def _holds_secret(annotation: Any) -> bool:
    return annotation in (SecretStr, SecretBytes) or any(_holds_secret(part) for part in get_args(annotation))
