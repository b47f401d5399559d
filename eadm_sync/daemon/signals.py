"""What the operating system asks of the process: to stop, to stop at once, to read its configuration again."""

from __future__ import annotations

import os
import signal
from types import FrameType

_STOP = ("SIGTERM", "SIGINT", "SIGBREAK")  # the last one is Windows' Ctrl-Break
_RELOAD = "SIGHUP"  # not on Windows


class Signals:
    """Notes what was asked for. Handlers only set flags: they may strike while the main loop holds any lock.

    Attributes:
        stopping: Whether the process shall stop; a second request ends it at once.
    """

    def __init__(self) -> None:
        self.stopping = False
        self._reload = False

    def install(self) -> None:
        """Takes the signals over; for the main thread."""
        for name in _STOP:
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), self._stop)
        if hasattr(signal, _RELOAD):
            signal.signal(getattr(signal, _RELOAD), self._ask_for_reload)

    def take_reload(self) -> bool:
        """Whether the configuration shall be read again; asks once for each request."""
        asked, self._reload = self._reload, False
        return asked

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        if self.stopping:
            os._exit(128 + number)  # as shells say of a process that a signal ended
        self.stopping = True

    def _ask_for_reload(self, _number: int, _frame: FrameType | None) -> None:
        self._reload = True
