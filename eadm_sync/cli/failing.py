"""How the program ends when something is wrong: a message that helps, on standard error, and an exit code."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from eadm_sync.cli.exits import DONE, FAILED, INTERRUPTED
from eadm_sync.cli.output import clean, note
from eadm_sync.errors import (
    AmbiguousName,
    ConfigError,
    EadmError,
    NotFound,
    PlanOutdated,
    Problem,
    StateBusy,
)

if TYPE_CHECKING:
    import typer

_EXCERPT = 160
"""Longest part of a line shown, in characters: two lines of a terminal."""


def run(program: typer.Typer) -> int:
    """Runs the program and tells what went wrong; returns the exit code."""
    import typer

    # Newer releases of Typer carry Click inside them, older ones import it: Click's base of all usage errors is found
    # through a class that both offer.
    wrong_command_line: type[Any] = typer.BadParameter.__mro__[2]
    try:
        code = program(standalone_mode=False)
        sys.stdout.flush()  # a reader that has gone is noticed here, not when the interpreter closes the stream
    except typer.Exit as stop:
        return stop.exit_code
    except wrong_command_line as error:
        error.show()
        return int(error.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        code = INTERRUPTED  # newer releases of Typer return it instead
    except BrokenPipeError:
        # Whoever read our output has enough. Python would complain once more when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except EadmError as error:
        tell(error)
        return FAILED
    except OSError as error:
        note(f"error: {clean(error.filename) + ': ' if error.filename else ''}{error.strerror or error}")
        return FAILED
    if code == INTERRUPTED:
        note("interrupted: what was accepted is in the queue, nothing else was written; 'eadm-sync status' says what")
    return code if isinstance(code, int) else DONE


def tell(error: EadmError) -> None:
    """Says what went wrong and what would help."""
    match error:
        case ConfigError():
            for problem in error.problems:
                tell_problem(problem)
            note(f"{len(error.problems)} problem{'s' if len(error.problems) != 1 else ''} found; nothing was done")
        case NotFound():
            near = f"; is it one of {', '.join(map(clean, error.near))}?" if error.near else ""
            note(f"error: no {error.what} '{clean(error.name)}'{near}")
        case AmbiguousName():
            note(f"error: '{clean(error.name)}' can be several; say which:")
            for candidate in error.candidates:
                note(f"  {clean(candidate)}")
        case PlanOutdated():
            note("error: the plan no longer holds, nothing was done:")
            for reason in error.reasons:
                note(f"  - {clean(reason)}")
        case StateBusy():
            note(f"error: another run is at work ({clean(error.holder)}); try again when it is done")
        case _:
            note(f"error: {clean(error)}")


def tell_problem(problem: Problem) -> None:
    """One problem of a file: place, message, the line with the fault underlined, what would be right."""
    where = f"{problem.file}:{problem.line}:{problem.column}" if problem.line else problem.file
    place = f"{problem.place}: " if problem.place else ""
    note(f"{clean(where)}: {clean(place)}{clean(problem.message)}")
    if problem.excerpt is not None and problem.column:
        show_excerpt(problem.excerpt, problem.column, problem.width)
    if problem.hint:
        note(f"    {clean(problem.hint)}")


def show_excerpt(text: str, column: int, width: int) -> None:
    """A line with the characters at fault underlined; of a long one, what stands around them."""
    begin = max(column - 1 - _EXCERPT // 2, 0) if len(text) > _EXCERPT else 0
    shown = text[begin : begin + _EXCERPT]
    before = clean(shown[: column - 1 - begin])
    at_fault = clean(shown[column - 1 - begin :][: max(width, 1)])
    head, tail = "… " if begin else "", " …" if begin + _EXCERPT < len(text) else ""
    note(f"    {head}{clean(shown)}{tail}")
    note("    " + " " * len(head + before) + "^" * max(len(at_fault), 1))
