"""The settings of programs that rulesets may have run after changes to accounts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from eadm_sync.config.cron import seconds_of
from eadm_sync.config.schedule import Duration

OWN_VARIABLES = "EADM_"
"""What the variables begin with by which a program is told what it is run for."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_READ_BY_A_SHELL = frozenset({".bat", ".cmd"})


def _program(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError("must be an absolute path: programs are not looked for")
    if path.suffix.lower() in _READ_BY_A_SHELL:  # Windows hands their arguments to cmd.exe, which reads '&' in them
        raise ValueError("must not be a batch file: a shell would read its arguments; call PowerShell with -File")
    return path


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not hold a NUL")
    return text


def _variable(name: str) -> str:
    if not _VARIABLE.fullmatch(name) or name.upper().startswith(OWN_VARIABLES):
        raise ValueError(f"must be a variable's name, not beginning with '{OWN_VARIABLES}'")
    return name


Word = Annotated[str, AfterValidator(_without_nul)]


class ScriptSettings(BaseModel):
    """One program, by the name that rulesets call it.

    There is no shell between, and the environment is empty but for `PATH`, `LANG` and what stands here.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    program: Annotated[Path, AfterValidator(_program)] = Field(
        description="The program: an absolute path. Neither it, nor a file that `arguments` name, may be writable by "
        "others than its owner."
    )
    arguments: tuple[Word, ...] = Field(
        (), description="Its first arguments, one by one; those of the ruleset come behind."
    )
    time_limit: Duration = Field("2m", description="After so long it is ended, with all that it started.")
    try_later: Annotated[int, Field(ge=1, le=255)] = Field(
        75,
        description="The exit code by which it asks to be run again later (75 is EX_TEMPFAIL). 0 means done; any other "
        "one makes a dead letter, which waits for an operator.",
    )
    folder: Path | None = Field(None, description="Where it is run; null for the folder of the configuration file.")
    environment: dict[Annotated[str, AfterValidator(_variable)], Word] = Field(
        {}, description="Variables that it gets; the place for secrets, as ${env:…} or ${file:…}, never an argument."
    )

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Nothing of what may hold a secret."""
        return iter([("program", self.program)])

    @property
    def limit_seconds(self) -> float:
        """The time limit."""
        return seconds_of(self.time_limit)
