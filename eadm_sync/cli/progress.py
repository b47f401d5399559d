"""How long work gets on: a bar on standard error where that is a terminal, nothing elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

Progress = Callable[[str, int, int | None], None]
"""Told the step in a few words, how much is done, and of how much (None: unknown)."""


@contextlib.contextmanager
def watched() -> Iterator[Progress]:
    """Shows one line for each step while the block runs; nothing of it is left on the screen afterwards."""
    if not sys.stderr.isatty():
        yield _unwatched
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    from eadm_sync.cli.output import clean

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    tasks: dict[str, TaskID] = {}
    with Bars(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as bars:

        def tell(step: str, done: int, total: int | None) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(escape(clean(step)), total=total)
            bars.update(tasks[step], completed=done, total=total)

        yield tell


def _unwatched(_step: str, _done: int, _total: int | None) -> None:
    """Progress that nobody watches."""
