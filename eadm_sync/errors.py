"""Every error the engine raises on purpose. Facts are attributes; prose for people is made in the CLI.

EadmError
├── ConfigError          one or more Problems in configuration or ruleset files, all at once
├── SourceError          a source cannot be read at all (a single bad record is quarantined instead)
├── StateError           the state database or its key cannot be used
│   └── StateBusy        another run holds the state
├── PlanOutdated         a saved plan no longer describes what would happen
├── NotFound             the shell asked for something that is not there
└── AmbiguousName        the shell asked for something that several things are called
"""

from __future__ import annotations

import msgspec


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong in a file an administrator wrote.

    Attributes:
        file: Path as the administrator would type it.
        line: 1-based; 0 when the problem is the file as a whole.
        column: 1-based; 0 as for line.
        message: What is wrong, without the location and never with a secret value.
        hint: What would be right ("did you mean 'x'?"), or None.
        place: Dotted path of the value ("sources.hr.files"), or None.
        excerpt: The offending line, without its newline, or None. Never of a line that holds a secret.
        width: How many characters of `excerpt`, from `column`, are at fault (at least 1).
    """

    file: str
    line: int
    column: int
    message: str
    hint: str | None = None
    place: str | None = None
    excerpt: str | None = None
    width: int = 1

    def __str__(self) -> str:
        """`file:line:column: message (hint)`, the form that editors can jump to."""
        where = f"{self.file}:{self.line}:{self.column}: " if self.line else f"{self.file}: "
        place = f"{self.place}: " if self.place else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{where}{place}{self.message}{hint}"


class EadmError(Exception):
    """Base of all errors raised on purpose."""


class ConfigError(EadmError):
    """Configuration or ruleset files are wrong; carries every problem found, in file order."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class SourceError(EadmError):
    """A source as a whole cannot be read: missing file, wrong encoding, missing column.

    Attributes:
        source: The source's name in the configuration.
        reason: What is wrong.
        file: The file at fault, or None.
        line: 1-based line in that file, or None.
    """

    def __init__(self, source: str, reason: str, *, file: str | None = None, line: int | None = None) -> None:
        where = f"{file}:{line}: " if file and line else f"{file}: " if file else ""
        super().__init__(f"source '{source}': {where}{reason}")
        self.source = source
        self.reason = reason
        self.file = file
        self.line = line


class StateError(EadmError):
    """The state database, or the key that protects it, cannot be used."""


class StateBusy(StateError):
    """Another run holds the state; `holder` says who (process id and command)."""

    def __init__(self, holder: str) -> None:
        super().__init__(f"another run is at work: {holder}")
        self.holder = holder


class PlanOutdated(EadmError):
    """A saved plan no longer describes what would happen; `reasons` names everything that moved."""

    def __init__(self, reasons: tuple[str, ...]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


class NotFound(EadmError):
    """Something named in the shell does not exist: `what` ("person"), `name`, `near` (close matches)."""

    def __init__(self, what: str, name: str, near: tuple[str, ...] = ()) -> None:
        super().__init__(f"no {what} '{name}'")
        self.what = what
        self.name = name
        self.near = near


class AmbiguousName(EadmError):
    """Several things answer to a name given in the shell: `what`, `name`, `candidates`."""

    def __init__(self, what: str, name: str, candidates: tuple[str, ...]) -> None:
        super().__init__(f"'{name}' could be {', '.join(candidates)}")
        self.what = what
        self.name = name
        self.candidates = candidates
