"""YAML for people who write by hand: every key and value keeps its place, and nothing is read by surprise.

Stricter than YAML 1.1 as PyYAML reads it, because a unit code is text and Norway's country code is `no`:

- `true`, `false`, `null`, `~`, plain decimal integers and decimal fractions have types; all else is text. So `no`,
  `0321`, `1_000`, `12:30`, `2026-08-17`, `1e3` and `+4712345678` stay as written.
- A key is always text, as written.
- Equal keys, tags, aliases and further documents are refused.

Parsed by libyaml where PyYAML has it (2 000 lines in about 20 ms, a fifteenth of what ruamel.yaml needs).
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

import msgspec
import yaml

from eadm_sync.config.scalars import scalar_indexes, typed
from eadm_sync.errors import ConfigError, Problem

if TYPE_CHECKING:
    from yaml import SafeLoader as _Base
else:
    _Base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Path = tuple[str | int, ...]
"""Where a value stands: keys as text, list items by 0-based index."""

MAX_BYTES = 16 * 1024 * 1024
"""A larger file is refused unread: the largest rulesets are under one MiB."""

MAX_DEPTH = 64
"""Deeper nesting is refused; composing is recursive, so a file of brackets could otherwise end the process."""

_PLAIN, _QUOTED, _SEQUENCE, _MAPPING = "plain", "quoted", "sequence", "mapping"

# Controls, halves of characters, a byte-order mark inside the text, and what YAML 1.1 calls line breaks but editors do
# not: with those, line numbers would differ from what the administrator sees.
_INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


_ALIAS = re.compile(r"\*\S")  # may be one: the events, which cost as much again as composing, tell
# A key that names a secret, or a URL with a password: such a line is never shown, whatever is wrong with it.
_SECRET_LINE = re.compile(
    r"""(?:pas+w|passphrase|pwd|secret|token|credential|api[_-]?key|(?:private|access|shared|account)[_-]?key)
        [\w-]{0,40}["']?\s{0,40}:  |  ://[^/\s]{0,200}:[^/\s]{0,200}@""",
    re.IGNORECASE | re.VERBOSE,
)


class Position(msgspec.Struct, frozen=True):
    """A place in a file; `line` and `column` are 1-based and count characters, as editors do."""

    line: int
    column: int


class _Composer(_Base):
    """Composes nodes; instead of guessing types it notes how a scalar was written, so that explicit tags show."""

    depth = 0

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> str:  # noqa: ARG002 - PyYAML's signature
        """The `tag` of a node without an explicit one."""
        if kind is yaml.ScalarNode:
            return _PLAIN if implicit[0] else _QUOTED
        return _SEQUENCE if kind is yaml.SequenceNode else _MAPPING

    def descend_resolver(self, parent: yaml.Node | None, index: Any) -> None:  # noqa: ARG002 - PyYAML's signature
        """Called before each node; bounds the nesting."""
        self.depth += 1
        if parent is not None and self.depth > MAX_DEPTH:
            raise yaml.composer.ComposerError(
                None, None, f"nested more than {MAX_DEPTH} levels deep", parent.start_mark
            )

    def ascend_resolver(self) -> None:
        """Called after each node."""
        self.depth -= 1


class Document:
    r"""One YAML file: its plain values, and where each of them stands.

    Attributes:
        file: Path as the administrator would type it.
        text: The file's text with line breaks as `\n`.
        data: Dictionaries with text keys, lists, str, int, float, bool and None; None for an empty file.
    """

    __slots__ = ("_children", "_line_starts", "_root", "data", "file", "text")

    def __init__(self, file: str, text: str, root: yaml.Node | None, data: Any) -> None:
        self.file = file
        self.text = text
        self.data = data
        self._root = root
        self._line_starts = _line_starts(text)
        self._children: dict[int, dict[str, tuple[yaml.Node, yaml.Node]]] = {}

    def position(self, path: Path, *, key: bool = False) -> Position:
        """Where a value begins, or with `key` the key that leads to it.

        A path that leads nowhere gives the nearest value above it: a missing key is reported where it is missed. A
        number at a mapping is passed over, since one entry may stand for a list of one.
        """
        node, key_node = self._find(path)
        wanted = key_node if key and key_node is not None else node
        return self._at(wanted.start_mark.index) if wanted is not None else Position(1, 1)

    def position_in(self, path: Path, offset: int) -> Position:
        """Where the character at `offset` (0-based) of a text value stands in the file.

        Quotes, escapes, folds and indentation are considered. The offset behind the last character gives
        the place behind it. A list or mapping gives its beginning.
        """
        node, _ = self._find(path)
        if not isinstance(node, yaml.ScalarNode):
            return self.position(path)
        indexes = list(scalar_indexes(self.text, node))
        if not indexes:
            return self._at(node.start_mark.index)
        if offset < len(indexes):
            return self._at(indexes[max(offset, 0)])
        return self._at(indexes[-1] + 1)

    def line_text(self, line: int) -> str:
        """One line (1-based) without its line break; empty where there is no such line."""
        if not 1 <= line <= len(self._line_starts):
            return ""
        start = self._line_starts[line - 1]
        end = self.text.find("\n", start)
        return self.text[start:] if end < 0 else self.text[start:end]

    def excerpt(self, line: int) -> str | None:
        """A line to show beside a problem, or None where it seems to hold a secret."""
        text = self.line_text(line)
        return None if _SECRET_LINE.search(text) else text

    def problem(
        self,
        path: Path,
        message: str,
        *,
        hint: str | None = None,
        key: bool = False,
        offset: int | None = None,
        width: int | None = None,
        secret: bool = False,
    ) -> Problem:
        """A Problem at a value, at its key, or at one character of its text.

        Args:
            path: The value; one that leads nowhere is reported at the nearest value above it.
            message: What is wrong; never holds a secret value.
            hint: What would be right, or None.
            key: Point at the key rather than the value.
            offset: Point into the text of the value (0-based), or None.
            width: Characters at fault, or None for the whole key or value where it fits on the line.
            secret: The line holds a secret though its key does not say so: leave it out.
        """
        at = self.position(path, key=key) if offset is None else self.position_in(path, offset)
        return Problem(
            file=self.file,
            line=at.line,
            column=at.column,
            message=message,
            hint=hint,
            place=dotted(path) or None,
            excerpt=None if secret else self.excerpt(at.line),
            width=width or (self._width(path, key=key) if offset is None else 1),
        )

    def _at(self, index: int) -> Position:
        line = bisect.bisect_right(self._line_starts, index)
        return Position(line, index - self._line_starts[line - 1] + 1)

    def _width(self, path: Path, *, key: bool) -> int:
        node, key_node = self._find(path)
        wanted = key_node if key and key_node is not None else node
        if not isinstance(wanted, yaml.ScalarNode) or wanted.start_mark.line != wanted.end_mark.line:
            return 1
        return max(1, wanted.end_mark.index - wanted.start_mark.index)

    def _find(self, path: Path) -> tuple[yaml.Node | None, yaml.Node | None]:
        """The node at a path and the key before it; where the path leads nowhere, the nearest above."""
        node, key_node = self._root, None
        for step in path:
            if isinstance(node, yaml.MappingNode):
                if isinstance(step, int):
                    continue
                pair = self._pairs(node).get(step)
                if pair is None:
                    break
                key_node, node = pair
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and 0 <= step < len(node.value):
                key_node, node = None, node.value[step]
            else:
                break
        return node, key_node

    def _pairs(self, node: yaml.MappingNode) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        known = self._children.get(id(node))
        if known is None:
            known = self._children[id(node)] = {pair[0].value: pair for pair in node.value}
        return known


def load_yaml(text: str, file: str) -> Document:
    """Reads one YAML document.

    Args:
        text: Its text; a byte-order mark is skipped.
        file: Path as the administrator would type it, for problems.

    Raises:
        ConfigError: The first syntax error; or else every equal key, tag, alias and unusable key there is.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    _refuse_invisible(text, file)
    root = _compose(text, file)
    document = Document(file, text, root, None)
    problems = list(_aliases(document))
    if not problems and root is not None:
        document.data = _Builder(document, problems).build(root, ())
    if problems:
        raise ConfigError(tuple(sorted(problems, key=lambda problem: (problem.line, problem.column))))
    return document


def load_yaml_file(path: FilePath, shown: str | None = None) -> Document:
    """Reads one YAML file, which must be UTF-8.

    Args:
        path: The file.
        shown: How to call it in problems; None for the path itself.

    Raises:
        ConfigError: It cannot be opened, is too large, is not UTF-8, or as for `load_yaml`.
    """
    name = shown or str(path)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)  # what has no size of its own, such as a pipe, can be read too
        if len(raw) > MAX_BYTES:
            raise ConfigError((Problem(name, 0, 0, f"the file is larger than {MAX_BYTES // 2**20} MiB"),))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError((Problem(name, 0, 0, f"the file cannot be read: {reason}"),)) from error
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8").replace("\r\n", "\n")
        at = Position(before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
        raise ConfigError(
            (Problem(name, at.line, at.column, "the file is not UTF-8", hint="save it with the encoding UTF-8"),)
        ) from error
    return load_yaml(text, name)


def dotted(path: Path) -> str:
    """A path as people write it: `accounts[2].when`."""
    out = ""
    for step in path:
        out += f"[{step}]" if isinstance(step, int) else f".{step}" if out else step
    return out


class _Builder:
    """Makes plain values of nodes and notes every problem on the way."""

    def __init__(self, document: Document, problems: list[Problem]) -> None:
        self.document = document
        self.problems = problems

    def build(self, node: yaml.Node, path: Path) -> Any:
        tag = node.tag
        if tag is _PLAIN:
            return typed(node.value)
        if tag is _QUOTED:
            return node.value
        if tag is _MAPPING:
            return self._mapping(node, path)
        if tag is _SEQUENCE:
            return [self.build(child, (*path, index)) for index, child in enumerate(node.value)]
        self._note(node, path, f"the tag {_shown_tag(tag)} is not allowed", "leave it out, or put quotes around text")
        return None

    def _mapping(self, node: yaml.Node, path: Path) -> dict[str, Any]:
        out: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key, value in node.value:
            name = self._key(key, path)
            if name is None:
                continue
            here = (*path, name)
            if name in out:
                self._note(key, here, f"the key '{name}' already stands in line {lines[name]}", "keep one of them")
            lines[name] = key.start_mark.line + 1
            out[name] = self.build(value, here)
        return out

    def _key(self, node: yaml.Node, path: Path) -> str | None:
        """A key as text, or None after noting that it cannot be one."""
        if node.tag is _QUOTED or (node.tag is _PLAIN and node.value):
            name: str = node.value
            return name
        if isinstance(node, yaml.MappingNode):
            self._note(node, path, "braces cannot be a key", "put quotes around text that begins with '{{'")
        elif isinstance(node, yaml.SequenceNode):
            self._note(node, path, "a list cannot be a key", "put quotes around text that begins with '['")
        elif node.tag is _PLAIN:
            self._note(node, path, "a key is missing before ':'", None)
        else:
            self._note(node, path, f"the tag {_shown_tag(node.tag)} is not allowed", "leave it out")
        return None

    def _note(self, node: yaml.Node, path: Path, message: str, hint: str | None) -> None:
        self.problems.append(_problem_at(self.document, node.start_mark.index, message, hint, path))


def _refuse_invisible(text: str, file: str) -> None:
    found = _INVISIBLE.search(text)
    if found:
        blank = Document(file, text, None, None)
        message = f"the invisible character U+{ord(found[0]):04X} stands here"
        raise ConfigError((_problem_at(blank, found.start(), message, "delete it"),))


def _compose(text: str, file: str) -> yaml.Node | None:
    composer = _Composer(text)
    try:
        node: yaml.Node | None = composer.get_single_node()
    except yaml.YAMLError as error:
        raise ConfigError((_syntax_problem(error, text, file),)) from error
    finally:
        composer.dispose()
    return node


def _aliases(document: Document) -> Iterator[Problem]:
    """Every alias: libyaml composes them as the very node they name, so only the events tell where they stand."""
    if not _ALIAS.search(document.text):
        return
    for event in yaml.parse(document.text, Loader=_Composer):
        if isinstance(event, yaml.AliasEvent):
            mark: Any = event.start_mark
            yield _problem_at(
                document,
                mark.index,
                f"the alias *{event.anchor} is not allowed",
                "write the value out, or put quotes around text that begins with '*'",
            )


def _syntax_problem(error: yaml.YAMLError, text: str, file: str) -> Problem:
    document = Document(file, text, None, None)
    if not isinstance(error, yaml.MarkedYAMLError):
        return Problem(file, 0, 0, f"not valid YAML: {error}")
    mark: Any = error.problem_mark
    context_mark: Any = error.context_mark
    if error.problem == "found unexpected end of stream" and context_mark is not None:
        return _problem_at(
            document, context_mark.index, "not valid YAML: the quote that opens here is never closed", None
        )
    index = min(mark.index, len(text)) if mark is not None else 0
    message = f"not valid YAML: {error.problem or error.context}"
    if error.context and error.problem and context_mark is not None:
        message += f", {error.context} that begins in line {context_mark.line + 1}"
    hint = next((hint for words, hint in _SYNTAX_HINTS if words in message), None)
    return _problem_at(document, index, message, hint)


_SYNTAX_HINTS = (
    ("tab", "indent with spaces, not with tabs"),
    ("mapping values are not allowed", "put quotes around text that holds ': ', and check the indentation"),
    ("cannot start any token", "put quotes around text that begins with this character; indent with spaces only"),
    ("',' or", "between braces or brackets, put quotes around text that holds one of , { } [ ]"),
    ("another document", "one document per file: delete the line '---'"),
    ("expected key", "check the indentation of this line and the quotes above it"),
    ("block end", "check the indentation of this line and the quotes above it"),
)
"""What helps, by words of libyaml's message."""


def _problem_at(document: Document, index: int, message: str, hint: str | None, path: Path = ()) -> Problem:
    at = document._at(index)  # noqa: SLF001 - same module
    return Problem(document.file, at.line, at.column, message, hint, dotted(path) or None, document.excerpt(at.line))


def _line_starts(text: str) -> list[int]:
    starts = [0]
    starts.extend(found.end() for found in re.finditer("\n", text))
    return starts


def _shown_tag(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")
