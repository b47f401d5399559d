"""Where an expression stands in an administrator's file, so that a problem can point at the character at fault."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from eadm_sync.errors import Problem


def _first_line(offset: int) -> tuple[int, int]:
    return 1, offset + 1


def _no_text(_line: int) -> str | None:
    return None


class Origin(msgspec.Struct, frozen=True):
    """The place of one expression's text.

    Attributes:
        file: Path as the administrator would type it.
        locate: Offset in the expression's text -> 1-based (line, column) in the file; quoting and folding make that
            other than linear. The default treats the text as the file's first line.
        line_text: 1-based line -> its text for the problem's excerpt, or None.
        place: Dotted path of the value in the file, or None.
    """

    file: str
    locate: Callable[[int], tuple[int, int]] = _first_line
    line_text: Callable[[int], str | None] = _no_text
    place: str | None = None

    def problem(self, offset: int, message: str, hint: str | None = None, width: int = 1) -> Problem:
        """A problem at an offset of the expression's text."""
        line, column = self.locate(offset)
        return Problem(
            self.file, line, column, message, hint, place=self.place, excerpt=self.line_text(line), width=max(width, 1)
        )
