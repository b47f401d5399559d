"""`${env:NAME}` and `${file:PATH}`: values that come from outside the configuration file, and are never shown.

They may be a whole value or a part of one, in any text value (not in keys). A file is read as UTF-8 text without the
line break at its end; a relative path is relative to the configuration file. `$${` stands for a plain `${`.

A password that stands in the file itself is refused: configuration files are copied, mailed and kept under version
control, and the program keeps every version that was in force.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any

import msgspec

from eadm_sync.config.yaml import Document, Path
from eadm_sync.errors import Problem

# Jinja's `${{ … }}` is none: the brace after the first one ends the match.
_REFERENCE = re.compile(r"(\$?)\$\{([^{}\n]*)\}")
_KINDS = ("env", "file")
_NAMES_A_SECRET = re.compile(
    r"""(?:^|[_-]) (?:pas+w(?:or)?d | passphrase | pwd | secret | token | credentials?
        | api[_-]?key | (?:private|access|shared|account)[_-]?key) $""",
    re.IGNORECASE | re.VERBOSE,
)
_PASSWORD_IN_URL = re.compile(r"://[^/\s:@]*:([^/\s@]+)@")
_LARGEST_FILE = 1024 * 1024  # certificates and keys are a few KiB; more is the wrong file


def clear_texts(document: Document) -> Iterator[Problem]:
    """Every password that stands in a configuration file itself: below a key that names one, or in a URL."""
    yield from _clear_texts(document, document.data, ())


def _clear_texts(document: Document, value: Any, path: Path) -> Iterator[Problem]:
    if isinstance(value, dict):
        for key, item in value.items():
            if (*path[:1], key) != ("sources", "map"):  # templates: they name columns
                yield from _clear_texts(document, item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _clear_texts(document, item, (*path, index))
    elif isinstance(value, str):
        in_url = _PASSWORD_IN_URL.search(value)
        if in_url and not _is_from_outside(in_url[1]):
            yield document.problem(path, "this URL holds a password in clear text", hint=_PLACES, secret=True)
        elif value and _is_named_secret(path) and not _is_from_outside(value):
            yield document.problem(path, "a secret stands here in clear text", hint=_PLACES, secret=True)


_PLACES = "write ${file:PATH}, a file that only the program's user can read, or ${env:NAME}"


def _is_named_secret(path: Path) -> bool:
    """Whether the nearest key, above the places in lists, names a secret."""
    name = next((part for part in reversed(path) if isinstance(part, str)), "")
    return _NAMES_A_SECRET.search(name) is not None


def _is_from_outside(value: str) -> bool:
    return any(not found[1] for found in _REFERENCE.finditer(value))


class Interpolated(msgspec.Struct, frozen=True):
    """A document's data with every reference replaced.

    Attributes:
        data: As `Document.data`.
        secrets: What was put in, by the path of the value it was put into.
        failed: Paths of values with a reference that could not be replaced.
        problems: One for each such reference.
    """

    data: Any
    secrets: Mapping[Path, tuple[str, ...]]
    failed: frozenset[Path]
    problems: tuple[Problem, ...]

    def __repr__(self) -> str:
        return f"Interpolated({len(self.secrets)} values from outside)"


def interpolate(document: Document, environ: Mapping[str, str], base_dir: FilePath) -> Interpolated:
    """Replaces every reference in a document's text values.

    Args:
        document: The configuration file.
        environ: Environment variables by name.
        base_dir: What relative paths are relative to.
    """
    work = _Interpolation(document, environ, base_dir)
    data = work.value(document.data, ())
    return Interpolated(data, work.secrets, frozenset(work.failed), tuple(work.problems))


class _Unresolved(Exception):
    """A reference that stands for nothing; `message` and `hint` as in a Problem."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class _Interpolation:
    def __init__(self, document: Document, environ: Mapping[str, str], base_dir: FilePath) -> None:
        self.document = document
        self.environ = environ
        self.base_dir = base_dir
        self.secrets: dict[Path, tuple[str, ...]] = {}
        self.failed: set[Path] = set()
        self.problems: list[Problem] = []

    def value(self, value: Any, path: Path) -> Any:
        if isinstance(value, dict):
            return {key: self.value(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item, (*path, index)) for index, item in enumerate(value)]
        return self._text(value, path) if isinstance(value, str) and "${" in value else value

    def _text(self, text: str, path: Path) -> str:
        def put(found: re.Match[str]) -> str:
            if found[1]:
                return found[0][1:]
            try:
                replacement = self._resolved(found[0], found[2])
            except _Unresolved as error:
                self._note(found, path, error)
                return found[0]
            self.secrets[path] = (*self.secrets.get(path, ()), replacement)
            return replacement

        return _REFERENCE.sub(put, text)

    def _resolved(self, reference: str, body: str) -> str:
        """What a reference stands for, never the empty text.

        An LDAP bind with an empty password succeeds, as anonymous (RFC 4513, 5.1.2).
        """
        kind, _, name = body.partition(":")
        if kind not in _KINDS or not name:
            raise _Unresolved(f"{reference} cannot be read", _form_hint(kind))
        value = self._variable(name) if kind == "env" else self._file(name)
        if not value:
            raise _Unresolved(f"{reference} is empty")
        return value

    def _variable(self, name: str) -> str:
        try:
            return self.environ[name]
        except KeyError:
            raise _Unresolved(f"the environment variable {name} is not set") from None

    def _file(self, name: str) -> str:
        try:
            with (self.base_dir / name).open("rb") as file:
                raw = file.read(_LARGEST_FILE + 1)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not a file name"
            raise _Unresolved(f"the file {name} cannot be read: {reason}") from error
        if len(raw) > _LARGEST_FILE:
            raise _Unresolved(f"the file {name} is too large for a secret")
        try:
            return raw.decode("utf-8-sig").rstrip("\r\n")
        except UnicodeDecodeError:
            raise _Unresolved(f"the file {name} is not UTF-8 text") from None

    def _note(self, found: re.Match[str], path: Path, error: _Unresolved) -> None:
        self.failed.add(path)
        self.problems.append(
            self.document.problem(
                path, error.message, hint=error.hint, offset=found.start(), width=found.end() - found.start()
            )
        )


def _form_hint(kind: str) -> str:
    near = difflib.get_close_matches(kind, _KINDS, n=1)
    if near:
        return f"did you mean '{near[0]}'?"
    return "write ${env:NAME} or ${file:PATH}, and $${ for a plain ${"
