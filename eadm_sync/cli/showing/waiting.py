"""Progress of long work: bars on standard error when it is a terminal, nothing otherwise."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Bars:
    """Shows one bar, for the step that is under way; it disappears when the work is done.

    An instance is called as `eadm_sync.app.planning.Progress` says.
    """

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._step = ""

    def __call__(self, step: str, done: int, total: int | None) -> None:
        """Shows how far a step has got; the first call for a step replaces the bar of the one before."""
        if not sys.stderr.isatty():
            return
        progress = self._progress or self._start()
        if self._task is None or step != self._step:
            if self._task is not None:
                progress.remove_task(self._task)
            self._step, self._task = step, progress.add_task(step, total=total)
        progress.update(self._task, completed=done, total=total)

    def stop(self) -> None:
        """Takes the bar away: something else is to be said."""
        if self._progress is not None:
            self._progress.stop()
        self._progress = self._task = None

    def _start(self) -> Progress:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._progress.start()
        return self._progress

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
