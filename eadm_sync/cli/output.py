"""Printing: tables on a terminal, tab-separated lines in a pipe, JSON where asked for. Nothing in data can escape.

Names come from HR files. Control characters are shown as their escapes, so that no name can move the cursor, colour
the screen or end a line; Rich markup is never read from data.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

# C1 controls, DEL, line and paragraph separators, the marks that turn the direction of writing round, and what nobody
# sees: two keys that read alike must not be two. JSON leaves all of these as they are.
_UNSEEN = "\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f"
_UNESCAPED = re.compile(f"[{_UNSEEN}]")

# Those, and C0 controls.
_CONTROLS = re.compile(f"[\x00-\x1f{_UNSEEN}]")

_TABLE_ROWS = 500  # a longer list is shown as several tables, so that it begins at once and takes no memory


def clean(value: object) -> str:
    """Any value as one line of harmless text; None is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(clean, value))
    return _CONTROLS.sub(lambda match: f"\\x{ord(match[0]):02x}", str(value))


def many(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun: "1 change", "2 changes", "3 people"."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def on_terminal() -> bool:
    """Whether standard output is a terminal."""
    return sys.stdout.isatty()


def line(text: str = "") -> None:
    """One line on standard output; the text is the program's own, data in it cleaned by whoever put it there."""
    sys.stdout.write(f"{text}\n")


def note(text: str) -> None:
    """One line on standard error: what is not the result."""
    sys.stderr.write(f"{text}\n")


def styled(text: str, style: str) -> str:
    """The text in bold, dim, red, green or yellow on a terminal; plain where output is piped or NO_COLOR is set."""
    import os

    if not on_terminal() or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m"


_STYLES = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33}


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Rows under headings: aligned on a terminal (in portions), tab-separated and streaming in a pipe."""
    if not on_terminal():
        line("\t".join(headings))
        for row in rows:
            line("\t".join(map(clean, row)))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console, remaining = Console(), iter(rows)
    portion = list(islice(remaining, _TABLE_ROWS))
    while True:
        made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for number, heading in enumerate(headings):  # the first names the thing, and has to be copied whole
            made.add_column(Text(heading, style="bold"), no_wrap=not number, overflow="fold")
        for row in portion:
            made.add_row(*(Text(clean(cell)) for cell in row))
        console.print(made)
        portion = list(islice(remaining, _TABLE_ROWS))
        if not portion:
            return


def section(title: str, headings: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str | None = None) -> None:
    """A titled table behind an empty line; where it has no rows, the word for that, or nothing at all."""
    if not rows and empty is None:
        return
    line()
    line(styled(title if rows else f"{title}: {empty}", "bold"))
    if rows:
        table(headings, rows)


def pairs(values: Mapping[str, object]) -> None:
    """Names and values, one pair a line; what is None is left out."""
    for name, value in values.items():
        if value is not None:
            line(f"  {clean(name)}: {clean(value)}")


def json_document(value: Any) -> None:
    """One JSON document."""
    line(_json(value, indent=2))


def json_list(values: Iterable[Any]) -> None:
    """A JSON array, streaming: one element a line."""
    sys.stdout.write("[")
    for number, value in enumerate(values):
        sys.stdout.write(",\n" if number else "\n")
        sys.stdout.write(_json(value))
    sys.stdout.write("\n]\n")


def csv_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Rows as CSV (RFC 4180), streaming; no cell can become a formula of a spreadsheet."""
    import csv

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(headings)
    for row in rows:
        writer.writerow(f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in map(clean, row))


_FORMULA = ("=", "+", "-", "@")


def _json(value: Any, indent: int | None = None) -> str:
    """JSON text that a terminal can show, too."""
    return harmless_json(json.dumps(plain(value), ensure_ascii=False, indent=indent))


def harmless_json(text: str) -> str:
    """JSON text in which what a terminal would obey, or not show, is escaped, which means the same in JSON."""
    return _UNESCAPED.sub(lambda match: json.dumps(match[0])[1:-1], text)


def plain(value: Any) -> Any:
    """A value of the engine as JSON can hold it: dates as ISO text, sealed values hidden, bytes left out."""
    import msgspec

    from eadm_sync.model import Sealed

    if isinstance(value, Sealed):
        return "***"
    if isinstance(value, msgspec.Struct):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__ if not _opaque(value, name)}
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset, Iterator)):
        return [plain(each) for each in value]
    return msgspec.to_builtins(value)


def _opaque(value: Any, name: str) -> bool:
    return isinstance(getattr(value, name), bytes)
