"""First passwords for paper: one row, or one slip to be cut out, for each person."""

from __future__ import annotations

import contextlib
import csv
import io
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from eadm_sync.app.passwords import Shown
from eadm_sync.cli.output import clean
from eadm_sync.cli.showing.html import escaped

_FORMULA = ("=", "+", "-", "@")

_HEAD = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>First passwords</title>
<style>
body { font: 14px/1.4 system-ui, sans-serif; margin: 1rem; color: #000 }
section { border: 1px dashed #666; padding: .6rem .8rem; margin: 0 0 .6rem; break-inside: avoid }
h2 { font-size: 1rem; margin: 0 0 .3rem } code { font: bold 1.2rem/1.4 ui-monospace, monospace }
</style>
"""


def write_new(file: Path, read: Callable[[], Sequence[Shown]], form: Callable[[Sequence[Shown]], str]) -> int:
    """Writes what is read to a new file that only its owner can read; returns how many passwords it holds.

    The file is made before anything is read, so that nothing is audited as read that could not be written.

    Raises:
        OSError: The file is there already, or cannot be written.
    """
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as out:
            found = read()
            out.write(form(found))
    except BaseException:
        with contextlib.suppress(OSError):
            file.unlink()
        raise
    return len(found)


def as_csv(found: Sequence[Shown]) -> str:
    """Rows as CSV (RFC 4180); no cell can become a formula of a spreadsheet."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("where", "name", "accounts", "password"))
    for one in found:
        writer.writerow(map(_cell, _row(one)))
    return text.getvalue()


def as_html(found: Sequence[Shown]) -> str:
    """One slip for each person, in one file that needs nothing else."""
    return _HEAD + "".join(_slips(found)) + "</html>\n"


def _slips(found: Sequence[Shown]) -> Iterator[str]:
    for place, name, accounts, password in map(_row, found):
        yield f"<section><h2>{escaped(name)} <small>{escaped(place)}</small></h2>"
        yield f"<div>{escaped(accounts)}</div><code>{escaped(password)}</code></section>\n"


def _row(one: Shown) -> tuple[str, str, str, str]:
    accounts = ", ".join(dict.fromkeys(one.holder.accounts.values()))
    return one.holder.place, one.holder.name, accounts, one.secret.value


def _cell(value: str) -> str:
    text = clean(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
